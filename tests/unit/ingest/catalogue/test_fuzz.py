"""Sheets as nobody should hand them out: read without a crash, every problem named with sheet, row and column."""

import datetime
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from shared.errors import BadData
from tests.dataset_layouts import FORMS, full_size_clips, write
from tests.dataset_layouts.write import EMPTY

Grid = list[list[object]]
Change = Callable[[Grid], None]
KEYS = ["casme2", "samm", "mmew", "smic-e", "casme3a", "casme-squared", "4dme"]
ODD = st.sampled_from(
    [
        *(None, "", " ", "/", "abc", -1, 0, 1.5, 1e300, float("inf"), True, 10**15, "9" * 5000, "４６", "²"),
        *("#REF!", "=A1+1", "12 ", "1e3", "x" * 3000, "../../etc", "/etc/passwd", "a/b", "4 or 7", "(k)", "sub01"),
        *(datetime.datetime(2020, 4, 7), datetime.time(1, 2), "Überraschung", "微表情", "\t", "1,2", "％", "'"),
    ]
)
PLACE = st.tuples(st.integers(0, 20), st.integers(0, 11))


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, tuple[int, int], tuple[int, int], object]]:
    kinds = st.sampled_from(["set", "set", "set", "swap", "drop", "blank", "double", "merge"])
    return draw(st.lists(st.tuples(kinds, PLACE, PLACE, ODD), min_size=1, max_size=5))


def changed(grid: Grid, todo: Sequence[tuple[str, tuple[int, int], tuple[int, int], object]]) -> list[str]:
    """Changes the grid and returns the areas to be merged."""
    merged = []
    for kind, (row, column), (other_row, other), value in todo:
        row, column, other = row % len(grid), column % len(grid[0]), other % len(grid[0])
        if kind == "set":
            grid[row][column] = value
        elif kind == "swap":
            for cells in grid:
                cells[column], cells[other] = cells[other], cells[column]
        elif kind == "drop" and len(grid[0]) > 1:
            for cells in grid:
                del cells[column]
        elif kind == "blank":
            grid.insert(row, [None] * len(grid[0]))
        elif kind == "double":
            grid.insert(row, list(grid[row]))
        elif kind == "merge":
            last = openpyxl.utils.get_column_letter(max(column, other) + 1)
            first = openpyxl.utils.get_column_letter(min(column, other) + 1)
            merged.append(f"{first}{min(row, other_row) + 1}:{last}{max(row, other_row) + 1}")
    return merged


def save(file: Path, grid: Grid, merged: Sequence[str], pages: dict[str, Grid]) -> None:
    workbook = openpyxl.Workbook()
    page = workbook.active
    for cells in grid:
        page.append([str(cell) if isinstance(cell, float) and cell in (float("inf"),) else cell for cell in cells])
    for area in merged[:1]:
        page.merge_cells(area)
    for title, rows in pages.items():
        other = workbook.create_sheet(title)
        for cells in rows:
            other.append(cells)
    workbook.save(file)


def read(folder: Path) -> tuple[str, list[FoundClip | ClipProblem]]:
    """A fault of the dataset, or its clips."""
    try:
        return "", list(discover_clips(folder))
    except BadData as fault:
        return str(fault), []


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path, Grid, dict[str, Grid]]]:
    """Per dataset: its folder, its sheet, the sheet's cells and its other pages."""
    found = {}
    for key in KEYS:
        form = FORMS[key]
        folder = write(tmp_path_factory.mktemp("fuzz") / key, form, full_size_clips(key)[:4], EMPTY, kinds=[0])
        for book in form.books[1:]:
            (folder / book.file).unlink()
        file = folder / form.books[0].file
        pages = {page.title: [list(row) for row in page.values] for page in openpyxl.load_workbook(file).worksheets}
        first = next(iter(pages))
        width = max(len(row) for row in pages[first])
        grid = [row + [None] * (width - len(row)) for row in pages.pop(first)]
        found[key] = (folder, file, grid, pages)
    return found


@pytest.mark.parametrize("key", KEYS)
@given(todo=changes())
@settings(max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sheet_makes_discovery_crash(
    trees: dict[str, tuple[Path, Path, Grid, dict[str, Grid]]],
    key: str,
    todo: list[tuple[str, tuple[int, int], tuple[int, int], object]],
) -> None:
    folder, file, grid, pages = trees[key]
    cells = [list(row) for row in grid]
    save(file, cells, changed(cells, todo), pages)
    fault, results = read(folder)
    assert not fault or ("expected" in fault and "; " in fault)
    for result in results:
        assert isinstance(result, FoundClip | ClipProblem)
        if isinstance(result, ClipProblem):
            assert result.sentence.startswith(f"{file.name} [")
            assert " row " in result.sentence
            assert len(result.sentence) <= 1003


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("D", "forty", "a whole frame number in OnsetFrame (column D), got 'forty'"),
        ("E", 46.5, "a whole frame number in ApexFrame (column E), got '46.5'"),
        ("F", None, "a whole frame number in OffsetFrame (column F), got an empty cell"),
        ("F", "=D2+4", "a value in OffsetFrame (column F), got a formula that was never calculated ('=D2+4'); open"),
        ("F", "#REF!", "a value in OffsetFrame (column F), got the spreadsheet's error #REF!; correct"),
        ("D", datetime.datetime(2020, 4, 7), "OnsetFrame (column D), got a date or time (2020-04-07 00:00:00), which"),
        ("B", None, "a clip, got an empty cell"),
        ("B", "x" * 300, "a clip's folder, got a name that the system refuses ('File name too long'); correct"),
        ("A", None, "a subject, got an empty cell"),
        ("F", "9" * 5000, "OffsetFrame (column F), got '" + "9" * 60 + "...'"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, value: object, expected: str) -> None:
    folder = write(tmp_path / "casme2", FORMS["casme2"], full_size_clips("casme2")[:2], EMPTY, kinds=[0])
    file = folder / FORMS["casme2"].books[0].file
    workbook = openpyxl.load_workbook(file)
    workbook.active[f"{column}2"] = value
    workbook.save(file)
    first, second = discover_clips(folder)
    assert isinstance(first, ClipProblem)
    assert first.sentence.startswith(f"{file.name} [Sheet1] row 2: expected ")
    assert expected in first.sentence
    assert isinstance(second, FoundClip)


def test_formulas_that_were_calculated_count_as_their_values(tmp_path: Path) -> None:
    """A spreadsheet stores a formula's value beside it; what openpyxl writes has none, so the value is put there."""
    folder = write(tmp_path / "casme2", FORMS["casme2"], full_size_clips("casme2")[:1], EMPTY, kinds=[0])
    file = folder / FORMS["casme2"].books[0].file
    workbook = openpyxl.load_workbook(file)
    workbook.active["F2"] = "=D2+4"
    workbook.save(file)
    unpacked = tmp_path / "x"
    shutil.unpack_archive(file, unpacked, "zip")
    page = unpacked / "xl/worksheets/sheet1.xml"
    page.write_text(
        page.read_text()
        .replace("<f>D2+4</f><v />", "<f>D2+4</f><v>14</v>")
        .replace("<f>D2+4</f><v></v>", "<f>D2+4</f><v>14</v>")
    )
    shutil.make_archive(str(file), "zip", unpacked)
    Path(f"{file}.zip").replace(file)
    (clip,) = discover_clips(folder)
    assert isinstance(clip, FoundClip)
    assert clip.offset == 14


def test_a_broken_workbook_beside_a_good_one_hinders_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path / "casme2", FORMS["casme2"], full_size_clips("casme2")[:1], EMPTY, kinds=[0])
    (folder / "old.xlsx").write_bytes(b"PK\x03\x04 no archive")
    assert all(isinstance(clip, FoundClip) for clip in discover_clips(folder))


def test_a_csv_in_the_encoding_of_chinese_spreadsheets(tmp_path: Path) -> None:
    folder = write(tmp_path / "mmew", FORMS["mmew"], full_size_clips("mmew")[:1], EMPTY)
    (folder / "MMEW_Micro_Exp.xlsx").unlink()
    lines = ["Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion,remarks"]
    lines.append("S01,S01-01-001,1,3,5,4，7,surprise,备注")
    (folder / "MMEW_Micro_Exp.csv").write_bytes("\n".join(lines).encode("gb18030"))
    (clip,) = discover_clips(folder)
    assert isinstance(clip, FoundClip)
    assert [str(unit) for unit in clip.sample.aus] == ["4", "7"]
