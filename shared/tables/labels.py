"""Labels of a whole table against each other: nearly equal ones are doubts, a number among words is a shifted cell."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

KNOWN_LABELS = frozenset(
    {
        *("anger", "contempt", "disgust", "fear", "happiness", "negative", "neutral", "others", "positive"),
        *("repression", "sadness", "surprise", "tense"),
    }
)
NO_CLASSES = frozenset({"unknown", "unclear", "undefined", "missing", "unlabeled", "unlabelled", "no label", "tbd"})
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
        elif label in NO_CLASSES:
            notes[label] = (
                f"the label {label!r} ({count}x) is a class of its own; leave the cell empty if it means none"
            )
    return notes


def find_shifted_labels(labels: Iterable[str]) -> set[str]:
    """Numbers where most labels are words. Labels that are numbers throughout are labels."""
    counts = Counter(labels)
    numbers = {label for label in counts if not any(map(str.isalpha, label))}
    return numbers if 2 * sum(counts[label] for label in numbers) < counts.total() else set()


def _likely_meanings(label: str, counts: Counter[str]) -> Iterator[str]:
    same = [other for other in counts if other != label and _fold_label(other) == _fold_label(label)]
    yield from (other for other in same if (counts[other], label) >= (counts[label], other))  # not both of them
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


def _fold_label(label: str) -> str:
    """The label without blanks, signs and marks of letters: "happiness." as "happiness". Of a number only ".0" goes.

    Plus signs and minus signs count, except hyphens between letters: -1 and 1 are two labels.
    """
    plain = unicodedata.normalize("NFKD", label).casefold()
    if not any(map(str.isalpha, plain)):
        return re.sub(r"(?<=\d)\.0+$", "", plain)
    plain = re.sub(r"(?<=[^\W\d_])[-\s]+(?=[^\W\d_])", "", plain)
    return "".join(sign for sign in plain if sign.isalnum() or sign in "+-")


def _share_stem(label: str, other: str) -> bool:
    """Whether both begin alike, as happy and happiness, or sad and sadness."""
    letters = 3 if min(len(label), len(other)) <= 5 else 5
    return label[:letters] == other[:letters]
