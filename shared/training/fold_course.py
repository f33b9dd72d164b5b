"""The course of a fold while it is trained: the trainer stores it now and then, and the console draws it."""

from typing import Literal

from pydantic import Field

from shared.records import Envelope, FoldRequest, json_digest

COURSES = "courses/"  # prefix of the keys. A course is there only as long as its fold is trained


class FoldCourse(Envelope):
    """The epochs of a fold so far. `loss` and `uf1` have a value each, of the training subjects."""

    schema_name: Literal["mer.fold-course/1"] = Field("mer.fold-course/1", alias="schema")
    learner: str
    seed: int
    held_out: str
    trained_on: int = Field(description="clips")
    tested_on: int = Field(description="clips")
    loss: tuple[float, ...] = ()
    uf1: tuple[float, ...] = ()


def course_prefix(run: str) -> str:
    """Prefix of the keys of a run's courses."""
    return f"{COURSES}{run}/"


def course_key(fold: FoldRequest) -> str:
    """Store key of the course of a fold. It names no person."""
    return f"{course_prefix(fold.run.id)}{json_digest([fold.learner, fold.seed, fold.held_out])[:16]}.json"
