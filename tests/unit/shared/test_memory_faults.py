"""Lack of memory, as the libraries themselves report it."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from shared.memory_faults import describe_memory_fault, is_memory_fault


def numpy_asks() -> None:
    np.empty(1 << 60, np.uint8)


def torch_asks() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)


def python_asks() -> None:
    bytearray(1 << 62)


def opencv_asks() -> None:
    raise cv2.error("OpenCV(4.9) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 1 bytes")


@pytest.mark.parametrize("ask", [numpy_asks, torch_asks, python_asks, opencv_asks])
def test_every_library_is_understood(ask: Callable[[], None]) -> None:
    with pytest.raises((MemoryError, RuntimeError, cv2.error)) as raised:
        ask()
    assert is_memory_fault(raised.value)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), cv2.error("bad size")])
def test_other_errors_are_not(error: Exception) -> None:
    assert not is_memory_fault(error)


def test_the_sentence_says_who_asked_for_how_much() -> None:
    with pytest.raises(MemoryError) as raised:
        numpy_asks()
    said = describe_memory_fault(raised.value, "stage 'ingest'")
    assert said.startswith("stage 'ingest' needs more memory than this process can get (Unable to allocate 1.00 EiB")
    assert describe_memory_fault(MemoryError(), "x").startswith("x needs more memory than this process can get. Give")
