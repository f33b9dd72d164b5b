"""Pictures by number: of every codec the true ones, with the bytes that OpenCV gave; damage is refused by number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import BadData
from shared.video import read_video_frames
from shared.video.index import read_file_index
from tests.unit.shared.video import coded

Write = Callable[..., Path]


def read(file: Path, onset: int, offset: int, notes: list[str] | None = None) -> dict[int, NDArray[Any]]:
    """Pictures by the number in their name."""
    shown = read_video_frames(np.fromfile(file, np.uint8), file.name, onset, offset, notes)
    return {int(name.rpartition(" ")[2]): pixels for name, pixels in shown}


def numbers(file: Path, onset: int, offset: int) -> dict[int, int]:
    """The drawn number of each picture, by the number in its name."""
    return {number: coded.number_of(pixels) for number, pixels in read(file, onset, offset).items()}


def opencv(file: Path) -> list[NDArray[Any]]:
    capture, found = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG), []
    while True:
        good, pixels = capture.read()
        if not good:
            return found
        found.append(pixels)


def test_frames_count_from_0_and_both_ends_are_inside(tmp_path: Path, write_video: Write) -> None:
    file = write_video(tmp_path / "Übung 1.avi", 12)
    frames = list(read_video_frames(np.fromfile(file, np.uint8), file.name, 3, 6))
    assert [name for name, _ in frames] == [f"Übung 1.avi frame {n}" for n in (3, 4, 5, 6)]
    assert [round(float(pixels[10:30, 10:30].mean()) / 10) for _, pixels in frames] == [3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *coded.USUAL_CODECS,
        ("g.mov", {"codec": "mjpeg", "pixels": "yuvj422p"}),
        ("h.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
        ("i.webm", {"codec": "libvpx"}),
        ("j.mpg", {"codec": "mpeg2video", "b_frames": 2}),
        ("k.mkv", {"codec": "ffv1", "pixels": "bgr0"}),
        ("l.avi", {"codec": "rawvideo", "pixels": "bgr24"}),
        ("m.wmv", {"codec": "wmv2"}),
        ("n.mp4", {"codec": "libx264", "pixels": "yuv420p10le"}),
        ("o.mp4", {"codec": "libx264", "pixels": "yuvj420p"}),
        ("p.mp4", {"codec": "libx264", "options": {"colorspace": "bt709", "color_range": "tv"}}),
        ("q.ts", {"codec": "libx264"}),
    ],
)
def test_any_range_of_a_video_has_the_true_pictures_with_opencvs_bytes(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    file = coded.write(tmp_path / name, range(50), **options)
    whole = opencv(file)
    assert len(whole) == 50
    for onset, offset in ((0, 49), (13, 20), (23, 37), (41, 48)):
        frames = read(file, onset, offset)
        assert {n: coded.number_of(pixels) for n, pixels in frames.items()} == {n: n for n in range(onset, offset + 1)}
        assert all(np.array_equal(pixels, whole[n]) for n, pixels in frames.items())


def test_a_video_that_ends_before_the_offset(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.mp4", range(12))
    with pytest.raises(
        BadData, match=r"^v.mp4: expected frames up to the offset 12, got a video of 12 frames, which count"
    ):
        read(file, 3, 12)


def damaged(file: Path, *places: int, part: float = 0.5, until: float = 1, filler: int = 0) -> Path:
    """A copy with one byte repeated in the packets of `places`, between two shares of their length."""
    index, data = read_file_index(file), bytearray(file.read_bytes())
    for place in places:
        packet = index.packets[place]
        begin, end = (packet.place or 0) + int(packet.size * part), (packet.place or 0) + int(packet.size * until)
        data[begin:end] = bytes([filler]) * (end - begin)
    target = file.with_stem("damaged")
    target.write_bytes(data)
    return target


def noisy(count: int) -> dict[int, NDArray[np.uint8]]:
    """Pictures with enough detail for packets of some kilobytes."""
    grain = np.random.default_rng(0).integers(0, 40, (coded.ROWS, coded.COLUMNS, 3), np.uint8)
    grain[: coded.BLOCK] = 0
    return {number: cv2.add(coded.draw(number), np.roll(grain, number, axis=1)) for number in range(count)}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("v.mp4", {"codec": "libx264", "b_frames": 0, "group": 12}),
        ("v.mkv", {"codec": "libx264", "b_frames": 0, "group": 12}),
        ("v.avi", {"codec": "mpeg4", "group": 12}),
    ],
)
def test_damage_is_told_up_to_the_next_key_frame_and_shifts_nothing(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    file = damaged(coded.write(tmp_path / name, range(48), pictures=noisy(48), **options), 14)
    keys = [place for place, packet in enumerate(read_file_index(file).packets) if packet.is_key]
    before, after = max(key for key in keys if key <= 14), min(key for key in keys if key > 14)
    assert numbers(file, 0, before - 1) == {n: n for n in range(before)}
    assert numbers(file, after, 47) == {n: n for n in range(after, 48)}
    with pytest.raises(BadData, match=rf"whole frames 13 to 30, got damaged data: frames 14 to {after - 1} can"):
        read(file, 13, 30)
    with pytest.raises(BadData, match=rf"frames 14 to {after - 1} cannot be decoded; copy the video again"):
        read(file, after - 2, after + 3)  # it needs the damaged frame, which is not shown in it


@pytest.mark.parametrize("place", [12, 14])
def test_damage_that_the_decoder_alone_can_see(tmp_path: Path, place: int) -> None:
    """In a key frame and in another. FFmpeg would go on with what it has, and smear it over the frames after."""
    whole = coded.write(tmp_path / "v.mp4", range(48), pictures=noisy(48), b_frames=0)
    file = damaged(whole, place, filler=0xFF)
    for onset, offset in ((0, 20), (18, 22), (22, 30)):
        with pytest.raises(BadData, match=rf"got damaged data: frames {place} to 23 cannot be decoded"):
            read(file, onset, offset)
    assert numbers(file, 24, 47) == {n: n for n in range(24, 48)}


def test_pictures_that_are_refreshed_bit_by_bit(tmp_path: Path) -> None:
    """Such files mark places to begin with, from which a picture is whole only after a while, and not always."""
    options = {"x264-params": "intra-refresh=1:bframes=0"}
    file = coded.write(tmp_path / "v.mp4", range(200), options=options)
    whole = read(file, 0, 199)
    for onset in range(0, 195, 5):
        assert all(np.array_equal(pixels, whole[n]) for n, pixels in read(file, onset, onset + 4).items())


@pytest.mark.parametrize(("part", "until"), [(0, 1), (0.4, 0.6), (0.8, 0.9)])
def test_a_damaged_picture_of_its_own_is_one_frame(tmp_path: Path, part: float, until: float) -> None:
    whole = coded.write(tmp_path / "v.avi", range(30), "mjpeg", pixels="yuvj420p", pictures=noisy(30))
    file = damaged(whole, 14, part=part, until=until)
    assert numbers(file, 15, 29) == {n: n for n in range(15, 30)}
    with pytest.raises(BadData, match=r"got damaged data: frame 14 cannot be decoded"):
        read(file, 10, 20)


def test_a_stream_that_lost_packets_keeps_the_numbers_after_them(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.ts", range(60), "mpeg4", pictures=noisy(60), group=12)
    index, data = read_file_index(file), bytearray(file.read_bytes())
    first, last = (index.packets[place].place or 0 for place in (15, 19))
    data[first:last] = bytes(last - first)
    (tmp_path / "hole.mpg").write_bytes(data)
    key = next(place for place, packet in enumerate(index.packets) if packet.is_key and place > 19)
    assert numbers(tmp_path / "hole.mpg", key, 59) == {n: n for n in range(key, 60)}
    with pytest.raises(BadData, match="got damaged data: 4 of them, from frame 15 to 18, cannot be decoded"):
        read(tmp_path / "hole.mpg", 10, 25)
    with pytest.raises(BadData, match=rf"got damaged data: frames \d+ to {key - 1} cannot be decoded"):
        read(tmp_path / "hole.mpg", 20, 25)  # they refer to what was lost


def test_a_download_that_stopped(tmp_path: Path) -> None:
    whole = coded.write(tmp_path / "v.mp4", range(60), pictures=noisy(60), container={"movflags": "+faststart"})
    file = tmp_path / "cut.mp4"
    file.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    assert numbers(file, 5, 20) == {n: n for n in range(5, 21)}
    with pytest.raises(BadData, match=r"a file that is cut off: its header declares 60 frames, the last whole one is"):
        read(file, 30, 59)


def test_a_stream_that_begins_within_a_group_has_no_first_frames(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.ts", range(40), pictures=noisy(40), b_frames=0)
    begin = read_file_index(file).packets[3].place or 0
    (tmp_path / "late.mpg").write_bytes(file.read_bytes()[begin:])
    with pytest.raises(BadData, match="got damaged data: frames 0 to"):
        read(tmp_path / "late.mpg", 0, 5)


def test_a_lost_frame_at_the_end_of_a_clip_is_no_shorter_clip(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.avi", range(30), "mjpeg", pixels="yuvj420p")
    packets, data = read_file_index(file).packets, bytearray(file.read_bytes())
    first, last = (packets[place].place or 0 for place in (14, 16))
    data[first - 8 : last - 8] = bytes(last - first)
    file.write_bytes(data)
    with pytest.raises(BadData, match="got damaged data: 1 of them, from frame 14 to 14, cannot be decoded; copy"):
        read(file, 10, 14)


def test_frames_that_change_their_size(tmp_path: Path) -> None:
    """Decoded as they are: the stage refuses mixed sizes by name."""
    parts = []
    for number, width in enumerate((160, 320)):
        pictures = {n: coded.draw(n, 96, width) for n in range(10 * number, 10 * number + 10)}
        file = coded.write(tmp_path / f"{width}.ts", {n: n for n in pictures}, pictures=pictures)
        parts.append(file.read_bytes())
    (tmp_path / "v.mpg").write_bytes(b"".join(parts))
    assert {pixels.shape[1] for pixels in read(tmp_path / "v.mpg", 0, 19).values()} == {160, 320}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["v.mp4", "v.mkv", "v.avi", "v.ts"]),
    share=st.floats(0.05, 0.95),
    junk=st.one_of(st.integers(1, 400).map(bytes), st.binary(min_size=1, max_size=400)),
    cut=st.booleans(),
)
def test_damage_anywhere_is_refused_or_harmless(
    tmp_path: Path, name: str, share: float, junk: bytes, cut: bool
) -> None:
    """Every picture that is given is that of its number. Nothing but BadData is raised."""
    whole = tmp_path / name
    if not whole.exists():
        coded.write(whole, range(60), "mpeg4" if name == "v.avi" else "libx264", pictures=noisy(60))
    data = bytearray(whole.read_bytes())
    at = int(len(data) * share)
    data[at : at + len(junk)] = b"" if cut else junk
    file = tmp_path / f"damaged-{name}"
    file.write_bytes(data)
    for onset, offset in ((0, 20), (21, 40), (41, 59)):
        try:
            shown = numbers(file, onset, offset)
        except BadData:
            continue
        # Matroska drops what it cannot read. Numbers by time tell that, see test_locating. An AVI that lost bytes may
        # look whole by chance: if they are as many as a chunk has.
        if name != "v.mkv" and not (cut and name == "v.avi"):
            assert shown == {n: n for n in range(onset, offset + 1)}


def test_an_avi_that_lost_bytes_has_numbers_before_them(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.avi", range(60), "mpeg4", pictures=noisy(60), group=12)
    begin, data = read_file_index(file).packets[30].place or 0, bytearray(file.read_bytes())
    data[begin + 5 : begin + 12] = b""
    file.write_bytes(data)
    assert numbers(file, 5, 25) == {n: n for n in range(5, 26)}
    with pytest.raises(BadData, match="got damaged data: "):
        read(file, 40, 55)


@pytest.mark.parametrize("codec", ["wmv2", "wmv1", "msmpeg4", "mpeg4"])
def test_an_index_that_calls_every_frame_a_key(tmp_path: Path, codec: str) -> None:
    """Some programs write it. Decoding from such a frame gives differences on grey."""
    file = coded.write(tmp_path / "v.avi", range(60), codec, b_frames=0)
    data = bytearray(file.read_bytes())
    begin = data.rindex(b"idx1") + 8
    for entry in range(begin, begin + 60 * 16, 16):
        data[entry + 4] |= 0x10
    frames = read_video_frames(np.frombuffer(data, np.uint8), "v.avi", 20, 30)
    assert [coded.number_of(pixels) for _, pixels in frames] == list(range(20, 31))


def test_a_key_frame_that_is_none_is_refused(tmp_path: Path) -> None:
    """The AVI of an H.263 video calls every frame a key."""
    file = coded.write(tmp_path / "v.avi", range(40), "h263p")
    with pytest.raises(BadData, match="expected a frame that can be decoded alone at 20, as the file's marks say"):
        list(read_video_frames(np.fromfile(file, np.uint8), "v.avi", 20, 30))


def test_chunks_of_two_frames_are_refused_with_the_way_out(tmp_path: Path) -> None:
    """DivX and Xvid put a B-frame into the chunk of the frame that it refers to, and an empty frame behind it."""
    whole = coded.write(tmp_path / "whole.avi", range(40), "mpeg4", b_frames=1)
    with av.open(str(whole)) as source:
        stream = source.streams.video[0]
        chunks = [bytes(packet) for packet in source.demux(stream) if packet.size]
        with av.open(str(tmp_path / "v.avi"), "w") as target:
            copy = target.add_stream("mpeg4", rate=30)
            copy.width, copy.height, copy.pix_fmt = coded.COLUMNS, coded.ROWS, "yuv420p"
            packed = [chunks[0].replace(b"\0\0\1\xb2", b"\0\0\1\xb2DivX503b1393p\0\0\1\xb2", 1)]
            for reference, between in zip(chunks[1::2], chunks[2::2], strict=False):
                packed += [reference + between, b"\0\0\1\xb6\x50\x7f"]
            for at, data in enumerate(packed):
                packet = av.Packet(data)
                packet.pts = packet.dts = at
                packet.time_base, packet.stream, packet.is_keyframe = coded.Fraction(1, 30), copy, not at
                target.mux(packet)
    with pytest.raises(BadData, match=r"got two in some \(packed B-frames.*bsf:v mpeg4_unpack_bframes"):
        read(tmp_path / "v.avi", 5, 10)


@pytest.mark.parametrize("tables", ["default", "optimal"])
def test_zeros_within_a_jpeg_are_damage_and_no_flat_picture(tmp_path: Path, tables: str) -> None:
    """What a copy left out is filled with zeros, which a decoder takes for blocks without detail."""
    scene = 90 + np.arange(320)[None, :, None] / 4 + np.arange(240)[:, None, None] / 5
    noise = np.random.default_rng(0).normal(0, 120, (120, 120, 3))
    scene = np.repeat(scene, 3, axis=2)
    scene[60:180, 100:220] += cv2.GaussianBlur(noise, (0, 0), 1.5)
    pictures = {number: np.clip(scene + number, 0, 255).astype(np.uint8) for number in range(12)}
    options = {"huffman": tables, "qmin": "2", "qmax": "2"}
    file = coded.write(tmp_path / "v.avi", range(12), "mjpeg", options, pixels="yuvj420p", pictures=pictures)
    packet = read_file_index(file).packets[6]
    data = np.fromfile(file, np.uint8)
    middle = (packet.place or 0) + packet.size * 4 // 5
    data[middle : middle + 300] = 0
    with pytest.raises(BadData, match="damaged data: frame 6 cannot be decoded"):
        list(read_video_frames(data, "v.avi", 4, 8))
    assert [name for name, _ in read_video_frames(data, "v.avi", 7, 11)] == [f"v.avi frame {n}" for n in range(7, 12)]


@pytest.mark.parametrize("tables", ["default", "optimal"])
def test_flat_pictures_of_jpegs_are_no_damage(tmp_path: Path, tables: str) -> None:
    pictures = {number: np.full((240, 320, 3), 20 * number, np.uint8) for number in range(8)}
    file = coded.write(tmp_path / "v.avi", range(8), "mjpeg", {"huffman": tables}, pixels="yuvj420p", pictures=pictures)
    shown = read(file, 0, 7)
    assert all(np.abs(shown[number].astype(int) - 20 * number).max() <= 3 for number in range(8))
