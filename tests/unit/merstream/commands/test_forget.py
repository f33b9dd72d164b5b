"""`mer forget` on the folder of a run: what is left of a person or dataset is nothing."""

import shlex
from pathlib import Path

import pytest

from merstream.app import main
from merstream.embedded.features import load_extracted_features
from merstream.embedded.run_folder import Workspace
from merstream.embedded.training import train_and_report
from services.ingest.inbox.refused_contents import RefusedContents
from shared.dataset_notices import announce_dataset
from shared.errors import BadData
from shared.records import Dataset, Pipeline
from shared.worker.child import ChildLimits
from tests.unit.merstream.embedded.test_pipeline import R0, record
from tests.unit.merstream.embedded.test_rerun import made
from tests.unit.trainer.lab import Lab, version


def mer(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return int(ended.value.code or 0)


def tell(out: Path, name: str, clips: list[str], sample_dataset: str = "lab") -> None:
    """A run of the dataset folder `name`, whose clips.csv calls the dataset `sample_dataset`."""
    records = [record(Pipeline(), clip, R0, sample_dataset) for clip in clips]
    bus = Workspace(out).open_bus()
    for each in records:
        bus.publish("mer.features", each.key, each.encode())
    dataset = Dataset(name=name, clips={each.sample.identity: each.version for each in records}, complete=True)
    announce_dataset(bus, Workspace(out).open_store(), dataset)
    bus.close()


def test_a_renamed_folder_is_told_and_the_way_out_works(tmp_path: Path) -> None:
    out = tmp_path / "my run"
    out.mkdir()
    tell(out, "old name", ["a", "b"])
    tell(out, "new", ["a"])
    with pytest.raises(BadData, match=r"holds clip lab/01/a in the datasets old name and new: .* renamed") as refused:
        load_extracted_features([out])
    command = shlex.split(str(refused.value).split("`")[1])
    assert command == ["mer", "forget", "old name", "--out", str(out)]
    assert mer(*command[1:], "--yes") == 0
    assert [each.sample.clip for each in load_extracted_features([out]).features] == ["a"]


def test_one_dataset_in_two_run_folders_is_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        tell(tmp_path / name, "lab", ["a"])
    with pytest.raises(BadData, match=r"one and .*two both hold clip lab/01/a: two runs of one dataset\. Give one"):
        load_extracted_features([tmp_path / "one", tmp_path / "two"])
    assert len(load_extracted_features([tmp_path / "one"]).features) == 1


def test_what_the_inbox_noted_of_unreadable_files_goes_too(tmp_path: Path) -> None:
    tell(tmp_path, "lab", ["a"])
    store = Workspace(tmp_path).open_store()
    for name in ("lab", "other"):
        RefusedContents(store, ChildLimits(900)).refuse_content("somebody.avi: too large.", name, "etag")
    assert mer("forget", "lab", "--out", tmp_path, "--yes") == 0
    assert [key.split("/")[1] for key in store.list_keys("inbox-refused/")] == ["other"]


def test_a_name_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(tmp_path, "lab", ["a"])
    assert mer("forget", "Lab", "--out", tmp_path) == 1
    assert (
        "Expected something of Lab, got nothing. Datasets: lab. Correct the name."
        in capsys.readouterr().err.replace("\n", " ")
    )


def test_a_dataset_named_by_its_folder_is_told_with_a_way_out_that_works(tmp_path: Path) -> None:
    """The same clips under the old and the new name of the folder: other identities, the same content."""
    old = made(tmp_path)
    renamed = [(sample.model_copy(update={"dataset": "renamed"}), arrays) for sample, arrays in old.clips]
    lab = Lab(tmp_path, renamed)
    lab.extract()
    names = {sample.identity: version(sample) for sample, _ in renamed}
    announce_dataset(lab.bus, lab.store, Dataset(name="renamed", clips=names, complete=True))
    lab.bus.close()
    options = {"model": "majority", "classes": "a,b"}
    with pytest.raises(
        BadData, match=r"the dataset renamed is also here as toy, renamed or copied\..*`mer forget NAME"
    ):
        train_and_report(load_extracted_features([tmp_path]), [tmp_path], **options)
    assert mer("forget", "toy", "--out", tmp_path, "--yes") == 0
    found = load_extracted_features([tmp_path])
    assert {each.sample.dataset for each in found.features} == {"renamed"}
    train_and_report(found, [tmp_path], **options)
    assert (tmp_path / "report" / "report.json").exists()


OPTIONS = {"model": "linear", "classes": "a,b"}


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with a trained run on two people, and with one dead letter of each."""
    lab = made(tmp_path)
    train_and_report(load_extracted_features([tmp_path]), [tmp_path], **OPTIONS)
    lab = Lab(tmp_path, lab.clips)
    lab.bury(2)
    lab.bury(5)
    lab.bus.close()
    return tmp_path


def naming(folder: Path, *texts: str) -> list[str]:
    """Files that have one of the texts in their name or content."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [
        file.relative_to(folder).as_posix()
        for file in files
        if any(text in file.relative_to(folder).as_posix() or text.encode() in file.read_bytes() for text in texts)
    ]


def test_of_a_dataset_nothing_is_left(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert naming(trained, "toy")
    assert mer("forget", "toy", "--out", trained, "--yes") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "toy: removed 6 clips, 2 dead letters, 1 reports removed, 6 records, 6 artifacts." in said
    assert naming(trained, "toy/", "toy@", "/s0", "/s1", '"s0"', '"s1"') == []
    assert [key.partition("/")[0] for key in Workspace(trained).open_store().list_keys()] == ["withdrawn"]
    assert mer("forget", "toy", "--out", trained, "--yes") == 0
    assert "toy: removed nothing, nothing of it was left." in " ".join(capsys.readouterr().err.split())


def test_of_a_person_nothing_is_left_and_the_other_one_stays(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = naming(trained, "/s0")
    (contents,) = (file for file in before if file.startswith("store/datasets/"))
    assert mer("forget", "toy", "--subject", "s1", "--out", trained, "--yes") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "One person of toy: removed 3 clips, 1 dead letters, 1 reports noted, 2 folds, 3 records, 3 artifacts." in said
    )
    left = {"toy/s1", '"s1"', "s1/c"}
    assert naming(trained, *left) == []
    assert set(before) - set(naming(trained, "/s0")) == {"report/report.html", contents}
    assert [each.sample.subject for each in load_extracted_features([trained]).features] == ["s0"] * 3
    note = (trained / "report" / "WITHDRAWN.txt").read_text()
    assert note.startswith("3 of the 6 clips of this run were withdrawn after it.")
    assert "Weights that were trained on them" in note
    for name in ("report.json", "report.html", "model_card.md", "run.json"):
        assert note.strip() in (trained / "report" / name).read_text()


def test_without_an_answer_nothing_is_removed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = naming(trained, "toy")
    assert mer("forget", "toy", "--out", trained) == 2
    assert "0 uploaded files and 6 stored files" in " ".join(capsys.readouterr().err.split())
    assert naming(trained, "toy") == before


def test_what_another_dataset_needs_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(tmp_path, "old", ["a", "b"])
    tell(tmp_path, "new", ["a"])
    store = Workspace(tmp_path).open_store()
    for clip in "ab":
        store.put(f"roi-au/lab/01/{clip}/r.npz", b"")
    assert mer("forget", "old", "--out", tmp_path, "--yes") == 0
    assert list(store.list_keys("roi-au/")) == ["roi-au/lab/01/a/r.npz"]
    assert "1 clips of it stay: another dataset has them too." in " ".join(capsys.readouterr().err.split())
    assert [each.sample.clip for each in load_extracted_features([tmp_path]).features] == ["a"]
