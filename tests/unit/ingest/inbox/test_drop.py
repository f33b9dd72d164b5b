"""`mer drop`: what goes up, in which order, what is refused and what is not sent again."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from merstream import app
from merstream.stack import upload as drop
from shared.errors import BadData, Misconfigured
from shared.settings import Settings
from shared.store import LocalStore
from tests.unit.ingest.inbox.lab import Lab, dataset, sheet


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    lab = Lab(tmp_path / "lab")
    monkeypatch.setenv("MER_HOME", str(tmp_path / "lab"))
    yield lab
    lab.close()


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def mer(*arguments: object) -> int:
    """The command's exit code."""
    try:
        app.main(list(map(str, arguments)))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_folder_goes_up_and_is_taken(lab: Lab, tmp_path: Path) -> None:
    folder = written(tmp_path / "my set", {**dataset("a", "ü"), ".DS_Store": b"", "__MACOSX/x": b"", "Thumbs.db": b""})
    assert mer("drop", folder) == 0
    assert sorted(lab.inbox.list_keys()) == sorted(f"my set/{path}" for path in dataset("a", "ü"))
    lab.scan()
    assert (lab.only().complete, len(lab.only().clips)) == (True, 2)


def test_options_become_the_plan(lab: Lab, tmp_path: Path) -> None:
    folder = written(tmp_path / "d", dataset("a"))
    options = ["--profile", "paper", "--set", "flow.solver=exact", "--model", "linear", "--seed", 0, "--epochs", 2]
    assert mer("drop", folder, "--name", "n", *options, "--prefer", "raw") == 0
    assert json.loads(lab.inbox.get("n/merstream.json")) == {
        "profile": "paper",
        "overrides": {"flow": {"solver": "exact"}},
        "train": {"model": "linear", "seed": 0, "epochs": 2},
        "prefer": "raw",
    }
    lab.scan()
    assert lab.only().train == {"model": "linear", "seed": 0, "epochs": 2}


def test_options_are_laid_over_the_folders_own_plan(lab: Lab, tmp_path: Path) -> None:
    own = json.dumps({"profile": "paper", "train": {"seed": 4}}).encode()
    folder = written(tmp_path / "d", {**dataset("a"), "merstream.json": own})
    assert mer("drop", folder) == 0
    assert lab.inbox.get("d/merstream.json") == own
    assert mer("drop", folder, "--seed", 5) == 0
    assert json.loads(lab.inbox.get("d/merstream.json")) == {"profile": "paper", "train": {"seed": 5}}
    assert (folder / "merstream.json").read_bytes() == own


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "flow.sovler=exact"],
        ["--set", "floww.solver=exact"],
        ["--profile", "fast"],
        ["--model", "huge"],
    ],
)
def test_what_no_stage_knows_is_refused(lab: Lab, tmp_path: Path, options: list[str]) -> None:
    assert mer("drop", written(tmp_path / "d", dataset("a")), *options) == 2
    assert list(lab.inbox.list_keys()) == []


def test_what_discovery_refuses_is_refused(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path / "d", {"frames/a/img1.jpg": b"x"})
    assert mer("drop", folder) == 1
    assert list(lab.inbox.list_keys()) == []
    said = capsys.readouterr().err
    assert "left out d: expected" in said
    assert "0 clips can be used, 1 fault." in said
    assert mer("drop", folder, "--force") == 0
    assert list(lab.inbox.list_keys()) == ["d/frames/a/img1.jpg"]


def test_a_faulty_clip_is_told_and_stops_no_other(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {**dataset("a"), "clips.csv": sheet({"a": "others", "b": "others"})}
    assert mer("drop", written(tmp_path / "d", files)) == 0
    assert "1 clips can be used, 1 fault." in capsys.readouterr().err
    assert len(list(lab.inbox.list_keys())) == 4


def test_an_archive_goes_up_after_its_plan(lab: Lab, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for path, data in dataset("a").items():
            archive.writestr(f"d/{path}", data)
    assert mer("drop", tmp_path / "d.zip", "--name", "My set", "--profile", "paper") == 0
    assert sorted(lab.inbox.list_keys()) == ["My set.zip", "My set/merstream.json"]
    lab.scan()
    assert (lab.only().name, lab.only().pipeline.profile, len(lab.only().clips)) == ("My set", "paper", 1)
    given = drop.prepare_upload(tmp_path / "d.zip", None, drop.plan_from_options("paper", [], {}, None))
    assert list(given.collect_files(tmp_path)) == ["d/merstream.json", "d.zip"]


def test_the_sheet_goes_last(tmp_path: Path) -> None:
    files = {"a.csv": b"", "clips.csv": b"", "merstream.json": b"{}", "z/img1.jpg": b"", "b.xlsx": b""}
    given = drop.prepare_upload(written(tmp_path / "d", files), None, None)
    assert list(given.collect_files(tmp_path)) == [
        "d/z/img1.jpg",
        "d/merstream.json",
        "d/a.csv",
        "d/b.xlsx",
        "d/clips.csv",
    ]


def test_what_lies_there_is_not_sent_again(lab: Lab, tmp_path: Path) -> None:
    folder = written(tmp_path / "d", dataset("a", "b"))
    settings = Settings(home=tmp_path / "lab")
    given = drop.prepare_upload(folder, None, None)
    assert drop.drop_dataset(settings, given) == 7
    before = {entry.key: entry.etag for entry in lab.inbox.list_objects()}
    assert drop.drop_dataset(settings, given) == 0
    assert {entry.key: entry.etag for entry in lab.inbox.list_objects()} == before
    (folder / "frames/a/img1.jpg").write_bytes(b"A 1")  # of the same size
    assert drop.drop_dataset(settings, given) == 1
    assert lab.inbox.get("d/frames/a/img1.jpg") == b"A 1"


def test_what_cannot_be_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    for wrong in ("none", "a.txt"):
        with pytest.raises(BadData, match="expected a dataset folder or an archive"):
            drop.prepare_upload(tmp_path / wrong, None, None)
    for name in ("a/b", ".hidden", "..", "x" * 300):
        with pytest.raises(BadData, match="dataset name"):
            drop.prepare_upload(tmp_path, name, None)
    with pytest.raises(Misconfigured):
        drop.plan_from_options(None, [], {"epochs": -1}, None)
    assert drop.plan_from_options(None, [], {"seed": None}, None) is None


def test_etags_of_one_and_of_many_parts(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    assert drop.content_etag(tmp_path / "f", 4) == "d41d8cd98f00b204e9800998ecf8427e"
    (tmp_path / "f").write_bytes(b"four")
    assert drop.content_etag(tmp_path / "f", 4) == "8cbad96aced40b3838dd9f07f6ef5772"
    (tmp_path / "f").write_bytes(b"fourfive")
    assert drop.content_etag(tmp_path / "f", 4).endswith("-2")


def test_the_inbox_of_a_folder_needs_no_stack(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", scratch=tmp_path / "new" / "scratch")
    folder = written(tmp_path / "d", dataset("a"))
    assert drop.drop_dataset(settings, drop.prepare_upload(folder, None, None)) == 4
    assert len(list(LocalStore(tmp_path / "home" / "inbox").list_keys())) == 4
