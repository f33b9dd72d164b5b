"""Round trip: each distribution written in its owners' form, read by the catalogue, packed, cut into a clip."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source
from services.ingest.stage import STAGE
from shared.inbox.reading_options import ReadingOptions
from shared.protocols import apply_evaluation_protocol
from shared.protocols.catalogue import protocol_by_name
from shared.protocols.label_sets import SHEET_COUNTS
from shared.stage import Arrays
from shared.stage_settings.ingest import INGEST_PROFILES
from shared.store import npz
from tests.dataset_layouts import FORMS, full_size_clips, write
from tests.dataset_layouts.drawn_frames import faces
from tests.dataset_layouts.write import EMPTY, TINY, write_book


def found(folder: Path, how: ReadingOptions | None = None) -> list[FoundClip]:
    clips = list(discover_clips(folder, reading=how))
    assert all(isinstance(clip, FoundClip) for clip in clips), clips
    return clips  # type: ignore[return-value]


def clip_of(source: FoundClip) -> Arrays:
    """What lies on `mer.clips` behind the clip's record."""
    packed = npz.unpack_arrays(npz.pack_arrays(pack_source(source)))
    return STAGE.compute(
        {"source": packed}, INGEST_PROFILES["corrected"].model_copy(update={"height": 70, "width": 56})
    )


@pytest.mark.parametrize("key", FORMS)
def test_from_tree_to_clip(tmp_path: Path, key: str) -> None:
    drawn = full_size_clips(key)[:3]
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


def test_drawn_faces_are_found_in_raw_frames(tmp_path: Path) -> None:
    drawn = full_size_clips("samm")[:1]
    (clip,) = found(write(tmp_path / "samm", FORMS["samm"], drawn, faces(crop=False)))
    frames = clip_of(clip)["frames"]
    assert not clip.cropped
    assert frames.shape == (5, 70, 56, 3)
    assert frames.std() > 20  # a face, not a grey field
    assert 0.2 < np.abs(np.diff(frames.astype(float), axis=0)).mean() < 5.0


def test_crops_or_raw_frames_as_preferred(tmp_path: Path) -> None:
    folder = write(tmp_path / "smic", FORMS["smic-hs"], full_size_clips("smic-hs")[:2], EMPTY)
    crops, raw = found(folder), found(folder, ReadingOptions(prefer="raw"))
    assert [clip.cropped for clip in crops + raw] == [True, True, False, False]
    assert (crops[0].files[0].name, raw[0].files[0].name) == ("reg_image000010.bmp", "image000010.bmp")
    assert crops[0].sample == raw[0].sample


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[FoundClip]]:
    """Every dataset at its full size, as the catalogue reads it."""
    folder = tmp_path_factory.mktemp("full")
    return {
        key: found(write(folder / key, form, full_size_clips(key), EMPTY, kinds=[0])) for key, form in FORMS.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        "casme2-5",
        "casme2-3-145",
        "casme2-3-147",
        "samm-5",
        "samm-3",
        "samm-8",
        "smic-3",
        "mmew-4",
        "mmew-6",
        "mmew-7",
        "megc2019",
        "casme3a-3",
        "casme3a-4",
        "casme3a-7",
        "casme3c-4",
        "dfme-7",
    ],
)
def test_protocols_hold_what_was_published(everything: dict[str, list[FoundClip]], name: str) -> None:
    samples = [clip.sample for clips in everything.values() for clip in clips]
    selection = apply_evaluation_protocol(protocol_by_name(name), samples)
    assert selection.faults == ()
    assert len(selection.kept) == protocol_by_name(name).total_clips


def test_cd6me_wants_the_sheet_of_256_rows(everything: dict[str, list[FoundClip]]) -> None:
    samples = [clip.sample for clips in everything.values() for clip in clips]
    selection = apply_evaluation_protocol(protocol_by_name("cd6me"), samples)
    assert (len(selection.kept), selection.groups) == (2031 - 10, 6)
    (fault,) = selection.faults
    assert fault.startswith("cd6me: casme2 must give 256 clips, got 246; this is the sheet of 2014-05-08 (246 rows)")


def test_the_composite_holds_68_persons(everything: dict[str, list[FoundClip]]) -> None:
    samples = [clip.sample for clips in everything.values() for clip in clips]
    selection = apply_evaluation_protocol(protocol_by_name("megc2019"), samples)
    assert selection.groups == 68
    assert selection.counts == {"negative": 250, "positive": 109, "surprise": 83}
    names = Counter(clip.clip for clip in samples if clip.dataset == "casme2")
    assert max(names.values()) > 1  # file names of several subjects


def test_a_sheet_of_another_version_is_named(tmp_path: Path) -> None:
    labels = dict(SHEET_COUNTS["casme2"]["the modified sheet of 2019-07-01 (254 rows)"])
    clips = found(write(tmp_path / "casme2", FORMS["casme2"], full_size_clips("casme2", labels), EMPTY, kinds=[0]))
    (fault,) = apply_evaluation_protocol(protocol_by_name("casme2-5"), [clip.sample for clip in clips]).faults
    assert "this is the modified sheet of 2019-07-01 (254 rows): use the sheet of 2014-05-08" in fault


def test_objective_classes_are_joined_by_subject_and_name(tmp_path: Path) -> None:
    drawn = full_size_clips("casme2")
    folder = write(tmp_path / "casme2", FORMS["casme2"], drawn, EMPTY, kinds=[0])
    objective = FORMS["casme2"].books[1]
    write_book(folder / objective.file, objective, drawn[::-1])
    clips = found(folder, ReadingOptions(labels="objective"))
    assert [clip.sample.emotion for clip in clips] == [clip.objective.lower() for clip in drawn]


@pytest.mark.parametrize("key", FORMS)
def test_every_clip_of_the_full_size_is_found(everything: dict[str, list[FoundClip]], key: str) -> None:
    clips, drawn = everything[key], full_size_clips(key)
    known = {FORMS[key].known(clip) for clip in drawn}
    assert {(int(clip.sample.subject), clip.filename) for clip in clips} == known
    assert {clip.sample.dataset for clip in clips} == {key}
    assert len({clip.sample.identity for clip in clips}) == len(drawn)


@pytest.mark.parametrize("key", FORMS)
def test_published_names_and_numbers_are_read_without_a_remark(
    everything: dict[str, list[FoundClip]], key: str
) -> None:
    remarks = {remark for clip in everything[key] for remark in (*clip.notes, *clip.doubts)}
    known = {"the sheet has no offset: the apex 5 was taken for it"} if key == "casme-squared" else set()
    assert remarks <= known
