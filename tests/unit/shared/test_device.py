"""Where tensors are computed."""

import pytest
import torch

from shared.device import choose_device


@pytest.mark.parametrize(("setting", "expected"), [(None, "cpu"), ("cpu", "cpu"), ("cuda:1", "cuda:1")])
def test_the_environment_says_it(monkeypatch: pytest.MonkeyPatch, setting: str | None, expected: str) -> None:
    monkeypatch.delenv("MER_DEVICE", raising=False)
    if setting:
        monkeypatch.setenv("MER_DEVICE", setting)
    assert choose_device("cpu") == expected


@pytest.mark.parametrize(("gpu", "expected"), [(True, "cuda"), (False, "cpu")])
@pytest.mark.parametrize("setting", [None, "auto"])
def test_auto(monkeypatch: pytest.MonkeyPatch, setting: str | None, gpu: bool, expected: str) -> None:
    monkeypatch.delenv("MER_DEVICE", raising=False)
    if setting:
        monkeypatch.setenv("MER_DEVICE", setting)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert choose_device() == expected
