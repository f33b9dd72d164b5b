from pathlib import Path

import cv2
import numpy as np
import pytest

from merstream.doctor.image_headers import read_header

PICTURE = np.random.default_rng(0).integers(0, 255, (90, 130, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("suffix", "kind", "size"),
    [
        (".jpg", "JPEG", (130, 90)),
        (".png", "PNG", (130, 90)),
        (".bmp", "BMP", (130, 90)),
        (".tif", "TIFF", None),
        (".webp", "WebP", None),
        (".ppm", "PPM", None),
        (".jp2", "JPEG 2000", None),
    ],
)
def test_whole_images_and_cut_ones(tmp_path: Path, suffix: str, kind: str, size: tuple[int, int] | None) -> None:
    file = tmp_path / f"a{suffix}"
    cv2.imwrite(str(file), PICTURE)
    header = read_header(file)
    assert (header.kind, header.size, header.fault) == (kind, size, "")
    file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2])
    expected = f"is a {kind} cut short" if size else ""
    assert read_header(file).fault == expected


def test_a_jpeg_whose_size_comes_after_long_metadata(tmp_path: Path) -> None:
    data = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    exif = b"\xff\xe1" + (30_000).to_bytes(2) + bytes(29_998)
    (tmp_path / "a.jpg").write_bytes(data[:2] + exif + data[2:])
    assert read_header(tmp_path / "a.jpg").size == (130, 90)


@pytest.mark.parametrize(("content", "fault"), [(b"", "is empty"), (b"text", "is no image (it begins with b'text')")])
def test_what_is_no_image(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_header(tmp_path / "a.jpg").fault == fault


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    assert read_header(tmp_path / "a.jpg").fault == "cannot be opened (No such file or directory)"
    assert read_header(tmp_path).fault == "cannot be read (Is a directory)"


@pytest.mark.parametrize("length", range(2, 40))
def test_no_beginning_of_an_image_makes_it_stumble(tmp_path: Path, length: int) -> None:
    for suffix in (".jpg", ".png", ".bmp"):
        (tmp_path / "a").write_bytes(cv2.imencode(suffix, PICTURE)[1].tobytes()[:length])
        assert read_header(tmp_path / "a").fault


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".png", "PNG")])
def test_data_behind_the_end_are_no_damage(tmp_path: Path, suffix: str, kind: str) -> None:
    """As phones write them."""
    whole = cv2.imencode(suffix, PICTURE)[1].tobytes()
    file = tmp_path / f"a{suffix}"
    file.write_bytes(whole + bytes(500))
    assert (read_header(file).kind, read_header(file).fault) == (kind, "")
    file.write_bytes(whole[:-100] + bytes(500))
    assert read_header(file).fault == f"is a {kind} cut short"


@pytest.mark.parametrize(("start", "kind"), [(b"II+\0\x08\0\0\0", "TIFF"), (b"GIF89a", "GIF")])
def test_formats_that_a_run_reads_are_no_fault(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "a.png").write_bytes(start + bytes(100))
    assert (read_header(tmp_path / "a.png").kind, read_header(tmp_path / "a.png").fault) == (kind, "")
