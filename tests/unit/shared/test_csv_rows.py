import pytest

from shared.csv_rows import numbered_rows, parse_csv
from shared.errors import BadData

ROWS = [["clip", "emotion"], ["EP01", "厌恶"], ["", ""], ["EP02", "joy"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_way_in_which_a_spreadsheet_writes(encoding: str, delimiter: str, newline: str) -> None:
    text = newline.join(delimiter.join(row) for row in ROWS)
    assert parse_csv(text.encode(encoding), "x.csv") == ROWS


def test_rows_have_the_numbers_of_a_spreadsheet() -> None:
    rows = parse_csv(b'\nclip,note\n,\na,"two\nlines"\nb,\n', "x.csv")
    assert list(numbered_rows(rows)) == [(2, ["clip", "note"]), (4, ["a", "two\nlines"]), (5, ["b", ""])]


def test_a_title_above_the_header_does_not_decide_the_delimiter() -> None:
    assert parse_csv(b"Micro-expressions\nclip;aus\na;4,7,12\n", "x.csv")[2] == ["a", "4,7,12"]


def test_cells_are_trimmed() -> None:
    assert parse_csv(b" clip , aus\na ,\t4\n", "x.csv") == [["clip", "aus"], ["a", "4"]]


def test_an_empty_file_has_no_rows() -> None:
    assert parse_csv(b"", "x.csv") == []


@pytest.mark.parametrize(("data", "message"), [(b"a,\xe4,", "expected UTF-8 text"), (b'a,"' + b"x" * 200_000, "limit")])
def test_what_is_no_table_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(BadData, match=rf"^x.csv: .*{message}"):
        parse_csv(data, "x.csv")
