"""Labels of a whole table against each other: nearly equal ones are doubts, a number among words is a shifted cell."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator

KNOWN_LABELS = frozenset(
    {
        *("anger", "contempt", "disgust", "fear", "happiness", "negative", "neutral", "others", "positive"),
        *("repression", "sadness", "surprise", "tense"),
    }
)
NEAR, NEAR_KNOWN = 0.85, 0.75  # least likeness (difflib's ratio) to a frequent label, and to a known one
FREQUENT = 5  # a label this many times as frequent as another may be what the other means
SHORTEST = 5  # letters of labels that are compared with frequent ones: classes such as VI and VII differ by one


def note_doubtful_labels(labels: Iterable[str]) -> dict[str, str]:
    """A sentence for each label (lower case) that is probably another label of the table, misspelt. None is merged."""
    counts = Counter(labels)
    notes = {}
    for label, count in counts.items():
        nearest = next(iter(_likely_meanings(label, counts)), None)
        if nearest:
            notes[label] = (
                f"the label {label!r} ({count}x) is a class of its own beside {nearest!r} ({counts[nearest]}x); "
                "correct it if they are the same"
            )
    return notes


def find_shifted_labels(labels: Iterable[str]) -> set[str]:
    """Numbers where most labels are words. Labels that are numbers throughout are labels."""
    counts = Counter(labels)
    numbers = {label for label in counts if not any(map(str.isalpha, label))}
    return numbers if 2 * sum(counts[label] for label in numbers) < counts.total() else set()


def _likely_meanings(label: str, counts: Counter[str]) -> Iterator[str]:
    if not label.isalpha():
        return
    for other in sorted(counts, key=counts.__getitem__, reverse=True):
        if other == label or not other.isalpha():
            continue
        likeness = difflib.SequenceMatcher(None, label, other).ratio()
        known = other in KNOWN_LABELS and label not in KNOWN_LABELS
        frequent = counts[other] >= FREQUENT * counts[label] and min(len(label), len(other)) >= SHORTEST
        if (known and (likeness >= NEAR_KNOWN or _share_stem(label, other))) or (
            frequent and label not in KNOWN_LABELS and likeness >= NEAR
        ):
            yield other


def _share_stem(label: str, other: str) -> bool:
    """Whether both begin alike, as happy and happiness, or sad and sadness."""
    letters = 3 if min(len(label), len(other)) <= 5 else 5
    return label[:letters] == other[:letters]
