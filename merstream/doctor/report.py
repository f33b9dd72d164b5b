"""The diagnosis of dataset folders as text, JSON and HTML, and what each protocol would use of them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.markup import escape

from merstream.cli.console import stdout_console
from merstream.doctor.diagnosis import Diagnosis, dataset_folders, examine_folder
from services.ingest.catalogue.entry import FoundClip
from shared.inbox.reading_options import ReadingOptions
from shared.protocols import apply_evaluation_protocol
from shared.protocols.catalogue import PROTOCOL_BY_NAME
from shared.records import Sample
from shared.storage_faults import require_writable_file
from shared.store import LocalStore

SCHEMA = "mer.doctor/1"
MAX_PRINTED_FINDINGS = 10  # findings of one kind in the terminal. JSON and HTML list all
FINDING_HEADINGS = {
    "same_people": "persons who may have several names",
    "problems": "clips that cannot be used",
    "unreadable": "files that cannot be read",
    "missing": "frames that are missing",
    "contradictions": "contradictions",
    "corrections": "known errors of the sheet",
    "repairs": "repairs",
    "labels": "labels and cells in doubt",
    "extra": "files and folders that no sheet mentions",
}


@dataclass(frozen=True)
class ProtocolVerdict:
    """What a protocol would use of the examined datasets, in clips."""

    name: str
    title: str
    clips: int
    groups: int
    counts: Mapping[str, int]
    left_out: Mapping[str, int]
    faults: tuple[str, ...]
    asserted: bool  # whether there are published counts to compare with
    remark: str


def diagnose_folders(
    folders: Sequence[Path], reading: ReadingOptions, deep: bool = False, distinct: bool = False
) -> dict[str, Any]:
    """Everything that the command reports, as plain values. The options are those of `examine_folder`."""
    found = [examine_folder(folder, reading, deep, distinct) for folder in dataset_folders(folders)]
    return {
        "schema": SCHEMA,
        "usable": bool(found) and all(diagnosis.usable for diagnosis in found),
        "datasets": [_plain_diagnosis(diagnosis) for diagnosis in found],
        "protocols": [vars(verdict) for verdict in protocol_verdicts(found)],
    }


def protocol_verdicts(found: Sequence[Diagnosis]) -> Iterator[ProtocolVerdict]:
    """One verdict for each protocol to which an examined dataset contributes."""
    clips = [(diagnosis, clip) for diagnosis in found for clip in diagnosis.readable_clips]
    keys = {clip.sample.dataset: diagnosis.key for diagnosis, clip in clips}
    for task in PROTOCOL_BY_NAME.values():
        mine = [_protocol_sample(clip, task.labels) for diagnosis, clip in clips if _takes_part(task.name, diagnosis)]
        if not mine or not any(sample.emotion for sample in mine):
            continue
        applied = apply_evaluation_protocol(task, mine, keys)
        counts = dict(applied.counts) if task.classes else {}
        yield ProtocolVerdict(
            name=task.name,
            title=task.title,
            clips=len(applied.kept),
            groups=applied.groups,
            counts=counts,
            left_out=applied.left_out,
            faults=applied.faults,
            asserted=task.total_clips is not None,
            remark=task.remark,
        )


def _takes_part(name: str, diagnosis: Diagnosis) -> bool:
    return diagnosis.key in {share.dataset for share in PROTOCOL_BY_NAME[name].shares}


def _protocol_sample(clip: FoundClip, labels: str) -> Sample:
    """The clip's sample with the label and the clip name that the protocol uses."""
    return clip.sample.model_copy(update={"emotion": clip.labels.get(labels), "clip": clip.filename})


def _plain_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        **{name: getattr(diagnosis, name) for name in ("folder", "dataset", "key", "name", "fault", "usable")},
        **diagnosis.summary_figures(),
        **{name: getattr(diagnosis, name) for name in FINDING_HEADINGS},
    }


def show_diagnosis(
    folders: Sequence[Path], reading: ReadingOptions, *, deep: bool, distinct: bool, as_json: bool, html: Path | None
) -> bool:
    """Print the diagnosis to stdout, and write it as a page to `html`. Returns True if every dataset is usable."""
    if html:
        require_writable_file(html)
    diagnosis = diagnose_folders(folders, reading, deep, distinct)
    if html:
        write_html_page(diagnosis, html)
    if as_json:
        stdout_console.file.write(json.dumps(diagnosis, indent=1, ensure_ascii=False) + "\n")
    else:
        print_diagnosis(diagnosis, stdout_console)
    return bool(diagnosis["usable"])


def write_html_page(diagnosis: Mapping[str, Any], file: Path) -> None:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("doctor.html.j2").render(diagnosis=diagnosis, findings=FINDING_HEADINGS)
    LocalStore(file.parent).put(file.name, page.encode())


def print_diagnosis(diagnosis: Mapping[str, Any], console: Console) -> None:
    """Print figures, the first findings of each kind, protocols and the verdict."""
    for dataset in diagnosis["datasets"]:
        _print_dataset(dataset, console)
    if diagnosis["protocols"]:
        console.print("\n[bold]protocols[/]")
    for verdict in diagnosis["protocols"]:
        mark = "[yellow]differs[/]" if verdict["faults"] else "[green]holds[/]" if verdict["asserted"] else "gives"
        classes = f": {_format_counts(verdict['counts'])}" if verdict["counts"] else ""
        line = f"{verdict['name']}: {verdict['clips']} clips, {verdict['groups']} groups{classes}"
        console.print(f"  {mark} {escape(line)}", soft_wrap=True, highlight=False)
        for fault in verdict["faults"]:
            console.print(f"    {escape(fault)}", soft_wrap=True, highlight=False, style="dim")
    doubtful = any(dataset["same_people"] for dataset in diagnosis["datasets"])
    doubt = ". Write each person's name in one way, or use --distinct" if doubtful else ""
    console.print("\n[green]usable[/]" if diagnosis["usable"] else f"\n[red]not usable[/] as it is{doubt}")


def _print_dataset(dataset: Mapping[str, Any], console: Console) -> None:
    title = f"{dataset['dataset']}: {dataset['name'] or 'not recognised'}"
    console.print(f"\n[bold]{escape(title)}[/]  {escape(dataset['folder'])}", soft_wrap=True, highlight=False)
    if dataset["fault"]:
        console.print(f"  [red]fault[/] {escape(dataset['fault'])}", soft_wrap=True, highlight=False)
    if dataset["clips"]:
        console.print(
            f"  {dataset['clips']} clips of {dataset['subjects']} subjects, {dataset['frames']} frames "
            f"({_format_counts(dataset['sizes'])}), {', '.join(dataset['fps'])} frames per second, "
            f"{dataset['without_apex']} without an apex (it is spotted later)",
            soft_wrap=True,
            highlight=False,
        )
        if dataset["sound"] < dataset["clips"] or dataset["problems"]:
            console.print(f"  {_describe_use(dataset)}", soft_wrap=True, highlight=False)
        console.print(f"  labels: {escape(_format_counts(dataset['emotions']))}", soft_wrap=True, highlight=False)
        if dataset["without_aus"]:
            uncoded = f"{dataset['without_aus']} of {dataset['clips']} clips"
            line = f"no AU coding in {uncoded}: these train and score emotions only"
            console.print(f"  {line}", soft_wrap=True, highlight=False)
    for name, heading in FINDING_HEADINGS.items():
        _print_findings(heading, dataset[name], console)


def _describe_use(dataset: Mapping[str, Any]) -> str:
    """How many of the annotated clips are sound, repaired or lost."""
    unreadable, refused = dataset["clips"] - dataset["sound"] - dataset["repaired"], len(dataset["problems"])
    return (
        f"of {dataset['clips'] + refused} clips {dataset['sound']} are sound, {dataset['repaired']} have invented "
        f"frames or few grey levels, {unreadable} have unreadable files, {refused} cannot be used"
    )


def _print_findings(heading: str, sentences: Sequence[str], console: Console) -> None:
    if not sentences:
        return
    console.print(f"  [yellow]{len(sentences)}[/] {heading}", highlight=False)
    for sentence in sentences[:MAX_PRINTED_FINDINGS]:
        console.print(f"    {escape(sentence)}", soft_wrap=True, highlight=False)
    if len(sentences) > MAX_PRINTED_FINDINGS:
        console.print(
            f"    and {len(sentences) - MAX_PRINTED_FINDINGS} more. --json and --html list all of them", style="dim"
        )


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(counts).most_common())
