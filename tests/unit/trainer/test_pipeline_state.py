"""A poll that finds nothing new does no work on clips."""

from shared.pipeline_state import PipelineState
from tests.unit.trainer.lab import Lab


def test_progress_is_the_same_object_until_something_of_the_dataset_changes(lab: Lab) -> None:
    state = PipelineState(lab.bus, lab.store)

    def read_progress():
        snapshot = state.read_snapshot()
        (dataset,) = (each for each in snapshot.datasets.values() if each.name == "toy")
        return snapshot.progress_of(dataset)

    lab.extract(lab.clips[:4])
    lab.drop()
    first = read_progress()
    assert (len(first.features), first.pending_count) == (4, 2)
    lab.bus.publish("mer.runs", "junk", b"{}")
    lab.bus.publish("mer.features", "junk", b"{}")
    assert read_progress() is first
    lab.extract(lab.clips[:1])
    lab.bury(5)
    second = read_progress()
    assert (len(second.features), second.buried_count, second.pending_count) == (4, 1, 1)
    assert read_progress() is second
    lab.extract(lab.clips[4:5])
    third = read_progress()
    assert (len(third.features), third.pending_count) == (5, 0)
    lab.drop(faults=("toy/s9/c: no apex",))
    assert read_progress().left_out == ("toy/s9/c: no apex", *third.left_out)


def test_a_snapshot_keeps_its_moment(lab: Lab) -> None:
    state = PipelineState(lab.bus, lab.store)
    lab.drop()
    before = state.read_snapshot()
    (dataset,) = before.datasets.values()
    lab.extract()
    after = state.read_snapshot()
    counts = [len(each.progress_of(dataset).features) for each in (before, after, before)]
    assert counts == [0, len(lab.clips), 0]
