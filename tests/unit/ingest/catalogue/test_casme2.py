import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from shared.errors import BadData

Write = Callable[..., Path]


def found(folder: Path, **options: str) -> list[FoundClip]:
    clips = list(discover_clips(folder, **options))  # type: ignore[arg-type]
    assert all(isinstance(clip, FoundClip) for clip in clips), clips
    return clips  # type: ignore[return-value]


def test_the_layout_as_distributed(casme2: Path) -> None:
    first, second = found(casme2)
    assert first.sample.identity == "casme/01/EP02_01f"
    assert [file.name for file in first.files] == [f"reg_img{n}.jpg" for n in range(8, 13)]
    assert first.numbers == (8, 9, 10, 11, 12)
    assert (first.onset, first.apex, first.offset, first.fps) == (8, 10, 12, 200.0)
    assert (first.kind, first.cropped, first.notes) == ("frames", True, ())
    assert (first.sample.emotion, [str(au) for au in first.sample.aus]) == ("happiness", ["4", "L7"])
    assert second.sample.identity == "casme/02/EP02_01f"
    assert (second.apex, second.sample.emotion) == (None, "others")
    assert {file.parts[-3] for file in second.files} == {"sub02"}


def test_raw_frames_where_they_are_preferred(casme2: Path, write_frames: Write) -> None:
    for subject, numbers in (("sub01", range(1, 20)), ("sub02", range(40, 60))):
        write_frames(casme2 / "CASME2_RAW_selected" / subject / "EP02_01f", numbers, "img{}.jpg")
    first = found(casme2, prefer="raw")[0]
    assert [file.name for file in first.files] == [f"img{n}.jpg" for n in range(8, 13)]
    assert not first.cropped
    assert found(casme2)[0].cropped


def test_the_only_root_serves_whatever_is_preferred(casme2: Path) -> None:
    assert found(casme2, prefer="raw")[0].cropped


@pytest.mark.parametrize("name", ["Cropped-jpg", "CASME2/cropped", "."])
def test_variants_of_the_root(tmp_path: Path, write_sheet: Write, write_frames: Write, name: str) -> None:
    write_sheet(tmp_path / "set", [("sub01", "EP01", 1, 2, 3, "4", "happiness")])
    write_frames(tmp_path / "set" / name / "sub01" / "EP01", (1, 2, 3))
    assert found(tmp_path / "set")[0].cropped


@pytest.mark.parametrize("subject", [1, "1", "01", "sub01", 1.0, " Sub1 "])
def test_subjects_as_sheets_write_them(
    tmp_path: Path, write_sheet: Write, write_frames: Write, subject: object
) -> None:
    write_sheet(tmp_path / "set", [(subject, "EP01", 1, 2, 3, "4", "happiness")])
    write_frames(tmp_path / "set" / "Cropped" / "sub01" / "EP01", (1, 2, 3))
    assert found(tmp_path / "set")[0].sample.subject == "01"


def test_names_beyond_ascii(tmp_path: Path, write_sheet: Write, write_frames: Write) -> None:
    folder = tmp_path / "Mikroausdrücke 微表情"
    write_sheet(folder, [("sub01", "Überraschung_01", 1, 2, 3, "1+2", "surprise"), ("Åsa", "é1", 1, 2, 3, "", "")])
    write_frames(folder / "Cropped" / "sub01" / unicodedata.normalize("NFD", "Überraschung_01"), (1, 2, 3))
    write_frames(folder / "Cropped" / unicodedata.normalize("NFD", "subÅsa") / "é1", (1, 2, 3), "bild_ß{}.png")
    first, second = found(folder)
    assert (first.sample.dataset, first.sample.clip) == ("Mikroausdrücke 微表情", "Überraschung_01")
    assert (second.sample.subject, second.sample.emotion, second.files[0].name) == ("Åsa", None, "bild_ß1.png")


def test_a_bad_row_stops_no_other(casme2: Path, write_sheet: Write) -> None:
    rows = [
        (1, "EP02_01f", 12, 10, 8, "4", "happiness"),
        (1, "EP99", 1, 2, 3, "4", "happiness"),
        (1, "EP02_01f ", "eight", 10, 12, "4", "happiness"),
        ("Session two", None, None, None, None, None, None),
        (2, "EP02_01f", 46, 47, 49, "4", "happiness"),
    ]
    write_sheet(casme2, rows)
    clips = list(discover_clips(casme2))
    assert [isinstance(clip, FoundClip) for clip in clips] == [False, False, False, False, True]
    missing, banner = clips[1], clips[3]
    assert isinstance(missing, ClipProblem)
    assert isinstance(banner, ClipProblem)
    assert (missing.dataset, missing.subject, missing.clip) == ("casme", "01", "EP99")
    assert missing.sentence == (
        "CASME2-coding.xlsx [Sheet] row 3: expected the clip at Cropped/sub01/EP99, got nothing there; "
        "copy it or correct the row."
    )
    assert banner.sentence == (
        "CASME2-coding.xlsx [Sheet] row 5: expected a clip, got an empty cell; fill it in or delete the row."
    )


def test_a_name_given_twice(casme2: Path, write_sheet: Write) -> None:
    row = (1, "EP02_01f", 8, 10, 12, "4", "happiness")
    write_sheet(casme2, [row, (2, "EP02_01f", 46, 47, 49, "4", "others"), row])
    clips = list(discover_clips(casme2))
    assert [isinstance(clip, FoundClip) for clip in clips] == [False, True, False]
    assert isinstance(clips[0], ClipProblem)
    assert clips[0].sentence == (
        "CASME2-coding.xlsx [Sheet] row 2: expected one row for 01/EP02_01f, got another at CASME2-coding.xlsx [Sheet] "
        "row 4; rename or delete one of them."
    )


def test_sheet_without_frames(tmp_path: Path, write_sheet: Write) -> None:
    write_sheet(tmp_path, [(1, "EP01", 1, 2, 3, "4", "happiness")])
    with pytest.raises(
        BadData, match=r"expected frames in Cropped/sub01/.*, got no such folder in CASME2-coding.xlsx;"
    ):
        discover_clips(tmp_path)


def test_frames_without_a_sheet(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "Cropped" / "sub01" / "EP01", (1, 2))
    with pytest.raises(BadData, match=r"expected a coding sheet \(\.xlsx or \.csv\)"):
        discover_clips(tmp_path)


def test_two_roots_of_one_kind(casme2: Path, write_frames: Write) -> None:
    write_frames(casme2 / "Cropped-updated" / "sub01" / "EP02_01f", (1, 2))
    with pytest.raises(
        BadData, match="expected one folder of cropped frames, got Cropped and Cropped-updated; move one"
    ):
        discover_clips(casme2)
