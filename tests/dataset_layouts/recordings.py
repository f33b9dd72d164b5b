"""The forms of long recordings with several expressions each: CAS(ME)^2 and CAS(ME)^3."""

from collections.abc import Sequence

from tests.dataset_layouts.layout import Book, Clip, Form, Row, page

CODES = {"disgust1": "0101disgustingteeth", "anger1": "0401girlcrashing", "happy1": "0502funnyerrors"}
FIRST_FOLDER = 14  # subject 1 lies in s15


def _coded(clips: Sequence[Clip]) -> list[Row]:
    """Without a header; the second clip's offset is 0, and a macro-expression stands among the others."""
    rows = [
        (
            *(clip.subject, f"{clip.name}_1", clip.onset, clip.offset if index == 1 else clip.apex),
            *(0 if index == 1 else clip.offset, clip.aus, clip.emotion, "micro-expression", clip.emotion),
        )
        for index, clip in enumerate(clips)
    ]
    return [*rows, (1, "disgust1_2", 500, 520, 560, "4", "negative", "macro-expression", "disgust")]


def _folders(clip: Clip) -> dict[str, object]:
    person = clip.subject + FIRST_FOLDER
    return {"person": person, "code": CODES[clip.name], "known": f"{person}_{CODES[clip.name][:4]}"}


CASME_SQUARED = Form(
    key="casme-squared",
    folders=("rawpic/s{person}/{person}_{code}",),
    frames=("img{number:03}.jpg",),
    books=(
        Book(
            "CAS(ME)^2code_final.xlsx",
            {
                "CASFEcode_final": _coded,
                "naming rule1": lambda clips: [(n, None, f"s{n + FIRST_FOLDER}") for n in range(1, 23)],
                "naming rule2": lambda clips: [(int(code[:4]), name) for name, code in CODES.items()],
            },
        ),
    ),
    more=_folders,
)
HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")


def _casme3a(clip: Clip) -> Row:
    numbers = (clip.onset, clip.apex, clip.offset)
    return (f"spNO.{clip.subject}", clip.name, *numbers, clip.aus, clip.objective, clip.emotion)


CASME3A = Form(
    key="casme3a",
    folders=("part_A/spNO.{subject}/{name}/color",),
    frames=("{number}.jpg",),
    books=(
        Book("cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", {"label": page(HEADER, _casme3a)}),
        Book("cas(me)3_part_A_MaE_label_JpgIndex_v2.xlsx", {"label": page(HEADER, _casme3a)}),
    ),
    before=0,
    after=0,
)
CASME3C = Form(
    key="casme3c",
    folders=("part_C/spNO.{subject}/{name}/color",),
    frames=("{number}.jpg",),
    books=(
        Book(
            "cas(me)3_part_C_ME.xlsx",
            {
                "Sheet1": page(
                    ("sub", "count", "onset", "offset", "au", "emotion"),
                    lambda clip: (
                        *(clip.subject, clip.name, clip.onset, clip.offset),
                        *(clip.aus.replace("+", "，" if clip.subject % 2 else ","), clip.emotion),
                    ),
                )
            },
        ),
    ),
    before=0,
    after=0,
    apex=False,
)
