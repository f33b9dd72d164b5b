"""FMER-lite: its view of the whole face, and the paths that it enters."""

import itertools
from typing import Any

import pytest
import torch

from services.trainer import models
from services.trainer.models.fmer_lite import FmerLite
from services.trainer.models.fusion import Fusion
from services.trainer.models.head_motion import ROI_PLACES
from shared.training.model_settings import ModelSettings

Y, X = torch.meshgrid(*[torch.arange(28.0) - 13.5] * 2, indexing="ij")


def drawn(clips: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches and maps; strain is not negative."""
    random = torch.Generator().manual_seed(clips)
    maps = torch.randn(clips, 3, 28, 28, generator=random)
    maps[:, 2] = maps[:, 2].abs()
    return torch.randn(clips, 9, 2, 30, 7, 7, generator=random), maps


def network(**switches: Any) -> FmerLite:
    """At test, with norms and scales that are not at their start values."""
    torch.manual_seed(0)
    built = models.build_network("fmer-lite", 4, ModelSettings(**switches))
    for layer in built.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
    if built.whole_face is not None:
        built.whole_face.map_scale.fit(3 * drawn()[1])
    return built.eval()


def test_parameters():
    counts = {
        name: sum(weight.numel() for weight in network(**switches).parameters())
        for name, switches in [("whole", {}), ("rois alone", {"whole_face": False}), ("no aus", {"au_branch": False})]
    }
    assert counts == {"whole": 98_504, "rois alone": 41_928, "no aus": 91_511}


@pytest.mark.parametrize("channel", [0, 1, 2], ids=["u", "v", "strain"])
def test_what_the_face_itself_does_is_seen_on_a_cheek_too(channel):
    model, (patches, maps) = network(), drawn()
    raised = maps.clone()
    raised[:, channel, 14:18, 4:8] += 3.0  # below the left eye, where there is no ROI
    with torch.no_grad():
        for one, other in zip(model(patches, raised), model(patches, maps), strict=True):
            assert ((one - other).abs().amax(1) > 1e-3).all()


def test_strain_of_the_whole_map_counts():
    """It is no vector: a constant is nothing that a moving head would leave in it."""
    model, (_, maps) = network(), drawn()
    stretched = maps + torch.tensor([0.0, 0.0, 3.0])[:, None, None]
    with torch.no_grad():
        assert not torch.allclose(model.whole_face(stretched), model.whole_face(maps), atol=1e-3)


def test_motion_and_strain_have_scales_of_their_own():
    """Maps in another unit, and the scale fitted to them, give the same vector."""
    model, (_, maps) = network(), drawn()
    with torch.no_grad():
        before = model.whole_face(maps)
        other = maps * torch.tensor([7.0, 7.0, 0.2])[:, None, None]
        model.whole_face.map_scale.fit(3 * other)
        assert torch.allclose(model.whole_face(other), before, atol=1e-5)


@pytest.mark.parametrize("au_branch", [True, False])
def test_without_the_whole_face_maps_have_no_effect(au_branch):
    model, (patches, maps) = network(whole_face=False, au_branch=au_branch), drawn()
    assert model.whole_face is model.direct is None
    for one, other in zip(model(patches, maps), model(patches, torch.zeros_like(maps)), strict=True):
        assert (one is other is None) if one is None else torch.equal(one, other)


def test_without_the_au_branch_no_aus_are_given_and_the_map_speaks_for_the_emotion_alone():
    model, (patches, maps) = network(au_branch=False), drawn()
    logits, aus = model(patches, maps)
    assert aus is None
    assert logits.shape == (4, 4)
    seen, quiet = (model.whole_face(each) for each in (maps, torch.zeros_like(maps)))
    difference = logits - model(patches, torch.zeros_like(maps))[0]
    assert torch.allclose(difference, (seen - quiet) @ model.direct.weight.T, atol=1e-5)
    assert difference.abs().max() > 1e-3


def test_detached_the_emotion_reaches_the_map_on_its_direct_path_alone():
    torch.manual_seed(0)
    model, (patches, maps) = models.build_network("fmer-lite", 4), drawn()
    torch.nn.init.zeros_(model.direct.weight)
    model.eval()(patches, maps)[0].square().sum().backward()
    assert not any(weight.grad is not None and weight.grad.any() for weight in model.whole_face.parameters())
    assert model.direct.weight.grad.any()


def test_as_in_the_paper_there_is_no_direct_path_and_the_emotion_trains_the_aus():
    torch.manual_seed(0)
    model, (patches, maps) = models.build_network("fmer-lite", 4, "paper"), drawn()
    assert model.direct is model.fusion.direct is None
    model.eval()(patches, maps)[0].square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.whole_face.parameters())


def test_the_basis_is_no_weight_that_is_carried():
    """It follows from the places: stored weights do without."""
    assert not [name for name in network().state_dict() if "basis" in name]


@pytest.mark.parametrize("kind", ["moved", "turned", "scaled"])
def test_rois_of_a_head_that_moves_as_a_whole_say_what_those_of_a_head_at_rest_do(kind):
    """With `roi_head`. Each patch is one value, as in a head that moves so little that patches hardly turn."""
    model, (patches, _) = network(roi_head="least-squares"), drawn()
    motion = {
        "moved": torch.tensor([0.8, -1.7])[:, None].expand(2, 30),
        "turned": 0.02 * torch.stack([-ROI_PLACES[:, 1] + 7.0, ROI_PLACES[:, 0] + 3.0]),
        "scaled": 0.02 * torch.stack([ROI_PLACES[:, 0] - 5.0, ROI_PLACES[:, 1] + 4.0]),
    }[kind]
    course = torch.linspace(-1, 1, 9)[:, None, None]
    shaken = patches + (course * motion)[..., None, None]
    with torch.no_grad():
        assert torch.allclose(model.tokens(shaken), model.tokens(patches), atol=1e-4)
        lifted = patches.clone()
        lifted[:, :, 1, :10] -= 1  # brows alone, which no head does
        assert (model.tokens(lifted) - model.tokens(patches)).abs().max() > 0.1


def test_rois_keep_their_motion_where_the_magnifier_has_steadied_the_head():
    model, (patches, _) = network(), drawn()
    lifted = patches.clone()
    lifted[:, 4:, 1] -= 1  # all ROIs rise together, as brows and lips may
    with torch.no_grad():
        assert (model.tokens(lifted) - model.tokens(patches)).abs().max() > 0.1


def test_all_pairs_of_switches_build_and_answer():
    patches, maps = drawn(2)
    for whole_face, au_branch, graph in itertools.product((True, False), repeat=3):
        emotion, aus = network(whole_face=whole_face, au_branch=au_branch, graph=graph)(patches, maps)
        assert emotion.shape == (2, 4)
        assert emotion.isfinite().all()
        assert (aus is not None) == au_branch


CROSS_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)  # of cd6me


def test_units_of_eyes_cheeks_and_nose_are_read_from_both_regions():
    """Brow units 1, 2, 4 follow the brows alone, mouth units from 10 on the mouth alone, 5, 6, 7 and 9 both."""
    torch.manual_seed(0)
    built = models.build_network("fmer-lite", 4, units=CROSS_UNITS).eval()
    eyebrow, mouth, seen = torch.randn(2, 48), torch.randn(2, 48), [torch.randn(2, 32)]
    before = built._predict_aus(eyebrow, mouth, seen)
    by_brow, by_mouth = built._predict_aus(eyebrow + 1, mouth, seen), built._predict_aus(eyebrow, mouth + 1, seen)
    assert before.shape == (2, 12)
    assert (before != by_brow).all(0).tolist() == [True] * 7 + [False] * 5
    assert (before != by_mouth).all(0).tolist() == [False] * 3 + [True] * 9


@pytest.mark.parametrize("units", [(12,), (5, 6), (1, 2, 4), CROSS_UNITS])
def test_any_units_have_heads_and_gradients(units):
    built, (patches, maps) = models.build_network("fmer-lite", 4, units=units), drawn()
    emotion, aus = built(patches, maps)
    assert (emotion.shape, aus.shape) == ((4, 4), (4, len(units)))
    aus.sum().backward()
    heads = [head for head in (*built.au_head, built.middle_head) if isinstance(head, torch.nn.Linear)]
    assert sum(len(head.bias) for head in heads) == len(units)
    assert all(head.bias.grad.all() for head in heads)


def test_the_papers_units_need_no_third_head():
    """So trainings on the nine units of the paper give the weights that they gave when there were no others."""
    assert models.build_network("fmer-lite", 4).middle_head is None


def test_a_unit_between_the_regions_agrees_with_the_sum_of_both():
    fusion = Fusion(ModelSettings(direct_path=False), 2, 3, (4, 6, 12))
    fusion.norm, fusion.classify = torch.nn.Identity(), torch.nn.Identity()
    eyebrow, mouth = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 10, 0]])
    assert fusion(eyebrow, mouth, torch.ones(1, 3, 3)).tolist() == [[1, 11, 10]]
