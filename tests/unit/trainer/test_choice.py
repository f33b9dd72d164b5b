"""One rule from what is asked for to how a run is trained."""

import pytest

from services.trainer.choice import Choice, chosen
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


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"epochs": 0}, "epochs 0: Input should be greater than or equal to 1"),
        ({"learning_rate": "fast"}, "learning_rate 'fast': Input should be a valid number"),
        ({"network": {"width": 3}}, "network.width 3: no such training setting"),
        ({"batch_size": 8}, "batch_size 8: no such training setting; there are model, seed"),
        ({"profile": ["paper"]}, "Unknown profile"),
        ({"classes": [1, 2]}, "expected a list of emotions"),
    ],
)
def test_what_is_wrong_is_named(asked, sentence):
    with pytest.raises(Misconfigured, match=sentence):
        chosen("corrected", asked, "cpu")
