"""The fields of a protocol in a report, and the gaps in its folds."""

from dataclasses import replace

import numpy as np
import pytest

from services.trainer.evaluation.plan import EvaluationPlan, describe_fold_gaps
from shared.errors import BadData
from shared.training.annotations import PAPER_UNITS
from shared.training.clip_selection import ClipSelection
from shared.training.protocol import ProtocolSettings


@pytest.fixture
def features(toy):
    """Three subjects, each with every class and every unit that occurs."""
    return toy(3, 3)


def test_sound_data_leave_nothing_to_mind(features):
    fields = EvaluationPlan(features).report_fields
    assert fields.pop("settings")["name"] == "loso"
    assert fields == {
        "name": "loso",
        "title": "leave-one-subject-out, predictions pooled over all folds",
        "hold_out": "subject",
        "groups": 3,
        "folds": 3,
        "classes": ["disgust", "happiness", "surprise"],
        "counts": {"disgust": 3, "happiness": 3, "surprise": 3},
        "left_out": {},
        "faults": [],
        "remark": "",
    }


def test_a_class_of_one_subject_is_said_once(features):
    emotions = np.where(features.emotions == 2, 0, features.emotions)
    emotions[0] = 2
    assert describe_fold_gaps(EvaluationPlan(replace(features, emotions=emotions))) == [
        "Class surprise: all of its clips are of toy/s00, so it is never trained on when it is tested; its recall says "
        "nothing."
    ]


def test_a_fold_without_positives_of_a_unit_is_named(features):
    aus = features.aus.copy()
    aus[:, 4] = 0  # AU12 is nowhere: nothing to mind
    aus[:, 7] = [0, 0, 0, 1, 1, 0, 0, 0, 0]  # AU17 is the second subject's alone
    features = replace(features, aus=aus, units=PAPER_UNITS)
    assert describe_fold_gaps(EvaluationPlan(features)) == ["Fold toy/s01: no clip to train on shows AU17."]


def test_a_fold_that_trains_without_a_class_is_named(toy):
    features = toy(4, 3)
    emotions = np.array([0, 1, 0, 0, 1, 1, 0, 2, 1, 0, 2, 1])  # class 2 is of the last two subjects
    split = ProtocolSettings(name="split", test_subjects=("s02", "s03"))
    found = describe_fold_gaps(EvaluationPlan(replace(features, emotions=emotions), split))
    assert found == ["Fold test: no clip to train on shows class surprise."]


def test_one_tested_subject_is_no_sample_of_people(toy):
    split = ProtocolSettings(name="split", test_subjects=("s02",))
    assert describe_fold_gaps(EvaluationPlan(toy(3, 3), split)) == [
        "Only toy/s02 is tested: intervals over subjects say nothing."
    ]


def test_data_that_a_protocol_was_not_defined_on_are_marked(features):
    selection = ClipSelection((), faults=("casme2-5: casme2 must give 246 clips.",), left_out={"casme2: label fear": 2})
    fields = EvaluationPlan(features, ProtocolSettings(name="casme2-5"), selection=selection).report_fields
    assert fields["title"] == (
        "CASME II, 5 classes; leave-one-subject-out, predictions pooled over all folds (NOT with the published counts)"
    )
    assert fields["faults"] == ["casme2-5: casme2 must give 246 clips."]
    assert fields["left_out"] == {"casme2: label fear": 2}


@pytest.mark.parametrize(
    ("protocol", "title"),
    [
        ({"name": "k-fold", "folds": 3}, "3-fold by subject, stratified by emotion, predictions pooled over all folds"),
        ({"name": "split", "test_subjects": ["s01"]}, "fixed split, 1 of the subjects tested, all others trained on"),
        ({"name": "megc2019"}, "MEGC 2019 composite: 442 clips, 68 subjects, 3 classes; leave-one-subject-out, pre"),
        ({"name": "cd6me"}, "CD6ME: action units, leave one dataset out; leave-one-dataset-out, predictions pooled"),
    ],
)
def test_titles(protocol, title):
    assert ProtocolSettings(**protocol).title.startswith(title)


def test_clips_that_were_not_coded_are_counted_by_dataset(features):
    plan = EvaluationPlan(replace(features, au_coded=features.subjects != "toy/s01"))
    assert plan.report_fields["faults"] == [
        "AU figures are of the 6 of 9 clips that were coded for action units. The others (toy 3) train and test "
        "emotions alone."
    ]


def test_a_run_without_coding_is_said_to_have_no_au_figures(features):
    plan = EvaluationPlan(replace(features, aus=0 * features.aus, au_coded=np.zeros(9, bool)))
    assert plan.report_fields["faults"] == ["No clip was coded for action units, so there are no AU figures."]


def test_a_fold_that_trains_on_no_coded_clip_is_named_once(features):
    plan = EvaluationPlan(replace(features, au_coded=features.subjects == "toy/s01"))
    assert describe_fold_gaps(plan) == [
        "Fold toy/s01: no clip to train on was coded for action units, so none is predicted there."
    ]


def test_seeds_of_very_many_folds_are_refused(features, monkeypatch):
    monkeypatch.setattr("shared.training.protocol.MOST_FOLDS", 6)
    assert len(EvaluationPlan(features, seeds=2).folds) == 3
    with pytest.raises(BadData, match="got 3 of protocol loso for each of 3"):
        _ = EvaluationPlan(features, seeds=3).folds
