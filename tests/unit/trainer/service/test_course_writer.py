"""A course is stored at most so often, whole each time, and a store that is away stops no training."""

from pathlib import Path

from services.trainer.learners.base import EpochSummary
from services.trainer.service.course_writer import CourseWriter
from shared.errors import Unavailable
from shared.store import LocalStore
from shared.training.fold_course import FoldCourse


class DistantStore(LocalStore):
    """A store that may be away."""

    away = False

    def put(self, key: str, data: bytes) -> None:
        if self.away:
            raise Unavailable("the store is away")
        super().put(key, data)


def test_a_course_is_stored_once_per_interval(tmp_path: Path) -> None:
    now, store = [100.0], DistantStore(tmp_path)
    course = FoldCourse(learner="fmer-lite", seed=1, held_out="toy/s01", trained_on=5, tested_on=1)
    writer = CourseWriter(store, "courses/r/f.json", course, 2.0, lambda: now[0])

    def run_epoch(number: int, at: float) -> None:
        now[0] = at
        writer.note_epoch(EpochSummary(number, 9.0 - number, 0, 0, 0.1, 0.5, number / 10))

    def read_loss() -> tuple[float, ...]:
        return FoldCourse.decode(store.get("courses/r/f.json")).loss

    run_epoch(0, 101.9)
    assert list(store.list_keys()) == [], "a short fold is not written"
    run_epoch(1, 102.0)
    assert read_loss() == (9.0, 8.0)
    run_epoch(2, 103.9)
    assert read_loss() == (9.0, 8.0)
    store.away = True
    run_epoch(3, 104.0)
    store.away = False
    run_epoch(4, 106.0)
    assert read_loss() == (9.0, 8.0, 7.0, 6.0, 5.0)
    assert FoldCourse.decode(store.get("courses/r/f.json")).uf1 == (0.0, 0.1, 0.2, 0.3, 0.4)
