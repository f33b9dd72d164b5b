"""What is stored of a clip's video: little of a long one, the same bytes each time, and the same pictures."""

from fractions import Fraction
from pathlib import Path
from shutil import copy2
from typing import Any

import numpy as np
import pytest

from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source
from services.ingest.source_reading import read_source
from shared.store import npz
from shared.video import read_packed_frames, read_video_frames
from tests.unit.shared.video import coded

HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"


# No packet within the one is a place to begin, Matroska has no name for the codec of the other.
KEPT_WHOLE = {"c.mp4", "l.wmv"}


def clips(folder: Path, *rows: str) -> list[FoundClip]:
    lines = [f"lab,p,c{number},{row},happiness,6+12" for number, row in enumerate(rows)]
    (folder / "clips.csv").write_text("\n".join([HEADER, *lines]))
    found = list(discover_clips(folder))
    assert all(isinstance(each, FoundClip) for each in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *coded.USUAL_CODECS,
        ("g.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
        ("h.webm", {"codec": "libvpx"}),
        ("i.mpg", {"codec": "mpeg2video", "b_frames": 2}),
        ("j.mpg", {"codec": "libx264", "written": "j.ts"}),
        ("k.mkv", {"codec": "ffv1", "pixels": "bgr0"}),
        ("l.wmv", {"codec": "wmv2"}),
        ("m.mp4", {"codec": "libx264", "pixels": "yuv420p10le"}),
        ("n.mp4", {"codec": "libx264", "aspect": Fraction(16, 15)}),
        ("o.mp4", {"codec": "libx264", "rotation": 90}),
        ("p.mov", {"codec": "mjpeg", "pixels": "yuvj422p", "rotation": 180}),
    ],
)
def test_the_pictures_of_what_is_stored_are_those_of_the_whole_file(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    options = dict(options)
    file = coded.write(tmp_path / options.pop("written", name), range(200), **options).rename(tmp_path / name)
    whole = np.fromfile(file, np.uint8)
    for clip in clips(tmp_path, f"{name},3,5,12,30", f"{name},83,90,99,30", f"{name},180,190,199,30"):
        packed = pack_source(clip)
        assert packed["data"].nbytes < whole.nbytes * 0.5 or name in KEPT_WHOLE
        source = read_source(packed)
        expected: list[str] = []
        before = list(read_video_frames(whole, name, clip.onset, clip.offset, expected))
        after = list(source.read_frames())
        assert [label for label, _ in after] == [f"{name} frame {n}" for n in range(clip.onset, clip.offset + 1)]
        assert all(np.array_equal(a[..., ::-1], b) for (_, a), (_, b) in zip(before, after, strict=True))
        assert source.notes == expected


def test_notes_on_a_trimmed_video_have_the_numbers_of_the_whole(tmp_path: Path) -> None:
    pictures = {number: coded.draw(number) for number in range(100)}
    for number in range(99):
        pictures[number][1::2] = pictures[number + 1][1::2]
    coded.write(tmp_path / "v.avi", range(100), "mjpeg", {"q": "2"}, pixels="yuvj420p", pictures=pictures)
    (clip,) = clips(tmp_path, "v.avi,63,70,79,30")
    source = read_source(pack_source(clip))
    assert [coded.number_of(frame) for _, frame in source.read_frames()] == list(range(63, 80))
    assert source.notes == [
        "interlaced video: 17 frames from 63 to 79 were made of the field taken first, the rows between were "
        "interpolated (bwdif)"
    ]


def test_twenty_clips_of_a_long_video_take_less_than_it(tmp_path: Path) -> None:
    """They took twenty times the video's size before."""
    file = coded.write(tmp_path / "long.mp4", {n % 256 + 256 * (n // 256): n for n in range(2000)}, group=30)
    found = clips(tmp_path, *(f"long.mp4,{first},{first + 5},{first + 15},30" for first in range(20, 2000, 99)))
    sizes = [pack_source(clip)["data"].nbytes for clip in found]
    assert len(sizes) == 20
    assert sum(sizes) < file.stat().st_size


def test_equal_clips_have_equal_bytes_in_every_folder(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", range(200))
    (clip,) = clips(tmp_path, "v.mp4,83,90,99,30")
    (tmp_path / "Übung").mkdir()
    copy2(tmp_path / "v.mp4", tmp_path / "Übung" / "v.mp4")
    (other,) = clips(tmp_path / "Übung", "v.mp4,83,90,99,30")
    assert (
        npz.pack_arrays(pack_source(clip)) == npz.pack_arrays(pack_source(clip)) == npz.pack_arrays(pack_source(other))
    )


def test_a_video_that_is_the_clip_is_kept_as_it_is(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.mp4", range(30))
    (clip,) = clips(tmp_path, "v.mp4,2,15,28,30")
    packed = pack_source(clip)
    assert packed["data"].tobytes() == file.read_bytes()
    assert packed["numbers"].tolist() == [0]
    assert sorted(packed) == sorted(
        ["data", "ends", "names", "numbers", "onset", "apex", "offset", "fps", "kind", "cropped", "notes"]
    )


def test_a_long_video_is_never_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coded.write(tmp_path / "v.mp4", range(200))
    (clip,) = clips(tmp_path, "v.mp4,83,90,99,30")

    def refuse(file: Path) -> bytes:
        raise AssertionError(file)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert pack_source(clip)["numbers"].item() > 60


def test_only_the_chosen_frames_are_given(tmp_path: Path) -> None:
    coded.write(tmp_path / "v.mp4", range(200))
    (clip,) = clips(tmp_path, "v.mp4,83,90,99,30")
    shown = list(read_packed_frames(pack_source(clip), [], {0, 7, 16}))
    assert [(name, coded.number_of(pixels)) for name, pixels in shown] == [
        (f"v.mp4 frame {n}", n) for n in (83, 90, 99)
    ]
