"""What makes a progress stale, and nothing else does."""

import pytest

from shared.dataset_progress import DatasetProgress, measure_progress
from shared.feature_index import FeatureIndex, index_features
from shared.progress_cache import ProgressCache
from shared.records import Dataset
from tests.unit.shared.drawn_features import draw_features

CLIPS = {draw_features(clip).sample.identity: draw_features(clip).version for clip in "ab"}
MINE = Dataset(name="d", clips=CLIPS, complete=True)
FAILURES = {draw_features("b").key: "no face"}
NO_FAILURES: dict[str, str] = {}


@pytest.fixture
def cache() -> ProgressCache[Dataset, DatasetProgress]:
    return ProgressCache(measure_progress)


def with_group(index: FeatureIndex, dataset: str, *clips: str) -> FeatureIndex:
    """The index with one group replaced."""
    added = index_features(draw_features(clip, dataset) for clip in clips)
    return FeatureIndex({**index.groups, **added.groups}, added.packer)


def test_the_same_objects_are_the_same_progress(cache: ProgressCache[Dataset, DatasetProgress]) -> None:
    features = index_features([draw_features("a")])
    found = cache.find_progress(MINE, features, FAILURES)
    assert (len(found.features), found.left_out, found.is_ready) == (1, ("no face",), True)
    assert cache.find_progress(MINE, features, FAILURES) is found
    assert cache.find_progress(MINE, with_group(features, "another", "a"), FAILURES) is found, "it is of other clips"


def test_features_sentences_and_the_dataset_are_measured_again_when_they_change(
    cache: ProgressCache[Dataset, DatasetProgress],
) -> None:
    features = index_features([draw_features("a")])
    assert cache.find_progress(MINE, features, FAILURES).pending_count == 0
    assert cache.find_progress(MINE, features, NO_FAILURES).pending_count == 1
    more = with_group(features, "d", "a", "b")
    assert len(cache.find_progress(MINE, more, NO_FAILURES).features) == 2
    fewer = MINE.model_copy(update={"clips": {draw_features("a").sample.identity: draw_features("a").version}})
    assert cache.find_progress(fewer, more, NO_FAILURES).clip_count == 1
    assert cache.find_progress(MINE, index_features([]), NO_FAILURES).pending_count == 2


def test_clips_of_another_name_count(cache: ProgressCache[Dataset, DatasetProgress]) -> None:
    """A copy of a dataset under another name has the clips of the first."""
    copy = Dataset(name="copy", clips=CLIPS, complete=True)
    features = index_features([draw_features("a")])
    assert cache.find_progress(copy, features, NO_FAILURES).pending_count == 1
    assert cache.find_progress(copy, with_group(features, "d", "a", "b"), NO_FAILURES).pending_count == 0


def test_a_dataset_that_is_gone_is_forgotten(cache: ProgressCache[Dataset, DatasetProgress]) -> None:
    features, other = index_features([]), Dataset(name="e", clips={}, complete=True)
    gone, kept = cache.find_progress(MINE, features, FAILURES), cache.find_progress(other, features, FAILURES)
    cache.keep_only([other])
    assert cache.find_progress(other, features, FAILURES) is kept
    assert cache.find_progress(MINE, features, FAILURES) is not gone
