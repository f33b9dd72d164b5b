"""Label sets as data: what datasets are called, which versions of their sheets are known, how labels become classes.

Counts were gathered from sheets and loaders that others published; none could be checked against the licensed data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.names import loose

# Short names in records, corrections and protocols, and what folders of that dataset are called too.
DATASETS: dict[str, tuple[str, ...]] = {
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
SAME_PEOPLE = {"smic-e": "smic-hs"}  # two recordings' cuts of one study: subject 1 of both is one person
SYNONYMS = {"other": "others", "happy": "happiness", "sad": "sadness", "angry": "anger", "surprised": "surprise"}
ROMAN = {str(number): roman for number, roman in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii"), 1)}

CASME2_2014 = "the sheet of 2014-05-08 (246 rows)"
CASME2_FULL = "the full sheet (255 rows)"
SHEETS: dict[str, dict[str, Mapping[str, int]]] = {
    "casme2": {
        CASME2_2014: {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25},
        "the modified sheet of 2019-07-01 (254 rows)": {
            "others": 99,
            "disgust": 62,
            "happiness": 32,
            "repression": 27,
            "surprise": 28,
            "sadness": 4,
            "fear": 2,
        },
        CASME2_FULL: {
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


def canonical(label: str | None) -> str:
    """A label as protocols write it: lower case, one word for each emotion, objective classes in Roman numbers."""
    text = (label or "").strip().casefold()
    return SYNONYMS.get(text) or ROMAN.get(text) or text


@dataclass(frozen=True)
class Share:
    """One dataset's part in a protocol: labels by class, clips left out by (subject, file name), published counts.

    No `classes`: every clip belongs, whatever its label. No `counts`: no source says them.
    """

    dataset: str
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    clips: int | None = None
    subjects: int | None = None
    without: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sheet: str = ""

    @property
    def total(self) -> int | None:
        return sum(self.counts.values()) if self.counts else self.clips

    def class_of(self, label: str | None) -> str:
        """The class of a label; '' for one that belongs to none."""
        told = canonical(label)
        return next((name for name, labels in self.classes.items() if told in labels), "" if self.classes else told)

    def reason(self, subject: str, clip: str, label: str | None) -> str:
        """Why a clip is left out; '' if it is not."""
        for (person, name), why in self.without.items():
            if (loose(person), loose(name)) == (loose(subject), loose(clip)):
                return f"{person}/{name}: {why}"
        if self.classes and not self.class_of(label):
            return f"label {canonical(label) or 'absent'}"
        return ""


def same(*labels: str) -> dict[str, tuple[str, ...]]:
    """Classes named as the labels are."""
    return {label: (label,) for label in labels}
