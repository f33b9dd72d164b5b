"""What is refused before it is decoded."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.errors import BadData
from shared.images.decoding import decode_image
from shared.images.header import check_image_header

PICTURE = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> NDArray[np.uint8]:
    """A PNG of a few bytes that declares a size."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    return np.frombuffer(b"\x89PNG\r\n\x1a\n" + content, np.uint8)


def resized_jpeg(width: int, height: int) -> NDArray[np.uint8]:
    """A JPEG whose frame header (SOF0) declares another size."""
    data = bytearray(cv2.imencode(".jpg", PICTURE)[1].tobytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return np.frombuffer(bytes(data), np.uint8)


def stacked(form: str) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, form, save_all=True, append_images=[Image.fromarray(255 - PICTURE)])
    return np.frombuffer(file.getvalue(), np.uint8)


def white_is_zero_16_bits() -> NDArray[np.uint8]:
    pixels = PICTURE[:, :, 0].astype("<u2").tobytes()
    tags = {256: 30, 257: 20, 258: 16, 259: 1, 262: 0, 273: 8, 277: 1, 278: 20, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return np.frombuffer(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory, np.uint8)


@pytest.mark.parametrize("data", [png_header(12_000, 9000), resized_jpeg(12_000, 9000)])
def test_more_than_64_megapixels_are_never_decoded(data: NDArray[np.uint8]) -> None:
    with pytest.raises(BadData) as fault:
        decode_image(data, "1.jpg")
    assert str(fault.value) == (
        "1.jpg: expected an image of at most 64 megapixels, got 12000x9000 px (108 megapixels); export the frames "
        "smaller."
    )


@pytest.mark.parametrize(("width", "height", "good"), [(8000, 8000, True), (8001, 8000, False), (65_000, 900, True)])
def test_the_limit(width: int, height: int, good: bool) -> None:
    if good:
        check_image_header(png_header(width, height), "a")
        return
    with pytest.raises(BadData, match=f"got {width}x{height} px"):
        check_image_header(png_header(width, height), "a")


def test_a_size_beyond_what_opencv_allows_is_refused_too() -> None:
    with pytest.raises(BadData, match=r"got 60000x60000 px \(3600 megapixels\)"):
        decode_image(png_header(60_000, 60_000), "a")


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP"])
def test_several_frames_in_one_file_are_refused(form: str) -> None:
    with pytest.raises(BadData) as fault:
        decode_image(stacked(form), "stack")
    assert str(fault.value) == (
        "stack: expected one picture in the file, got 2; write each frame to a file of its own."
    )


def test_a_photograph_with_a_preview_is_one_picture() -> None:
    assert decode_image(stacked("MPO"), "a").shape == PICTURE.shape


def test_a_tiff_with_a_thumbnail_is_one_picture() -> None:
    file = io.BytesIO()
    small = Image.fromarray(PICTURE[::2, ::2])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(PICTURE).save(file, "TIFF", save_all=True, append_images=[small])
    pixels = decode_image(np.frombuffer(file.getvalue(), np.uint8), "a")
    np.testing.assert_array_equal(pixels[:, :, ::-1], PICTURE)


def test_colours_that_the_decoder_misreads_are_refused() -> None:
    file = io.BytesIO()
    Image.fromarray(PICTURE).convert("LAB").save(file, "TIFF")
    with pytest.raises(BadData, match=r"^a: expected red, green and blue, got L\*a\*b\* colours; save"):
        decode_image(np.frombuffer(file.getvalue(), np.uint8), "a")
    with pytest.raises(
        BadData, match=r"^a: expected 16-bit values that rise with brightness, got a TIFF in which 0 is"
    ):
        decode_image(white_is_zero_16_bits(), "a")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm", ".jp2"])
def test_no_beginning_of_an_image_makes_it_stumble(suffix: str) -> None:
    data = cv2.imencode(suffix, PICTURE)[1]
    for length in range(0, min(len(data), 400), 3):
        check_image_header(data[:length], "a")
    check_image_header(data, "a")


def test_a_png_that_pillow_does_not_read_has_a_limit_too() -> None:
    """1x2147483647 px with 16 bits of an unknown kind: OpenCV took 4 GB for these 42 bytes."""
    head = struct.pack(">IIBBBBB", 1, 2**31 - 1, 16, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + head + b"\x27\xee\x80\x52\xff\xff\xff\xf7IDATx"
    with pytest.raises(BadData, match=r"x: expected an image of at most 64 megapixels, got 1x2147483647 px"):
        check_image_header(np.frombuffer(data, np.uint8), "x")
