"""What the training minimises."""

from torch import Tensor
from torch.nn import functional

from services.magnifier.magnet.generator import Samples
from services.magnifier.magnet.network import MagNet

EDGES = 0.5  # weight of the errors between neighbouring pixels, which keep edges sharp
TYPICAL_CHANGE = 5.0  # grey levels, mean change of a sample whose difference has the weight 1
LEAST_CHANGE = 1.0  # grey levels, added to a sample's mean change, so that rounding alone weighs little


def training_loss(net: MagNet, samples: Samples, regulariser: float, plain: float = 1.0) -> Tensor:
    """The loss of a batch, one number, in units of 127.5 grey levels.

    Terms: the magnified frame and half of the unmagnified one with the weight `plain`, the difference of the two as
    the magnifier uses it, and with the weight `regulariser` what Oh et al. 2018 ask of texture and shape. The error of
    the difference weighs the more the smaller the wanted change is, since most motion of faces is small.
    Trained on the difference alone from the start, the network makes texture and shape 0.
    """
    first, second, clean, wanted = (
        to_signed(frames) for frames in (samples.first, samples.second, samples.clean, samples.wanted)
    )
    first_texture, first_shape = net.encoder(first)
    texture, shape = net.encoder(second)
    magnified_shape = shape + samples.alpha * net.manipulator(first_shape, shape)
    magnified, own = net.decoder(texture, magnified_shape), net.decoder(texture, shape)
    loss = plain * (picture_error(magnified, wanted) + 0.5 * picture_error(own, clean))
    share = change_share(wanted - clean)
    loss = loss + picture_error(share * (magnified - own), share * (wanted - clean))
    if regulariser:
        plain_texture, plain_shape = net.encoder(to_signed(samples.second_plain))
        wanted_texture, _ = net.encoder(wanted)
        apart = (first_texture, plain_texture), (texture, wanted_texture), (shape, plain_shape)
        loss = loss + regulariser * sum(functional.l1_loss(one, other) for one, other in apart)
    return loss


def change_share(change: Tensor) -> Tensor:
    """The weight [N,1,1,1] of each sample's difference: one over the root of the change [N,3,H,W] that is wanted."""
    mean = 127.5 * change.abs().mean((1, 2, 3), keepdim=True)
    return (TYPICAL_CHANGE / (mean + LEAST_CHANGE)).sqrt()


def picture_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of pictures [N,3,H,W], and of their steps from pixel to pixel."""
    error = found - wanted
    steps = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return error.abs().mean() + EDGES * steps


def to_signed(frames: Tensor) -> Tensor:
    """Grey levels [N,3,H,W] 0..255 -> the network's -1..1."""
    return frames / 127.5 - 1
