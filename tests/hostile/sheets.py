"""Sheets that nobody should open unchecked: text and workbooks."""

import io
import random
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import openpyxl

from tests.hostile.damage import damage_bytes
from tests.unit.ingest.inbox.lab import HEADER, sheet

Sheet = tuple[str, bytes]  # name, content

CELLS = (
    *("=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "-1", '=HYPERLINK("http://127.0.0.1:9/x")', "9" * 5000, "1e400", "nan"),
    *("\0", "\x1b[2J", "../../outside/evil", "/etc/passwd", "%2e%2e", "\u202e", "\ufeff", "", "x" * 40_000, "１", "²"),
    *(
        '"',
        "'",
        "a\nb",
        "1,5",
        "0x10",
        "1_0",
        "inf",
        "-inf",
        "True",
        "2020-04-07",
        "\ud7ff",
        "\U0010ffff",
        "<b>",
        "{{7*7}}",
    ),
)
FIELDS = HEADER.split(",")


def make_sheet(draw: random.Random, secret: Path) -> Sheet:
    """A hostile sheet of a dataset that has the clip `a`. Some name the file `secret`."""
    return draw.choice(_MAKERS)(draw, secret)


def _odd_cells(draw: random.Random, secret: Path) -> Sheet:
    row = ["", "s", "a", "frames/a", "1", "2", "3", "200", "others", "4+7"]
    for _ in range(draw.randint(1, 3)):
        row[draw.randrange(len(row))] = draw.choice((*CELLS, str(secret)))
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in row)
    return "clips.csv", f"{HEADER}\n{quoted}\n".encode()


def _odd_header(draw: random.Random, secret: Path) -> Sheet:
    fields = list(FIELDS)
    for _ in range(draw.randint(1, 4)):
        fields[draw.randrange(len(fields))] = draw.choice((*CELLS, *FIELDS))
    return "clips.csv", ",".join(fields).encode() + b"\n,s,a,frames/a,1,2,3,200,others,4\n"


def _odd_bytes(draw: random.Random, secret: Path) -> Sheet:
    data = sheet({"a": "others"})
    text = data.decode()
    return "clips.csv", draw.choice(
        (
            b"\xef\xbb\xbf" * 3 + data,
            b"\xff\xfe" + data,
            text.encode("utf-16"),
            text.encode("utf-32"),
            text.encode("utf-16-be"),
            data.replace(b",", b"\0,"),
            data + b"\0" * 100_000,
            data.replace(b"\n", b"\r"),
            data.replace(b",", b";"),
            data.replace(b"others", b"\xff\xfe\xfd"),
            b'"' + data,
            data + b'\n"' + b"x" * 300_000,
            b"\x1f\x8b" + data,
            b"",
            b"\n" * 10_000,
            draw.randbytes(2000),
        )
    )


def _wide(draw: random.Random, secret: Path) -> Sheet:
    count = draw.choice((65, 1000, 100_000))
    return "clips.csv", (HEADER + "," * count + "\n" + ",s,a,frames/a,1,2,3,200,others,4" + ",x" * count).encode()


def _long(draw: random.Random, secret: Path) -> Sheet:
    return "clips.csv", (HEADER + "\n" + ",s,a,frames/a,1,2,3,200,others,4\n" * draw.choice((2, 3000, 60_000))).encode()


@cache
def _workbook_parts() -> dict[str, bytes]:
    book = openpyxl.Workbook()
    page = book.active
    for row in (FIELDS, ["", "s", "a", "frames/a", 1, 2, 3, 200, "others", "4+7"]):
        page.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pack_workbook(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


ENTITIES = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"lol" * 100) for n in range(9))


def _odd_workbook(draw: random.Random, secret: Path) -> Sheet:
    """A workbook with one part changed: bombs of entities, dimensions, strings and rows; missing parts."""
    parts, page = dict(_workbook_parts()), "xl/worksheets/sheet1.xml"
    xml = parts[page]
    external = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file://%s">]>' % str(secret).encode()
    bomb = b"<!DOCTYPE a [%s]>" % ENTITIES
    start = xml.index(b"<worksheet")
    changes: tuple[tuple[str, bytes | None], ...] = (
        (page, xml[:start] + bomb + xml[start:].replace(b"</row>", b"<c><v>&e8;</v></c></row>", 1)),
        (page, xml[:start] + external + xml[start:].replace(b"</row>", b'<c t="str"><v>&x;</v></c></row>', 1)),
        (page, xml.replace(b'<dimension ref="A1:J2"', b'<dimension ref="A1:XFD1048576"')),
        (page, xml.replace(b'r="J2"', b'r="XFD1048576"')),
        (page, xml.replace(b'r="J2"', b'r="ZZZ99999999"')),
        (page, xml.replace(b'<row r="2"', b'<row r="99999999999"')),
        (page, xml.replace(b'<row r="2"', b'<row r="-2"')),
        (page, xml.replace(b'<row r="2"', b'<row r="x"')),
        (page, xml.replace(b'r="J2"', b'r="2J"')),
        (page, xml.replace(b"<v>200</v>", b"<v>1e999</v>")),
        (page, xml.replace(b"<v>200</v>", b"<v>" + b"9" * 5000 + b"</v>")),
        (page, xml.replace(b"<v>200</v>", b"<f>A1</f><v/>")),
        (page, xml.replace(b't="s"', b't="d"')),
        (page, xml.replace(b't="s"', b't="zzz"')),
        (page, xml.replace(b"<v>0</v>", b"<v>99999</v>")),
        (page, xml.replace(b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>')),
        (page, xml.replace(b"<row", b'<row s="99999" customFormat="1"')),
        (page, b"<worksheet>" * 50_000),
        (page, bytes(20 << 20)),
        (page, None),
        ("xl/workbook.xml", None),
        ("xl/workbook.xml", parts["xl/workbook.xml"].replace(b'name="Sheet"', b'name="' + b"n" * 5000 + b'"')),
        ("xl/workbook.xml", parts["xl/workbook.xml"].replace(b"rId1", b"rId77")),
        ("xl/_rels/workbook.xml.rels", parts["xl/_rels/workbook.xml.rels"].replace(b"worksheets/", b"../../outside/")),
        ("xl/sharedStrings.xml", b"<sst>" + b"<si><t>x</t></si>" * 600_000 + b"</sst>"),
        ("xl/sharedStrings.xml", bomb + b"<sst><si><t>&e8;</t></si></sst>"),
        ("xl/sharedStrings.xml", None),
        ("xl/styles.xml", b"<styleSheet><cellXfs count='1'>" + b"<xf/>" * 100_000 + b"</cellXfs></styleSheet>"),
        ("xl/styles.xml", b"<styleSheet/>"),
        ("[Content_Types].xml", b""),
        ("../../outside/evil", b"evil"),
        ("docProps/core.xml", b"<x/>"),
    )
    name, data = draw.choice(changes)
    if data is None:
        parts.pop(name, None)
    else:
        parts[name] = data
    return draw.choice(("clips.xlsx", "clips.xlsm")), _pack_workbook(parts)


def _damaged(draw: random.Random, secret: Path) -> Sheet:
    if draw.random() < 0.5:
        return "clips.csv", damage_bytes(sheet({"a": "others", "b": "sadness"}), draw)
    return "clips.xlsx", damage_bytes(_pack_workbook(_workbook_parts()), draw)


def _damaged_part(draw: random.Random, secret: Path) -> Sheet:
    parts = dict(_workbook_parts())
    name = draw.choice(tuple(parts))
    parts[name] = damage_bytes(parts[name], draw)
    return "clips.xlsx", _pack_workbook(parts)


_MAKERS: tuple[Callable[[random.Random, Path], Sheet], ...] = (
    *(_odd_cells, _odd_cells, _odd_header, _odd_bytes, _wide, _long, _odd_workbook, _odd_workbook, _odd_workbook),
    *(_damaged, _damaged_part),
)
