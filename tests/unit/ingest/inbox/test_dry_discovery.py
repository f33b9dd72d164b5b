"""Discovery on a skeleton finds what it finds on the dataset, whatever the layout."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from services.ingest.inbox.dropped_files import DatasetContents, DroppedFile
from services.ingest.inbox.dry_discovery import clip_fingerprint, discover_on_skeleton
from shared.store import LocalStore
from tests.dataset_layouts import FORMS, Frames, full_size_clips, write


def held(store: LocalStore) -> DatasetContents:
    return DatasetContents({e.key: DroppedFile(e.size, e.etag, e.key) for e in store.list_objects()}, [])


def inside(found: FoundClip, folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in found.files]


@pytest.mark.parametrize("key", FORMS)
def test_every_layout(tmp_path: Path, key: str) -> None:
    folder = write(tmp_path / "data" / "Set", FORMS[key], full_size_clips(key)[:25], Frames())
    whole = list(discover_clips(folder, "Set"))
    (tmp_path / "scratch").mkdir()
    store = LocalStore(folder)
    seen = discover_on_skeleton("Set", held(store), store, tmp_path / "scratch")
    clips = [each for each in whole if isinstance(each, FoundClip)]
    assert len(clips) > 10
    assert [clip.found.sample for clip in seen.clips] == [clip.sample for clip in clips]
    assert [list(clip.paths) for clip in seen.clips] == [inside(clip, folder) for clip in clips]
    same = [(c.numbers, c.kind, c.cropped, c.notes, c.label_notes) for c in clips]
    assert [(c.numbers, c.kind, c.cropped, c.notes, c.label_notes) for c in (clip.found for clip in seen.clips)] == same
    assert seen.faults == [each.sentence.replace(str(folder), "Set") for each in whole if isinstance(each, ClipProblem)]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_video_is_not_fetched(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "data")
    header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
    store.put("clips.csv", f"{header}\nlab,1,v,v.avi,1,2,3,30,,\n".encode())
    store.put("v.avi", b"x" * 1000)
    fetched = []
    real = store.fetch_file
    store.fetch_file = lambda key, file: (fetched.append(key), real(key, file))[1]  # type: ignore[method-assign, func-returns-value]
    (clip,) = discover_on_skeleton("d", held(store), store, tmp_path).clips
    assert (clip.paths, clip.found.kind) == (("v.avi",), "video")
    assert fetched == ["clips.csv"]


def test_one_person_under_two_names_is_refused_unless_the_plan_says_that_they_are_two(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "data")
    header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
    store.put("clips.csv", f"{header}\nlab,sub01,v,v.avi,1,2,3,30,,\nlab,1,w,v.avi,4,5,6,30,,\n".encode())
    store.put("v.avi", b"x")
    seen = discover_on_skeleton("d", held(store), store, tmp_path)
    assert seen.clips == []
    assert [fault.partition(":")[0] for fault in seen.faults] == ["lab/1 and lab/sub01"]
    store.put("merstream.json", b'{"train": {"distinct": true}}')
    seen = discover_on_skeleton("d", held(store), store, tmp_path)
    assert (len(seen.clips), seen.faults) == (2, [])


@pytest.mark.parametrize("name", ["Clips.TSV", "clips.txt"])
def test_tables_of_text_are_fetched_whatever_their_name(tmp_path: Path, name: str) -> None:
    store = LocalStore(tmp_path / "data")
    header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
    store.put(name, f"{header}\nlab,1,v,V.AVI,1,2,3,30,,4,12\n".replace(",", "\t").encode())
    store.put("v.avi", b"x")
    (clip,) = discover_on_skeleton("d", held(store), store, tmp_path).clips
    assert (clip.paths, [str(unit) for unit in clip.found.sample.aus]) == (("v.avi",), ["4", "12"])


def test_a_named_face_makes_another_artifact(tmp_path: Path) -> None:
    folder = write(tmp_path / "data" / "Set", FORMS["casme2"], full_size_clips("casme2")[:1], Frames())
    (tmp_path / "scratch").mkdir()
    store = LocalStore(folder)
    (clip,) = discover_on_skeleton("Set", held(store), store, tmp_path / "scratch").clips
    named = replace(clip, found=replace(clip.found, face="left"))
    same = replace(clip, found=replace(clip.found, face=""))
    assert clip_fingerprint(named, held(store), 1) != clip_fingerprint(clip, held(store), 1)
    assert clip_fingerprint(same, held(store), 1) == clip_fingerprint(clip, held(store), 1)


def test_what_a_number_means_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    """A corrected column `numbering`, or other seconds, need the video again."""
    marks = []
    for number, cells in enumerate((",,,", "timed,,,", "counted,,,", ",0.1,,0.3", ",0.1,,0.4")):
        store = LocalStore(tmp_path / str(number))
        header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus,numbering,onset_s,apex_s,offset_s"
        store.put("clips.csv", f"{header}\nlab,1,v,v.avi,3,,9,30,,,{cells}\n".encode())
        store.put("v.avi", b"x" * 1000)
        (clip,) = discover_on_skeleton("d", held(store), store, tmp_path).clips
        marks.append(clip_fingerprint(clip, held(store), 1))
    assert len(set(marks)) == 5
