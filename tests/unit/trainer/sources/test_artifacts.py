"""Features from the artifacts that records name: the same as from arrays, held on disk, and nothing left there."""

import numpy as np
import pytest

from services.trainer.data import features as dataset
from services.trainer.sources.artifacts import load_plan_from_artifacts, memmap_allocator
from shared.errors import BadData
from shared.records import Record
from shared.training.options import resolve_options

ANY = resolve_options("corrected", {"model": "majority"}, "cpu")


@pytest.fixture
def records(lab):
    lab.extract(lab.clips[::-1])
    return [Record.decode(message.value) for message in lab.bus.read_newest("mer.features").values()]


def test_features_are_those_of_the_arrays_and_lie_in_files_without_a_name(lab, records, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    features = load_plan_from_artifacts(records, lab.store, ANY, memmap_allocator(scratch)).features
    assert features.digest == dataset.features_from_pairs(lab.clips).digest
    assert isinstance(features.arrays["patches"], np.memmap)
    assert list(scratch.iterdir()) == []


def test_clips_of_other_emotions_are_not_even_read(lab, records):
    for key in list(lab.store.list_keys("roi-au/")):
        if "/c00/" in key:
            lab.store.delete(key)  # disgust
    choice = resolve_options("corrected", {"classes": ["happiness", "surprise"]}, "cpu")
    assert load_plan_from_artifacts(records, lab.store, choice).features.left_out == {"disgust": 2}
    with pytest.raises(BadData, match="Nothing is stored under 'roi-au/toy/s00/c00"):
        load_plan_from_artifacts(records, lab.store, ANY)


def test_apexes_are_counted_by_kind(lab, records):
    """Onset 0 and offset 10: an apex at 5 is the middle frame. A note of ingest tells of a spotted one, whatever was
    coded."""
    at_onset = ("the coded apex is the onset frame: spotted at frame 4",)
    kinds = [(8, ()), (8, ()), (5, ()), (None, ()), (None, ("no apex is coded: spotted at frame 7",)), (0, at_onset)]
    changed = [
        record.model_copy(update={"sample": record.sample.model_copy(update={"apex": apex}), "notes": notes})
        for record, (apex, notes) in zip(records, kinds, strict=True)
    ]
    plan = load_plan_from_artifacts(changed, lab.store, ANY)
    assert plan.apexes == {"coded": 2, "coded on the middle frame": 1, "spotted": 3}
