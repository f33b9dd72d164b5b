"""The shipped model on drawn faces that it never saw, and what its figures must not depend on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from merstream.shipped_model.drawn_face import DrawnFace
from merstream.shipped_model.expressions import MovedSkin
from merstream.shipped_model.map_drawing import draw_maps_of_faces
from merstream.synth.action_units import MIDLINE_AUS
from merstream.synth.identity import draw_face_shape
from services.trainer.learners.augmentation import mirror_maps
from services.trainer.recogniser.geometry import GEOMETRIES, MapGeometry
from services.trainer.recogniser.labels import CLASS_OF_FINE, FINE_CLASSES, NO_CLASS, SHIPPED_UNITS, THREE_CLASSES
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.shipped import (
    SHIPPED_FILE,
    Calibration,
    ShippedRecogniser,
    load_shipped,
    save_shipped,
)
from services.trainer.recogniser.training import LabelledMaps, fit_calibration
from shared.errors import BadData

UNSEEN_SEED = 4711


@pytest.fixture(scope="module")
def shipped() -> ShippedRecogniser:
    return load_shipped()


@pytest.fixture(scope="module")
def drawn() -> LabelledMaps:
    """240 maps of eight faces that trained nothing."""
    return draw_maps_of_faces(UNSEEN_SEED, range(1, 9), 30)


@pytest.fixture(scope="module")
def face() -> DrawnFace:
    return DrawnFace(np.random.default_rng(1), draw_face_shape(UNSEEN_SEED, 1))


def draw_clean_maps(face: DrawnFace, *units: int, sides: str = "LR") -> np.ndarray:
    """One aligned map [1,3,28,28] of these AUs, with a little noise."""
    moved = [MovedSkin(unit, side, 1.0) for unit in units for side in ("" if unit in MIDLINE_AUS else sides) or ("",)]
    noise = np.random.default_rng(2).normal(0, 0.02, (2, *face.depth.shape))
    return face.read_aligned((face.sum_fields(moved) + noise).astype(np.float32))[None]


@pytest.mark.parametrize(
    ("units", "expected", "fine"),
    [
        ((12,), "positive", "happiness"),
        ((6, 12), "positive", "happiness"),
        ((1, 2), "surprise", "surprise"),
        ((1, 2, 5), "surprise", "surprise"),
        ((4, 9), "negative", "disgust"),
        ((15, 17), "negative", "repression"),
        ((14,), "negative", "repression"),
        ((4,), "negative", "others"),
        ((4, 7), "negative", "others"),
    ],
)
def test_prototypes_are_recognised_with_their_action_units(
    face: DrawnFace, shipped: ShippedRecogniser, units: tuple[int, ...], expected: str, fine: str
) -> None:
    found = shipped.recognise(draw_clean_maps(face, *units))
    assert (found.emotion, found.fine_emotion) == (expected, fine)
    assert {unit for unit in units if found.action_units[str(unit)] > 0.5} == set(units)


@pytest.mark.parametrize("side", ["L", "R"])
def test_one_side_is_enough(face: DrawnFace, shipped: ShippedRecogniser, side: str) -> None:
    found = shipped.recognise(draw_clean_maps(face, 12, sides=side))
    assert found.emotion == "positive"
    assert found.action_units["12"] > 0.5


def test_a_face_at_rest_is_none_of_the_classes(face: DrawnFace, shipped: ShippedRecogniser) -> None:
    rng = np.random.default_rng(3)
    answers = [
        shipped.recognise(
            face.read_aligned(
                face.draw_head_motion(rng, 1.0) + 0.05 * rng.normal(size=face.depth.shape).astype(np.float32)
            )[None]
        ).emotion
        for _ in range(20)
    ]
    assert answers.count(NO_CLASS) >= 16


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_unseen_drawn_faces_are_recognised_in_both_geometries(
    drawn: LabelledMaps, shipped: ShippedRecogniser, geometry: MapGeometry
) -> None:
    found = shipped.predict(getattr(drawn, geometry)[:, None], geometry)
    shown = (drawn.fine >= 0) & (drawn.fine < len(FINE_CLASSES))
    expected = np.array([THREE_CLASSES.index(CLASS_OF_FINE[FINE_CLASSES[row]]) for row in drawn.fine[shown]])
    assert (found.coarse[shown, :3].argmax(1) == expected).mean() > 0.85
    other = next(each for each in GEOMETRIES if each != geometry)
    wrong = shipped.predict(getattr(drawn, geometry)[:, None], other)
    assert (wrong.coarse[shown, :3].argmax(1) == expected).mean() < (
        found.coarse[shown, :3].argmax(1) == expected
    ).mean()


def test_probabilities_sum_to_one_and_three_classes_are_sums_of_five(
    drawn: LabelledMaps, shipped: ShippedRecogniser
) -> None:
    for maps in drawn.aligned[:20]:
        found = shipped.recognise(maps[None])
        assert sum(found.emotions.values()) == pytest.approx(1)
        assert sum(found.fine_emotions.values()) == pytest.approx(1)
        assert found.emotions["positive"] == pytest.approx(found.fine_emotions["happiness"])
        negative = sum(found.fine_emotions[name] for name in ("disgust", "repression", "others"))
        assert found.emotions["negative"] == pytest.approx(negative)
        assert found.emotion == max(found.emotions, key=found.emotions.__getitem__)
        assert tuple(found.action_units) == tuple(map(str, SHIPPED_UNITS))


def test_a_mirrored_face_and_another_unit_change_nothing(drawn: LabelledMaps, shipped: ShippedRecogniser) -> None:
    maps = drawn.aligned[:10, None]
    plain = shipped.predict(maps)
    for changed in (mirror_maps(torch.from_numpy(maps)).numpy(), 1000 * maps):
        assert shipped.predict(changed).fine == pytest.approx(plain.fine, abs=1e-4)


def test_factors_are_averaged(drawn: LabelledMaps, shipped: ShippedRecogniser) -> None:
    one, other = (
        shipped.mean_logits(drawn.aligned[:1, None], "aligned"),
        shipped.mean_logits(drawn.aligned[1:2, None], "aligned"),
    )
    both = shipped.mean_logits(drawn.aligned[None, :2], "aligned")
    assert both[0].numpy() == pytest.approx((one[0] + other[0]).numpy() / 2, abs=1e-5)


def test_wrong_maps_are_refused_with_a_sentence(shipped: ShippedRecogniser) -> None:
    with pytest.raises(BadData, match=r"\[events, factors, 3, 28, 28\], got 1x3x28x28"):
        shipped.recognise(np.zeros((3, 28, 28), np.float32))
    with pytest.raises(BadData, match="finite maps"):
        shipped.recognise(np.full((1, 3, 28, 28), np.nan, np.float32))
    with pytest.raises(BadData, match="Expected maps for the shipped model, got patches"):
        shipped.recognise_features({"patches": np.zeros(1)})


def test_the_file_is_small_complete_and_written_again_alike(shipped: ShippedRecogniser, tmp_path: Path) -> None:
    assert SHIPPED_FILE.stat().st_size < 2_000_000
    assert shipped.digest == load_recogniser().digest
    for name in ("one", "two"):
        save_shipped(shipped, tmp_path / name, {})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    again, maps = load_shipped(tmp_path / "one"), np.random.default_rng(0).normal(size=(2, 1, 3, 28, 28))
    assert np.array_equal(again.predict(maps).fine, shipped.predict(maps).fine)
    assert again.calibrations == shipped.calibrations


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none.safetensors").write_bytes(b"no weights")
    for file in (tmp_path / "none.safetensors", tmp_path / "absent.safetensors"):
        with pytest.raises(BadData, match="expected the weights of a merstream recogniser"):
            load_shipped(file)


def test_calibration_finds_the_scale_of_logits(drawn: LabelledMaps, shipped: ShippedRecogniser) -> None:
    """Logits three times as large give temperatures three times as large, so that probabilities stay."""
    fitted = fit_calibration(shipped, drawn, "aligned")
    louder = load_shipped()
    for network in louder.networks["aligned"]:
        for layer in (network.classes, network.units):
            assert isinstance(layer, nn.Linear)
            layer.weight.mul_(3), layer.bias.mul_(3)
    refitted = fit_calibration(louder, drawn, "aligned")
    assert refitted.classes == pytest.approx(3 * fitted.classes, rel=0.03)
    assert refitted.units == pytest.approx(3 * fitted.units, rel=0.03)


def test_a_temperature_softens_probabilities(drawn: LabelledMaps, shipped: ShippedRecogniser) -> None:
    warm = ShippedRecogniser(
        {name: list(found) for name, found in shipped.networks.items()},
        {name: replace(found, classes=10 * found.classes) for name, found in shipped.calibrations.items()},
        "",
    )
    assert warm.calibrations["aligned"] != Calibration()
    assert (
        warm.predict(drawn.aligned[:, None]).fine.max(1).mean()
        < shipped.predict(drawn.aligned[:, None]).fine.max(1).mean()
    )
