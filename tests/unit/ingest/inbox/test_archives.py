"""Archives count as if unpacked where they lie."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import Unavailable
from tests.unit.ingest.inbox.lab import Lab, dataset, frames, sheet
from tests.unit.ingest.inbox.packed import PACKERS, Files, zipped


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[list[str]]:
    """Recipes of `dataset("a", "b")` dropped as a folder."""
    lab = Lab(tmp_path / "plain")
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    yield sorted(lab.only().clips.items())
    lab.close()


def below(folder: str, files: Files) -> dict[str, bytes]:
    return {f"{folder}/{path}": data for path, data in files.items()}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("top", ["", "d", "Some other name"])
def test_an_archive_at_the_top_is_a_dataset(lab: Lab, plain: list[str], kind: str, top: str) -> None:
    files = below(top, dataset("a", "b")) if top else dataset("a", "b")
    lab.inbox.put(f"d{kind}", PACKERS[kind](files))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain
    assert lab.only().complete


@pytest.mark.parametrize(
    ("archive", "inside"),
    [
        ("frames.zip", {path.removeprefix("frames/"): data for path, data in frames("a").items()}),  # a/img1.jpg
        ("frames.zip", frames("a")),
        ("frames/a.tgz", {path.removeprefix("frames/a/"): data for path, data in frames("a").items()}),
        ("frames/all.zip", {path.removeprefix("frames/"): data for path, data in frames("a").items()}),
        ("anything.zip", frames("a")),
    ],
)
def test_an_archive_stands_for_what_it_holds(
    lab: Lab, plain: list[str], archive: str, inside: dict[str, bytes]
) -> None:
    if archive == "frames.zip" and "a/img1.jpg" in inside:
        inside |= {path.removeprefix("frames/"): data for path, data in frames("b").items()}
        lab.drop("d", {"clips.csv": sheet(dict.fromkeys("ab", "others"))})
    else:
        lab.drop("d", {**frames("b"), "clips.csv": sheet(dict.fromkeys("ab", "others"))})
    lab.drop("d", {archive: PACKERS[archive[archive.rindex(".") :]](inside)})
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain


def test_archives_within_archives(lab: Lab, plain: list[str]) -> None:
    inner = zipped({path.removeprefix("frames/"): data for path, data in (frames("a") | frames("b")).items()})
    lab.inbox.put("d.zip", zipped({"frames.zip": inner, "clips.csv": sheet(dict.fromkeys("ab", "others"))}))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain
    assert len(list(lab.process.scratch.kept.glob("*/data/*/*"))) == 7, "the inner archive is not kept"


def test_an_archive_from_a_mac(lab: Lab, plain: list[str]) -> None:
    litter = {"__MACOSX/d/._clips.csv": b"x", "d/.DS_Store": b"x"}
    lab.inbox.put("d.zip", zipped({**below("d", dataset("a", "b")), **litter}))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain


def test_an_archive_made_by_a_program_that_writes_backslashes(lab: Lab, plain: list[str]) -> None:
    lab.inbox.put("d.zip", zipped({path.replace("/", "\\"): data for path, data in dataset("a", "b").items()}))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain


def test_a_plan_under_another_name_is_told(lab: Lab) -> None:
    for path, data in {**dataset("a"), "Merstream.json.txt": b"{}"}.items():
        lab.inbox.put(f"d/{path}", data)
    lab.scan()
    assert lab.only().faults == ("Merstream.json.txt: expected settings in merstream.json, got this name; rename it.",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plan_that_powershell_wrote(lab: Lab, encoding: str) -> None:
    lab.drop("d", {**dataset("a"), "merstream.json": '{"profile": "paper"}\r\n'.encode(encoding)})
    lab.scan()
    assert (lab.only().pipeline.profile, lab.only().faults) == ("paper", ())


@pytest.mark.parametrize("name", ["d.tar.zst", "d.z01", "d.zip.001", "d.7z"])
def test_an_archive_of_another_kind_is_told(lab: Lab, name: str) -> None:
    lab.inbox.put(name, b"x")
    lab.scan()
    assert f"{name}: expected a .zip or .tar archive; unpack it and upload its contents." in lab.only().faults
    assert lab.only().name == "d"


def test_a_plan_beside_an_archive(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(below("d", dataset("a"))))
    lab.drop("d", {"merstream.json": b'{"profile": "paper"}'})
    lab.scan()
    assert lab.only().pipeline.profile == "paper"
    assert len(lab.only().clips) == 1


def test_a_loose_file_counts_where_an_archive_holds_it_too(lab: Lab) -> None:
    lab.drop("d", {"frames.zip": zipped(frames("a")), "frames/a/img2.jpg": b"better", "clips.csv": sheet({"a": "x"})})
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1bettera 3"]


def test_two_archives_that_disagree_are_told(lab: Lab) -> None:
    other = zipped({**frames("a"), "frames/a/img2.jpg": b"other"})
    lab.drop("d", {"1.zip": zipped(frames("a")), "2.zip": other, "clips.csv": sheet({"a": "x"})})
    lab.scan()
    assert lab.only().faults == ("d/2.zip: expected frames/a/img2.jpg once, got another in d/1.zip; keep one of them.",)


def test_of_an_archive_dropped_again_only_what_changed_is_done(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(dataset("a", "b")))
    lab.scan()
    lab.inbox.put("d.zip", zipped({**dataset("a", "b"), "frames/b/img2.jpg": b"better"}))
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1a 2a 3", b"b 1b 2b 3", b"b 1betterb 3"]
    assert len(list(lab.process.scratch.kept.iterdir())) == 1, "the old one is dropped"


def test_lost_scratch_is_rebuilt(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(dataset("a", "b")))
    lab.scan()
    shutil.rmtree(lab.process.scratch.kept)
    lab.process.scratch.kept.mkdir()
    lab.drop("d", {"clips.csv": sheet({"a": "new", "b": "new"})})
    lab.scan()
    assert len(lab.only().clips) == 2


def test_half_lost_scratch_is_rebuilt(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped({"frames/a/img1.jpg": b"1", **frames("a")}))
    lab.scan()
    for file in lab.process.scratch.kept.glob("*/data/*/*"):
        file.unlink()
    lab.drop("d", {"clips.csv": sheet({"a": "x"})})
    with pytest.raises(Unavailable, match="scratch"):
        lab.scan()
    lab.scan()
    assert len(lab.only().clips) == 1


def test_what_is_unpacked_stays_over_a_restart(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(dataset("a")))
    lab.scan()
    lab.fetched()
    lab.restart()
    lab.scan()
    assert lab.calls.of("fetch_file") == []


# What must not be unpacked.
