"""Capture never waits and never queues without bound; its end and its faults are told."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from merstream.live.capture import CaptureEnd, CaptureProcess, FrameRelay
from merstream.live.frame_sources import SourceOrder
from services.spotter.recorded_frames import RecordedFrame
from shared.errors import BadData
from tests.unit.merstream.live.drawn_session import write_video


class Source:
    """Gives numbered frames, and then a fault if there is one. A reader takes all that waits after frame 5."""

    name = "numbers"

    def __init__(self, count: int, waiting: "queue.Queue[Any]", fault: str = "") -> None:
        self.count, self.waiting, self.fault = count, waiting, fault
        self.taken: list[Any] = []

    def read_frames(self) -> Iterator[RecordedFrame]:
        for index in range(self.count):
            yield RecordedFrame(index, index / 30, np.zeros((2, 2, 3), np.uint8))
            while index == 5 and not self.waiting.empty():
                self.taken.append(self.waiting.get())
        if self.fault:
            raise BadData(self.fault)


def test_frames_that_find_no_place_are_dropped_and_counted() -> None:
    waiting: queue.Queue[Any] = queue.Queue(3)
    source = Source(8, waiting)
    FrameRelay(waiting).relay_frames(source, threading.Event())
    assert [captured.frame.index for captured in source.taken] == [0, 1, 2]
    assert [waiting.get().frame.index for _ in range(2)] == [6, 7]
    assert waiting.get() == CaptureEnd(3)


def test_a_fault_of_the_source_is_handed_on() -> None:
    waiting: queue.Queue[Any] = queue.Queue(3)
    FrameRelay(waiting).relay_frames(Source(1, waiting, fault="The camera burns."), threading.Event())
    waiting.get()
    assert waiting.get() == CaptureEnd(0, "The camera burns.")


def test_a_capture_that_is_stopped_reads_no_further() -> None:
    waiting: queue.Queue[Any] = queue.Queue(3)
    stop = threading.Event()
    stop.set()
    FrameRelay(waiting).relay_frames(Source(8, waiting), stop)
    assert waiting.get() == CaptureEnd(0)


def test_a_process_captures_a_file_to_its_end(tmp_path: Path) -> None:
    order = SourceOrder(file=write_video(tmp_path))
    with CaptureProcess(order) as capture:
        capture.wait_until_open()
        came = [found.frame for found in capture.read_frames() if found]
    indices = [frame.index for frame in came]
    assert indices == sorted(set(indices))
    assert indices[0] == 0
    assert all(frame.seconds == pytest.approx(frame.index / 30) for frame in came)


def test_a_fault_of_the_process_is_a_sentence(tmp_path: Path) -> None:
    with CaptureProcess(SourceOrder(file=tmp_path / "none.mp4")) as capture, pytest.raises(BadData, match="nothing"):
        capture.wait_until_open()
