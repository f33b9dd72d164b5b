from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips

Write = Callable[..., Path]
HERE = "SMIC_all_cropped/HS/s{}/micro/{}/{}"
HEADER = "Subject,Filename,OnsetFrame,OffsetFrame,Estimated Emotion"


def clips(folder: Path) -> list[FoundClip]:
    found = list(discover_clips(folder))
    assert all(isinstance(clip, FoundClip) for clip in found), found
    return found  # type: ignore[return-value]


@pytest.fixture
def smic(tmp_path: Path, write_frames: Write) -> Path:
    write_frames(tmp_path / HERE.format(1, "negative", "s1_ne_01"), range(120, 130), "reg_image{:06}.bmp")
    write_frames(tmp_path / HERE.format(11, "surprise", "s11_sur_02"), range(7, 12), "reg_image{:06}.bmp")
    return tmp_path


def test_folders_alone_say_it_all(smic: Path) -> None:
    first, second = clips(smic)
    assert (first.sample.subject, first.sample.clip, first.sample.emotion) == ("01", "s1_ne_01", "negative")
    assert (first.onset, first.apex, first.offset, first.fps) == (120, None, 129, 100.0)
    assert (second.sample.subject, second.sample.emotion, second.cropped) == ("11", "surprise", True)


def test_a_sheet_that_lost_and_gained_zeros(smic: Path) -> None:
    """A spreadsheet makes a number of a subject; one csv in use says s01_ne_01 where the folder is s1_ne_01."""
    lines = [HEADER, "1,s01_ne_01,121,128,negative", "11,s11_sur_2,7,11,surprise"]
    (smic / "HS_cropped.csv").write_text("\n".join(lines))
    first, second = clips(smic)
    assert (first.sample.clip, first.onset, first.offset) == ("s1_ne_01", 121, 128)
    assert second.sample.clip == "s11_sur_02"


def test_holes_are_filled_from_neighbours(smic: Path) -> None:
    for number in (122, 126):
        (smic / HERE.format(1, "negative", "s1_ne_01") / f"reg_image{number:06}.bmp").unlink()
    first = clips(smic)[0]
    assert first.notes == (
        "frame 122 is missing: frame 121 is shown instead",
        "frame 126 is missing: frame 125 is shown instead",
    )


def test_other_cameras_and_non_micro_clips_are_others(smic: Path, write_frames: Write) -> None:
    write_frames(smic / "SMIC_all_cropped/VIS/s1/micro/negative/s1_ne_01", (1, 2))
    write_frames(smic / "SMIC_all_cropped/HS/s1/non_micro/s1_non_01", (1, 2))
    assert len(clips(smic)) == 2


def test_a_clip_without_frames_is_a_problem(smic: Path) -> None:
    (smic / HERE.format(20, "negative", "s20_ne_01")).mkdir(parents=True)
    problem = list(discover_clips(smic))[2]
    assert isinstance(problem, ClipProblem)
    assert problem.sentence.endswith(
        "s20_ne_01: expected numbered images in s20_ne_01, got none; copy the frames there."
    )


def test_a_label_that_the_folder_contradicts(smic: Path) -> None:
    (smic / "labels.csv").write_text(f"{HEADER}\n1,s1_ne_01,121,128,surprise")
    (clip,) = clips(smic)
    assert clip.doubts == ("labels.csv row 2: the label is surprise, the clip is in the folder negative",)


def test_numbers_of_the_long_clips_count_from_their_own_first(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "HS_long/SMIC-HS-E/s3_po_05", range(1, 21), "image{:06}.jpg")
    lines = ["Subject,Filename,FirstF,OnsetF,OffsetF,Emotion", "3,s03_po_05,2301,2305,2310,positive"]
    (tmp_path / "SMIC-HS-E.csv").write_text("\n".join([*lines, "text that explains,the columns,,,,"]))
    (clip,) = clips(tmp_path)
    assert (clip.onset, clip.offset, clip.apex, clip.sample.subject) == (5, 10, None, "03")
    assert clip.files[0].name == "image000005.jpg"
