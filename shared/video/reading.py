"""Frames of a video as pixels, one at a time: whole, upright, with square pixels."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from numpy.typing import NDArray

from shared.errors import BadData
from shared.images.depth import measure_depth
from shared.stage import Arrays
from shared.video import fields
from shared.video.container import VideoData
from shared.video.decoding import decode_frames
from shared.video.index import VideoIndex, read_index
from shared.video.pictures import DEEP_FORMATS, PictureMaker, read_deep_values


def read_video_frames(
    data: NDArray[Any], name: str, onset: int, offset: int, notes: list[str] | None = None
) -> Iterator[tuple[str, NDArray[Any]]]:
    """("name frame n", pixels [H,W,3] uint8 blue-green-red) for the recorded frames onset..offset, both inside.

    `data` has the bytes [n] of the video, whose frames count from 0. `notes` gets a sentence for what was changed.
    Raises BadData if it is no video, ends before the offset, or is damaged where the frames need it.
    """
    index = read_index(data, name)
    places = locate_frames(index, onset, offset)
    notes = [] if notes is None else notes
    for at, pixels in read_pictures(data, index, places, notes):
        yield f"{name} frame {index.numbers[places[at]]}", pixels


def read_packed_frames(
    arrays: Arrays, notes: list[str], chosen: Collection[int] | None = None
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The same for the arrays of `pack_source`: data uint8 [bytes], numbers int64 [1], onset and offset.

    `chosen` are the wanted frames, counted from the onset; None means all of them.
    """
    name, first = str(arrays["names"][0]), int(arrays["numbers"][0])
    index = read_index(arrays["data"], name)
    if "aspect" in arrays:
        index = replace(index, aspect=Fraction(*arrays["aspect"].tolist()))
    places = range(int(arrays["onset"]) - first, int(arrays["offset"]) - first + 1)
    if not 0 <= places.start < places.stop <= len(index.numbers):
        raise BadData(
            f"{name}: expected frames up to the offset {places.stop - 1 + first}, got a video of {len(index.numbers)} "
            "frames; correct the row or copy the file again."
        )
    index = replace(index, numbers=tuple(number + first for number in index.numbers))  # for notes and faults
    for at, pixels in read_pictures(arrays["data"], index, places, notes, chosen):
        yield f"{name} frame {index.numbers[places[at]]}", pixels


def read_pictures(
    data: VideoData,
    index: VideoIndex,
    places: range,
    notes: list[str],
    chosen: Collection[int] | None = None,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """(k, pixels [H,W,3] uint8 blue-green-red) for frame k of `places` of `index`, for the `chosen` k or for all.

    `data` is a file or its bytes [n]. The frames are decoded twice: all of them are measured before the first is given.
    """
    try:
        yield from _convert_frames(data, index, places, PictureMaker(index.aspect, notes), chosen)
    except av.FFmpegError as error:
        raise BadData(
            f"{index.name}: expected frames of one size and kind, got some that FFmpeg cannot convert ({error}); "
            "convert the video again."
        ) from None


def _convert_frames(
    data: VideoData, index: VideoIndex, places: range, maker: PictureMaker, chosen: Collection[int] | None
) -> Iterator[tuple[int, NDArray[Any]]]:
    measures = fields.measure_frames(decode_frames(data, index, places))
    if index.pixels in DEEP_FORMATS:
        labels = (f"{index.name} frame {index.numbers[place]}" for place in places)
        values = map(read_deep_values, decode_frames(data, index, places))
        maker.depth = measure_depth(zip(labels, values, strict=False))
    woven = fields.choose_frames(measures)
    frames = fields.weave_out_fields(decode_frames(data, index, places), measures, woven)
    if woven:
        whole = fields.weave_out_fields(decode_frames(data, index, places), measures, woven)
        fields.check_woven(index.name, fields.measure_frames(whole))
        maker.note_once(_describe_fields(index, places, woven))
    for at, frame in enumerate(frames):
        if chosen is None or at in chosen:
            yield at, maker.make_picture(frame)
        if chosen is not None and at >= max(chosen):
            return


def locate_frames(index: VideoIndex, onset: int, offset: int) -> range:
    """The places of the recorded frames onset..offset. Raises BadData if the video ends before the offset."""
    places = index.frames_between(onset, offset)
    name, count = index.name, index.count
    lost = [number for number in sorted(index.lost) if onset <= number <= offset]
    if lost:
        raise BadData(
            f"{name}: expected whole frames {onset} to {offset}, got damaged data: {len(lost)} of them, from frame "
            f"{lost[0]} to {lost[-1]}, cannot be decoded; copy the video again, or take clips that lie outside of them."
        )
    if offset < count and places:
        return places
    if index.absent > 0:
        whole = [n for n, at in zip(index.numbers, index.positions, strict=True) if not index.packets[at].is_damaged]
        raise BadData(
            f"{name}: expected frames up to the offset {offset}, got a file that is cut off: its header declares "
            f"{index.declared} frames, the last whole one is {max(whole, default=-1)}; copy the video again."
        )
    raise BadData(
        f"{name}: expected frames up to the offset {offset}, got a video of {count} frames, which count from 0; "
        "correct the row, or all rows if the sheet counts from 1, or copy the file again."
    )


def _describe_fields(index: VideoIndex, places: range, chosen: set[int]) -> str:
    numbers = [index.numbers[places[at]] for at in sorted(chosen)]
    return (
        f"interlaced video: {len(numbers)} frames from {numbers[0]} to {numbers[-1]} were made of the field taken "
        "first, the rows between were interpolated (bwdif)"
    )
