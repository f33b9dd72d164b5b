import io
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.errors import BadData
from shared.images.decoding import decode_image, to_rgb


def encoded(pixels: NDArray[Any], suffix: str) -> NDArray[np.uint8]:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return np.asarray(data, np.uint8)


def read(data: NDArray[np.uint8], name: str = "img3", bits: int = 16) -> NDArray[np.uint8]:
    return to_rgb(decode_image(data, name), bits)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm"])
def test_red_green_blue_in_this_order(face: NDArray[np.uint8], suffix: str) -> None:
    np.testing.assert_array_equal(read(encoded(face[:, :, ::-1], suffix)), face)


def test_grey_becomes_three_equal_channels(face: NDArray[np.uint8]) -> None:
    out = read(encoded(face[:, :, 0], ".png"))
    np.testing.assert_array_equal(out, np.repeat(face[:, :, :1], 3, axis=2))


def test_alpha_is_dropped(face: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(read(encoded(np.dstack([face[:, :, ::-1], face[:, :, 0]]), ".png")), face)


@pytest.mark.parametrize("channels", [1, 3])
def test_of_16_bits_the_upper_8_stay(face: NDArray[np.uint8], channels: int) -> None:
    pixels = np.squeeze(face[:, :, :channels].astype(np.uint16) * 256 + 255)
    expected = face[:, :, ::-1] if channels == 3 else np.repeat(face[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(read(encoded(pixels, ".png")), expected)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15])
def test_of_fewer_bits_the_upper_8_stay(face: NDArray[np.uint8], bits: int) -> None:
    np.testing.assert_array_equal(
        read(encoded(face[:, :, ::-1].astype(np.uint16) << (bits - 8), ".png"), bits=bits), face
    )


def saved(picture: Image.Image, form: str, **options: Any) -> NDArray[np.uint8]:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return np.frombuffer(file.getvalue(), np.uint8)


def test_palettes_print_colours_and_transparency_become_rgb(face: NDArray[np.uint8]) -> None:
    colours = np.zeros((20, 40, 3), np.uint8)
    colours[:, :20], colours[:, 20:] = (200, 50, 20), (10, 120, 220)
    picture = Image.fromarray(colours)
    for form in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(read(saved(picture.quantize(4), form)), colours)
    transparent = picture.convert("RGBA")
    transparent.putalpha(Image.fromarray(np.full((20, 40), 9, np.uint8)))
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        np.testing.assert_array_equal(read(saved(transparent, form, **options)), colours)
    np.testing.assert_array_equal(read(saved(picture.convert("CMYK"), "TIFF")), colours)
    assert np.abs(read(saved(picture.convert("CMYK"), "JPEG", quality=100)).astype(int) - colours).max() <= 2


def test_black_and_white_and_grey_with_white_as_0(face: NDArray[np.uint8]) -> None:
    grey = Image.fromarray(face[:, :, 0])
    black = grey.point(lambda value: 255 * (value > 90)).convert("1")
    for form in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(read(saved(black, form))[:, :, 1], np.asarray(black, np.uint8) * 255)
    inverted = saved(grey, "TIFF", tiffinfo={262: 0})
    np.testing.assert_array_equal(read(inverted)[:, :, 1], face[:, :, 0])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("tag", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_turned_camera_gives_an_upright_picture(face: NDArray[np.uint8], form: str, tag: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x112] = tag
    options = {"quality": 100} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    upright = read(saved(Image.fromarray(face), form, exif=exif, **options))
    assert np.abs(upright.astype(int) - np.rot90(face, turns)).mean() < 2


def test_text(face: NDArray[np.uint8]) -> None:
    data = np.frombuffer(b"Thumbnails of this folder", np.uint8)
    with pytest.raises(BadData) as error:
        read(data, "img3.jpg")
    assert str(error.value) == (
        "img3.jpg: expected a whole image, got text that begins with 'Thumbnails of th'; "
        "copy the file from the dataset again."
    )


def test_an_empty_file() -> None:
    with pytest.raises(BadData, match=r"^img3.jpg: expected a whole image, got an empty file;"):
        read(np.empty(0, np.uint8), "img3.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_a_truncated_file_is_never_half_an_image(face: NDArray[np.uint8], suffix: str, kept: float) -> None:
    data = encoded(face, suffix)
    with pytest.raises(BadData, match=r"^img3: expected a whole image, got one that is cut off or damaged"):
        read(data[: int(kept * len(data))])


def test_a_jpeg_whose_tail_was_never_written(face: NDArray[np.uint8]) -> None:
    """A copy that was broken off can leave its full length in zeros, and decoders show the rest in grey."""
    data = encoded(face, ".jpg").copy()
    data[len(data) // 2 :] = 0
    with pytest.raises(BadData, match="cut off or damaged"):
        read(data)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(face: NDArray[np.uint8]) -> None:
    data = encoded(face, ".jpg")
    np.testing.assert_array_equal(read(np.append(data, np.zeros(9, np.uint8))), read(data))


def test_other_depths_are_refused(face: NDArray[np.uint8]) -> None:
    with pytest.raises(
        BadData, match=r"^img3: expected 8 or 16 bits per channel, got float32; save the frames as 8-bit"
    ):
        read(encoded(face.astype(np.float32), ".tiff"))


@pytest.mark.parametrize("top", [15, 100, 1000, 4095, 20_000])
@pytest.mark.parametrize("brightest", [1.0, 0.2])
@pytest.mark.parametrize("kind", [2, 5])
def test_a_pgm_says_its_largest_value(top: int, brightest: float, kind: int) -> None:
    """A dark frame stays as dark as it is, in files of text (2) and of bytes (5)."""
    pixels = np.round(np.linspace(0, brightest * top, 80)).astype(int).reshape(8, 10)
    raw = pixels.astype(">u2" if top > 255 else np.uint8).tobytes()
    body = raw if kind == 5 else " ".join(map(str, pixels.ravel())).encode() + b"\n"
    data = np.frombuffer(b"P%d\n# camera 1\n10 8\n%d\n" % (kind, top) + body, np.uint8)
    np.testing.assert_allclose(read(data)[:, :, 0], pixels * 255 / top, atol=1.01)


def test_a_picture_of_a_phone_is_named() -> None:
    data = np.frombuffer(b"\0\0\0\x18ftypheic" + bytes(200), np.uint8)
    with pytest.raises(BadData, match=r"^f\.jpg: .*got a picture in HEIC, AVIF .*: save the frames as PNG"):
        decode_image(data, "f.jpg")
