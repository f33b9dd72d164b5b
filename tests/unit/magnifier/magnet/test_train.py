"""The training: it resumes to the bit, learns, and writes what the magnifier reads."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from services.magnifier.magnet import pictures, train
from services.magnifier.magnet.checkpoint import load_magnet
from services.magnifier.magnet.gain_table import brow_field, fit_gain, load_face, move_face
from services.magnifier.magnet.generator import EASY, FULL, SampleGenerator
from services.magnifier.magnet.losses import change_share, picture_error, training_loss
from services.magnifier.magnet.network import MagNet
from services.magnifier.magnet.pictures import CONTRAST, PHOTOGRAPHS, TILE

CPU = torch.device("cpu")
TINY = train.Recipe(steps=6, width=8, blocks=1, size=32, batch=2, easy=0.3)


@pytest.fixture(scope="module")
def tiles() -> Iterator[Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "LEAVES", 2)  # 24 take seconds to draw
        yield pictures.load_tiles()


@pytest.fixture(autouse=True)
def one_bank(tiles: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "load_tiles", lambda: tiles)


def test_the_bank_is_of_free_pictures(tiles: Tensor) -> None:
    assert tiles.shape[1:] == (3, TILE, TILE)
    assert len(tiles) > 100
    assert 0 <= tiles.min() < tiles.max() <= 255.01
    assert tiles.mean(1).std((1, 2)).min() > CONTRAST / 2
    assert all("CC0" in licence or "public domain" in licence for licence in PHOTOGRAPHS.values())
    assert "astronaut" not in PHOTOGRAPHS  # the face of every test


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train.train_network(TINY, tmp_path / "whole", CPU, save=3)
    run_step: Callable[[train.Training], float] = train.Training.run_step

    def die_at_step_5(training: train.Training) -> float:
        if training.step == 4:
            raise KeyboardInterrupt
        return run_step(training)

    monkeypatch.setattr(train.Training, "run_step", die_at_step_5)
    with pytest.raises(KeyboardInterrupt):
        train.train_network(TINY, tmp_path / "cut", CPU, save=3)
    monkeypatch.setattr(train.Training, "run_step", run_step)
    resumed = train.train_network(TINY, tmp_path / "cut", CPU, save=3)
    for folder, training in ((tmp_path / "whole", whole), (tmp_path / "cut", resumed)):
        train.write_weights(training, folder, CPU)
    files = [(tmp_path / name / "magnet.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]
    trained = load_magnet(tmp_path / "cut" / "magnet.safetensors", hashlib.sha256(files[0]).hexdigest())
    assert len(trained.net.manipulator.g.conv2d.weight) == 8
    run = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert run["recipe"]["steps"] == 6
    assert set(run["gains"]) == {"0.3 px", "1.0 px", "2.0 px"}


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train.Training(TINY, CPU).save_state(tmp_path / "state.pt")
    with pytest.raises(ValueError, match="new folder"):
        train.Training(train.replace(TINY, seed=1), CPU).load_state(tmp_path / "state.pt")


def test_the_difficulty_widens(tiles: Tensor) -> None:
    recipe = train.Recipe(easy=0.2, widening=0.4)
    assert train.difficulty_at(0.1, recipe) == EASY
    assert train.difficulty_at(0.61, recipe) == FULL
    middle = train.difficulty_at(0.4, recipe)
    assert middle.colour == pytest.approx((EASY.colour + FULL.colour) / 2)
    assert middle.motion[0] == pytest.approx((EASY.motion[0] * FULL.motion[0]) ** 0.5)


def test_the_rate_rises_then_falls() -> None:
    shares = [train.rate_share(step / 100) for step in range(101)]
    assert shares[0] == pytest.approx(0.05)
    assert max(shares) == max(shares[4:7]) > 0.97
    assert shares[100] == pytest.approx(0.02)


def test_the_loss_is_zero_for_the_wanted_frames_alone(tiles: Tensor) -> None:
    samples = SampleGenerator(tiles, 32, 0).draw_samples(2, FULL)
    assert picture_error(samples.wanted, samples.wanted) == 0
    ramp = torch.arange(32.0).expand(1, 3, 32, 32)
    assert float(picture_error(ramp, torch.zeros_like(ramp))) == pytest.approx(15.5 + 0.5)
    net = MagNet(8, 1)
    assert training_loss(net, samples, 0.1) > training_loss(net, samples, 0.0) > 0


def test_small_changes_weigh_more() -> None:
    """One over the root of the mean change, in which rounding alone does not count as motion."""
    changes = torch.tensor([0.0, 4.0, 19.0])[:, None, None, None].expand(3, 3, 8, 8) / 127.5
    assert change_share(changes).flatten().tolist() == pytest.approx([5**0.5, 1.0, 0.5])


def test_drawings_weigh_less_once_the_full_range_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []

    def note_weight(net: MagNet, samples: object, regulariser: float, plain: float) -> Tensor:
        weights.append((regulariser, plain))
        return sum(parameter.sum() for parameter in net.parameters()) * 0.0

    monkeypatch.setattr(train, "training_loss", note_weight)
    recipe = train.replace(TINY, steps=10, easy=0.2, widening=0.4, plain=0.25, regulariser=0.01)
    training = train.Training(recipe, CPU)
    for _ in range(10):
        training.run_step()
    assert [plain for _, plain in weights] == pytest.approx([1, 1, 1, 0.25**0.25, 0.5, 0.25**0.75, *[0.25] * 4])
    assert [regulariser for regulariser, _ in weights] == [0.0] * 3 + [0.01] * 7


def test_a_few_steps_lower_the_loss() -> None:
    training = train.Training(train.replace(TINY, steps=1000, batch=4, rate=5e-3), CPU)
    losses = [training.run_step() for _ in range(30)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_gain_of_a_face_that_moved_is_found() -> None:
    face, field = load_face(CPU), brow_field(CPU)
    gain, error = fit_gain(face, field, move_face(face, field * 3.3), 1.0, 3.0)
    assert gain == pytest.approx(3.3, abs=0.02)
    assert error < 1
