"""Training on drawn maps: repeatable, and it learns what it is shown."""

import numpy as np
import pytest
import torch

from merstream.shipped_model.map_drawing import draw_maps_of_faces
from services.trainer.learners.map_input import normalise_maps
from services.trainer.recogniser.training import NO_LABEL, LabelledMaps, NetworkTraining, measure_loss, train_network

SHORT = NetworkTraining(epochs=20, batch=32, averaging=0.9)


@pytest.fixture(scope="module")
def drawn() -> LabelledMaps:
    return draw_maps_of_faces(5, range(1, 5), 40)


def test_equal_seeds_give_equal_networks_that_learned(drawn: LabelledMaps) -> None:
    one, again, other = (train_network(drawn.aligned, drawn, seed, SHORT) for seed in (1, 1, 2))
    maps = normalise_maps(torch.from_numpy(drawn.aligned))
    with torch.no_grad():
        answers = [network(maps)[0] for network in (one, again, other)]
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
    shown = drawn.fine != NO_LABEL
    most = np.bincount(drawn.fine[shown]).max() / shown.sum()
    assert (answers[0].argmax(1).numpy() == drawn.fine)[shown].mean() > most + 0.15


def test_maps_without_a_class_teach_action_units_alone(drawn: LabelledMaps) -> None:
    network = train_network(drawn.aligned, drawn, 1, NetworkTraining(epochs=1, batch=32))
    maps, units = normalise_maps(torch.from_numpy(drawn.aligned[:4])), torch.from_numpy(drawn.units[:4])
    classes = torch.tensor([NO_LABEL, 0, 1, 2])
    changed = maps.clone()
    changed[0] = 0  # the map without a class
    classless = NetworkTraining(unit_weight=0.0)
    assert measure_loss(network, maps, classes, units, classless) == measure_loss(
        network, changed, classes, units, classless
    )
    assert measure_loss(network, maps, classes, units, SHORT) != measure_loss(network, changed, classes, units, SHORT)
