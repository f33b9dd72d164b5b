from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from shared.inbox.reading_options import ReadingOptions

Write = Callable[..., Path]
HEADER = (
    *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro"),
    *("Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)
Rows = Callable[..., Path]


@pytest.fixture
def samm(tmp_path: Path, write_frames: Write) -> Rows:
    def write(*rows: tuple[object, ...]) -> Path:
        workbook = openpyxl.Workbook()
        for line in [["about the coding"]] * 13 + [list(HEADER)] + [list(row) for row in rows]:
            workbook.active.append(line)
        workbook.save(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx")
        write_frames(tmp_path / "006" / "006_1_2", range(5562, 5570), "006_{:05}.jpg")
        write_frames(tmp_path / "009" / "009_1_3", range(3577, 3580), "009_{}.jpg")
        return tmp_path

    return write


ROW = ("006", "006_1_2", 2, 5562, 5565, 5568, 7, "1/2", "R12A + L14", "Other", 7, None)


def only(folder: Path, how: ReadingOptions | None = None) -> FoundClip:
    (clip,) = discover_clips(folder, reading=how)
    assert isinstance(clip, FoundClip), clip
    return clip


def test_a_preamble_and_five_digits(samm: Rows) -> None:
    clip = only(samm(ROW))
    assert (clip.sample.subject, clip.sample.clip, clip.apex, clip.fps) == ("006", "006_1_2", 5565, 200.0)
    assert [str(unit) for unit in clip.sample.aus] == ["R12A", "L14"]
    assert (clip.sample.emotion, clip.labels) == ("other", {"emotion": "other", "objective": "7"})
    assert clip.doubts == ()


def test_objective_classes_in_place_of_emotions(samm: Rows) -> None:
    assert only(samm(ROW), ReadingOptions(labels="objective")).sample.emotion == "7"


def test_names_of_four_digits_and_a_subject_as_a_number(samm: Rows) -> None:
    clip = only(samm((9, "009_1_3", 2, 3577, 3578, 3579, 3, "", "4", "Anger", 3, None)))
    assert (clip.sample.subject, clip.files[0].name) == ("009", "009_3577.jpg")


def test_a_known_error_is_corrected_and_told(samm: Rows, write_frames: Write) -> None:
    folder = samm(("013", "013_1_9", 2, 5734, 5736, 5793, 60, "", "4", "Anger", 3, None))
    write_frames(folder / "013" / "013_1_9", range(5734, 5741), "013_{:05}.jpg")
    clip = only(folder)
    assert (clip.offset, len(clip.changes)) == (5739, 1)
    assert str(clip.changes[0]).startswith("013/013_1_9: offset 5793 was corrected, documented: 5739 (")
    assert clip.doubts == (
        "SAMM_Micro_FACS_Codes_v2.xlsx [Sheet] row 15: Duration (column G) is 60, onset to offset are 6 frames",
    )
