"""The published network: sizes, and what follows from layers without biases."""

import pytest
import torch
from torch import Tensor

from services.magnifier.magnet.network import MagNet


@pytest.fixture(scope="module")
def net() -> MagNet:
    torch.manual_seed(0)
    return MagNet().eval().requires_grad_(False)


def random_frames(count: int = 1, height: int = 64, width: int = 48) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(4)) * 2 - 1


def test_the_published_number_of_weights(net: MagNet) -> None:
    assert sum(value.numel() for value in net.parameters()) == 877_968
    parts = {name: sum(value.numel() for value in part.parameters()) for name, part in net.named_children()}
    assert parts == {"encoder": 62_256 + 46_080 + 46_080, "manipulator": 36_864, "decoder": 686_688}
    texture = [value for name, value in net.encoder.named_parameters() if name.startswith("texture")]
    assert sum(value.numel() for value in texture) == 46_080
    assert len(net.state_dict()) == 42


def test_texture_is_half_the_size_of_shape(net: MagNet) -> None:
    texture, shape = net.encoder(random_frames())
    assert (texture.shape, shape.shape) == ((1, 32, 16, 12), (1, 32, 32, 24))
    assert net.decoder(texture, shape).shape == (1, 3, 64, 48)


def test_borders_are_reflected(net: MagNet) -> None:
    """A frame of one colour stays one of one colour; zeros outside would make its border darker."""
    drawn = net(torch.full((1, 3, 32, 24), 0.5), torch.full((1, 3, 32, 24), 0.5), 2.0)
    assert drawn.abs().max() > 1e-4
    torch.testing.assert_close(drawn, drawn[..., :1, :1].expand_as(drawn), rtol=1e-4, atol=1e-7)


def test_still_frames_do_not_change_at_any_factor(net: MagNet) -> None:
    frame = random_frames()
    _, shape = net.encoder(frame)
    for alpha in (1, 10, 100):
        torch.testing.assert_close(shape + alpha * net.manipulator(shape, shape), shape, rtol=0, atol=0)


def test_the_change_of_shape_does_not_depend_on_the_factor(net: MagNet) -> None:
    """k times the shapes give k times the change, so that one manipulation serves all factors."""
    _, shapes = net.encoder(random_frames(2))
    change = net.manipulator(shapes[:1], shapes[1:])
    assert change.abs().max() > 1e-5
    seven = net.manipulator(7 * shapes[:1], 7 * shapes[1:])
    torch.testing.assert_close(seven, 7 * change, rtol=0, atol=1e-5 * float(seven.abs().max()))


@pytest.mark.parametrize(("scale", "tolerance"), [(0.5, 0.0), (0.3, 1e-5)])
def test_darker_frames_give_a_darker_result(net: MagNet, scale: float, tolerance: float) -> None:
    first, second = random_frames(2).split(1)
    expected = scale * net(first, second, 3.0)
    torch.testing.assert_close(
        net(scale * first, scale * second, 3.0), expected, rtol=0, atol=tolerance * float(expected.abs().max())
    )


def test_a_shift_by_four_pixels_shifts_the_result() -> None:
    """The network sees 76 px to each side; one of the shipped size sees less and is faster."""
    torch.manual_seed(0)
    net = MagNet(8, 2).requires_grad_(False)
    first, second = random_frames(2, 256, 196).split(1)
    moved, plain = (net(*(frame[..., start : start + 192] for frame in (first, second)), 2.0) for start in (4, 0))
    inner = moved[..., 80:-80, 80:-84], plain[..., 80:-80, 84:-80]
    assert inner[0].std() > 1e-4
    torch.testing.assert_close(*inner, rtol=0, atol=1e-6)
