import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from merstream import app
from merstream.doctor.report import diagnose_folders
from shared.inbox.reading_options import ReadingOptions
from shared.video.index import read_file_index
from tests.dataset_layouts import FORMS, full_size_clips, write
from tests.dataset_layouts.write import TINY
from tests.unit.merstream.embedded.test_pipeline import write_clips
from tests.unit.shared.video import coded


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    """Six clips; file names are those of full size."""
    return write(tmp_path / "CASME2", FORMS["casme2"], full_size_clips("casme2")[:6], TINY, kinds=[0])


def told(folder: Path, **options: Any) -> dict[str, Any]:
    (dataset,) = diagnose_folders([folder], ReadingOptions(), **options)["datasets"]
    return dict(dataset)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_code:
        app.main(["doctor", *arguments])
    return int(exit_code.value.code or 0)


def test_what_a_good_dataset_holds(casme2: Path) -> None:
    found = told(casme2)
    assert (found["key"], found["dataset"], found["usable"], found["fault"]) == ("casme2", "CASME2", True, "")
    assert (found["clips"], found["subjects"], found["frames"], found["without_apex"]) == (6, 6, 30, 0)
    assert (found["emotions"], found["fps"], found["sizes"]) == ({"disgust": 6}, {"200": 6}, {"8x8": 6})
    assert not any(found[name] for name in ("problems", "unreadable", "missing", "contradictions", "repairs", "extra"))


def test_every_fault_is_a_sentence(casme2: Path) -> None:
    clips = casme2 / "Cropped"
    (clips / "sub01/EP01_01/reg_img11.jpg").unlink()
    (clips / "sub02/EP01_01/reg_img12.jpg").write_bytes(b"")
    (clips / "sub03/EP01_01/reg_img12.jpg").write_text("<html>not found</html>")
    broken = clips / "sub03/EP01_01/reg_img13.jpg"
    broken.write_bytes(broken.read_bytes()[:-40])
    shutil.rmtree(clips / "sub04")
    (clips / "sub05/EP99_99").mkdir()
    (clips / "sub06/EP01_01/notes.txt").touch()
    said = diagnose_folders([casme2], ReadingOptions())
    (found,) = said["datasets"]
    assert found["missing"] == ["01/EP01_01: frame 11 is missing: frame 10 is shown instead"]
    assert found["unreadable"] == [
        "Cropped/sub02/EP01_01/reg_img12.jpg is empty. Copy it again from the original",
        "Cropped/sub03/EP01_01/reg_img12.jpg is no image (it begins with b'<html>no'). Copy it again from the original",
        "Cropped/sub03/EP01_01/reg_img13.jpg is a JPEG cut short. Copy it again from the original",
    ]
    assert len(found["problems"]) == 1
    assert "expected the clip at Cropped/sub04/EP12_01f, got nothing there; copy it" in found["problems"][0]
    assert found["extra"] == [
        "Cropped/sub05/EP99_99: the sheet does not mention this clip. It is ignored",
        "Cropped/sub06/EP01_01/notes.txt: no numbered image. It is ignored",
    ]
    assert (found["clips"], found["sound"], found["repaired"], found["usable"]) == (5, 2, 1, True)
    assert [verdict["clips"] for verdict in said["protocols"] if verdict["name"] == "casme2-5"] == [3]


def test_deep_finds_what_headers_hide(casme2: Path) -> None:
    """Bytes between a JPEG's header and its end are not looked at without `deep`."""
    file = casme2 / "Cropped/sub01/EP01_01/reg_img11.jpg"
    whole = file.read_bytes()
    file.write_bytes(whole[:20] + b"\xff\xd9")
    assert told(casme2)["unreadable"] == []
    (sentence,) = told(casme2, deep=True)["unreadable"]
    assert "reg_img11.jpg cannot be decoded (" in sentence


def test_frames_of_several_sizes(casme2: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(casme2 / "Cropped/sub01/EP01_01/reg_img11.jpg"), np.zeros((9, 7, 3), np.uint8))
    found = told(casme2)
    assert found["unreadable"] == ["01/EP01_01: frames of several sizes: 7x9, 8x8. Export them at one size"]
    assert (found["clips"], found["sound"]) == (6, 5), "a run leaves the clip out"


def test_exit_codes_and_text(casme2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(casme2)) == 0
    out = capsys.readouterr().out
    assert "6 clips of 6 subjects, 30 frames (8x8 6), 200 frames per second" in out
    assert "differs casme2-5: 6 clips, 6 groups: disgust 6" in out
    assert out.rstrip().endswith("usable")
    (tmp_path / "empty").mkdir()
    assert run(str(tmp_path / "empty")) == 1
    assert "got an empty folder; copy the dataset into it" in capsys.readouterr().out.replace("\n", " ")


def test_a_dataset_whose_every_clip_is_broken_is_not_usable(casme2: Path) -> None:
    for file in casme2.glob("Cropped/*/*/*"):
        file.write_bytes(b"")
    assert run(str(casme2)) == 1


def test_a_person_under_two_names_is_not_usable_unless_they_are_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_clips(tmp_path / "data", ["sub01", "1", "2", "2_s2"])
    for number in range(4):
        for frame in (1, 2, 3):
            cv2.imwrite(str(folder / f"f{number}" / f"img{frame}.jpg"), np.zeros((9, 7, 3), np.uint8))
    found = told(folder)
    assert found["same_people"] == ["lab/1 and lab/sub01", "lab/2 and lab/2_s2"]
    assert not found["usable"]
    assert run(str(folder)) == 1
    said = capsys.readouterr().out
    assert "2 persons who may have several names" in said
    assert said.rstrip().endswith("not usable as it is. Write each person's name in one way, or use --distinct")
    assert run(str(folder), "--distinct") == 0
    assert "several names" not in capsys.readouterr().out


def test_clips_that_nobody_coded_for_action_units_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """AU 0 is a coding: no unit is present."""
    folder = write_clips(tmp_path / "data", ["a", "b", "c"])
    for file in folder.glob("*/*.jpg"):
        cv2.imwrite(str(file), np.zeros((9, 7, 3), np.uint8))
    assert told(folder)["without_aus"] == 3
    sheet = folder / "clips.csv"
    first, *rows = sheet.read_text().splitlines()
    coded = [row + aus for row, aus in zip(rows, ("", "0", "4+12"), strict=True)]
    sheet.write_text("\n".join([first, *coded]))
    assert told(folder)["without_aus"] == 1
    page = tmp_path / "page.html"
    assert run(str(folder), "--html", str(page)) == 0
    assert "  no AU coding in 1 of 3 clips: these train and score emotions only\n" in capsys.readouterr().out
    assert "none in 1 of 3 clips: these train and score emotions only" in page.read_text(encoding="utf-8")
    sheet.write_text("\n".join([first, *(row + "4" for row in rows)]))
    assert run(str(folder)) == 0
    assert "AU coding" not in capsys.readouterr().out


def test_json_and_page(casme2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (casme2 / "Cropped/sub01/EP01_01/<b>.txt").touch()
    assert run(str(casme2), "--json", "--html", str(tmp_path / "page.html")) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["usable"], said["datasets"][0]["clips"]) == ("mer.doctor/1", True, 6)
    assert said["protocols"][0]["name"] == "casme2-5"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "CASME II" in page
    assert "&lt;b&gt;.txt" in page
    assert "<b>.txt" not in page


def test_a_folder_of_datasets_and_the_composite(tmp_path: Path) -> None:
    for key in ("casme2", "samm", "smic-hs"):
        write(tmp_path / key, FORMS[key], full_size_clips(key), TINY, kinds=[0])
    said = diagnose_folders([tmp_path], ReadingOptions())
    assert [dataset["key"] for dataset in said["datasets"]] == ["casme2", "samm", "smic-hs"]
    verdicts = {verdict["name"]: verdict for verdict in said["protocols"]}
    assert verdicts["megc2019"]["counts"] == {"negative": 250, "positive": 109, "surprise": 83}
    assert (verdicts["megc2019"]["groups"], verdicts["megc2019"]["faults"]) == (68, ())
    assert verdicts["megc2019"]["left_out"]["casme2: label others"] == 99
    assert not verdicts["samm-objective"]["asserted"]


def videos(folder: Path, *rows: str) -> Path:
    """A clips.csv with a row for each video, as `path,onset,apex,offset,fps`."""
    header = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
    lines = [f"lab,p{number},c{number},{row},," for number, row in enumerate(rows)]
    (folder / "clips.csv").write_text("\n".join([header, *lines]))
    return folder


def test_videos_are_asked_for_their_length_and_rate(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.avi", range(10), "mjpeg", pixels="yuvj420p")
    (tmp_path / "broken.avi").write_bytes(b"no video")
    rows = "v.avi,0,4,9,30", "v.avi,0,4,10,30", "v.avi,0,4,9,200", "broken.avi,0,4,9,30"
    found = told(videos(tmp_path, *rows))
    assert found["problems"] == [
        "clips.csv row 3: v.avi: expected frames up to the offset 10, got a video of 10 frames, which count from "
        "0; correct the row, or all rows if the sheet counts from 1, or copy the file again.",
        "clips.csv row 5: broken.avi: expected a video, got a file that cannot be opened as one; convert it to .mp4 "
        "again, or copy it again if its download stopped.",
    ]
    assert found["contradictions"] == [
        "v.avi plays at 30 frames per second, the sheet says 200. The sheet's rate is used. That is right for a "
        "high-speed recording that is played slowly"
    ]
    assert (found["clips"], found["sound"], found["frames"], found["sizes"]) == (4, 2, 20, {"160x96": 3})


def test_an_uneven_video_is_told_without_decoding(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", [number for number in range(60) if number < 15 or number > 30 or number % 2])
    coded.write(tmp_path / "v.avi", [number for number in range(60) if number != 20], "mpeg4")
    found = told(videos(tmp_path, "v.mp4,15,25,35,30", "v.avi,15,25,35,30"))
    assert "expected frames at equal steps" in found["problems"][0]
    assert found["repairs"] == [
        "p1/c1: uneven recording: each frame keeps its true time",
        "p1/c1: not recorded between onset and offset, by time: frames 20",
    ]
    assert (found["sound"], found["frames"]) == (1, 20)


def test_deep_decodes_the_clips_of_videos(tmp_path: Path) -> None:
    """Without `deep` a damaged packet looks like any other."""
    file = coded.write(tmp_path / "v.mp4", range(48), b_frames=0, aspect=Fraction(16, 15))
    index, data = read_file_index(file), bytearray(file.read_bytes())
    begin = index.packets[12].place or 0
    data[begin : begin + index.packets[12].size] = bytes(index.packets[12].size)
    file.write_bytes(data)
    videos(tmp_path, "v.mp4,2,5,9,30", "v.mp4,14,15,20,30", "v.mp4,30,35,40,30")
    assert told(tmp_path)["unreadable"] == []
    assert told(tmp_path)["repairs"][0] == "3 clips (p0/c0, ...): pixels of 16:15 will be scaled to square ones"
    found = told(tmp_path, deep=True)
    assert found["unreadable"] == [
        "v.mp4: expected whole frames 14 to 20, got damaged data: frames 12 to 23 cannot be decoded; copy the video "
        "again, or take clips that lie outside of them."
    ]
    assert (found["sound"], found["repairs"][0]) == (
        2,
        "2 clips (p0/c0, ...): pixels of 16:15 were scaled to square ones: 160x96 px became 171x96",
    )


def test_what_a_header_declares_is_compared(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.mp4", range(60), container={"movflags": "+faststart"})
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 4])
    (said,) = told(videos(tmp_path, "v.mp4,2,5,9,30"))["contradictions"]
    assert said.startswith("v.mp4 declares 60 frames in its header and has ")
