"""Every clip of a distribution at full size: as many of each label and as many persons as were handed out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from tests.dataset_layouts.layout import Clip

Draw = tuple[int, str, int]  # subject, label, how many of that subject's clips came before
ONSET, APEX, OFFSET = 10, 12, 14  # short clips keep full-size trees small

# Labels as distributed: CASME II's sheet of 2014-05-08, SAMM's, MMEW's and CAS(ME)^3's, SMIC-HS's folders, DFME's
# training part. Of SMIC-HS-E, CASME, CAS(ME)^2 and 4DME only the totals (157, 189, 57, 267) are known here: their split
# is made up.
LABELS: dict[str, dict[str, int]] = {
    "casme2": {"disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "others": 99},
    "samm": {
        "disgust": 9,
        "fear": 8,
        "sadness": 6,
        "anger": 57,
        "contempt": 12,
        "happiness": 26,
        "surprise": 15,
        "other": 26,
    },
    "smic-hs": {"negative": 70, "positive": 51, "surprise": 43},
    "smic-e": {"negative": 66, "positive": 51, "surprise": 40},
    "casme": {"tense": 70, "disgust": 44, "repression": 40, "surprise": 20, "happiness": 9, "sadness": 6},
    "casme-squared": {"negative": 25, "positive": 12, "surprise": 10, "others": 10},
    "casme3a": {
        "disgust": 250,
        "surprise": 187,
        "others": 158,
        "Others": 3,
        "fear": 86,
        "anger": 64,
        "sad": 57,
        "happy": 55,
    },
    "casme3c": {"negative": 99, "surprise": 30, "others": 20, "positive": 16},
    "4dme": {"negative": 127, "positive": 34, "surprise": 30, "repression": 6, "others": 70},
    "dfme": {
        "disgust": 548,
        "surprise": 298,
        "sadness": 278,
        "fear": 265,
        "happiness": 206,
        "anger": 161,
        "contempt": 100,
    },
    "mmew": {
        "surprise": 89,
        "disgust": 72,
        "others": 66,
        "happiness": 36,
        "fear": 16,
        "sadness": 13,
        "anger": 8,
    },
}
SUBJECTS = {
    "casme2": 26,
    "samm": 29,
    "smic-hs": 16,
    "smic-e": 16,
    "mmew": 30,
    "casme": 19,
    "casme-squared": 22,
    "casme3a": 94,
    "casme3c": 30,
    "4dme": 41,
    "dfme": 176,
}
# Persons who show one label only, so that leaving labels out leaves persons out as the published protocols say.
ONLY: dict[str, dict[int, str]] = {
    "casme2": {10: "others", 18: "others"},
    "samm": {1: "other", 2: "disgust", 3: "fear"},
}
UNITS = ("4", "12", "R12+L14", "1+2", "4 or 7", "4+7+10")


def full_size_clips(key: str, labels: dict[str, int] | None = None) -> list[Clip]:
    """All clips of the dataset, `labels` of each label (default: as distributed)."""
    draws = _draws(labels or LABELS[key], SUBJECTS[key], ONLY.get(key, {}))
    clips = [NAMES[key](draw, index) for index, draw in enumerate(draws)]
    return _renamed(clips) if key == "casme2" else clips


def _renamed(clips: list[Clip]) -> list[Clip]:
    """Two of CASME II's clips have a name that protocols know."""
    for subject, label, name in ((4, "disgust", "EP12_01f"), (5, "disgust", "EP09_05f")):
        index = next(i for i, clip in enumerate(clips) if (clip.subject, clip.emotion) == (subject, label))
        clips[index] = replace(clips[index], name=name)
    return clips


def _draws(counts: dict[str, int], subjects: int, only: dict[int, str]) -> Iterator[Draw]:
    """Labels dealt out to persons in turn; each gets at least one clip."""
    told = dict.fromkeys(range(1, subjects + 1), 0)
    anyone = [subject for subject in told if subject not in only]
    turn = 0
    for label, count in counts.items():
        bound = [subject for subject, one in only.items() if one == label]
        for index in range(count):
            subject = bound[index] if index < len(bound) else anyone[turn % len(anyone)]
            turn += index >= len(bound)
            yield subject, label, told[subject]
            told[subject] += 1


def _casme2(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    return _clip(subject, f"EP{before // 3 + 1:02}_{before % 3 + 1:02}", label, index)


def _samm(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    return _clip(subject + 5, f"{subject + 5:03}_{before // 9 + 1}_{before % 9 + 1}", label, index)


def _smic(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    short = {"negative": "ne", "positive": "po", "surprise": "sur"}[label]
    clip = _clip(subject, f"s{subject}_{short}_{before + 1:02}", label, index)
    return replace(clip, apex=None, aus="")


def _mmew(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    clip = _clip(subject, f"S{subject:02}-{before // 9 + 1:02}-{before % 9 + 1:03}", label, index)
    return replace(clip, onset=1, apex=3, offset=5)


def _casme(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    return _clip(subject, f"EP{before // 3 + 1:02}_{before % 3 + 1}", label, index)


def _recorded(draw: Draw, index: int, videos: Sequence[str], apex: bool = True) -> Clip:
    """Several expressions in one recording, one after the other."""
    subject, label, before = draw
    start = 10 * (before // len(videos)) + 1
    clip = _clip(subject, videos[before % len(videos)], label, index)
    return replace(clip, onset=start, apex=start + 2 if apex else None, offset=start + 4)


def _fourdme(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    return _clip(subject, f"S{subject}_1st_{before + 1:03}_01", label, index)


def _dfme(draw: Draw, index: int) -> Clip:
    subject, label, before = draw
    return _clip(subject, f"sub{subject:04}_{before + 1:02}", label, index)


def _clip(subject: int, name: str, label: str, index: int) -> Clip:
    classes: Sequence[str] = ("I", "II", "III", "IV", "V", "VI", "VII")
    return Clip(subject, name, ONSET, APEX, OFFSET, label, UNITS[index % len(UNITS)], classes[index % 7])


NAMES: dict[str, Callable[[Draw, int], Clip]] = {
    "casme2": _casme2,
    "samm": _samm,
    "smic-hs": _smic,
    "smic-e": _smic,
    "mmew": _mmew,
    "casme": _casme,
    "casme-squared": partial(_recorded, videos=("disgust1", "anger1", "happy1")),
    "casme3a": partial(_recorded, videos="abcdefghijklm"),
    "casme3c": partial(_recorded, videos="12", apex=False),
    "4dme": _fourdme,
    "dfme": _dfme,
}
