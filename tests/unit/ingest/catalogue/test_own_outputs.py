"""What merstream wrote inside a dataset is no data, wherever it lies and whatever its name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from merstream.doctor.diagnosis import dataset_folders, examine_folder
from merstream.embedded.run_folder import Workspace
from merstream.stack.upload import prepare_upload
from merstream.synth import write_dataset
from services.ingest.catalogue.entry import FoundClip
from services.ingest.catalogue.own_outputs import describe_own_output
from services.ingest.catalogue.tree import DatasetTree
from services.ingest.discover import discover_clips
from services.trainer.report.writer import REPORT_FILES
from shared.inbox.reading_options import ReadingOptions
from shared.records import Sample, artifact_key
from tests.dataset_layouts import FORMS, full_size_clips, write
from tests.dataset_layouts.write import EMPTY

SHEET = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Estimated Emotion,Action Units\n9,x,1,2,3,anger,4\n"


def write_run(folder: Path) -> None:
    """As `mer run` leaves a folder: the bus, artifacts named as clips, a report with tables."""
    workspace = Workspace(folder)
    workspace.open_bus().close()
    sample = Sample(dataset="d", subject="s01", clip="c", onset=1, offset=2, fps=200)
    workspace.open_store().put(artifact_key("ingest", sample, "0" * 32), b"arrays")
    write_report(workspace.report_folder)


def write_report(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in REPORT_FILES:
        (folder / name).write_text(SHEET)


def write_unfinished_report(folder: Path) -> None:
    (folder / "folds").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "samples.csv").write_text(SHEET)


def write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("1-clip", "2-timeline", "3-magnified", "4-flow", "5-rois"):
        (folder / f"s01-EP01_01-{name}.png").write_bytes(b"png")
    (folder / ".DS_Store").write_bytes(b"")


def write_drawn(folder: Path) -> None:
    write_dataset(folder, subjects=1, clips=1, size=(96, 128))


WRITERS: list[Callable[[Path], None]] = [
    write_run,
    write_report,
    write_unfinished_report,
    write_pictures,
    write_drawn,
]
PLACES = ("out/run", "results", "sub01/out", "a/b/c")


def found_in(folder: Path) -> list[tuple[Sample, tuple[Path, ...]]]:
    clips = list(discover_clips(folder, "d"))
    assert all(isinstance(clip, FoundClip) for clip in clips), clips
    return [(clip.sample, clip.files) for clip in clips if isinstance(clip, FoundClip)]


@pytest.mark.parametrize("key", ["samm", "casme2", "smic-hs", "mmew"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_second_run_finds_what_the_first_did(tmp_path: Path, key: str, writer: Callable[[Path], None]) -> None:
    folder = write(tmp_path / "Data", FORMS[key], full_size_clips(key)[:3], EMPTY)
    before, clean = found_in(folder), examine_folder(folder, ReadingOptions())
    for place in PLACES:
        writer(folder / place)
    assert found_in(folder) == before
    now = examine_folder(folder, ReadingOptions())
    told = [sentence for sentence in now.extra if sentence not in clean.extra]
    assert [sentence.partition(":")[0] for sentence in told] == sorted(PLACES)
    assert (now.problems, now.contradictions, now.fault) == (clean.problems, clean.contradictions, clean.fault)
    assert dataset_folders([folder]) == [folder]


@pytest.mark.parametrize("writer", WRITERS[:4])
def test_outputs_are_not_uploaded(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    folder = write(tmp_path / "Data", FORMS["samm"], full_size_clips("samm")[:3], EMPTY)
    before = list(prepare_upload(folder, "d", None).collect_files(tmp_path))
    writer(folder / "out" / "run")
    assert list(prepare_upload(folder, "d", None).collect_files(tmp_path)) == before


def test_a_subject_may_be_called_out(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    for number in (1, 2, 3):
        (folder / "out" / "run").mkdir(parents=True, exist_ok=True)
        (folder / "out" / "run" / f"img{number}.png").write_bytes(b"png")
    (folder / "clips.csv").write_text(
        "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus\nlab,out,run,out/run,1,2,3,200,anger,4\n"
    )
    assert [sample.identity for sample, _ in found_in(folder)] == ["lab/out/run"]
    assert DatasetTree(folder).own_outputs == ()


def test_a_drawn_dataset_alone_in_a_folder_is_what_is_meant(tmp_path: Path) -> None:
    write_drawn(tmp_path / "wrapped" / "synth")
    inside = [sample.clip for sample, _ in found_in(tmp_path / "wrapped")]
    assert inside == [sample.clip for sample, _ in found_in(tmp_path / "wrapped" / "synth")] == ["EP01_01"]
    shutil.rmtree(tmp_path / "wrapped" / "synth" / "truth")
    assert [sample.clip for sample, _ in found_in(tmp_path / "wrapped")] == inside


@pytest.mark.parametrize(
    "names",
    [
        {"report.json"},
        {"predictions.csv"},
        {"run.json"},
        {"folds", "s01"},
        {"1-clip.png", "img1.png"},
        {"s-1-clip.png", "img1.png"},
        {"CASME2-coding-synthetic.xlsx"},
        set[str](),
    ],
)
def test_a_name_alone_condemns_no_folder(names: set[str]) -> None:
    assert describe_own_output(names) == ""
