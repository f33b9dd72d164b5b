"""`mer forget`: the folder of a run after its dataset's folder was renamed."""

import shlex
from pathlib import Path

import pytest

from merstream.app import main
from merstream.embedded.features import load_extracted_features
from merstream.embedded.run_folder import Workspace
from merstream.embedded.training import train_and_report
from shared.dataset_notices import announce_dataset
from shared.errors import BadData
from shared.records import Dataset, Pipeline
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
    assert mer(*command[1:]) == 0
    assert [each.sample.clip for each in load_extracted_features([out]).features] == ["a"]


def test_one_dataset_in_two_run_folders_is_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        tell(tmp_path / name, "lab", ["a"])
    with pytest.raises(BadData, match=r"one and .*two both hold clip lab/01/a: two runs of one dataset\. Give one"):
        load_extracted_features([tmp_path / "one", tmp_path / "two"])
    assert len(load_extracted_features([tmp_path / "one"]).features) == 1


def test_a_name_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(tmp_path, "lab", ["a"])
    assert mer("forget", "Lab", "--out", tmp_path) == 1
    assert "expected a dataset 'Lab', got lab. Correct the name." in capsys.readouterr().err.replace("\n", " ")


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
    assert mer("forget", "toy", "--out", tmp_path) == 0
    found = load_extracted_features([tmp_path])
    assert {each.sample.dataset for each in found.features} == {"renamed"}
    train_and_report(found, [tmp_path], **options)
    assert (tmp_path / "report" / "report.json").exists()
