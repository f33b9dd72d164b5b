"""Label sets as data: names of datasets, known versions of their sheets, classes of labels.

Counts come from published sheets and loaders. None could be checked against the licensed data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.names import spelling_key
from shared.person_names import parse_person_name

# Short names in records, corrections and protocols, and other names of the dataset's folders.
DATASET_NAMES: dict[str, tuple[str, ...]] = {
    "casme2": ("CASME II", "CASME2 RAW selected", "CASMEII"),
    "samm": ("SAMM micro", "SAMM dataset"),
    "smic-hs": ("SMIC", "SMIC all cropped", "SMIC all raw", "SMIC HS cropped"),
    "smic-e": ("SMIC-HS-E", "SMIC-E-HS"),
    "mmew": ("MMEW Final", "MMEW micro"),
    "casme": ("CASME I", "CASME1"),
    "casme-squared": ("CAS(ME)^2", "CASMEsq"),
    "casme3a": ("CAS(ME)^3 A", "CAS(ME)^3 part A", "CASME3 part A"),
    "casme3c": ("CAS(ME)^3 C", "CAS(ME)^3 part C", "CASME3 part C"),
    "4dme": ("4DME gray micro", "4DMicro"),
    "dfme": ("DFME train",),
}
SAME_PEOPLE = {"smic-e": "smic-hs"}  # two cuts of one study: subject 1 of both is one person
EMOTION_SYNONYMS = {
    "other": "others",
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "surprised": "surprise",
}
ROMAN_NUMERALS = {str(number): roman for number, roman in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii"), 1)}

CASME2_SHEET_2014 = "the sheet of 2014-05-08 (246 rows)"
CASME2_FULL_SHEET = "the full sheet (255 rows)"
SHEET_COUNTS: dict[str, dict[str, Mapping[str, int]]] = {
    "casme2": {
        CASME2_SHEET_2014: {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25},
        "the modified sheet of 2019-07-01 (254 rows)": {
            "others": 99,
            "disgust": 62,
            "happiness": 32,
            "repression": 27,
            "surprise": 28,
            "sadness": 4,
            "fear": 2,
        },
        CASME2_FULL_SHEET: {
            "others": 99,
            "disgust": 63,
            "happiness": 32,
            "repression": 27,
            "surprise": 25,
            "sadness": 7,
            "fear": 2,
        },
    },
}


def canonical_label(label: str | None) -> str:
    """A label as protocols write it: lower case, one word per emotion, objective classes in Roman numerals."""
    text = (label or "").strip().casefold()
    return EMOTION_SYNONYMS.get(text) or ROMAN_NUMERALS.get(text) or text


@dataclass(frozen=True)
class DatasetShare:
    """The part of one dataset in a protocol.

    `classes` has the labels of each class. Without it every clip belongs, whatever its label. `excluded_clips` has the
    reason by (subject, file name). `counts` are the published ones, by class. Without it no source states them.
    """

    dataset: str
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    clip_count: int | None = None
    subjects: int | None = None
    excluded_clips: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sheet: str = ""

    @property
    def total_clips(self) -> int | None:
        return sum(self.counts.values()) if self.counts else self.clip_count

    def class_of_label(self, label: str | None) -> str:
        """The class of a label. '' for a label of no class."""
        canonical = canonical_label(label)
        default = "" if self.classes else canonical
        return next((name for name, labels in self.classes.items() if canonical in labels), default)

    def exclusion_reason(self, subject: str, clip: str, label: str | None) -> str:
        """Why a clip is left out. '' if it is not."""
        for (excluded_subject, name), reason in self.excluded_clips.items():
            same_person = parse_person_name(excluded_subject) == parse_person_name(subject)
            if same_person and spelling_key(name) == spelling_key(clip):
                return f"{excluded_subject}/{name}: {reason}"
        if self.classes and not self.class_of_label(label):
            return f"label {canonical_label(label) or 'absent'}"
        return ""


def classes_as_labelled(*labels: str) -> dict[str, tuple[str, ...]]:
    """One class per label, of the same name."""
    return {label: (label,) for label in labels}
