"""The protocols by name. To add one, write an `EvaluationProtocol` here. Its counts are compared with the data."""

from shared.errors import Misconfigured
from shared.protocols import EvaluationProtocol
from shared.protocols.label_sets import (
    CASME2_FULL_SHEET,
    CASME2_SHEET_2014,
    SHEET_COUNTS,
    DatasetShare,
    classes_as_labelled,
)

NEGATIVE_EMOTIONS = ("anger", "contempt", "disgust", "fear", "repression", "sadness")
THREE_CLASSES = {"negative": NEGATIVE_EMOTIONS, "positive": ("happiness", "positive"), "surprise": ("surprise",)}
# No sheet of 246 rows has CASME II's fear and sadness, so no class of the composite has them.
CASME2_THREE_CLASSES = {"negative": ("disgust", "repression"), "positive": ("happiness",), "surprise": ("surprise",)}
CASME2_FIVE_COUNTS = {"disgust": 63, "happiness": 32, "others": 99, "repression": 27, "surprise": 25}
CD6ME_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)  # dataset_aus["cross"] of its authors' meb/utils/utils.py
MMEW_COUNTS = {"surprise": 89, "disgust": 72, "others": 66, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8}
MMEW_SIX_CLASSES = classes_as_labelled(*(name for name in MMEW_COUNTS if name != "others"))
CASME3A_COUNTS = {
    "disgust": 250,
    "surprise": 187,
    "others": 161,
    "fear": 86,
    "anger": 64,
    "sadness": 57,
    "happiness": 55,
}
SAMM_COUNTS = {
    "anger": 57,
    "happiness": 26,
    "others": 26,
    "surprise": 15,
    "contempt": 12,
    "disgust": 9,
    "fear": 8,
    "sadness": 6,
}
DFME_COUNTS = {
    "disgust": 548,
    "surprise": 298,
    "sadness": 278,
    "fear": 265,
    "happiness": 206,
    "anger": 161,
    "contempt": 100,
}
CASME2_EXCLUDED_CLIPS = {
    ("05", "EP09_05f"): "not on the composite's list",
    ("04", "EP12_01f"): "not on the composite's list, no apex",
}
NOT_COMPARABLE_REMARK = "Three classes of CASME II can be 145, 147, 150 or 254 clips: different tasks."

CASME2_145_SHARE = DatasetShare(
    "casme2",
    CASME2_THREE_CLASSES,
    {"negative": 88, "positive": 32, "surprise": 25},
    None,
    24,
    CASME2_EXCLUDED_CLIPS,
    CASME2_SHEET_2014,
)
SAMM_133_SHARE = DatasetShare("samm", THREE_CLASSES, {"negative": 92, "positive": 26, "surprise": 15}, None, 28)
SMIC_164_SHARE = DatasetShare(
    "smic-hs",
    classes_as_labelled("negative", "positive", "surprise"),
    {"negative": 70, "positive": 51, "surprise": 43},
    None,
    16,
)
SMIC_APEX_REMARK = "SMIC has no coded apex: published figures take its middle frame, or an apex that was spotted."
OBJECTIVE_CLASSES = classes_as_labelled("i", "ii", "iii", "iv", "v")
UNCOUNTED_REMARK = "Counts are not asserted: no source was available."

_ALL_PROTOCOLS = (
    EvaluationProtocol(
        "casme2-5",
        "CASME II, 5 classes",
        (
            DatasetShare(
                "casme2", classes_as_labelled(*CASME2_FIVE_COUNTS), CASME2_FIVE_COUNTS, None, 26, {}, CASME2_SHEET_2014
            ),
        ),
    ),
    EvaluationProtocol(
        "casme2-7",
        "CASME II, all labels of the full sheet",
        (
            DatasetShare(
                "casme2",
                classes_as_labelled(*SHEET_COUNTS["casme2"][CASME2_FULL_SHEET]),
                SHEET_COUNTS["casme2"][CASME2_FULL_SHEET],
                sheet=CASME2_FULL_SHEET,
            ),
        ),
    ),
    EvaluationProtocol(
        "casme2-3-145", "CASME II, the composite's 3 classes", (CASME2_145_SHARE,), remark=NOT_COMPARABLE_REMARK
    ),
    EvaluationProtocol(
        "casme2-3-147",
        "CASME II, 3 classes",
        (
            DatasetShare(
                "casme2",
                CASME2_THREE_CLASSES,
                {"negative": 90, "positive": 32, "surprise": 25},
                sheet=CASME2_SHEET_2014,
            ),
        ),
        remark=NOT_COMPARABLE_REMARK,
    ),
    EvaluationProtocol(
        "casme2-objective",
        "CASME II, objective classes I to V",
        (DatasetShare("casme2", OBJECTIVE_CLASSES),),
        labels="objective",
        remark=UNCOUNTED_REMARK,
    ),
    EvaluationProtocol(
        "samm-5",
        "SAMM, 5 classes",
        (
            DatasetShare(
                "samm",
                classes_as_labelled("anger", "contempt", "happiness", "surprise", "others"),
                {"anger": 57, "contempt": 12, "happiness": 26, "surprise": 15, "others": 26},
                None,
                27,
            ),
        ),
    ),
    EvaluationProtocol(
        "samm-8",
        "SAMM, as distributed",
        (DatasetShare("samm", classes_as_labelled(*SAMM_COUNTS), SAMM_COUNTS, None, 29),),
    ),
    EvaluationProtocol("samm-3", "SAMM, the composite's 3 classes", (SAMM_133_SHARE,)),
    EvaluationProtocol(
        "samm-objective",
        "SAMM, objective classes I to V",
        (DatasetShare("samm", OBJECTIVE_CLASSES),),
        labels="objective",
        remark=UNCOUNTED_REMARK,
    ),
    EvaluationProtocol("smic-3", "SMIC-HS, 3 classes", (SMIC_164_SHARE,), remark=SMIC_APEX_REMARK),
    EvaluationProtocol(
        "mmew-4",
        "MMEW, 4 classes",
        (
            DatasetShare(
                "mmew",
                classes_as_labelled("happiness", "surprise", "disgust", "others"),
                {"happiness": 36, "surprise": 89, "disgust": 72, "others": 66},
            ),
        ),
    ),
    EvaluationProtocol(
        "mmew-6",
        "MMEW, 6 classes",
        (DatasetShare("mmew", MMEW_SIX_CLASSES, {name: MMEW_COUNTS[name] for name in MMEW_SIX_CLASSES}),),
    ),
    EvaluationProtocol(
        "mmew-7",
        "MMEW, as distributed",
        (DatasetShare("mmew", classes_as_labelled(*MMEW_COUNTS), MMEW_COUNTS, None, 30),),
    ),
    EvaluationProtocol(
        "megc2019",
        "MEGC 2019 composite: 442 clips, 68 subjects, 3 classes",
        (SMIC_164_SHARE, CASME2_145_SHARE, SAMM_133_SHARE),
        remark="The official list drops casme2 05/EP09_05f and keeps 05/EP12_03f, which a public loader drops. "
        + SMIC_APEX_REMARK,
    ),
    EvaluationProtocol(
        "casme3a-3",
        "CAS(ME)^3 A, 3 classes",
        (DatasetShare("casme3a", THREE_CLASSES, {"negative": 457, "positive": 55, "surprise": 187}),),
        remark="A list of 687 clips (449, 54, 184) is used too: another task.",
    ),
    EvaluationProtocol(
        "casme3a-4",
        "CAS(ME)^3 A, 4 classes",
        (
            DatasetShare(
                "casme3a",
                {**THREE_CLASSES, "others": ("others",)},
                {"negative": 457, "positive": 55, "surprise": 187, "others": 161},
            ),
        ),
    ),
    EvaluationProtocol(
        "casme3a-7",
        "CAS(ME)^3 A, 7 classes",
        (DatasetShare("casme3a", classes_as_labelled(*CASME3A_COUNTS), CASME3A_COUNTS),),
    ),
    EvaluationProtocol(
        "casme3c-4",
        "CAS(ME)^3 C, as distributed",
        (
            DatasetShare(
                "casme3c",
                classes_as_labelled("negative", "positive", "surprise", "others"),
                {"negative": 99, "positive": 16, "surprise": 30, "others": 20},
            ),
        ),
    ),
    EvaluationProtocol(
        "dfme-7",
        "DFME, training part of the challenge, 7 classes",
        (DatasetShare("dfme", classes_as_labelled(*DFME_COUNTS), DFME_COUNTS, None, 176),),
    ),
    EvaluationProtocol(
        "cd6me",
        "CD6ME: action units, leave one dataset out",
        (
            DatasetShare("casme", clip_count=189),
            DatasetShare("casme2", clip_count=256, sheet="the sheet of 256 rows"),
            DatasetShare("samm", clip_count=159),
            DatasetShare("4dme", clip_count=267),
            DatasetShare("mmew", clip_count=300),
            DatasetShare("casme3a", clip_count=860),
        ),
        hold_out="dataset",
        remark="Varanka, Li, Peng, Zhao (arXiv 2211.11425); counts are the rows of its authors' loaders.",
        units=CD6ME_UNITS,
    ),
)
PROTOCOL_BY_NAME: dict[str, EvaluationProtocol] = {protocol.name: protocol for protocol in _ALL_PROTOCOLS}


def protocol_by_name(name: str) -> EvaluationProtocol:
    """A protocol by name. Raises Misconfigured that lists the known ones."""
    if name not in PROTOCOL_BY_NAME:
        raise Misconfigured(f"No protocol {name!r}; there are {', '.join(PROTOCOL_BY_NAME)}.")
    return PROTOCOL_BY_NAME[name]
