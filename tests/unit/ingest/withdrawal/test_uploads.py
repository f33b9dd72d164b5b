"""Which uploaded files are one person's."""

from pathlib import Path

import pytest

from services.ingest.withdrawal.uploads import choose_files, find_uploads
from shared.errors import BadData
from shared.store import LocalStore
from shared.withdrawal.scope import WithdrawalScope
from tests.unit.ingest.inbox.lab import HEADER, frames


def test_frames_of_a_person_are_found_in_every_folder_of_their_name() -> None:
    cropped = {name: [f"Cropped/{name}/EP1/{number}.jpg" for number in (1, 2)] for name in ("sub01", "sub02")}
    raw = ["Raw/sub01/EP1/1.jpg", "Raw/sub01/not coded/1.jpg", "Raw/sub02/EP1/1.jpg"]
    others = ["coding.xlsx", "merstream.json"]
    everything = [*cropped["sub01"], *cropped["sub02"], *raw, *others]
    found = choose_files(everything, cropped["sub01"], cropped["sub02"])
    assert found == [*cropped["sub01"], *raw[:2]]


def test_a_file_that_two_people_share_stays() -> None:
    assert choose_files(["a.mp4", "b.mp4"], ["a.mp4", "b.mp4"], ["b.mp4"]) == ["a.mp4"]


def test_a_person_is_found_among_uploads_by_the_inboxs_own_code(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    rows = [f"lab,{person},{clip},frames/{clip},1,2,3,200,others,4" for person, clip in (("p", "a"), ("q", "b"))]
    files = {**frames("a"), **frames("b"), "clips.csv": "\n".join([HEADER, *rows]).encode()}
    for path, data in files.items():
        store.put(f"d/{path}", data)
        store.put(f"d2/{path}", data)
    scope = WithdrawalScope(name="d", subject="q", datasets=frozenset({"lab"}))
    assert find_uploads(store, scope) == [f"d/frames/b/img{number}.jpg" for number in (1, 2, 3)]
    whole = WithdrawalScope(name="d", datasets=frozenset({"lab"}))
    assert set(find_uploads(store, whole)) == {f"d/{path}" for path in files}
    store.put("d.zip", b"no archive")
    assert "d.zip" in find_uploads(store, whole)
    with pytest.raises(BadData, match=r"d\.zip: expected the dataset as files, .* got an archive"):
        find_uploads(store, scope)
