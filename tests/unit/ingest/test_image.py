from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest.image import decode_image, to_rgb
from shared.errors import BadData


def encoded(pixels: NDArray[Any], suffix: str) -> NDArray[np.uint8]:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return np.asarray(data, np.uint8)


def read(data: NDArray[np.uint8], name: str = "img3") -> NDArray[np.uint8]:
    return to_rgb(decode_image(data, name), name)


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


def test_12_bits_in_16_are_refused_rather_than_black(face: NDArray[np.uint8]) -> None:
    with pytest.raises(
        BadData, match=r"^img3: expected 16-bit values up to 65535, got none above 4080; scale the frames"
    ):
        read(encoded(face.astype(np.uint16) * 16, ".png"))


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
