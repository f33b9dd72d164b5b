"""What the model of a run said about each clip, from the run's predictions.csv."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from fastapi import HTTPException

from shared.training.annotations import AU_THRESHOLD

MOST_ROWS = 400_000  # of the model, over all seeds: more do not fit into the memory of the console


@dataclass
class JudgedClip:
    """A clip with its label, and what each training of the model said. `coded`: the units that it shows.

    `coded` is None for a clip that was not coded. `units` has the units that each training found.
    """

    subject: str
    emotion: str
    predicted: list[str] = field(default_factory=list)
    coded: frozenset[int] | None = None
    units: list[frozenset[int]] = field(default_factory=list)

    @property
    def majority_emotion(self) -> str:
        """The emotion that most trainings said, the first of them if there are several."""
        return Counter(self.predicted).most_common(1)[0][0]


@dataclass(frozen=True)
class JudgedClips:
    """The clips of one run by name, `dataset/subject/clip`, and the units that its model predicts."""

    clips: Mapping[str, JudgedClip]
    units: frozenset[int]


def read_judged_clips(file: IO[bytes], model: str, title: str) -> JudgedClips:
    """Read the rows of the model, without clips that a seed left out.

    Raises HTTPException with `title`: 409 for a file that is no table of predictions, 413 for too many of them.
    """
    found: dict[str, JudgedClip] = {}
    units: set[int] = set()
    with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        rows = csv.DictReader(text)
        codes = [name.removeprefix("p_au") for name in rows.fieldnames or () if name.startswith("p_au")]
        numbers = [int(code) for code in codes if code.isdecimal()]
        count = 0
        try:
            for row in rows:
                if row["learner"] != model:
                    continue
                count += 1
                if count > MOST_ROWS:
                    raise HTTPException(413, f"{title} has more than {MOST_ROWS:,} predictions. Compare its files.")
                units |= _add_row(found, row, numbers)
        except (KeyError, ValueError, csv.Error):
            raise HTTPException(409, f"{title} has no table of predictions that this version reads.") from None
    if not found:
        raise HTTPException(409, f"{title} has no predictions of its model {model}.")
    seeds = max(len(clip.predicted) for clip in found.values())
    whole = {name: clip for name, clip in found.items() if len(clip.predicted) == seeds}
    return JudgedClips(whole, frozenset(units))


def _add_row(found: dict[str, JudgedClip], row: Mapping[str, str], numbers: Sequence[int]) -> set[int]:
    """Note one row. Returns the units that it has probabilities for."""
    clip = found.setdefault(row["clip"], JudgedClip(row["subject"], row["emotion"]))
    clip.predicted.append(row["predicted"])
    predicted = {number for number in numbers if row[f"p_au{number}"]}
    clip.units.append(frozenset(number for number in predicted if float(row[f"p_au{number}"]) >= AU_THRESHOLD))
    coded = {number: row[f"au{number}"] for number in numbers}
    if any(coded.values()):
        clip.coded = frozenset(number for number, text in coded.items() if text and float(text) == 1)
    return predicted
