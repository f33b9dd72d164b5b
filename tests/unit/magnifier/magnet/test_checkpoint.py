"""Files of weights: both formats are read, everything else is refused with a sentence."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from services.magnifier.magnet.checkpoint import SHIPPED_FILE, find_weights, load_magnet
from services.magnifier.magnet.network import MagNet
from shared.errors import MissingWeights
from shared.stage_settings.magnifier import SHIPPED_WEIGHTS


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load_saved(content: Any, folder: Path) -> Any:
    torch.save(content, folder / "weights.pth")
    return load_magnet(folder / "weights.pth", sha256(folder / "weights.pth"))


def test_own_weights_come_back(weights_file: Path, small_net: MagNet) -> None:
    digits = sha256(weights_file)
    assert find_weights(digits) == weights_file
    trained = load_magnet(weights_file, digits)
    assert trained.own_motion == 0
    for name, value in trained.net.state_dict().items():
        torch.testing.assert_close(value, small_net.state_dict()[name], rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_weights_count_the_own_motion(small_net: MagNet, tmp_path: Path, prefix: str) -> None:
    trained = load_saved({f"{prefix}{name}": value for name, value in small_net.state_dict().items()}, tmp_path)
    assert trained.own_motion == 1
    assert trained.net.decoder.cba_2.conv2d.weight.equal(small_net.decoder.cba_2.conv2d.weight)


def test_missing_extra_and_misshapen_tensors_are_refused(small_net: MagNet, tmp_path: Path) -> None:
    state = small_net.state_dict()
    name = "decoder.cba_1.conv2d.weight"
    for wrong in (
        {key: value for key, value in state.items() if key != name},
        state | {"decoder.cba_3.conv2d.weight": torch.zeros(1)},
        state | {name: torch.zeros(8, 16, 7, 7)},
        {key: value for key, value in state.items() if key != "manipulator.g.conv2d.weight"},
    ):
        with pytest.raises(MissingWeights, match=r"cba_|manipulator"):
            load_saved(wrong, tmp_path)


def test_a_port_with_biases_is_refused(small_net: MagNet, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="biases"):
        load_saved(small_net.state_dict() | {"encoder.conv.1.bias": torch.zeros(16)}, tmp_path)


@pytest.mark.parametrize("content", [nn.Linear(2, 2), [1, 2], {"epoch": 3}], ids=["module", "list", "numbers"])
def test_anything_but_tensors_by_name_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="state_dict"):
        load_saved(content, tmp_path)


class Intruder:
    """An object whose pickle creates a file when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.file,)


def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="foreign code"):
        load_saved({"manipulator.g.conv2d.weight": Intruder(tmp_path / "ran")}, tmp_path)
    assert not (tmp_path / "ran").exists()


def test_other_bytes_are_refused(weights_file: Path, tmp_path: Path) -> None:
    digits = sha256(weights_file)
    weights_file.write_bytes(weights_file.read_bytes()[:-1])
    with pytest.raises(MissingWeights, match="changed or cut"):
        load_magnet(weights_file, digits)
    with pytest.raises(MissingWeights, match="no whole safetensors file"):
        load_magnet(weights_file, sha256(weights_file))
    (tmp_path / "text").write_text("not weights at all")
    with pytest.raises(MissingWeights, match="no file of torch"):
        load_magnet(tmp_path / "text", sha256(tmp_path / "text"))


def test_foreign_safetensors_are_refused(small_net: MagNet, tmp_path: Path) -> None:
    save_file(small_net.state_dict(), tmp_path / "w.safetensors", {"format": "pt"})
    with pytest.raises(MissingWeights, match="lacks the mark"):
        load_magnet(tmp_path / "w.safetensors", sha256(tmp_path / "w.safetensors"))


def test_weights_that_are_not_there_say_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(MissingWeights, match="named magnet-aaaaaaaaaaaa"):
        find_weights("a" * 64)


def test_the_shipped_file_is_the_one_that_recipes_name() -> None:
    assert sha256(SHIPPED_FILE) == SHIPPED_WEIGHTS
    assert SHIPPED_FILE.stat().st_size < 500_000
    assert load_magnet(find_weights(SHIPPED_WEIGHTS), SHIPPED_WEIGHTS).own_motion == 0
