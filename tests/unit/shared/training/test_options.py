"""One rule from what is asked for to how a run is trained."""

import pytest

from shared.errors import Misconfigured
from shared.training.options import TrainingOptions, resolve_options
from shared.training.protocol import ProtocolSettings
from shared.training.settings import FMER_SETTINGS, LITE_SETTINGS, PAPER_SETTINGS


def test_nothing_asked_gives_the_model_that_the_device_can_train():
    assert resolve_options("corrected", {}, "cpu") == TrainingOptions(LITE_SETTINGS)
    assert resolve_options("corrected", {"model": None, "epochs": None}, "cuda") == TrainingOptions(FMER_SETTINGS)
    assert resolve_options("paper", {"model": "fmer"}, "cpu") == TrainingOptions(PAPER_SETTINGS)


def test_single_settings_and_the_profile_can_be_asked_for():
    settings = resolve_options(
        "corrected", {"profile": "paper", "model": "fmer", "seed": 3, "batch": 4}, "cpu"
    ).settings
    assert settings == PAPER_SETTINGS.model_copy(update={"seed": 3, "batch": 4})


@pytest.mark.parametrize("asked", ["fear,anger", ["fear", "anger"]])
def test_who_names_classes_leaves_the_others_out(asked):
    choice = resolve_options("corrected", {"classes": asked}, "cpu")
    assert (choice.classes, choice.other_emotions) == (("fear", "anger"), "leave out")
    assert resolve_options("corrected", {"classes": []}, "cpu").other_emotions == "refuse"


def test_a_protocol_and_seeds_can_be_asked_for():
    asked = {"protocol": "k-fold", "folds": 3, "fold_seed": 7, "seeds": 4, "seed": 2}
    choice = resolve_options("corrected", asked, "cpu")
    assert choice.protocol == ProtocolSettings(name="k-fold", folds=3, fold_seed=7)
    assert (choice.seeds, choice.settings.seed) == (4, 2)
    split = resolve_options("corrected", {"protocol": "split", "test_subjects": ["a", "b"]}, "cpu").protocol
    assert split.test_subjects == ("a", "b")
    known = {"protocol": "megc2019", "datasets": {"lab": "casme2"}, "allow_other_counts": True}
    assert resolve_options("corrected", known, "cpu").protocol.group_key("lab/1") == "casme2/1"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"epochs": 0}, "epochs 0: Input should be greater than or equal to 1"),
        ({"learning_rate": "fast"}, "learning_rate 'fast': Input should be a valid number"),
        ({"network": {"width": 3}}, "network.width 3: no such training setting"),
        ({"batch_size": 8}, "batch_size 8: no such training setting; there are model, seed"),
        ({"profile": ["paper"]}, "Unknown profile"),
        ({"classes": [1, 2]}, "expected a list of emotions"),
        ({"protocol": 3}, "protocol 3: Input should be a valid string"),
        ({"protocol": "k-fold", "folds": 1}, "folds 1: Input should be greater than or equal to 2"),
        (
            {"protocol": "megc2019", "classes": "fear,anger"},
            "Protocol megc2019 names its classes; leave out classes fear",
        ),
        ({"folds": 3}, "folds belongs to protocol k-fold"),
        ({"seeds": 0}, "seeds 0: Input should be greater than or equal to 1"),
        ({"name": "loso"}, "name 'loso': no such training setting; there are .* protocol, folds,"),
    ],
)
def test_what_is_wrong_is_named(asked, sentence):
    with pytest.raises(Misconfigured, match=sentence):
        resolve_options("corrected", asked, "cpu")
