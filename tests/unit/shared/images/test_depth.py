"""The true depth of 16-bit files is a fact of the clip: one bright or dark frame changes nothing."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.ingest.source_reading import read_source
from shared.errors import BadData
from shared.images.depth import measure_depth, scale_to_bytes

GREY = np.tile(np.arange(256, dtype=np.uint16), (64, 1))  # every grey level of 8 bits
FINE = np.linspace(0, 1, 64 * 256).reshape(64, 256)  # far more than 256 levels


def clip(*frames: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    return [(f"img{index}.png", frame) for index, frame in enumerate(frames)]


def of_bits(bits: int, brightest: float = 1.0) -> NDArray[np.uint16]:
    return (FINE * brightest * ((1 << bits) - 1)).round().astype(np.uint16)


def decoded(frames: Sequence[NDArray[Any]]) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The frames and notes of a clip that was packed from 16-bit PNGs."""
    files = [cv2.imencode(".png", frame)[1] for frame in frames]
    source = read_source(
        {
            "data": np.concatenate(files),
            "ends": np.cumsum([len(file) for file in files]),
            "names": np.array([f"img{index}.png" for index in range(len(files))]),
            "onset": np.array(0),
            "apex": np.array(-1),
            "offset": np.array(len(files) - 1),
            "fps": np.array(200.0),
            "kind": np.array("frames"),
            "cropped": np.array(True),
            "notes": np.array([], np.str_),
        }
    )
    return [frame for _, frame in source.read_frames()], source.notes


@pytest.mark.parametrize("bits", range(8, 17))
def test_a_clip_that_uses_its_range_has_that_depth(bits: int) -> None:
    assert measure_depth(clip(of_bits(bits), of_bits(bits, 0.3))).bits == bits


@pytest.mark.parametrize(("bits", "read_as"), [(9, 10), (11, 12), (13, 14), (15, 16)])
def test_a_darker_clip_has_the_smallest_depth_of_cameras_that_holds_all_values(bits: int, read_as: int) -> None:
    assert measure_depth(clip(of_bits(bits, 0.8), of_bits(bits, 0.3))).bits == read_as


@pytest.mark.parametrize("bits", range(9, 16))
def test_8_bits_moved_up_to_another_depth_come_back(bits: int) -> None:
    frames, _ = decoded([of_bits(8) << (bits - 8), of_bits(8, 0.5) << (bits - 8)])
    np.testing.assert_array_equal(frames[0][:, :, 0], of_bits(8))
    np.testing.assert_array_equal(frames[1][:, :, 0], of_bits(8, 0.5))


@pytest.mark.parametrize("bits", [10, 12, 14, 15, 16])
def test_decoded_frames_have_all_256_levels(bits: int) -> None:
    frames, notes = decoded([of_bits(bits), of_bits(bits, 0.5)])
    assert (frames[0].max(), frames[1].max()) == (255, 128)
    assert len(np.unique(frames[0])) == 256
    what = "of each value were kept" if bits == 16 else f"of the {bits} bits were kept; 192 grey levels are left"
    hold = "" if bits == 16 else f" that hold {bits}-bit values"
    assert notes == [f"16-bit frames{hold}: the upper 8 {'bits ' if bits == 16 else ''}{what}"]


@pytest.mark.parametrize("bits", [12, 14])
def test_a_dark_frame_keeps_the_scale_of_its_clip(bits: int) -> None:
    """By itself it would be taken for one of fewer bits, and be shown four times as bright."""
    frames, _ = decoded([of_bits(bits), of_bits(bits, 0.2), of_bits(bits)])
    assert frames[1].max() == 51


def test_a_bright_frame_keeps_the_scale_of_its_clip() -> None:
    frames, _ = decoded([of_bits(12, 0.3), of_bits(12, 1.0), of_bits(12, 0.3)])
    assert [frame.max() for frame in frames] == [76, 255, 76]


def test_values_moved_up_are_of_full_range() -> None:
    moved = of_bits(12, 0.2) << 4
    frames, notes = decoded([moved, moved])
    np.testing.assert_array_equal(frames[0][:, :, 0], moved >> 8)
    assert notes == ["16-bit frames: the upper 8 bits of each value were kept; 52 grey levels are left"]


def test_few_grey_levels_are_told() -> None:
    """The values of 14 bits, and one of 16 bits that makes the range ambiguous no more."""
    frames = [of_bits(14), of_bits(14), of_bits(14)]
    frames[1][0, 0] = 65_535
    assert measure_depth(clip(*frames)).note == (
        "16-bit frames: the upper 8 bits of each value were kept; 64 grey levels are left"
    )


def test_one_frame_of_another_scale_is_refused() -> None:
    with pytest.raises(BadData) as fault:
        measure_depth(clip(*[of_bits(12)] * 4, of_bits(16), of_bits(12)))
    assert str(fault.value) == (
        "img4.png: expected 16-bit values of one depth in the clip, got up to 65535 here, up to 4095 in half of the "
        "frames, and 16 of 256 grey levels in those; save the frames as 8-bit PNG, all with the same scale."
    )


def test_a_flat_clip_has_few_levels_of_its_own() -> None:
    depth = measure_depth(clip(np.full((9, 9), 40_000, np.uint16), np.full((9, 9), 30_000, np.uint16)))
    assert (depth.bits, depth.levels) == (16, 1)


@given(
    bits=st.sampled_from([10, 12, 14]),
    lights=st.lists(st.floats(0.2, 1.0), min_size=1, max_size=6),
)
def test_every_frame_is_scaled_alike(bits: int, lights: list[float]) -> None:
    """Whatever the light of each frame, a value has the same grey in all frames."""
    frames = [of_bits(bits), *(of_bits(bits, light) for light in lights)]
    depth = measure_depth(clip(*frames))
    assert depth.bits == bits
    np.testing.assert_array_equal(scale_to_bytes(GREY << (bits - 8), bits), GREY)
