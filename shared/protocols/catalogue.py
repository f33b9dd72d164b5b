"""The protocols by name. To add one: a `Task` here; its counts are asserted against the data wherever it is used."""

from shared.errors import Misconfigured
from shared.protocols import Task
from shared.protocols.label_sets import CASME2_2014, CASME2_FULL, SHEETS, Share, same

NEGATIVE = ("anger", "contempt", "disgust", "fear", "repression", "sadness")
THREE = {"negative": NEGATIVE, "positive": ("happiness", "positive"), "surprise": ("surprise",)}
# CASME II's fear and sadness are in no sheet of 246 rows, and so in no class of the composite.
CASME2_THREE = {"negative": ("disgust", "repression"), "positive": ("happiness",), "surprise": ("surprise",)}
FIVE = {"disgust": 63, "happiness": 32, "others": 99, "repression": 27, "surprise": 25}
MMEW = {"surprise": 89, "disgust": 72, "others": 66, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8}
CASME3A = {"disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sadness": 57, "happiness": 55}
SAMM = {
    "anger": 57,
    "happiness": 26,
    "others": 26,
    "surprise": 15,
    "contempt": 12,
    "disgust": 9,
    "fear": 8,
    "sadness": 6,
}
DFME = {
    "disgust": 548,
    "surprise": 298,
    "sadness": 278,
    "fear": 265,
    "happiness": 206,
    "anger": 161,
    "contempt": 100,
}
WITHOUT = {
    ("05", "EP09_05f"): "not on the composite's list",
    ("04", "EP12_01f"): "not on the composite's list, no apex",
}
NOT_COMPARABLE = "Three classes of CASME II may mean 145, 147, 150 or 254 clips: different tasks."

CASME2_145 = Share(
    "casme2", CASME2_THREE, {"negative": 88, "positive": 32, "surprise": 25}, None, 24, WITHOUT, CASME2_2014
)
SAMM_133 = Share("samm", THREE, {"negative": 92, "positive": 26, "surprise": 15}, None, 28)
SMIC = Share(
    "smic-hs", same("negative", "positive", "surprise"), {"negative": 70, "positive": 51, "surprise": 43}, None, 16
)
OBJECTIVE = same("i", "ii", "iii", "iv", "v")
UNCOUNTED = "Counts are not asserted: no source was at hand."

_ALL = (
    Task("casme2-5", "CASME II, 5 classes", (Share("casme2", same(*FIVE), FIVE, None, 26, {}, CASME2_2014),)),
    Task(
        "casme2-7",
        "CASME II, all labels of the full sheet",
        (Share("casme2", same(*SHEETS["casme2"][CASME2_FULL]), SHEETS["casme2"][CASME2_FULL], sheet=CASME2_FULL),),
    ),
    Task("casme2-3-145", "CASME II, the composite's 3 classes", (CASME2_145,), remark=NOT_COMPARABLE),
    Task(
        "casme2-3-147",
        "CASME II, 3 classes",
        (Share("casme2", CASME2_THREE, {"negative": 90, "positive": 32, "surprise": 25}, sheet=CASME2_2014),),
        remark=NOT_COMPARABLE,
    ),
    Task(
        "casme2-objective",
        "CASME II, objective classes I to V",
        (Share("casme2", OBJECTIVE),),
        labels="objective",
        remark=UNCOUNTED,
    ),
    Task(
        "samm-5",
        "SAMM, 5 classes",
        (
            Share(
                "samm",
                same("anger", "contempt", "happiness", "surprise", "others"),
                {"anger": 57, "contempt": 12, "happiness": 26, "surprise": 15, "others": 26},
                None,
                27,
            ),
        ),
    ),
    Task("samm-8", "SAMM, as distributed", (Share("samm", same(*SAMM), SAMM, None, 29),)),
    Task("samm-3", "SAMM, the composite's 3 classes", (SAMM_133,)),
    Task(
        "samm-objective",
        "SAMM, objective classes I to V",
        (Share("samm", OBJECTIVE),),
        labels="objective",
        remark=UNCOUNTED,
    ),
    Task("smic-3", "SMIC-HS, 3 classes", (SMIC,)),
    Task(
        "mmew-4",
        "MMEW, 4 classes",
        (
            Share(
                "mmew",
                same("happiness", "surprise", "disgust", "others"),
                {"happiness": 36, "surprise": 89, "disgust": 72, "others": 66},
            ),
        ),
    ),
    Task("mmew-7", "MMEW, as distributed", (Share("mmew", same(*MMEW), MMEW, None, 30),)),
    Task(
        "megc2019",
        "MEGC 2019 composite: 442 clips, 68 subjects, 3 classes",
        (SMIC, CASME2_145, SAMM_133),
        remark="The official list drops casme2 05/EP09_05f and keeps 05/EP12_03f, which a public loader drops.",
    ),
    Task(
        "casme3a-3",
        "CAS(ME)^3 A, 3 classes",
        (Share("casme3a", THREE, {"negative": 457, "positive": 55, "surprise": 187}),),
        remark="A list of 687 clips (449, 54, 184) is in use too: another task.",
    ),
    Task(
        "casme3a-4",
        "CAS(ME)^3 A, 4 classes",
        (
            Share(
                "casme3a",
                {**THREE, "others": ("others",)},
                {"negative": 457, "positive": 55, "surprise": 187, "others": 161},
            ),
        ),
    ),
    Task("casme3a-7", "CAS(ME)^3 A, 7 classes", (Share("casme3a", same(*CASME3A), CASME3A),)),
    Task(
        "casme3c-4",
        "CAS(ME)^3 C, as distributed",
        (
            Share(
                "casme3c",
                same("negative", "positive", "surprise", "others"),
                {"negative": 99, "positive": 16, "surprise": 30, "others": 20},
            ),
        ),
    ),
    Task("dfme-7", "DFME, training part of the challenge, 7 classes", (Share("dfme", same(*DFME), DFME, None, 176),)),
    Task(
        "cd6me",
        "CD6ME: action units, leave one dataset out",
        (
            Share("casme", clips=189),
            Share("casme2", clips=256, sheet="the sheet of 256 rows"),
            Share("samm", clips=159),
            Share("4dme", clips=267),
            Share("mmew", clips=300),
            Share("casme3a", clips=860),
        ),
        hold_out="dataset",
        remark="Varanka, Li, Peng, Zhao (arXiv 2211.11425); counts are the rows of its authors' loaders.",
    ),
)
TASKS: dict[str, Task] = {task.name: task for task in _ALL}


def named(name: str) -> Task:
    """A protocol by name. Raises Misconfigured, naming those there are."""
    if name not in TASKS:
        raise Misconfigured(f"No protocol {name!r}; there are {', '.join(TASKS)}.")
    return TASKS[name]
