"""The field's baselines: layers and parameter counts as published, and their use of a map."""

import pytest
import torch

from services.trainer import models
from services.trainer.models import htnet
from services.trainer.models.input_scaling import MapScale
from shared.training.model_settings import MODEL_PROFILES, ModelSettings
from shared.training.settings import TrainSettings, settings_from_profile

MAPS = [name for name, needs in models.ARRAYS_BY_MODEL.items() if needs == ("maps",)]


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def maps(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 28, 28, generator=torch.Generator().manual_seed(count))


def outputs(network: torch.nn.Module, kind: type[torch.nn.Module], seen: torch.Tensor) -> list[tuple[int, ...]]:
    """Output shapes of all layers of a kind, in the order of their calls."""
    shapes: list[tuple[int, ...]] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _given, made: shapes.append(tuple(made.shape[1:])))
        for layer in network.modules()
        if isinstance(layer, kind)
    ]
    with torch.no_grad():
        network.eval()(seen)
    for hook in hooks:
        hook.remove()
    return shapes


def htnet_parameters(classes: int) -> int:
    """From the authors' Model.py, layer by layer, with its sizes."""

    def transformer(width: int, heads: int) -> int:
        inner = width // heads * heads
        attention = 2 * width + 3 * width * inner + inner * width + width
        return attention + 2 * width + (4 * width * width + 4 * width) + (4 * width * width + width)

    tokens = 3 * 7 * 7 * 256 + 256
    levels = [1 + 2 * transformer(256, 3), 1 + 2 * transformer(512, 6), 1 + 8 * transformer(1024, 12)]
    aggregations = [9 * width * 2 * width + 2 * width + 2 * 2 * width for width in (256, 512)]
    return tokens + sum(levels) + sum(aggregations) + 2 * 1024 + 1024 * classes + classes


def test_every_network_says_what_it_needs():
    assert set(models.ARRAYS_BY_MODEL) == set(models.MODEL_CLASSES)
    assert (models.ARRAYS_BY_MODEL["fmer"], models.ARRAYS_BY_MODEL["fmer-lite"]) == (
        ("patches", "clip"),
        ("patches", "maps"),
    )
    assert MAPS == ["ststnet", "off-apexnet", "sssnet", "rcn-a", "htnet"]


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("ststnet", 1_683),  # authors' main.py
        ("off-apexnet", 2_664_475),  # 2.66 M in the README of Off-TANet
        ("sssnet", 1_349_251),  # authors' me_networks.py
        ("rcn-a", 15_331),  # authors' MeNets, 32 feature maps, 5x5 places
        ("htnet", htnet_parameters(3)),
    ],
)
def test_parameters_are_the_published_ones_for_three_classes(name, published):
    assert parameters(models.build_network(name, 3)) == published


def test_ststnet_layer_by_layer():
    network = models.build_network("ststnet", 3)
    counts = [[weight.numel() for weight in stream.parameters()] for stream in network.streams]
    assert counts == [[81, 3, 3, 3], [135, 5, 5, 5], [216, 8, 8, 8]]
    assert outputs(network, torch.nn.MaxPool2d, maps(2)) == [(3, 10, 10), (5, 10, 10), (8, 10, 10)]
    assert outputs(network, torch.nn.AvgPool2d, maps(2)) == [(16, 5, 5)]


def test_ststnet_on_flows_is_ststnet_with_more_channels():
    network = models.build_network("ststnet-flows", 3)
    assert parameters(network) == 1_683 + 18 * 9 * (3 + 5 + 8)
    flows = torch.randn(2, 9, 2, 28, 28, generator=torch.Generator().manual_seed(1)).half()
    with torch.no_grad():
        logits, units = network.eval()(maps(2), flows)
        other, _ = network(maps(2), flows.flip(1))  # the flows in another order
    assert logits.shape == (2, 3)
    assert units is None
    assert not torch.allclose(logits, other, atol=1e-3)


def test_off_apexnet_layer_by_layer():
    network = models.build_network("off-apexnet", 3)
    assert outputs(network, torch.nn.Conv2d, maps(2)) == [(6, 28, 28), (16, 14, 14)] * 2
    assert outputs(network, torch.nn.Linear, maps(2)) == [(1024,), (1024,), (3,)]


def test_sssnet_layer_by_layer():
    network = models.build_network("sssnet", 3)
    assert outputs(network, torch.nn.Conv2d, maps(2)) == [(32, 60, 60), (64, 18, 18)]
    assert outputs(network, torch.nn.MaxPool2d, maps(2)) == [(32, 20, 20), (64, 9, 9)]
    assert outputs(network, torch.nn.Linear, maps(2)) == [(256,), (3,)]


def test_rcn_layer_by_layer():
    network = models.build_network("rcn-a", 3)
    convolutions = [(32, 24, 24), (32, 12, 12), (32, 12, 12), (32, 12, 12)]  # the last one twice
    assert outputs(network, torch.nn.Conv2d, maps(2)) == convolutions
    assert outputs(network, torch.nn.AdaptiveAvgPool2d, maps(2)) == [(32, 5, 5), (32, 5, 5)]


def test_rcn_attention_by_hand():
    """Two classes; the weights of class 0 see channel 0, those of class 1 nothing."""
    network = models.build_network("rcn-a", 2)
    torch.nn.init.zeros_(network.out.weight)
    with torch.no_grad():
        network.out.weight.view(2, 32, 5, 5)[0, 0] = 1
    seen = torch.zeros(1, 32, 5, 5)
    seen[0, 0] = torch.arange(25.0).view(5, 5)
    expected = torch.arange(25.0).view(5, 5) / 24 / 2  # stretched to 0..1, halved by the class that sees nothing
    assert torch.allclose(network.attention_map(seen)[0, 0], expected)


def test_htnet_levels():
    network = models.build_network("htnet", 3).eval()
    shapes, seen = [], network.tokens(htnet.gather_face_blocks(maps(2))).permute(0, 2, 3, 1)
    with torch.no_grad():
        for level in network.levels:
            shapes.append(tuple(seen.shape[1:]))
            seen = level(seen)
    assert shapes == [(4, 4, 256), (2, 2, 512), (1, 1, 1024)]


def test_htnet_attention_in_a_block_of_one_token_is_its_value():
    attention, seen = htnet.BlockAttention(256, 3), torch.randn(2, 4, 4, 256)
    _, _, values = attention.queries_keys_values(seen).chunk(3, -1)
    assert torch.allclose(attention(seen), attention.out(values), atol=1e-6)


def test_htnet_aggregates_neighbours():
    """One place of 6x6 that differs is seen as far as 3x3 of convolution, then every other 3x3 of pooling reach."""
    aggregation, seen = htnet.BlockAggregation(8), torch.zeros(2, 6, 6, 8)
    seen[1, 0, 5] = 1
    with torch.no_grad():
        alike = torch.isclose(*aggregation(seen)).all(-1)
    assert alike.tolist() == [[True, True, False], [True, True, False], [True, True, True]]


def test_htnet_blocks_hold_eyes_and_corners_of_the_mouth():
    y, x = torch.meshgrid(torch.arange(28), torch.arange(28), indexing="ij")
    found = htnet.gather_face_blocks(torch.stack([y, x, y + x])[None])
    assert found.shape == (1, 3, 28, 28)
    assert found[0, :2, 7, 7].tolist() == [9, 8]
    assert found[0, :2, 7, 21].tolist() == [9, 20]
    assert found[0, :2, 21, 7].tolist() == [20, 9]
    assert found[0, :2, 21, 21].tolist() == [20, 19]
    assert torch.equal(htnet.gather_face_blocks(maps(1).flip(3)), htnet.gather_face_blocks(maps(1)).flip(3))


@pytest.mark.parametrize("profile", ["corrected", "paper"])
@pytest.mark.parametrize("name", MAPS)
def test_each_has_settings_of_its_own_that_hold(name, profile):
    settings = settings_from_profile(profile, name)
    assert settings.model == name
    assert settings == TrainSettings.model_validate(settings.model_dump())
    as_given = ModelSettings(map_head="none", map_scaling="training-rms")  # nobody else takes the head out of maps
    assert settings.network == (as_given if profile == "paper" else ModelSettings())  # and FMER's defects are its own
    if profile == "paper":
        assert not settings.mirror
        assert (settings.schedule, settings.gamma) == ("late-exponential", 1.0)  # constant


def test_published_training_as_in_the_authors_code():
    names = ("ststnet", "rcn-a", "htnet", "sssnet", "off-apexnet")
    published = [settings_from_profile("paper", name) for name in names]
    numbers = [(each.epochs, each.batch, each.learning_rate, each.weight_decay) for each in published]
    assert numbers == [(800, 256, 5e-5, 0), (100, 64, 5e-4, 0), (800, 256, 5e-5, 0), *[(200, 32, 1e-4, 1e-3)] * 2]


@pytest.mark.parametrize("name", MAPS)
def test_a_map_becomes_emotion_logits_and_no_action_units(name):
    network = models.build_network(name, 5)
    for seen in (maps(1), maps(3), torch.zeros(2, 3, 28, 28)):
        logits, units = network(seen)
        assert logits.shape == (len(seen), 5)
        assert logits.isfinite().all()
        assert units is None
    logits.sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_scale_divides_motion_by_one_number_and_strain_by_another():
    scale = MapScale(ModelSettings())
    seen = torch.ones(4, 3, 28, 28) * torch.tensor([3.0, 4.0, 0.1])[:, None, None]
    scale.fit(seen)
    assert scale.motion.item() == pytest.approx((12.5) ** 0.5)
    assert scale(seen)[0, :, 0, 0].tolist() == pytest.approx([3 / 12.5**0.5, 4 / 12.5**0.5, 1.0])
    still = MapScale(ModelSettings())
    still.fit(torch.zeros(2, 3, 28, 28))
    assert torch.equal(still(seen), seen)
    raw = MapScale(MODEL_PROFILES["paper"])
    raw.fit(seen)
    assert torch.equal(raw(seen), seen)
