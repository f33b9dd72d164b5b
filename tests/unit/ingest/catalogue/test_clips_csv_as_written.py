"""clips.csv in the dress of spreadsheets, programs and other systems: the values that are read, and what is told."""

import datetime
import unicodedata
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from shared.errors import BadData

HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"
ROW = "lab,p01,smile,smile.mp4,15,24,35,30,happiness,6+12+25"
NO_BREAK, WIDE_BLANK = "\u00a0", "\u3000"
VALUES = ("p01", 15, 24, 35, 30.0, "happiness", "6 12 25")


def dataset(
    folder: Path, text: str, encoding: str = "utf-8", name: str = "clips.csv", video: str = "smile.mp4"
) -> Path:
    (folder / video).parent.mkdir(parents=True, exist_ok=True)
    (folder / video).touch()
    (folder / name).write_bytes(text.encode(encoding))
    return folder


def only(folder: Path) -> FoundClip:
    (clip,) = discover_clips(folder)
    assert isinstance(clip, FoundClip), clip
    return clip


def values(clip: FoundClip) -> tuple[object, ...]:
    sample = clip.sample
    units = " ".join(map(str, sample.aus))
    return sample.subject, sample.onset, sample.apex, sample.offset, sample.fps, sample.emotion, units


def test_a_clean_table_has_no_notes(tmp_path: Path) -> None:
    clip = only(dataset(tmp_path, f"{HEADER}\n{ROW}\n"))
    assert values(clip) == VALUES
    assert (clip.notes, clip.label_notes, clip.doubts) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (f"{HEADER}\n{ROW}\n".replace(",", "\t"), "utf-8"),
        (f"{HEADER}\n{ROW}\n", "utf-16"),
        (f"{HEADER}\n{ROW}\n", "utf-8-sig"),
        (f"\ufeff{HEADER}\n{ROW}\n", "utf-8-sig"),
        (f"sep=;\n{HEADER}\n{ROW}\n".replace(",", ";"), "utf-8"),
        (f"{HEADER}\r{ROW}\r", "utf-8"),
        (f",{HEADER}\n0,{ROW}\n", "utf-8"),
        (f"Unnamed: 0,{HEADER}\n0,{ROW}\n", "utf-8"),
        (f"{HEADER},,\n{ROW},,\n", "utf-8"),
        (f"{HEADER}\n{ROW.replace(',15,24,35,30', ',15.0,24.0,35.00,30.0')}\n", "utf-8"),
        (f"{HEADER}\n{ROW.replace(',15,', ',１５,').replace('6+12+25', '６＋１２＋25')}\n", "utf-8"),
        (f"{HEADER}\n{ROW.replace('15,', f'15{NO_BREAK},').replace('happiness', f'Happiness{WIDE_BLANK}')}\n", "utf-8"),
        (HEADER + "\n" + ROW.replace("6+12+25", ' "6,12,25"'), "utf-8"),
        (f"{HEADER},Emotion\n{ROW},happiness\n", "utf-8"),
        (f"{HEADER.replace('onset', 'Onset (frame)').replace('fps', 'FPS [Hz]')}\n{ROW}\n", "utf-8"),
        (f"{HEADER}\n{ROW.replace('6+12+25', 'AU06; AU 12;au25')}\n", "utf-8"),
    ],
)
def test_other_ways_to_write_the_same(tmp_path: Path, text: str, encoding: str) -> None:
    clip = only(dataset(tmp_path, text, encoding))
    assert values(clip) == VALUES
    assert clip.label_notes == ()


@pytest.mark.parametrize(
    ("change", "read", "note"),
    [
        (("6+12+25", "6,12,25"), VALUES, "the units without quotation marks read as 6+12+25"),
        (("6+12+25", "=6+12+25"), VALUES, "the formula '=6+12+25' read as '6+12+25'"),
        (("6+12+25", "“6+12+25”"), VALUES, "the quoted '“6+12+25”' read as '6+12+25'"),
        (("p01", "'p01"), VALUES, "with Excel's mark of text, \"'p01\" read as 'p01'"),
        (("p01", "p\u200b01"), VALUES, "subject (column B): U+200B, which nobody sees, left out of 'p01'"),
        (("p01", "Ｐ01"), ("P01", *VALUES[1:]), "full-width 'Ｐ01' read as 'P01'"),
        (("p01", "1.0"), ("1", *VALUES[1:]), "the number '1.0' read as '1'"),
        ((",30,", ',"29,97",'), (*VALUES[:4], 29.97, *VALUES[5:]), "the decimal comma of '29,97' read as '29.97'"),
        (("smile.mp4", "Smile.MP4"), VALUES, "the path 'Smile.MP4' was read as 'smile.mp4'"),
    ],
)
def test_what_deviates_is_understood_and_told(
    tmp_path: Path, change: tuple[str, str], read: tuple[object, ...], note: str
) -> None:
    clip = only(dataset(tmp_path, f"{HEADER}\n{ROW.replace(*change)}\n"))
    assert values(clip) == read
    (said,) = clip.label_notes
    assert said.startswith("clips.csv row 2: ")
    assert note in said
    assert clip.notes == ()


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ((",35,", ',"1,035",'), "expected a whole frame number in the offset, got '1,035'"),
        ((",35,", ",1,035,"), "expected 10 cells, got 11; put a cell that holds a comma in quotation marks."),
        ((",30,", ",29,97,"), "expected 10 cells, got 11"),
        ((",35,", ",3.5e1,"), "expected a whole frame number in the offset, got '3.5e1'"),
        ((",30,", ",3e1,"), "expected frames per second above 0 in fps, got '3e1'"),
        (("6+12+25", "12-Jun"), "in aus (column J), got '12-Jun', a date that a spreadsheet made"),
        (("happiness", "#N/A"), "in emotion (column I), got the spreadsheet's error #N/A"),
        (("p01", "MÃ¼ller"), "in subject (column B), got 'MÃ¼ller', which is 'Müller' in a wrong encoding"),
        (("p01", "??"), "in subject (column B), got '??', whose letters were lost"),
        (("p01", ""), "expected a subject, got an empty cell"),
    ],
)
def test_what_may_mean_something_else_is_refused_with_its_cell(
    tmp_path: Path, change: tuple[str, str], got: str
) -> None:
    good, bad = discover_clips(
        dataset(tmp_path, f"{HEADER}\n{ROW}\n{ROW.replace('smile,', 'two,').replace(*change)}\n")
    )
    assert isinstance(good, FoundClip)
    assert isinstance(bad, ClipProblem)
    assert bad.sentence.startswith("clips.csv row 3: ")
    assert got in bad.sentence


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_names_with_composed_and_decomposed_accents(tmp_path: Path, written: str, stored: str) -> None:
    file = unicodedata.normalize(stored, "Müller/lächeln.mp4")
    row = ROW.replace("smile.mp4", unicodedata.normalize(written, "Müller/lächeln.mp4"))
    clip = only(dataset(tmp_path, f"{HEADER}\n{row}\n", video=file))
    assert (clip.files, clip.label_notes) == ((tmp_path / file,), ())


@pytest.mark.parametrize("name", ["Clips.csv", "CLIPS.CSV", "clips.tsv", "clips.txt"])
def test_other_names_of_the_file(tmp_path: Path, name: str) -> None:
    assert values(only(dataset(tmp_path, f"{HEADER}\n{ROW}\n", name=name))) == VALUES


def test_a_workbook(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(HEADER.split(","))
    workbook.active.append(["lab", "p01", "smile", "smile.mp4", 15, 24.0, 35, 30, "happiness", "=6+12+25"])
    workbook.active.append(
        ["lab", "p02", "smile", "smile.mp4", 15, None, 35, 30, "happiness", datetime.date(2024, 6, 12)]
    )
    (tmp_path / "smile.mp4").touch()
    workbook.save(tmp_path / "clips.xlsx")
    clip, problem = discover_clips(tmp_path)
    assert isinstance(clip, FoundClip)
    assert values(clip) == VALUES
    assert isinstance(problem, ClipProblem)
    assert problem.sentence.startswith(
        "clips.xlsx [Sheet] row 3: expected text or a number in aus (column J), got a date"
    )


def test_two_tables_are_not_chosen_from(tmp_path: Path) -> None:
    dataset(tmp_path, f"{HEADER}\n{ROW}\n")
    dataset(tmp_path, f"{HEADER}\n{ROW}\n", name="Clips.csv")
    with pytest.raises(BadData, match=r"expected one clips\.csv, got Clips\.csv and clips\.csv; keep one of them"):
        discover_clips(tmp_path)


def test_a_clips_file_without_the_columns_beside_clips_csv_is_none(tmp_path: Path) -> None:
    dataset(tmp_path, "a list of clips\n", name="clips.txt")
    assert values(only(dataset(tmp_path, f"{HEADER}\n{ROW}\n"))) == VALUES


@pytest.mark.parametrize("name", ["emotion", "Emotion ", "emotion.1"])
def test_a_column_twice_with_other_values(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        BadData, match=r"'emotion' once, .* \(columns I and K\), with 'happiness' and 'surprise' in row 2"
    ):
        discover_clips(dataset(tmp_path, f"{HEADER},{name}\n{ROW},surprise\n"))


def test_times_are_no_frames(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="without 'onset'"):
        discover_clips(dataset(tmp_path, f"{HEADER.replace('onset', 'onset (s)')}\n{ROW}\n"))


def test_lines_that_are_no_clips_are_told(tmp_path: Path) -> None:
    clip = only(dataset(tmp_path, f"# coded by two people, A; B\n{HEADER},apexframe\n{ROW}\n#{ROW}\n"))
    assert values(clip) == VALUES
    assert clip.label_notes == (
        "clips.csv: 1 line(s) above the header in row 2 skipped, the first '# coded by two people A; B'",
        "clips.csv row 2: the column 'apexframe' (K) is not used; if it is 'apex', name it so",
        "clips.csv: row(s) 4 begin with # and are comments",
    )


def test_common_chinese_text_is_told_and_western_text_refused(tmp_path: Path) -> None:
    clip = only(dataset(tmp_path, f"{HEADER}\n{ROW.replace('p01', '张三')}\n", "gbk"))
    assert clip.sample.subject == "张三"
    assert clip.label_notes == ("clips.csv: the text is no UTF-8 and was read as GB 18030, for example '张三'",)
    with pytest.raises(BadData, match="expected UTF-8 text, got invalid start byte at byte 65; save it as UTF-8"):
        discover_clips(dataset(tmp_path, f"{HEADER}\n{ROW.replace('p01', 'Müller')}\n", "cp1252"))


def test_labels_are_compared_over_all_rows(tmp_path: Path) -> None:
    labels = ["happiness", "Happiness ", "happy", "none", "12"]
    rows = (ROW.replace("p01", f"p{number}").replace("happiness", label) for number, label in enumerate(labels))
    first, second, third, fourth, fifth = discover_clips(dataset(tmp_path, "\n".join([HEADER, *rows])))
    found = [clip.sample.emotion for clip in (first, second, third, fourth) if isinstance(clip, FoundClip)]
    assert found == ["happiness", "happiness", "happy", None]
    assert isinstance(third, FoundClip)
    assert third.label_notes == (
        "the label 'happy' (1x) is a class of its own beside 'happiness' (2x); correct it if they are the same",
        "clips.csv row 4: p2 has frames that clips.csv row 2 gives to p0. If both are in the picture, say which face "
        "is whose in the column face",
    )
    assert isinstance(fifth, ClipProblem)
    assert "expected a word in the emotion, as in the other rows, got '12'" in fifth.sentence


def test_units_that_moved_into_the_column_of_crops(tmp_path: Path) -> None:
    (problem,) = discover_clips(dataset(tmp_path, f"{HEADER},cropped\n{ROW.replace('6+12+25', '6,12')}\n"))
    assert isinstance(problem, ClipProblem)
    assert "expected yes or no in cropped, got '12'" in problem.sentence


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("f,1,2,4,200,,,", "f,3,4,6,200,,,", True),
        ("f,1,2,3,200,,,", "f,4,5,6,200,,,", False),
        ("f,1,2,4,200,,,left", "f,3,4,6,200,,,right", False),
        ("f,1,2,4,200,,,", "g,1,2,4,200,,,", False),
    ],
)
def test_two_persons_in_the_same_frames_are_told(
    tmp_path: Path, write_frames: Callable[..., Path], one: str, other: str, told: bool
) -> None:
    for name in "fg":
        write_frames(tmp_path / name, range(1, 7), "{}.jpg")
    clips = list(discover_clips(dataset(tmp_path, f"{HEADER},face\nlab,ann,c,{one}\nlab,ben,c,{other}\n")))
    notes = [note for clip in clips if isinstance(clip, FoundClip) for note in clip.label_notes]
    expected = ["clips.csv row 2: ann has frames that clips.csv row 3 gives to ben", "clips.csv row 3: ben has frames"]
    assert [note.startswith(start) for note, start in zip(notes, expected, strict=told)] == [True] * len(notes)
    assert bool(notes) is told
