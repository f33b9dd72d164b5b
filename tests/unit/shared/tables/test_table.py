import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadData
from shared.tables.table import column_letters, parse_csv

ROWS = (("clip", "emotion"), ("EP01", "厌恶"), (None, None), ("EP02", "joy"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_way_in_which_a_spreadsheet_writes(encoding: str, delimiter: str, newline: str) -> None:
    text = newline.join(delimiter.join(cell or "" for cell in row) for row in ROWS)
    assert parse_csv(text.encode(encoding), "x.csv").rows == ROWS


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_utf16_of_either_order_by_its_mark(mark: str) -> None:
    assert parse_csv("\ufeffclip,emotion\nEP01,厌恶\n".encode(mark), "x.csv").rows == ROWS[:2]


def test_rows_keep_the_numbers_of_a_spreadsheet() -> None:
    rows = parse_csv(b'\nclip,note\n,\na,"two\nlines"\nb,\n', "x.csv").rows
    assert rows == ((), ("clip", "note"), (None, None), ("a", "two\nlines"), ("b", None))


@pytest.mark.parametrize("declared", ["sep=;", '"sep=;"', "SEP=;", "sep=;\r"])
def test_the_line_of_excel_gives_the_delimiter_and_stays_a_row(declared: str) -> None:
    rows = parse_csv(f"{declared}\nclip;a,b,c\nx;1,2,3\n".encode(), "x.csv").rows
    assert rows == ((), ("clip", "a,b,c"), ("x", "1,2,3"))


@given(st.sampled_from(",;\t"), st.integers(3, 8), st.lists(st.sampled_from(["4,7", "4;7", "12"]), min_size=1))
def test_the_delimiter_is_what_every_line_has_equally_often(delimiter: str, width: int, units: list[str]) -> None:
    rows = [[f"c{number}" for number in range(width)], *([unit] + ["x"] * (width - 1) for unit in units)]
    text = "\n".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows)
    assert [list(row) for row in parse_csv(text.encode(), "x.csv").rows] == rows


def test_a_title_above_the_header_does_not_decide_the_delimiter() -> None:
    assert parse_csv(b"Micro-expressions, coded by A, B, C\nclip;aus\na;4,7,12\n", "x.csv").rows[2] == ("a", "4,7,12")


def test_cells_are_trimmed_and_quotes_may_follow_a_blank() -> None:
    assert parse_csv(b' clip , aus\na , "4,7"\n', "x.csv").rows == (("clip", "aus"), ("a", "4,7"))


def test_an_empty_file_has_no_rows() -> None:
    assert parse_csv(b"", "x.csv").rows == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,\xe4,", "expected UTF-8 text, got invalid continuation byte at byte 2"),
        (b'a,"' + b"x" * 200_000, "limit"),
        (b"PK\x03\x04....", r"got a workbook under this name; save it as \.csv"),
        (b"\xd0\xcf\x11\xe0....", "got an old or protected workbook"),
        ("a,b".encode("utf-16-le"), "got a zero byte at character 1; save it as UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(BadData, match=rf"^x.csv: .*({message})"):
        parse_csv(data, "x.csv")


def test_letters_of_columns() -> None:
    assert [column_letters(number) for number in (1, 26, 27, 702, 703)] == ["A", "Z", "AA", "ZZ", "AAA"]


HEADER, TABLE_ROWS = "clip,emotion,aus", ["a,joy,4", "b,fear,1", "c,anger,7", "d,joy,12"]


@given(st.integers(0, 3), st.integers(0, 2), st.none() | st.tuples(st.integers(1, 3), st.integers(0, 2)))
def test_a_mark_that_is_not_closed_never_hides_a_row(row: int, column: int, later: tuple[int, int] | None) -> None:
    rows = [each.split(",") for each in TABLE_ROWS]
    rows[row][column] = '"' + rows[row][column]
    if later and row + later[0] < len(rows):
        rows[row + later[0]][later[1]] = '"' + rows[row + later[0]][later[1]]
    with contextlib.suppress(BadData):
        cells = parse_csv("\n".join([HEADER, *map(",".join, rows)]).encode(), "x.csv").rows
        assert max(map(len, cells)) > 3  # a row that does not fit its header, which is refused later


def test_a_mark_that_is_not_closed_is_refused_with_its_row() -> None:
    with pytest.raises(
        BadData, match=r'x\.csv row 3: expected a cell in two quotation marks, got one mark before "?.fear'
    ):
        parse_csv(b'clip,emotion,aus\na,joy,4\nb,"fear,1\nc,anger,7\n', "x.csv")


def test_long_remarks_in_quotation_marks_are_cells() -> None:
    rows = parse_csv(b'clip,note\na,"one, two,\nthree, ""four"", five"\nb,6" wide\n', "x.csv").rows
    assert rows[1:] == (("a", 'one, two,\nthree, "four", five'), ("b", '6" wide'))
