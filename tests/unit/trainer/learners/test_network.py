from dataclasses import replace

import numpy as np
import pytest
import torch

from services.trainer import models
from services.trainer.data.features import FeatureSubset
from services.trainer.learners.augmentation import mirror_maps, mirror_patches
from services.trainer.learners.base import NO_CALLBACKS, TrainingCallbacks, TrainingStopped
from services.trainer.learners.map_input import prepare_maps
from services.trainer.learners.network import (
    NetworkLearner,
    deterministic_torch,
    lay_out_channels_last,
    to_channels_last_on_gpu,
)
from shared.training.settings import PROFILES, TrainSettings, settings_from_profile

QUICK = TrainSettings(epochs=3)


def parts(features):
    return FeatureSubset(features, np.arange(6, len(features))), FeatureSubset(features, np.arange(6))


def test_a_few_steps_lower_the_loss_of_fmer_lite(toy):
    train, _ = parts(toy(3))
    epochs = NetworkLearner(3, TrainSettings(epochs=6, batch=6)).fit(train, NO_CALLBACKS).epochs
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    assert [epoch.number for epoch in epochs] == list(range(6))


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(toy):
    train, test = parts(toy(3))
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed + len(found))  # the process's earlier draws play no part
        network = NetworkLearner(3, QUICK, seed)
        network.fit(train, NO_CALLBACKS)
        found.append(network.predict(test))
    assert np.array_equal(found[0].emotions, found[1].emotions)
    assert np.array_equal(found[0].aus, found[1].aus)
    assert not np.array_equal(found[0].emotions, found[2].emotions)


@pytest.mark.parametrize(("requested", "index"), [(0.0, 0), (0.4, 0), (2.0, 1), (9.0, 1)])
def test_is_tested_at_the_nearest_factor_also_on_motion_that_is_not_magnified(toy, requested: float, index: int):
    features = replace(toy(3), factors=np.array([0.0, 2.0]))
    network = NetworkLearner(3, TrainSettings(test_factor=requested))
    arrays = {name: features.arrays[name][:, [index]] for name in ("patches", "maps")}
    alone = replace(features, arrays=arrays, factors=features.factors[[index]])
    found, expected = (network.predict(FeatureSubset(held, np.arange(6))) for held in (features, alone))
    assert np.array_equal(found.emotions, expected.emotions)
    assert not np.allclose(features.arrays["patches"][:6, 0], features.arrays["patches"][:6, 1])


def test_what_is_watched_shapes_nothing_and_the_callers_random_state_is_left_alone(toy):
    train, test = parts(toy(3))
    plain, watched = NetworkLearner(3, QUICK), NetworkLearner(3, QUICK)
    before = torch.random.get_rng_state()
    plain.fit(train, NO_CALLBACKS)
    history = watched.fit(train, TrainingCallbacks(oracle_subset=test))
    assert np.array_equal(plain.predict(test).emotions, watched.predict(test).emotions)
    assert [len(epoch.watched) for epoch in history.epochs] == [6] * 3
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_scale_comes_from_the_training_part_alone(toy):
    features = toy(3)
    train, test = parts(features)
    loud = {name: features.arrays[name].copy() for name in ("patches", "maps")}
    for array in loud.values():
        array[test.rows] *= 50
    networks = [NetworkLearner(3, QUICK), NetworkLearner(3, QUICK)]
    networks[0].fit(train, NO_CALLBACKS)
    networks[1].fit(FeatureSubset(replace(features, arrays=loud), train.rows), NO_CALLBACKS)
    patches, maps = (features.arrays[name][train.rows, features.factor_index(2.0)] for name in ("patches", "maps"))
    maps = prepare_maps(maps, QUICK.network)
    view = "whole_face.map_scale"
    seen = {"patch_scale.rms": patches, f"{view}.motion": maps[:, :2], f"{view}.strain": maps[:, 2]}
    for name, at_test in seen.items():
        scales = [float(network.export_weights()[name]) for network in networks]
        assert scales[0] == scales[1] == pytest.approx(np.sqrt((at_test.astype(float) ** 2).mean()), rel=1e-6)


def test_a_clip_and_its_mirror_image_are_predicted_alike_where_both_are_averaged(toy):
    features = toy(2, 3)
    ways = {"patches": mirror_patches, "maps": mirror_maps}
    mirrored = {name: way(torch.from_numpy(features.arrays[name])).numpy() for name, way in ways.items()}
    turned = replace(features, arrays=mirrored)
    everything = np.arange(len(features))
    for averaged in (True, False):
        network = NetworkLearner(3, TrainSettings(mirror_at_test=averaged))
        plain, reversed_ = (network.predict(FeatureSubset(f, everything)) for f in (features, turned))
        assert np.allclose(plain.emotions, reversed_.emotions, atol=1e-6) == averaged
        assert np.allclose(plain.aus, reversed_.aus, atol=1e-6) == averaged
    assert not PROFILES["paper"].mirror_at_test


def test_weights_come_back_as_they_were(toy):
    train, test = parts(toy(3))
    fitted, other = NetworkLearner(3, QUICK), NetworkLearner(3, QUICK, seed=9)
    fitted.fit(train, NO_CALLBACKS)
    other.load_weights(fitted.export_weights())
    assert np.array_equal(fitted.predict(test).emotions, other.predict(test).emotions)


def test_stops_when_asked_to(toy):
    train, _ = parts(toy(3))
    requested = iter([False, False, True])
    with pytest.raises(TrainingStopped):
        NetworkLearner(3, QUICK).fit(train, TrainingCallbacks(should_stop=lambda: next(requested)))


def test_paper_trains_on_no_aus_at_all(toy):
    train, test = parts(toy(3))
    settings = TrainSettings(epochs=12, batch=6, au_labels="zero", au_positives="plain")
    zero, coded = NetworkLearner(3, settings), NetworkLearner(3, settings.model_copy(update={"au_labels": "coded"}))
    for network in (zero, coded):
        network.fit(train, NO_CALLBACKS)
    assert zero.predict(test).aus.max() < 0.5 < coded.predict(test).aus.max()


def test_configured_takes_the_models_defaults_and_refuses_what_it_does_not_know():
    assert settings_from_profile().model == "fmer-lite"
    assert settings_from_profile(model="fmer").learning_rate < settings_from_profile().learning_rate
    assert settings_from_profile("paper").network.au_input == "logit"
    assert settings_from_profile("corrected", "linear", epochs=None, seed=3).seed == 3
    for wrong in ({"profile": "original"}, {"model": "resnet"}, {"epoch": 3}, {"epochs": 0}):
        with pytest.raises(ValueError):
            settings_from_profile(**wrong)


def test_each_setting_has_a_sentence_and_paper_differs_by_named_fields():
    assert all(field.description for name, field in TrainSettings.model_fields.items())
    corrected, paper = PROFILES["corrected"].model_dump(), PROFILES["paper"].model_dump()
    same = {name for name in corrected if corrected[name] == paper[name]}
    assert same == {
        *("seed", "test_factor", "batch", "gamma", "au_weight", "oracle", "inner", "precision"),
        *("jitter", "rotate", "scale", "shift"),
        *("loss", "focal_gamma", "effective_beta", "logit_adjustment", "sampling"),
    }


ON_MAPS = [name for name, needs in models.ARRAYS_BY_MODEL.items() if needs == ("maps",) and name != "htnet"]


@pytest.mark.parametrize("model", ON_MAPS)
def test_networks_on_maps_learn_and_predict_no_aus_where_they_have_no_head(toy, model):
    train, test = parts(toy(3))
    both = replace(train.features, arrays={"maps": train.features.arrays["maps"]})
    network = NetworkLearner(3, settings_from_profile(model=model, epochs=4, batch=6))
    oracle = TrainingCallbacks(oracle_subset=FeatureSubset(both, test.rows))
    epochs = network.fit(FeatureSubset(both, train.rows), oracle).epochs
    found = network.predict(FeatureSubset(both, test.rows))
    assert found.emotions.shape == (6, 3)
    assert found.aus is None
    assert epochs[-1].emotion_loss < epochs[0].emotion_loss
    assert {(epoch.au_loss, epoch.au_f1) for epoch in epochs} == {(0.0, None)}
    assert network.export_weights()["map_scale.motion"] != 1


def read_flags() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.allow_tf32,
    )


def test_training_and_tests_are_deterministic_in_full_float32_and_the_callers_flags_stay(toy):
    train, test = parts(toy(3))
    learner, seen, before = NetworkLearner(3, settings_from_profile(epochs=1)), [], read_flags()
    learner.module.register_forward_hook(lambda *_: seen.append(read_flags()))
    learner.fit(train, NO_CALLBACKS)
    steps = len(seen)
    learner.predict(test)
    assert 0 < steps < len(seen)
    assert set(seen) == {(True, False, False)}
    assert read_flags() == before
    with pytest.raises(ValueError), deterministic_torch(0):
        raise ValueError
    assert read_flags() == before == (False, True, True)


@pytest.mark.parametrize("model", ["ststnet", "fmer"])
def test_channels_last_is_a_layout_and_no_other_weights(model):
    plain, turned = (models.build_network(model, 3) for _ in range(2))
    turned.load_state_dict(plain.state_dict())
    assert to_channels_last_on_gpu(plain, "cpu") is plain
    assert lay_out_channels_last(turned) is turned  # what to_channels_last_on_gpu does on a GPU
    weights = dict(turned.named_parameters())
    flat = [f"{name}.weight" for name, layer in turned.named_modules() if isinstance(layer, torch.nn.Conv2d)]
    assert flat
    assert all(weights[name].is_contiguous(memory_format=torch.channels_last) for name in flat)
    assert all(torch.equal(weights[name], value) for name, value in plain.named_parameters())


def with_flow_maps(features):
    """The same clips with maps of nine flows that lead to their maps in equal parts, as stages store them."""
    parts = np.repeat(features.arrays["maps"][:, :, None, :2] / 9, 9, 2).astype(np.float16)
    return replace(features, arrays={**features.arrays, "flow_maps": parts})


def test_a_network_on_maps_of_all_flows_learns_with_every_augmentation(toy):
    train, test = parts(with_flow_maps(toy(3)))
    changed = {"jitter": 0.5, "rotate": 5.0, "scale": 0.05, "shift": 1.0}
    network = NetworkLearner(3, settings_from_profile(model="ststnet-flows", epochs=4, batch=6, **changed))
    epochs = network.fit(train, NO_CALLBACKS).epochs
    assert epochs[-1].emotion_loss < epochs[0].emotion_loss
    assert network.export_weights()["flow_scale.rms"] != 1
    assert network.predict(test).emotions.shape == (6, 3)


def test_some_fields_of_the_network_can_be_set_and_the_others_stay():
    changed = settings_from_profile("paper", "ststnet", network={"map_scaling": "per-clip"}).network
    assert (changed.map_head, changed.map_scaling) == ("none", "per-clip")
