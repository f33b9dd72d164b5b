import numpy as np
import pytest
import torch

from services.trainer import models
from services.trainer.models import p3d
from services.trainer.models.au_graph import AuGraph
from services.trainer.models.fusion import Fusion
from services.trainer.models.input_scaling import ClipScale, PatchScale
from services.trainer.models.p3d import P3D
from services.trainer.models.roi_graph import PairConv
from services.trainer.models.transformer import EncoderLayer
from shared.training.model_settings import MODEL_PROFILES, ModelSettings

PAPER = MODEL_PROFILES["paper"]
PAGE = {"graph": 1_033_558, "p3d": 24_944_073, "au_graph": 49_172, "fusion": 58}  # parameters at four classes
# corrected: the unused embedding (15 x 40) is gone, the direct path (320 x 4) is new
CORRECTED = PAGE | {"au_graph": 49_172 - 600, "fusion": 58 + 1280}


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def inputs(name: str, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(batch)
    patches = torch.randn(batch, 9, 2, 30, 7, 7, generator=random)
    if name == "fmer-lite":
        return patches, torch.randn(batch, 3, 28, 28, generator=random)
    return patches, torch.rand(batch, 3, 16, 144, 144, generator=random) * 255


@pytest.mark.parametrize(("profile", "expected"), [("paper", PAGE), ("corrected", CORRECTED)])
def test_fmer_has_the_papers_parameters_module_by_module(profile, expected):
    network = models.build_network("fmer", 4, profile)
    counted = {name: parameters(module) for name, module in network.named_children()}
    assert {name: count for name, count in counted.items() if count} == expected
    assert parameters(network) == sum(expected.values())
    assert sum(PAGE.values()) == 26_026_861


def test_parts_of_the_graph_have_the_papers_parameters():
    graph = models.build_network("fmer", 4, "paper").graph
    parts = {name: parameters(module) for name, module in graph.named_children()}
    assert parts == {
        "pair_conv": 630,
        "time_conv": 2_520,
        "brow_encoder": 228_324,
        "mouth_encoder": 228_324,
        "brow_head": 208_480,
        "mouth_head": 365_280,
    }


@pytest.mark.parametrize("name", ["fmer", "fmer-lite"])
@pytest.mark.parametrize(("batch", "classes"), [(1, 4), (3, 7)])
def test_shapes(name, batch, classes):
    with torch.no_grad():
        emotion, aus = models.build_network(name, classes)(*inputs(name, batch))
    assert emotion.shape == (batch, classes)
    assert aus.shape == (batch, 9)
    assert emotion.isfinite().all()
    assert aus.isfinite().all()


@pytest.mark.parametrize(("name", "profile"), [("fmer", "paper"), ("fmer-lite", "corrected"), ("fmer-lite", "paper")])
def test_gradients_reach_every_parameter_that_is_used(name, profile):
    torch.manual_seed(0)
    network = models.build_network(name, 4, profile)
    emotion, aus = network(*inputs(name, 2))
    (emotion.square().sum() + aus.square().sum()).backward()
    untouched = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    expected = ["au_graph.embedding.weight"] if profile == "paper" else []
    assert untouched == expected


def test_detached_emotion_trains_no_part_of_the_au_branch():
    for name, settings in MODEL_PROFILES.items():
        network = models.build_network("fmer-lite", 4, settings)
        emotion, _ = network(*inputs("fmer-lite", 2))
        emotion.sum().backward()
        reached = any(weight.grad is not None and weight.grad.any() for weight in network.au_head.parameters())
        assert reached == (name == "paper")


def reference_encoder(layer: EncoderLayer, tokens: np.ndarray) -> np.ndarray:
    """One encoder layer, element by element, in float64: tokens [n,d] -> [n,d]."""
    weights = {key: value.double().numpy() for key, value in layer.state_dict().items()}

    def norm(row: np.ndarray, name: str) -> np.ndarray:
        centred = row - row.mean()
        return centred / np.sqrt((centred**2).mean() + 1e-6) * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    q, k, v = (tokens @ weights[f"attention.0.{name}.weight"].T for name in ("query", "key", "value"))
    out = []
    for i in range(len(tokens)):
        heads = []
        for part in (slice(16 * h, 16 * h + 16) for h in range(8)):
            energy = np.array([np.exp(q[i, part] @ k[j, part] / 4) for j in range(len(tokens))])
            heads.append(sum(e * v[j, part] for j, e in enumerate(energy)) / energy.sum())
        mixed = np.concatenate(heads) @ weights["attention.0.out.weight"].T + weights["attention.0.out.bias"]
        row = norm(tokens[i] + mixed, "norm_attention")
        hidden = np.maximum(row @ weights["perceptron.0.weight"].T + weights["perceptron.0.bias"], 0)
        added = hidden @ weights["perceptron.2.weight"].T + weights["perceptron.2.bias"]
        out.append(norm(row + added, "norm_perceptron"))
    return np.array(out)


def randomise(module: torch.nn.Module) -> torch.nn.Module:
    """Leave no weight at a neutral start value: a swapped pair of norms would not show."""
    torch.manual_seed(7)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, 0.1, 0.5)
    return module.eval()


@pytest.mark.parametrize(("width", "hidden", "tokens", "count"), [(49, 128, 10, 38_054), (9, 40, 9, 5_422)])
def test_an_encoder_layer_is_the_slow_straightforward_one(width, hidden, tokens, count):
    layer = randomise(EncoderLayer(width, hidden))
    assert parameters(layer) == count
    x = np.random.default_rng(0).normal(size=(2, tokens, width))
    with torch.no_grad():
        got = layer(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(got, [reference_encoder(layer, sample) for sample in x], atol=2e-4)


@pytest.mark.parametrize("profile", ["paper", "corrected"])
def test_the_au_graph_sample_by_sample_in_plain_numpy(profile):
    graph = randomise(AuGraph(MODEL_PROFILES[profile], layers=2, widths=(4, 5)))
    logits = np.random.default_rng(1).normal(size=(3, 9))
    with torch.no_grad():
        got = graph(torch.from_numpy(logits).float()).numpy()
    for sample, vectors in zip(logits, got, strict=True):
        scores = sample if profile == "paper" else 1 / (1 + np.exp(-sample))
        adjacency = np.diag(scores)
        for layer in graph.encoder:
            adjacency = reference_encoder(layer, adjacency)
        if profile == "corrected":
            exp = np.exp(adjacency)
            adjacency = (np.eye(9) + exp / exp.sum(1, keepdims=True)) / 2
        nodes = scores[:, None]
        for conv in graph.convs:
            nodes = adjacency @ nodes @ conv.weight.detach().double().numpy()
            nodes = np.where(nodes > 0, nodes, 0.2 * nodes)
        np.testing.assert_allclose(vectors, nodes, atol=1e-3, rtol=1e-3)


def test_raw_adjacency_erases_what_all_aus_share_and_the_normalised_one_does_not():
    torch.manual_seed(0)
    same = torch.full((1, 9), 2.0)
    with torch.no_grad():
        raw, normalised = (AuGraph(MODEL_PROFILES[name]).eval() for name in ("paper", "corrected"))
        assert raw.adjacency_matrix(torch.randn(1, 9)).sum(-1).abs().max() < 1e-5
        assert torch.allclose(normalised.adjacency_matrix(torch.randn(1, 9)).sum(-1), torch.ones(9))
        assert raw(same).abs().max() < 1e-5
        assert normalised(same).abs().max() > 1e-3


def test_au_input_bounds_what_the_graph_sees():
    torch.manual_seed(0)
    huge = torch.full((1, 9), 3000.0)
    paper, corrected = (AuGraph(MODEL_PROFILES[name]).eval() for name in ("paper", "corrected"))
    with torch.no_grad():
        assert torch.allclose(corrected(huge), corrected(2 * huge))
        assert not torch.allclose(paper(huge * torch.arange(9)), paper(2 * huge * torch.arange(9)))


def test_pair_conv_treats_each_pair_alike_and_paper_updates_its_norm_nine_times():
    torch.manual_seed(0)
    pooled, each = PairConv(each=False), PairConv(each=True)
    each.load_state_dict(pooled.state_dict())
    x = torch.randn(4, 9, 2, 30, 7, 7) + torch.arange(9).view(9, 1, 1, 1, 1)
    assert torch.equal(pooled.eval()(x), each.eval()(x))
    alone = torch.stack([pooled(x[:, [i]]) for i in range(9)], 2).squeeze(3)
    assert torch.allclose(pooled(x), alone, atol=1e-6)
    by_hand = torch.nn.functional.conv3d(
        x[:, 3].transpose(1, 2), pooled.conv.weight, pooled.conv.bias, 1, (0, 1, 1), 1, 30
    )
    expected = pooled.norm(by_hand).relu().squeeze(2)
    assert torch.allclose(pooled(x)[:, :, 3], expected, atol=1e-6)
    pooled.train()(x)
    out = each.train()(x)
    assert int(pooled.norm.num_batches_tracked) == 1
    assert int(each.norm.num_batches_tracked) == 9
    # every pair was normalised by itself: before ReLU its mean is 0, so that the drift over pairs is gone
    assert (out.mean((0, 1, 3, 4)).std() / out.mean()) < 0.02
    assert not torch.allclose(each.norm.running_mean, pooled.norm.running_mean)


@torch.no_grad()
def test_p3d_starts_at_the_fan_it_has_or_at_the_papers():
    torch.manual_seed(0)
    for profile, stem, space, flat in [("paper", 2.65, 1.73, None), ("corrected", 1.0, 1.0, 1.0)]:
        branch = P3D(MODEL_PROFILES[profile])
        convs = [m for m in branch.modules() if isinstance(m, torch.nn.Conv3d)]
        wide = next(m for m in convs if m.kernel_size == (1, 3, 3))
        for conv, ratio in [(convs[0], stem), (wide, space)]:
            fan_out = conv.out_channels * np.prod(conv.kernel_size)
            assert float(conv.weight.std()) == pytest.approx(ratio * np.sqrt(2 / fan_out), rel=0.05)
        conv = next(m for m in branch.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3))
        at_fan = float(conv.weight.std()) == pytest.approx(np.sqrt(2 / (512 * 9)), rel=0.05)
        assert at_fan == (flat is not None)


@pytest.mark.parametrize(("kernel", "stride"), [((1, 7, 7), 2), ((1, 3, 3), 1), ((1, 1, 1), 2), ((3, 1, 1), 1)])
def test_a_convolution_in_two_dimensions_is_that_in_three_and_keeps_the_layout(kernel, stride: int):
    random = torch.Generator().manual_seed(0)
    conv = p3d.build_conv_norm(6, 8, kernel, stride)[0].double()
    conv.to(memory_format=torch.channels_last_3d)
    x = torch.randn(2, 6, 5, 9, 7, generator=random, dtype=torch.float64, requires_grad=True)
    in_three = conv(x)
    in_two = p3d.convolve_in_two_dimensions(conv, x.to(memory_format=torch.channels_last_3d))
    assert in_two.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(in_two, in_three, rtol=1e-12, atol=1e-12)
    weights = torch.randn(in_three.shape, generator=random, dtype=torch.float64)
    found, expected = (torch.autograd.grad((weights * y).sum(), [x, conv.weight]) for y in (in_two, in_three))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_frames_in_the_batch_are_normalised_as_in_three_dimensions_and_keep_the_layout():
    random = torch.Generator().manual_seed(0)
    norms = [p3d.FrameNorm(6).double() for _ in range(2)]
    shape = (2, 6, 5, 3, 7)
    x = 3 + torch.randn(shape, generator=random, dtype=torch.float64).to(memory_format=torch.channels_last_3d)
    weights = torch.randn(shape, generator=random, dtype=torch.float64)
    x.requires_grad_()
    values = norms[0](x), p3d.normalise_in_two_dimensions(norms[1], x)
    assert values[1].is_contiguous(memory_format=torch.channels_last_3d)
    grads = [
        torch.autograd.grad((weights * y).sum(), [x, *norm.parameters()]) for norm, y in zip(norms, values, strict=True)
    ]
    for expected, found in (values, grads, [norm.state_dict() for norm in norms]):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert float(norms[1].running_mean.mean()) == pytest.approx(0.3, abs=0.1)


def test_bf16_on_a_cpu_convolves_in_two_dimensions(monkeypatch):
    conv, x = p3d.build_conv_norm(2, 2, (1, 3, 3))[0], torch.randn(1, 2, 2, 3, 3)
    calls: list[torch.dtype] = []
    monkeypatch.setattr(p3d, "convolve_in_two_dimensions", lambda conv, x: calls.append(x.dtype) or x)
    conv(x)
    assert not calls
    with torch.autocast("cpu", torch.bfloat16):
        conv(x)
    assert len(calls) == 1


def test_clip_is_scaled_and_turned_as_the_settings_say():
    clip = torch.stack([torch.full((16, 4, 4), value) for value in (0.0, 127.5, 255.0)])[None]
    assert ClipScale(ModelSettings())(clip)[0, :, 0, 0, 0].tolist() == [-1, 0, 1]
    assert ClipScale(PAPER)(clip)[0, :, 0, 0, 0].tolist() == [255, 127.5, 0]


def test_patch_scale_is_fitted_once_and_travels_with_the_weights():
    scale, paper = PatchScale(ModelSettings()), PatchScale(PAPER)
    for layer in (scale, paper):
        layer.fit(torch.tensor([3.0, -4.0, 0.0, 0.0]))
    assert scale(torch.tensor(5.0)).item() == pytest.approx(2.0)
    assert paper(torch.tensor(5.0)).item() == 5
    assert "rms" in scale.state_dict()
    scale.fit(torch.zeros(4))
    assert float(scale.rms) == pytest.approx(2.5)


def test_direct_path_lets_regions_speak_when_the_au_branch_is_silent():
    torch.manual_seed(0)
    silent = torch.zeros(2, 9, 6)
    regions = torch.randn(2, 6), torch.randn(2, 6)
    for profile, speaks in [("paper", False), ("corrected", True)]:
        logits = Fusion(MODEL_PROFILES[profile], 3, 6)(*regions, silent)
        assert torch.allclose(logits[0], logits[1]) != speaks


def test_fusion_is_nine_dot_products():
    torch.manual_seed(0)
    fusion = Fusion(PAPER, 4, 6)
    eyebrow, mouth, aus = torch.randn(2, 6), torch.randn(2, 6), torch.randn(2, 9, 6)
    for b in range(2):
        dots = torch.stack([(eyebrow if a < 3 else mouth)[b] @ aus[b, a] for a in range(9)])
        assert torch.allclose(fusion(eyebrow, mouth, aus)[b], fusion.classify(fusion.norm(dots)), atol=1e-6)


def test_every_difference_between_the_profiles_is_a_named_setting_with_a_sentence():
    corrected, paper = MODEL_PROFILES["corrected"].model_dump(), PAPER.model_dump()
    for_ablations = {"graph", "au_branch", "whole_face"}
    assert {name for name in corrected if corrected[name] == paper[name]} == for_ablations
    assert all(field.description for field in ModelSettings.model_fields.values())


def test_three_steps_lower_the_loss_of_fmer():
    torch.manual_seed(0)
    network = models.build_network("fmer", 3)
    network.p3d = p3d.P3D(ModelSettings(), (1, 1, 1, 1))  # the same kinds of blocks, a quarter of the time
    patches, clip = inputs("fmer", 2)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(3):
        emotion, aus = network(patches, clip)
        loss = torch.nn.functional.cross_entropy(emotion, torch.tensor([0, 2]))
        loss = loss + torch.nn.functional.binary_cross_entropy_with_logits(aus, torch.eye(9)[:2])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(ValueError, match="fmer-lite"):
        models.build_network("resnet", 4)
    with pytest.raises(ValueError, match="paper"):
        models.build_network("fmer", 4, "original")
    with pytest.raises(ValueError, match="2 classes"):
        models.build_network("fmer-lite", 1)


@pytest.mark.parametrize("name", ["fmer", "fmer-lite"])
def test_ablated_networks_still_tell_classes_apart(name):
    """Without the AU branch no AU is predicted; without the graph nothing attends to anything."""
    patches, more = inputs(name, 2)
    whole = models.build_network(name, 3)
    aside = models.build_network(name, 3, ModelSettings(au_branch=False)).eval()
    logits, aus = aside(patches, more)
    assert aus is None
    assert logits.shape == (2, 3)
    assert not torch.allclose(logits[0], logits[1])
    seen_by_the_branch_alone = name == "fmer"  # the map speaks for the emotion too
    assert torch.equal(logits, aside(patches, torch.zeros_like(more))[0]) == seen_by_the_branch_alone
    flat = models.build_network(name, 3, ModelSettings(graph=False))
    assert not [key for key in flat.state_dict() if "attention" in key]
    sizes = [sum(weight.numel() for weight in network.parameters()) for network in (aside, flat, whole)]
    assert max(sizes[:2]) < sizes[2]


def test_a_network_without_any_path_is_refused():
    with pytest.raises(ValueError, match="nothing would lead to the emotion"):
        ModelSettings(au_branch=False, direct_path=False)
