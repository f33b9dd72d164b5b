"""One rule from what is asked for to how a run is trained."""

import pytest

from services.trainer.evaluation.protocol import Protocol
from services.trainer.options import Choice, chosen
from services.trainer.settings import FMER, LITE, PAPER
from shared.errors import Misconfigured


def test_nothing_asked_gives_the_model_that_the_device_can_train():
    assert chosen("corrected", {}, "cpu") == Choice(LITE)
    assert chosen("corrected", {"model": None, "epochs": None}, "cuda") == Choice(FMER)
    assert chosen("paper", {"model": "fmer"}, "cpu") == Choice(PAPER)


def test_single_settings_and_the_profile_can_be_asked_for():
    settings = chosen("corrected", {"profile": "paper", "model": "fmer", "seed": 3, "batch": 4}, "cpu").settings
    assert settings == PAPER.model_copy(update={"seed": 3, "batch": 4})


@pytest.mark.parametrize("asked", ["fear,anger", ["fear", "anger"]])
def test_who_names_classes_leaves_the_others_out(asked):
    choice = chosen("corrected", {"classes": asked}, "cpu")
    assert (choice.classes, choice.others) == (("fear", "anger"), "leave out")
    assert chosen("corrected", {"classes": []}, "cpu").others == "refuse"


def test_a_protocol_and_seeds_can_be_asked_for():
    asked = {"protocol": "k-fold", "folds": 3, "fold_seed": 7, "seeds": 4, "seed": 2}
    choice = chosen("corrected", asked, "cpu")
    assert choice.protocol == Protocol(name="k-fold", folds=3, fold_seed=7)
    assert (choice.seeds, choice.settings.seed) == (4, 2)
    split = chosen("corrected", {"protocol": "split", "test_subjects": ["a", "b"]}, "cpu").protocol
    assert split.test_subjects == ("a", "b")
    known = {"protocol": "megc2019", "datasets": {"lab": "casme2"}, "allow_other_counts": True}
    assert chosen("corrected", known, "cpu").protocol.group("lab/1") == "casme2/1"


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
        ({"protocol": "megc2019", "classes": "fear,anger"}, "Protocol megc2019 names its classes; leave classes fear"),
        ({"folds": 3}, "folds belongs to protocol k-fold"),
        ({"seeds": 0}, "seeds 0: Input should be greater than or equal to 1"),
        ({"name": "loso"}, "name 'loso': no such training setting; there are .* protocol, folds,"),
    ],
)
def test_what_is_wrong_is_named(asked, sentence):
    with pytest.raises(Misconfigured, match=sentence):
        chosen("corrected", asked, "cpu")
