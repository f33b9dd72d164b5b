from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np

from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source
from shared.store import npz

Write = Callable[..., Path]


def first(folder: Path) -> FoundClip:
    clip = next(discover_clips(folder))
    assert isinstance(clip, FoundClip)
    return clip


def test_the_raw_bytes_in_order_with_their_numbers(casme2: Path) -> None:
    packed = pack_source(first(casme2))
    files = [casme2 / f"Cropped/sub01/EP02_01f/reg_img{n}.jpg" for n in range(8, 13)]
    assert packed["data"].tobytes() == b"".join(file.read_bytes() for file in files)
    assert packed["ends"].tolist() == np.cumsum([file.stat().st_size for file in files]).tolist()
    assert packed["names"].tolist() == [file.name for file in files]
    assert packed["numbers"].tolist() == [8, 9, 10, 11, 12]
    assert [packed[name].item() for name in ("onset", "apex", "offset", "fps")] == [8, 10, 12, 200.0]
    assert (packed["kind"].item(), packed["cropped"].item(), packed["notes"].tolist()) == ("frames", True, [])


def test_an_absent_apex_is_minus_one(casme2: Path) -> None:
    clip = list(discover_clips(casme2))[1]
    assert isinstance(clip, FoundClip)
    assert pack_source(clip)["apex"].item() == -1


def test_repairs_are_applied_and_said(casme2: Path) -> None:
    (casme2 / "Cropped/sub01/EP02_01f/reg_img9.jpg").unlink()
    packed = pack_source(first(casme2))
    assert packed["names"].tolist() == [f"reg_img{n}.jpg" for n in (8, 8, 10, 11, 12)]
    assert packed["numbers"].tolist() == [8, 9, 10, 11, 12]
    assert packed["notes"].tolist() == ["frame 9 is missing: frame 8 is shown instead"]


def test_content_only(casme2: Path, tmp_path: Path, write_sheet: Write) -> None:
    """Another place, another dataset name and another label give the same bytes."""
    before = npz.pack_arrays(pack_source(first(casme2)))
    elsewhere = copytree(casme2, tmp_path / "Übung")
    write_sheet(elsewhere, [(1, "EP02_01f", 8, 10, 12, "1 or 2", "surprise")])
    assert npz.pack_arrays(pack_source(first(elsewhere))) == before


def test_an_empty_file_is_packed_and_left_to_the_stage(casme2: Path) -> None:
    for file in (casme2 / "Cropped/sub01/EP02_01f").iterdir():
        file.write_bytes(b"")
    assert pack_source(first(casme2))["ends"].tolist() == [0] * 5


def test_a_video_is_packed_whole(tmp_path: Path, write_video: Write) -> None:
    video = write_video(tmp_path / "v.avi", 5)
    header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
    (tmp_path / "clips.csv").write_text(f"{header}\nlab,1,v,v.avi,1,2,3,30,,\n")
    packed = pack_source(first(tmp_path))
    assert packed["data"].tobytes() == video.read_bytes()
    assert (packed["kind"].item(), packed["names"].tolist(), packed["numbers"].tolist()) == ("video", ["v.avi"], [0])
