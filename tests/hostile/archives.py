"""Archives that nobody should unpack unchecked: ways out, links, bombs, sizes that lie, odd names."""

import bz2
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.hostile.damage import damage_bytes
from tests.unit.ingest.inbox.lab import dataset
from tests.unit.ingest.inbox.packed import PACKERS, named, tarred, zipped

Packed = tuple[str, bytes]  # suffix, content


def make_archive(draw: random.Random, outside: Path) -> Packed:
    """A hostile archive. Some would write into the folder `outside`."""
    return draw.choice(_MAKERS)(draw, outside)


def make_odd_path(draw: random.Random, outside: Path) -> str:
    """A path that leaves its folder, or that no folder can hold."""
    return draw.choice(
        (
            *(
                f"{outside}/evil",
                f"..{outside}/evil",
                "../../outside/evil",
                "a/../../evil",
                "..\\..\\evil",
                "./../evil",
            ),
            *(
                "C:\\evil",
                "\\\\host\\share\\evil",
                "//host/evil",
                "~/evil",
                "~root/evil",
                "a/./b",
                "a//b",
                "..",
                ".",
                "/",
            ),
            *(
                "a\nb",
                "a\tb",
                "a\x7fb",
                "\x1b[31mred",
                "con",
                "nul.txt",
                "a ",
                " a",
                "a.",
                "-rf",
                "*",
                "?",
                "$(touch evil)",
            ),
            *("%2e%2e/evil", "..%2fevil", "\uff0e\uff0e/evil", "\u202egpj.exe", "e\u0301", "\xe9", "\u212b", "\ufeffa"),
            *("a" * 255, "\xe9" * 200, "a" * 256, "/".join("ab" * 200), "/".join(["d" * 100] * 12), "\0", "a\0b"),
        )
    )


def _odd_names(draw: random.Random, outside: Path) -> Packed:
    paths = dict.fromkeys([make_odd_path(draw, outside) for _ in range(draw.randint(1, 3))], b"evil")
    suffix = draw.choice(tuple(PACKERS))
    return suffix, PACKERS[suffix]({**dataset("a"), **paths})


def _odd_kind(draw: random.Random, outside: Path) -> Packed:
    """Links, devices, and a link followed by a file below it."""
    target = draw.choice((str(outside / "secret.txt"), str(outside), "/etc/passwd", "../outside", "/dev/zero"))
    if draw.random() < 0.4:
        info = zipfile.ZipInfo("link")
        info.external_attr = draw.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFSOCK)) << 16
        return ".zip", _zip_members((info, target.encode()), ("link/evil", b"evil"), *dataset("a").items())
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, b"Z")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(named("link", type=draw.choice(kinds), linkname=target))
        archive.addfile(named("link/evil", size=4), io.BytesIO(b"evil"))
    return ".tar", buffer.getvalue()


def _zip_members(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members:
            archive.writestr(member, data)
    return buffer.getvalue()


def _bomb(draw: random.Random, outside: Path) -> Packed:
    """More bytes or files than the laboratory's limits."""
    size = draw.choice((1 << 24, 1 << 26))
    files = draw.choice(({"bomb": bytes(size)}, {f"{number}": b"" for number in range(3000)}))
    suffix = draw.choice((".zip", ".tar.gz", ".tar.xz", ".tar.bz2"))
    return suffix, PACKERS[suffix](files)


def _nested(draw: random.Random, outside: Path) -> Packed:
    data, suffix = zipped(dataset("a")), ".zip"
    for _ in range(draw.randint(1, 6)):
        inner, suffix = suffix, draw.choice(tuple(PACKERS))
        data = PACKERS[suffix]({f"x{inner}": data, **({} if draw.random() < 0.5 else {f"y{inner}": data})})
    return suffix, data


def _lying_zip(draw: random.Random, outside: Path) -> Packed:
    """Fields of the list of contents: flags, method, sizes, offsets, the counts at the end."""
    data = bytearray(zipped({**dataset("a"), "zeros": bytes(1 << 20)}))
    for _ in range(draw.randint(1, 3)):
        start, fields = draw.choice(
            (
                (data.index(b"PK\1\2"), ((8, "H"), (10, "H"), (20, "I"), (24, "I"), (28, "H"), (30, "H"), (42, "I"))),
                (data.index(b"PK\3\4"), ((6, "H"), (8, "H"), (18, "I"), (22, "I"), (26, "H"), (28, "H"))),
                (data.rindex(b"PK\5\6"), ((8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H"))),
            )
        )
        offset, kind = draw.choice(fields)
        value = draw.choice((0, 1, 99, 65535, 2**31 - 1, 2**32 - 1)) & (0xFFFF if kind == "H" else 0xFFFFFFFF)
        struct.pack_into(f"<{kind}", data, start + offset, value)
    return ".zip", bytes(data)


def _lying_tar(draw: random.Random, outside: Path) -> Packed:
    """Sizes in headers: negative, huge, no number; headers of pax with anything in them."""
    size = draw.choice(
        (b"77777777777\0", b"-0000000001\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"zzzzzzzzzzz\0", b" " * 12)
    )
    header = bytearray(named("x", size=3).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size
    _sign_header(header)
    key, value = draw.choice(
        (("size", "9" * 30), ("size", "-1"), ("size", "x"), ("path", "../" * 40 + "evil"), ("path", "p" * 100_000))
    )
    record = f" {key}={value}\n".encode()
    length = len(record) + len(str(len(record) + 4))
    pax = str(length).encode() + record
    extended = named("x", type=tarfile.XHDTYPE, size=len(pax)).tobuf(tarfile.GNU_FORMAT) + pax + bytes(-len(pax) % 512)
    data = draw.choice((bytes(header), extended)) + tarred(dataset("a"))
    suffix = draw.choice((".tar", ".tar.gz", ".tgz"))
    return suffix, data if suffix == ".tar" else gzip.compress(data)


def _sign_header(header: bytearray) -> None:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)


def _greedy_stream(draw: random.Random, outside: Path) -> Packed:
    """An .xz that asks for a dictionary of up to 4 GiB: byte 12 begins its block's header."""
    data = bytearray(lzma.compress(tarred(dataset("a"))))
    data[16] = draw.choice((30, 36, 39, 40, 63))  # size of the dictionary, as a power of two
    header = data[12:20]
    struct.pack_into("<I", data, 20, zlib.crc32(bytes(header)))
    return draw.choice((".tar.xz", ".txz")), bytes(data)


def _odd_encoding(draw: random.Random, outside: Path) -> Packed:
    name = draw.choice(("微表情", "Überraschung", "Привет", "ひらがな", "한국어", "\xff\xfe", "é\u0301"))
    encoding = draw.choice(("gb18030", "cp437", "cp1251", "shift_jis", "euc_kr", "latin-1", "utf-16-le", "utf-8"))
    raw = name.encode(encoding, "replace").replace(b"/", b"_").replace(b"\0", b"_")
    data = zipped({**dataset("a"), "N" * len(raw): b"x"})
    return ".zip", data.replace(b"N" * len(raw), raw)


def _conflict(draw: random.Random, outside: Path) -> Packed:
    """Names that cannot be beside each other."""
    pairs = (("a", "a/b"), ("A", "a"), ("e\u0301", "\xe9"), ("clips.csv", "clips.csv/x"), ("x", "x"))
    first, second = draw.choice(pairs)
    kept: list[tuple[zipfile.ZipInfo | str, bytes]] = [(first, b"1"), (zipfile.ZipInfo(second), b"2")]
    return ".zip", _zip_members(*dataset("a").items(), *kept)


def _foreign(draw: random.Random, outside: Path) -> Packed:
    texts = (
        b"",
        b"PK\5\6" + bytes(18),
        b"Rar!\x1a\7\0",
        b"7z\xbc\xaf\x27\x1c",
        b"<html>",
        bytes(4096),
        draw.randbytes(3000),
    )
    return draw.choice((*PACKERS, ".rar", ".7z", ".zip.001", ".tbz2")), draw.choice(texts)


def _damaged(draw: random.Random, outside: Path) -> Packed:
    suffix = draw.choice(tuple(PACKERS))
    return suffix, damage_bytes(PACKERS[suffix](dataset("a")), draw)


def _damaged_inside(draw: random.Random, outside: Path) -> Packed:
    data = damage_bytes(tarred(dataset("a")), draw)
    suffix, pack = draw.choice(((".tar.gz", gzip.compress), (".tar.xz", lzma.compress), (".tbz2", bz2.compress)))
    return suffix, pack(data)


_MAKERS: tuple[Callable[[random.Random, Path], Packed], ...] = (
    *(_odd_names, _odd_names, _odd_kind, _bomb, _nested, _lying_zip, _lying_zip, _lying_tar, _greedy_stream),
    *(_odd_encoding, _conflict, _foreign, _damaged, _damaged_inside),
)
