"""The distributions' forms, quirks included: padding, preambles, lost zeros, folders named unlike labels."""

from tests.dataset_layouts.layout import Book, Clip, Form, Row, page
from tests.dataset_layouts.recordings import CASME3A, CASME3C, CASME_SQUARED

CODING = ("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units")


def _casme2(clip: Clip) -> Row:
    apex = "/" if clip.apex is None else clip.apex
    return (f"{clip.subject:02}", clip.name, None, clip.onset, apex, clip.offset, None, clip.aus, clip.emotion)


CASME2 = Form(
    key="casme2",
    folders=("Cropped/sub{subject:02}/{name}", "CASME2_RAW_selected/sub{subject:02}/{name}"),
    frames=("reg_img{number}.jpg", "img{number}.jpg"),
    books=(
        Book("CASME2-coding-20140508.xlsx", {"Sheet1": page((*CODING, "Estimated Emotion"), _casme2)}),
        Book(
            "CASME2-ObjectiveClasses.xlsx",
            {
                "Sheet1": page(
                    ("Subject", "Filename", "Objective Class"), lambda clip: (clip.subject, clip.name, clip.objective)
                )
            },
        ),
    ),
)
SAMM_HEADER = (
    *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro"),
    *("Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)


def _samm(clip: Clip) -> Row:
    duration = clip.offset - clip.onset + 1
    numbers = (clip.onset, clip.apex, clip.offset, duration, "1/2" if duration <= 100 else "")
    return (f"{clip.subject:03}", clip.name, 1, *numbers, clip.aus, clip.emotion.title(), clip.objective, None)


SAMM = Form(
    key="samm",
    folders=("{subject:03}/{name}",),
    frames=("{subject:03}_{number:05}.jpg",),
    books=(
        Book(
            "SAMM_Micro_FACS_Codes_v2.xlsx",
            {"MICRO ONLY": page(SAMM_HEADER, _samm, [("SAMM: coded by three FACS coders",), *[("remark",)] * 12])},
        ),
    ),
)
SMIC = Form(
    key="smic-hs",
    folders=(
        "SMIC_all_cropped/HS/s{subject}/micro/{emotion}/{name}",
        "SMIC_all_raw/HS/s{subject}/micro/{emotion}/{name}",
    ),
    frames=("reg_image{number:06}.bmp", "image{number:06}.bmp"),
    before=0,
    after=0,
    apex=False,
)


def _smic_e(clip: Clip) -> Row:
    subject, rest = clip.name.removeprefix("s").split("_", 1)
    return (int(subject), f"s{int(subject):02}_{rest}", 1000, clip.onset + 999, clip.offset + 999, clip.emotion)


SMIC_E = Form(
    key="smic-e",
    folders=("HS_long/SMIC-HS-E/{name}",),
    frames=("image{number:06}.jpg",),
    books=(
        Book(
            "SMIC-HS-E_annotation.xlsx",
            {
                "Sheet1": lambda clips: [
                    ("Subject", "Filename", "FirstF", "OnsetF", "OffsetF", "Emotion"),
                    *map(_smic_e, clips),
                    (None,),
                    ("FirstF: the number of the first frame of the long clip", "see the paper"),
                ]
            },
        ),
    ),
    numbered_from=1,
    apex=False,
)


def _mmew(clip: Clip) -> Row:
    numbers = (clip.onset, clip.apex, clip.offset)
    return (f"S{clip.subject:02}", clip.name, *numbers, clip.aus, clip.emotion, None)


MMEW = Form(
    key="mmew",
    folders=("Micro_Expression/{emotion}/{name}",),
    frames=("{number}.jpg",),
    books=(
        Book(
            "MMEW_Micro_Exp.xlsx",
            {
                "Sheet1": page(
                    (
                        *("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units"),
                        *("Estimated Emotion", "remarks"),
                    ),
                    _mmew,
                )
            },
        ),
    ),
    numbered_from=1,
    after=0,
    emotions={"others": "repression"},
)


def _casme(clip: Clip) -> Row:
    numbers = (clip.onset, clip.apex, None, clip.offset)
    return (clip.subject, clip.name, None, *numbers, None, clip.aus, clip.emotion)


CASME = Form(
    key="casme",
    folders=("Cropped/sub{subject:02}/{name}", "Raw/sub{subject:02}/{name}"),
    frames=("reg_{name}-{number:03}.jpg", "{name}-{number}.jpg"),
    books=(
        Book(
            "CASME.xlsx",
            {
                "Sheet1": page(
                    ("Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"),
                    _casme,
                )
            },
        ),
    ),
)
FOURDME_HEADER = (
    *("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs", "AU1", "AU2", "AU4"),
    *("Positive", "Negative", "Surprise", "Repression", "Others"),
)


def _fourdme(clip: Clip) -> Row:
    flags = [int(label in clip.emotion) for label in ("positive", "negative", "surprise", "repression", "others")]
    units = f"{clip.aus}+45(k)"
    return (clip.subject, clip.name, clip.emotion, clip.onset, clip.apex, clip.offset, units, 0, 0, 1, *flags)


FOURDME = Form(
    key="4dme",
    folders=("gray_micro/{subject}/{name}",),
    frames=("Frame_{number:09}.jpg",),
    books=(Book("4DME_labels.xlsx", {"Sheet1": page(FOURDME_HEADER, _fourdme)}),),
    before=0,
    after=0,
)
DFME_HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")


def _dfme(clip: Clip) -> Row:
    numbers = (clip.onset, clip.apex, clip.offset)
    return (f"sub{clip.subject:04}", clip.name, *numbers, clip.emotion, 2, 500 if clip.subject % 2 else 300, clip.aus)


DFME = Form(
    key="dfme",
    folders=("DFME_train/{name}",),
    frames=("{number:05}.png",),
    books=(Book("DFME_train.csv", {"": page(DFME_HEADER, _dfme)}),),
    before=0,
    after=0,
)
_ALL = (CASME2, SAMM, SMIC, SMIC_E, MMEW, CASME, CASME_SQUARED, CASME3A, CASME3C, FOURDME, DFME)
FORMS: dict[str, Form] = {form.key: form for form in _ALL}
