"""Train weights for the magnifier MagNet: python -m services.magnifier.magnet.train FOLDER [--steps N].

Writes FOLDER/state.pt every --save steps, from which the same command goes on, and at the end FOLDER/magnet.safetensors
(float16) and FOLDER/run.json. A gain table is printed on the way. Equal seeds on the same device give equal files.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from services.magnifier.magnet.checkpoint import FORMAT
from services.magnifier.magnet.gain_table import measure_gains
from services.magnifier.magnet.generator import EASY, FULL, Difficulty, SampleGenerator
from services.magnifier.magnet.losses import training_loss
from services.magnifier.magnet.network import MagNet
from services.magnifier.magnet.pictures import PHOTOGRAPHS, load_tiles


@dataclass(frozen=True)
class Recipe:
    """What shapes the weights, besides the device. The defaults train for 70 minutes on one core."""

    steps: int = 42_000
    seed: int = 0
    width: int = 16  # channels of texture and shape
    blocks: int = 2  # residual blocks of the decoder
    size: int = 64  # px, side of a sample
    batch: int = 4
    rate: float = 8e-4
    easy: float = 0.1  # share of the steps with large motion and little noise; without it nothing is learnt
    widening: float = 0.2  # share of the steps in which the full range is reached
    regulariser: float = 0.0
    plain: float = 0.3  # weight of both drawings beside their difference once the full range is reached; 1 at first
    averaging: float = 0.999  # of the weights, from step to step


class Training:
    """One training: network, optimiser, samples and step, which can be stored and taken up again."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.step = recipe, 0
        self.net, self.mean = (MagNet(recipe.width, recipe.blocks) for _ in range(2))
        self.mean.load_state_dict(self.net.state_dict())
        for net in (self.net, self.mean):
            net.to(device, memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(self.net.parameters(), recipe.rate)
        self.samples = SampleGenerator(load_tiles().to(device), recipe.size, recipe.seed)

    def run_step(self) -> float:
        """One batch; returns its loss."""
        recipe, progress = self.recipe, self.step / self.recipe.steps
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * rate_share(progress)
        samples = self.samples.draw_samples(recipe.batch, difficulty_at(progress, recipe))
        self.optimiser.zero_grad(set_to_none=True)
        widened = widening_share(progress, recipe)
        regulariser = recipe.regulariser if widened else 0.0
        loss = training_loss(self.net, samples, regulariser, recipe.plain**widened)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(recipe.averaging, self.step / (self.step + 9))
        for mean, value in zip(self.mean.parameters(), self.net.parameters(), strict=True):
            mean.data.lerp_(value.data, 1 - keep)
        return float(loss.detach())

    def save_state(self, file: Path) -> None:
        """Write what `load_state` reads; a file is there whole or not at all."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": self.samples.random.get_state(),
        }
        part = file.with_suffix(".part")
        torch.save(state, part)
        part.replace(file)

    def load_state(self, file: Path) -> None:
        """Go on from a stored state. Raises ValueError if it is of another recipe."""
        state = torch.load(file, map_location="cpu", weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(f"{file} is of the recipe {state['recipe']}, not {asdict(self.recipe)}: use a new folder.")
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.samples.random.set_state(state["random"])


def rate_share(progress: float) -> float:
    """Share of the learning rate at this share of the steps: up over the first 5 %, then down a cosine."""
    return min(1.0, 0.05 + progress / 0.05) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)


def widening_share(progress: float, recipe: Recipe) -> float:
    """How far the ranges have widened at this share of the steps: 0 while samples are easy, then up to 1."""
    return min(1.0, max(0.0, (progress - recipe.easy) / recipe.widening))


def difficulty_at(progress: float, recipe: Recipe) -> Difficulty:
    """Easy samples at first, then ranges that widen to the full ones."""
    share = widening_share(progress, recipe)
    if share in (0, 1):
        return FULL if share else EASY
    mixed = {}
    for field in fields(Difficulty):
        easy, full = getattr(EASY, field.name), getattr(FULL, field.name)
        pair = zip(easy, full, strict=True) if isinstance(easy, tuple) else None
        mixed[field.name] = (
            tuple(low * (high / low) ** share for low, high in pair) if pair else easy + (full - easy) * share
        )
    return replace(FULL, **mixed)


def train_network(recipe: Recipe, folder: Path, device: torch.device, save: int = 500) -> Training:
    """Train, or go on where FOLDER/state.pt is, to the last step. A gain table is printed every `save` steps."""
    folder.mkdir(parents=True, exist_ok=True)
    state, training, start, losses = folder / "state.pt", Training(recipe, device), time.process_time(), []
    if state.exists():
        training.load_state(state)
    while training.step < recipe.steps:
        losses.append(training.run_step())
        if training.step % save == 0 or training.step == recipe.steps:
            training.save_state(state)
            gains = " ".join(f"{k} {g:.2f} ({e:.1f})" for k, (g, e) in measure_gains(training.mean, device).items())
            seconds, loss = time.process_time() - start, sum(losses) / len(losses)
            print(f"step {training.step} loss {loss:.4f} gain at factor 3: {gains}; {seconds:.0f} CPU s", flush=True)
            losses.clear()
    return training


def write_weights(training: Training, folder: Path, device: torch.device) -> None:
    """Write FOLDER/magnet.safetensors and FOLDER/run.json."""
    tensors = {key: value.half().cpu().contiguous() for key, value in training.mean.state_dict().items()}
    save_file(tensors, folder / "magnet.safetensors", FORMAT)
    run = {
        "recipe": asdict(training.recipe),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "photographs": PHOTOGRAPHS,
        "gains": measure_gains(training.mean, device),
    }
    (folder / "run.json").write_text(json.dumps(run, indent=2) + "\n")


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save", type=int, default=500, help="steps between two stored states")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    return parser.parse_args(arguments)


def main() -> None:
    options = parse_options()
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    device = torch.device(options.device)
    write_weights(train_network(recipe, options.folder, device, options.save), options.folder, device)


if __name__ == "__main__":
    main()
