from collections import Counter
from collections.abc import Mapping
from itertools import count

import pytest

from shared.errors import Misconfigured
from shared.protocols import ProtocolSelection, apply_evaluation_protocol, dataset_key, sheet_version
from shared.protocols.catalogue import CASME3A_COUNTS, DFME_COUNTS, PROTOCOL_BY_NAME, protocol_by_name
from shared.protocols.label_sets import SHEET_COUNTS, canonical_label
from shared.records import Sample

FULL: dict[str, Mapping[str, int]] = {
    "casme3a": {**{k: v for k, v in CASME3A_COUNTS.items() if k != "others"}, "others": 158, "Others": 3},
    "casme3c": {"negative": 99, "surprise": 30, "others": 20, "positive": 16},
    "dfme": DFME_COUNTS,
}


def clips(dataset: str, labels: Mapping[str, int], subjects: int = 20) -> list[Sample]:
    numbers = count()
    return [
        Sample(
            dataset=dataset, subject=f"{i % subjects + 1:02}", clip=f"c{i}", emotion=label, onset=1, offset=5, fps=200.0
        )
        for label, many in labels.items()
        for i in (next(numbers) for _ in range(many))
    ]


def told(selection: ProtocolSelection[Sample]) -> str:
    return " ".join(selection.faults)


def test_published_totals() -> None:
    totals = {
        "casme2-5": 246,
        "casme2-7": 255,
        "samm-8": 159,
        "casme2-3-145": 145,
        "casme2-3-147": 147,
        "samm-5": 136,
        "samm-3": 133,
        "smic-3": 164,
        "mmew-4": 263,
        "mmew-6": 234,
        "mmew-7": 300,
        "megc2019": 442,
        "casme3a-3": 699,
        "casme3a-4": 860,
        "casme3a-7": 860,
        "casme3c-4": 165,
        "dfme-7": 1856,
        "cd6me": 2031,
        "casme2-objective": None,
        "samm-objective": None,
    }
    assert {name: task.total_clips for name, task in PROTOCOL_BY_NAME.items()} == totals
    composite = Counter[str]()
    for share in PROTOCOL_BY_NAME["megc2019"].shares:
        composite.update(share.counts)
    assert composite == {"negative": 250, "positive": 109, "surprise": 83}
    assert sum(share.subjects or 0 for share in PROTOCOL_BY_NAME["megc2019"].shares) == 68


@pytest.mark.parametrize("name", ["casme3a-3", "casme3a-4", "casme3a-7", "casme3c-4"])
def test_counts_of_full_sheets(name: str) -> None:
    dataset = PROTOCOL_BY_NAME[name].shares[0].dataset
    selection = apply_evaluation_protocol(protocol_by_name(name), clips(dataset, FULL[dataset]))
    assert (selection.faults, len(selection.kept)) == ((), PROTOCOL_BY_NAME[name].total_clips)


def test_what_is_left_out_is_counted() -> None:
    selection = apply_evaluation_protocol(protocol_by_name("casme3a-3"), clips("CAS(ME)^3 A", FULL["casme3a"]))
    assert selection.left_out == {"casme3a: label others": 161}
    assert selection.counts == {"negative": 457, "positive": 55, "surprise": 187}


def test_another_version_of_the_sheet_is_named() -> None:
    labels = SHEET_COUNTS["casme2"]["the modified sheet of 2019-07-01 (254 rows)"]
    assert told(apply_evaluation_protocol(protocol_by_name("casme2-5"), clips("casme2", labels))) == (
        "casme2-5: casme2 must give 246 clips (disgust 63, happiness 32, others 99, repression 27, surprise 25), got "
        "248 (disgust 62, happiness 32, others 99, repression 27, surprise 28); this is the modified sheet of "
        "2019-07-01 (254 rows): use the sheet of 2014-05-08 (246 rows), or report under another name."
    )


def test_the_full_sheet_gives_the_five_classes_too() -> None:
    full = SHEET_COUNTS["casme2"]["the full sheet (255 rows)"]
    selection = apply_evaluation_protocol(protocol_by_name("casme2-5"), clips("casme2", full, subjects=26))
    assert selection.faults == ()
    assert selection.left_out == {"casme2: label sadness": 7, "casme2: label fear": 2}


def test_missing_clips_and_missing_datasets() -> None:
    assert "casme3c must give 165 clips" in told(
        apply_evaluation_protocol(protocol_by_name("casme3c-4"), clips("casme3c", {"negative": 98}))
    )
    assert told(apply_evaluation_protocol(protocol_by_name("smic-3"), clips("samm", {"anger": 1}))) == (
        "smic-3: needs smic-hs, none of its clips are here."
    )


def test_a_count_of_subjects() -> None:
    assert told(apply_evaluation_protocol(protocol_by_name("dfme-7"), clips("dfme", DFME_COUNTS, subjects=175))) == (
        "dfme-7: dfme must give 176 subjects, got 175; check the subjects."
    )


def test_subjects_of_two_datasets_are_two_people() -> None:
    both = clips("casme2", {"disgust": 1}) + clips("samm", {"disgust": 1})
    assert {protocol_by_name("megc2019").group_of_clip(clip) for clip in both} == {"casme2/01", "samm/01"}
    assert {protocol_by_name("cd6me").group_of_clip(clip) for clip in both} == {"casme2", "samm"}
    assert apply_evaluation_protocol(protocol_by_name("cd6me"), both).groups == 2


def test_a_clip_is_left_out_for_its_subject_and_name() -> None:
    same_name = [
        Sample(dataset="casme2", subject=who, clip=name, emotion="disgust", onset=1, offset=5, fps=200.0)
        for who, name in (("5", "EP09_05f"), ("06", "EP09_05f"), ("05", "ep09_05F"))
    ]
    kept = apply_evaluation_protocol(protocol_by_name("megc2019"), same_name).kept
    assert [(clip.subject, name) for clip, name in kept] == [("06", "negative")]


def test_datasets_by_what_folders_are_called() -> None:
    spellings = ("CASME2", "CASME II", "casme2_RAW_selected", "SMIC_all_cropped", "CAS(ME)^2", "lab copy")
    assert [dataset_key(name) for name in spellings] == ["casme2", "casme2", "casme2", "smic-hs", "casme-squared", None]
    assert dataset_key("lab copy", {"lab copy": "samm"}) == "samm"


def test_labels_in_their_spellings() -> None:
    assert [canonical_label(label) for label in ("Others", "other", "Happy", "3", "III", None)] == [
        *("others", "others", "happiness", "iii", "iii", "")
    ]
    assert sheet_version("casme2", ["disgust"]) == ""


def test_an_unknown_name() -> None:
    with pytest.raises(Misconfigured, match="No protocol 'megc'; there are casme2-5, "):
        protocol_by_name("megc")


def test_units_are_the_protocols_own() -> None:
    assert protocol_by_name("cd6me").units == (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)
    assert {name for name, task in PROTOCOL_BY_NAME.items() if task.units} == {"cd6me"}
