"""Round trip: each distribution written in its owners' form, read by the catalogue, packed, cut into a clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.ingest.catalogue.entry import Found, Reading
from services.ingest.discover import discover
from services.ingest.pack import pack
from services.ingest.settings import PROFILES
from services.ingest.stage import STAGE
from services.local.synth.layouts import FORMS, full, write
from services.local.synth.layouts.faces import faces
from services.local.synth.layouts.write import EMPTY, TINY
from shared import arrays
from shared.stage import Arrays


def found(folder: Path, how: Reading | None = None) -> list[Found]:
    clips = list(discover(folder, how=how))
    assert all(isinstance(clip, Found) for clip in clips), clips
    return clips  # type: ignore[return-value]


def clip_of(source: Found) -> Arrays:
    """What lies on `mer.clips` behind the clip's record."""
    packed = arrays.unpack(arrays.pack(pack(source)))
    return STAGE.compute({"source": packed}, PROFILES["corrected"].model_copy(update={"height": 70, "width": 56}))


@pytest.mark.parametrize("key", FORMS)
def test_from_tree_to_clip(tmp_path: Path, key: str) -> None:
    drawn = full(key)[:3]
    first = found(write(tmp_path / key, FORMS[key], drawn, TINY))[0]
    clip = clip_of(replace(first, cropped=True))  # tiny frames show no face to be found
    frames = drawn[0].offset - drawn[0].onset + 1
    assert clip["frames"].shape == (frames, 70, 56, 3)
    assert (first.sample.onset, first.sample.apex, first.sample.offset) == (
        drawn[0].onset,
        drawn[0].apex if FORMS[key].apex else None,
        drawn[0].offset,
    )
    assert 0 < clip["apex"] < clip["offset"]
    assert any("spotted" in str(note) for note in clip["notes"]) == (first.sample.apex is None)


@pytest.mark.parametrize("key", FORMS)
def test_every_clip_of_the_full_size_is_found(tmp_path: Path, key: str) -> None:
    drawn = full(key)
    clips = found(write(tmp_path / key, FORMS[key], drawn, EMPTY, kinds=[0]))
    assert {(int(clip.sample.subject), clip.filename) for clip in clips} == {
        (clip.subject, clip.name) for clip in drawn
    }
    assert {clip.sample.identity.split("/")[0] for clip in clips} == {key}
    assert len({clip.sample.identity for clip in clips}) == len(drawn)


def test_drawn_faces_are_found_in_raw_frames(tmp_path: Path) -> None:
    drawn = full("samm")[:1]
    (clip,) = found(write(tmp_path / "samm", FORMS["samm"], drawn, faces(crop=False)))
    frames = clip_of(clip)["frames"]
    assert not clip.cropped
    assert frames.shape == (5, 70, 56, 3)
    assert frames.std() > 20  # a face, not a grey field
    assert 0.2 < np.abs(np.diff(frames.astype(float), axis=0)).mean() < 5.0


def test_crops_or_raw_frames_as_preferred(tmp_path: Path) -> None:
    folder = write(tmp_path / "smic", FORMS["smic-hs"], full("smic-hs")[:2], EMPTY)
    crops, raw = found(folder), found(folder, Reading(prefer="raw"))
    assert [clip.cropped for clip in crops + raw] == [True, True, False, False]
    assert (crops[0].files[0].name, raw[0].files[0].name) == ("reg_image000010.bmp", "image000010.bmp")
    assert crops[0].sample == raw[0].sample
