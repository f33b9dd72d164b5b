"""Training of the shipped model's networks on maps of drawn faces, and their calibration on other drawn faces."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from services.trainer.learners.map_input import normalise_maps
from services.trainer.learners.network import deterministic_torch
from services.trainer.recogniser.geometry import GEOMETRIES, MapGeometry
from services.trainer.recogniser.labels import FINE_CLASSES
from services.trainer.recogniser.map_network import MapNetwork, mirrored_maps
from services.trainer.recogniser.shipped import Calibration, ShippedRecogniser

NO_LABEL = -1  # index of maps that belong to no class and are not "none" either


@dataclass(frozen=True)
class LabelledMaps:
    """N maps with their labels.

    aligned, published: float32 [N,3,28,28] (u, v, strain; published: 0..255). fine: [N] index into FINE_CLASSES, their
    number for "none", or NO_LABEL. units: float32 [N,K] 0 or 1, of SHIPPED_UNITS. faces: [N] number of the face.
    """

    aligned: NDArray[np.float32]
    published: NDArray[np.float32]
    fine: NDArray[np.int64]
    units: NDArray[np.float32]
    faces: NDArray[np.int64]


@dataclass(frozen=True)
class NetworkTraining:
    """How one network is trained. The defaults were chosen on drawn faces alone."""

    epochs: int = 5
    batch: int = 96
    rate: float = 3e-3
    decay: float = 0.01
    averaging: float = 0.995
    unit_weight: float = 2.0
    smoothing: float = 0.05


def train_recogniser(
    drawn: LabelledMaps,
    held_out: LabelledMaps,
    trained_on: str,
    networks: int = 3,
    training: NetworkTraining | None = None,
) -> ShippedRecogniser:
    """`networks` networks for each geometry on `drawn`, calibrated on the faces of `held_out`."""
    chosen = training or NetworkTraining()
    found = {
        geometry: [train_network(getattr(drawn, geometry), drawn, seed, chosen) for seed in range(networks)]
        for geometry in GEOMETRIES
    }
    plain = ShippedRecogniser(found, {}, trained_on)
    fitted = {geometry: fit_calibration(plain, held_out, geometry) for geometry in GEOMETRIES}
    return ShippedRecogniser(found, fitted, trained_on)


def train_network(maps: NDArray[np.float32], drawn: LabelledMaps, seed: int, training: NetworkTraining) -> MapNetwork:
    """One network on maps [N,3,28,28] with the labels of `drawn`; equal seeds give equal weights on one machine."""
    with deterministic_torch(seed):
        network = MapNetwork(len(FINE_CLASSES) + 1, drawn.units.shape[1])
        seen = torch.cat([normalise_maps(torch.from_numpy(part)) for part in np.array_split(maps, 64)])
        fine, units = torch.from_numpy(drawn.fine), torch.from_numpy(drawn.units)
        averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.averaging))  # type: ignore[no-untyped-call]
        optimiser = torch.optim.AdamW(network.parameters(), training.rate, weight_decay=training.decay)
        steps = training.epochs * (len(maps) // training.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.rate, steps)
        network.train()
        for rows in _draw_batches(len(maps), training):
            loss = measure_loss(network, mirror_some(seen[rows]), fine[rows], units[rows], training)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
    made = averaged.module
    assert isinstance(made, MapNetwork)
    return made.eval()


def measure_loss(network: nn.Module, maps: Tensor, fine: Tensor, units: Tensor, training: NetworkTraining) -> Tensor:
    """Cross entropy of the classes `fine` [b] plus that of `units` [b,K], for normalised maps [b,3,28,28]."""
    classes, marks = network(maps)
    return cross_entropy(
        classes, fine, label_smoothing=training.smoothing, ignore_index=NO_LABEL
    ) + training.unit_weight * binary_cross_entropy_with_logits(marks, units)


def mirror_some(maps: Tensor) -> Tensor:
    """Each map [b,3,28,28], or its mirror image, at random."""
    return torch.where((torch.rand(len(maps)) < 0.5)[:, None, None, None], mirrored_maps(maps), maps)


def fit_calibration(model: ShippedRecogniser, held_out: LabelledMaps, geometry: MapGeometry) -> Calibration:
    """The temperatures with the smallest cross entropy on `held_out` (Guo, Pleiss, Sun & Weinberger 2017)."""
    classes, units = model.mean_logits(getattr(held_out, geometry)[:, None], geometry)
    fine, marks = torch.from_numpy(held_out.fine), torch.from_numpy(held_out.units).double()
    temperatures = np.exp(np.linspace(-1.5, 1.5, 121))
    return Calibration(
        _best_temperature(
            temperatures, [float(cross_entropy(classes / t, fine, ignore_index=NO_LABEL)) for t in temperatures]
        ),
        _best_temperature(
            temperatures, [float(binary_cross_entropy_with_logits(units / t, marks)) for t in temperatures]
        ),
    )


def _best_temperature(temperatures: NDArray[np.float64], losses: list[float]) -> float:
    return round(float(temperatures[int(np.argmin(losses))]), 4)


def _draw_batches(count: int, training: NetworkTraining) -> Iterator[Tensor]:
    for _ in range(training.epochs):
        yield from torch.randperm(count)[: count // training.batch * training.batch].split(training.batch)  # type: ignore[no-untyped-call]
