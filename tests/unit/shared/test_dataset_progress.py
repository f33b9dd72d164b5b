"""The one rule of what became of each clip; `tests/unit/merstream/commands/test_status.py` compares its users."""

from collections.abc import Iterable

from shared.dataset_progress import DatasetProgress, measure_progress
from shared.feature_index import index_features
from shared.records import Artifact, Dataset, Record, Sample, source_key

NEW, OLD = "new", "old"


def sample(clip: str) -> Sample:
    return Sample(dataset="d", subject="s", clip=clip, onset=0, offset=1, fps=200)


def features(clip: str, recipe: str = NEW) -> Record:
    source = Artifact(key=source_key(sample(clip).identity, recipe), sha256="0" * 64, size=1)
    artifact = Artifact(key="roi-au/k.npz", sha256="1" * 64, size=1)
    return Record(
        sample=sample(clip), stage="roi-au", artifact=artifact, inputs={"source": source}, recipe="r", trace="t"
    )


def letter(clip: str, recipe: str = NEW) -> str:
    return features(clip, recipe).key


def progress(
    clips: str, records: Iterable[Record] = (), letters: Iterable[str] = (), faults: tuple[str, ...] = ()
) -> DatasetProgress:
    dataset = Dataset(
        name="d", clips={f"d/s/{clip}": features(clip).version for clip in clips}, faults=faults, complete=True
    )
    return measure_progress(dataset, index_features(records), dict.fromkeys(letters, "no face"))


def test_every_clip_is_in_one_state() -> None:
    now = progress("abcd", [features("a"), features("b")], [letter("b"), letter("c")], ("e: no apex",))
    assert [record.sample.clip for record in now.features] == ["a", "b"], "features count, whatever failed before"
    assert now.left_out == ("e: no apex", "no face")
    assert now.pending == ("d/s/d",)
    assert (now.clip_count, now.buried_count, now.pending_count) == (5, 1, 1)
    assert not now.is_ready


def test_clips_with_faults_are_clips() -> None:
    now = progress("ab", [features("a"), features("b")], faults=("c: no apex", "d: no frames"))
    assert (now.clip_count, len(now.features), len(now.left_out), now.buried_count) == (4, 2, 2, 0)
    assert now.is_ready


def test_what_came_of_an_earlier_upload_counts_for_nothing() -> None:
    now = progress("ab", [features("a", OLD)], [letter("b", OLD)])
    assert now.pending == ("d/s/a", "d/s/b")


def test_what_came_of_other_labels_counts_for_nothing() -> None:
    happy = sample("a").model_copy(update={"emotion": "happiness"})
    old = features("a").model_copy(update={"sample": happy})
    assert progress("a", [old], [old.key]).pending == ("d/s/a",)


def test_a_run_that_does_not_wait_leaves_pending_clips_out_and_names_them() -> None:
    now = progress("ab", [features("a")])
    ready = now.without_pending()
    assert ready.is_ready
    assert ready.clip_count == now.clip_count == 2
    assert ready.left_out[0].startswith("d/s/b: ")
