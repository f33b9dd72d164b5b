"""The shipped model: networks trained on drawn faces, averaged and calibrated. shipped.md is its model card."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from services.trainer.learners.map_input import normalise_maps
from services.trainer.recogniser.geometry import GEOMETRIES, MapGeometry
from services.trainer.recogniser.labels import CLASS_OF_FINE, FINE_CLASSES, NO_CLASS, SHIPPED_UNITS, THREE_CLASSES
from services.trainer.recogniser.map_network import MapNetwork, mirrored_maps
from services.trainer.recogniser.recognition import RecognisedExpression, most_probable
from shared.errors import BadData
from shared.records import Pipeline
from shared.stage import Arrays
from shared.video_records import SHIPPED_NAME

SHIPPED_FILE = Path(__file__).with_name("shipped.safetensors")
FORMAT = "mer.recogniser/1"
MAP_SHAPE = (3, 28, 28)


@dataclass(frozen=True)
class Calibration:
    """Temperatures that the mean logits are divided by, fitted on identities that trained nothing."""

    classes: float = 1.0
    units: float = 1.0


@dataclass(frozen=True)
class EventProbabilities:
    """fine: [n,6], FINE_CLASSES then none. units: [n,K]."""

    fine: NDArray[np.float64]
    units: NDArray[np.float64]

    @property
    def coarse(self) -> NDArray[np.float64]:
        """[n,4]: THREE_CLASSES then none; sums of `fine`."""
        names = (*THREE_CLASSES, NO_CLASS)
        columns = [names.index(CLASS_OF_FINE[name]) for name in (*FINE_CLASSES, NO_CLASS)]
        summed = np.zeros((len(self.fine), len(names)))
        np.add.at(summed.T, columns, self.fine.T)
        return summed


class ShippedRecogniser:
    """Networks by geometry. `recognise` reads aligned maps, `predict` those of either geometry."""

    name = SHIPPED_NAME
    needs = ("maps",)
    pipeline: Pipeline | None = None

    def __init__(
        self,
        networks: Mapping[MapGeometry, list[MapNetwork]],
        calibrations: Mapping[MapGeometry, Calibration],
        trained_on: str,
        digest: str = "",
        device: str = "cpu",
    ) -> None:
        self.networks = {
            geometry: nn.ModuleList(found).to(device).eval().requires_grad_(False)
            for geometry, found in networks.items()
        }
        self.calibrations, self.trained_on, self.digest, self.device = calibrations, trained_on, digest, device

    def recognise(self, maps: NDArray[np.float32], *, subject: str | None = None) -> RecognisedExpression:
        """What maps float32 [F,3,28,28] of one event show; logits are averaged over the F factors.

        subject plays no part: nobody trained this model. Raises BadData for another shape and values that are not
        finite.
        """
        return self.recognise_features({"maps": maps}, subject=subject)

    def recognise_features(
        self, arrays: Arrays, *, subject: str | None = None, geometry: MapGeometry = "aligned"
    ) -> RecognisedExpression:
        """The same of roi-au's artifact, whose maps are [F,3,28,28]. geometry: where the face lies in them."""
        if "maps" not in arrays:
            raise BadData(f"Expected maps for the shipped model, got {', '.join(sorted(arrays))}. Give it maps.")
        found = self.predict(np.asarray(arrays["maps"], np.float32)[None], geometry)
        fine = _by_name((*FINE_CLASSES, NO_CLASS), found.fine[0])
        three = _by_name((*THREE_CLASSES, NO_CLASS), found.coarse[0])
        units = _by_name(tuple(map(str, SHIPPED_UNITS)), found.units[0])
        return RecognisedExpression(most_probable(three), three, most_probable(fine), fine, units)

    def predict(self, maps: NDArray[np.float32], geometry: MapGeometry = "aligned") -> EventProbabilities:
        """Probabilities of n events, from their maps [n,F,3,28,28]. u and v may have any unit, or be 0..255.

        Raises BadData as `recognise` does.
        """
        _check_maps(maps)
        classes, units = self.mean_logits(maps, geometry)
        calibration = self.calibrations[geometry]
        return EventProbabilities(
            (classes / calibration.classes).softmax(1).numpy(), (units / calibration.units).sigmoid().numpy()
        )

    @torch.no_grad()
    def mean_logits(self, maps: NDArray[np.float32], geometry: MapGeometry) -> tuple[Tensor, Tensor]:
        """Logits [n,6] and [n,K], float64: means over networks, factors, and maps with their mirror images."""
        count, factors = maps.shape[:2]
        seen = normalise_maps(torch.from_numpy(np.array(maps, np.float32)).flatten(0, 1).to(self.device))
        pairs = [network(part) for network in self.networks[geometry] for part in (seen, mirrored_maps(seen))]
        means = (torch.stack(parts).double().mean(0).cpu() for parts in zip(*pairs, strict=True))
        classes, units = (mean.view(count, factors, -1).mean(1) for mean in means)
        return classes, units


def load_shipped(file: Path = SHIPPED_FILE, device: str = "cpu") -> ShippedRecogniser:
    """Read a file of `save_shipped`. Raises BadData for another file."""
    try:
        with safe_open(file, "pt") as stored:
            about = json.loads((stored.metadata() or {})["merstream"])
            weights = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BadData(f"{file}: expected the weights of a merstream recogniser, got none ({error}).") from None
    if about["format"] != FORMAT:
        raise BadData(f"{file}: expected format {FORMAT}, got {about['format']}. Install merstream again.")
    networks: dict[MapGeometry, list[MapNetwork]] = {}
    for geometry in GEOMETRIES:
        for number in range(about["networks"]):
            network, start = MapNetwork(len(FINE_CLASSES) + 1, len(SHIPPED_UNITS)), f"{geometry}/{number}/"
            part = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
            network.load_state_dict(part)
            networks.setdefault(geometry, []).append(network)
    calibrations = {geometry: Calibration(**about["calibrations"][geometry]) for geometry in GEOMETRIES}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return ShippedRecogniser(networks, calibrations, about["trained_on"], digest, device)


def save_shipped(model: ShippedRecogniser, file: Path, about: Mapping[str, Any]) -> None:
    """Write networks (float16), calibration and `about` (JSON values); equal models give equal bytes."""
    weights = {
        f"{geometry}/{number}/{name}": value.half().contiguous()
        for geometry, networks in model.networks.items()
        for number, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    described = {
        "format": FORMAT,
        "classes": [*FINE_CLASSES, NO_CLASS],
        "units": list(SHIPPED_UNITS),
        "networks": len(model.networks[GEOMETRIES[0]]),
        "calibrations": {geometry: vars(model.calibrations[geometry]) for geometry in GEOMETRIES},
        "trained_on": model.trained_on,
        **about,
    }
    save_file(weights, file, {"merstream": json.dumps(described, sort_keys=True)})


def _by_name(names: tuple[str, ...], values: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _check_maps(maps: NDArray[np.float32]) -> None:
    if maps.ndim != 5 or maps.shape[2:] != MAP_SHAPE or not maps.shape[1]:
        raise BadData(
            f"Expected maps of shape [events, factors, 3, 28, 28], got {'x'.join(map(str, maps.shape))}. Take "
            "`maps` of the stage roi-au."
        )
    if not np.isfinite(maps).all():
        raise BadData("Expected finite maps, got NaN or infinity. Compute the flow of this event again.")
