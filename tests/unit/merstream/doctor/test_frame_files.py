"""What the doctor says of the frames themselves: invented, of another depth, too large, or no frames at all."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from merstream import app
from merstream.doctor.report import diagnose_folders
from shared.inbox.reading_options import ReadingOptions

HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
PICTURE = np.tile(np.linspace(0, 1, 64 * 48).reshape(48, 64)[:, :, None], (1, 1, 3))


def dataset(folder: Path, clips: int = 3, rows: str = "1,9,16", picture: Any = None) -> Path:
    pixels = (PICTURE * 255).astype(np.uint8) if picture is None else picture
    for index in range(clips):
        (folder / str(index)).mkdir()
        for number in range(1, 17):
            pixels[0, 0] = number  # no frame repeats another
            (folder / str(index) / f"img{number}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    lines = [f"lab,s{index},c,{index},{rows},200,happiness," for index in range(clips)]
    (folder / "clips.csv").write_text("\n".join([HEADER, *lines]))
    return folder


def told(folder: Path, deep: bool = False) -> dict[str, Any]:
    (found,) = diagnose_folders([folder], ReadingOptions(), deep=deep)["datasets"]
    return dict(found)


@pytest.mark.parametrize(("filled", "usable"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_dataset_whose_clips_mostly_need_repair_is_not_usable(tmp_path: Path, filled: int, usable: bool) -> None:
    dataset(tmp_path)
    for index in range(filled):
        (tmp_path / str(index) / "img8.png").unlink()
    found = told(tmp_path)
    assert (found["clips"], found["sound"], found["repaired"], found["usable"]) == (3, 3 - filled, filled, usable)
    assert len(found["missing"]) == filled


def test_a_clip_of_invented_frames_is_never_usable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset(tmp_path, clips=2)
    for number in range(2, 16):
        if number not in (6, 11):
            (tmp_path / "0" / f"img{number}.png").unlink()
    found = told(tmp_path)
    assert (found["clips"], found["sound"], found["repaired"]) == (1, 1, 0)
    assert found["problems"] == [
        "clips.csv row 2: expected the 16 frames 1 to 16, got 4: 12 are missing, a quarter or more; restore the files "
        "or remove the clip from the sheet."
    ]
    with pytest.raises(SystemExit) as exit_code:
        app.main(["doctor", str(tmp_path)])
    assert exit_code.value.code == 0
    use = "of 2 clips 1 are sound, 0 have invented frames or few grey levels, 0 have unreadable files, 1 cannot be used"
    assert use in capsys.readouterr().out


def test_a_finding_on_the_whole_sheet_is_told_once(tmp_path: Path) -> None:
    dataset(tmp_path, rows="0,8,15")
    assert told(tmp_path)["repairs"] == [
        "3 clips (s0/c, ...): the frame numbers of the whole sheet are 1 less than those of the frames: 1 was added"
    ]


def test_files_that_are_left_out_say_why(tmp_path: Path) -> None:
    dataset(tmp_path, clips=1)
    for name in ("img3 (1).png", "img3_old.png", "notes.txt"):
        (tmp_path / "0" / name).write_bytes(b"x")
    assert told(tmp_path)["extra"] == [
        "0/img3 (1).png: it is a copy of img3.png. It is ignored",
        "0/img3_old.png: its name has another pattern than img1.png. It is ignored",
        "0/notes.txt: no numbered image. It is ignored",
    ]


def test_crops_and_raw_frames_in_one_folder_are_both_frames(tmp_path: Path) -> None:
    dataset(tmp_path, clips=1)
    for file in list((tmp_path / "0").iterdir()):
        (tmp_path / "0" / f"reg_{file.name}").write_bytes(file.read_bytes())
    found = told(tmp_path)
    assert (found["sound"], found["extra"], found["repairs"]) == (1, [], [])


def test_deep_tells_the_depth_and_how_many_grey_levels_are_left(tmp_path: Path) -> None:
    dataset(tmp_path, clips=2, picture=(PICTURE * 4095).astype(np.uint16))
    assert told(tmp_path)["repairs"] == []
    assert told(tmp_path, deep=True)["repairs"] == [
        "2 clips (s0/c, ...): 16-bit frames that hold 12-bit values: the upper 8 of the 12 bits were kept; "
        "256 grey levels are left"
    ]


def test_deep_tells_repeated_frames_and_refuses_a_clip_of_them(tmp_path: Path) -> None:
    dataset(tmp_path, clips=2)
    for index, repeats in (("0", (5,)), ("1", (3, 5, 7, 9, 11))):
        for number in repeats:
            before = tmp_path / index / f"img{number - 1}.png"
            (tmp_path / index / f"img{number}.png").write_bytes(before.read_bytes())
    assert told(tmp_path)["sound"] == 2
    found = told(tmp_path, deep=True)
    assert (found["sound"], found["repairs"]) == (
        1,
        ["s0/c: 1 of 16 frames are byte for byte the frame before them: 5"],
    )
    (sentence,) = found["unreadable"]
    assert sentence.startswith("1/img1.png and the frames after it cannot be used (5 of 16 frames are byte for byte")


@pytest.mark.parametrize(("levels", "usable"), [(60, False), (200, True)])
def test_a_dataset_of_few_grey_levels_is_not_usable(tmp_path: Path, levels: int, usable: bool) -> None:
    """The values of a dark recording in a file of 16 bits."""
    dataset(tmp_path, clips=2, picture=(PICTURE * levels).astype(np.uint16))
    found = told(tmp_path, deep=True)
    assert (found["sound"], found["repaired"], found["usable"]) == ((2, 0, True) if usable else (0, 2, False))


@pytest.mark.parametrize("deep", [False, True])
def test_frames_too_large_for_a_worker(tmp_path: Path, deep: bool) -> None:
    dataset(tmp_path, clips=2)
    file = tmp_path / "0" / "img3.png"
    data = bytearray(file.read_bytes())
    data[16:24] = (12_000).to_bytes(4) + (9000).to_bytes(4)
    file.write_bytes(data)
    found = told(tmp_path, deep=deep)
    assert found["unreadable"] == [
        "0/img3.png is too large: expected an image of at most 64 megapixels, got 12000x9000 px (108 megapixels); "
        "export the frames smaller."
    ]
    assert (found["sound"], found["usable"]) == (1, True)
