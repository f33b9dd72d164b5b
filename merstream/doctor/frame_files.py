"""The files of a clip's folder: whether its frames are whole images of one size, and which files are no frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merstream.doctor.image_headers import read_header
from services.ingest.catalogue import numbered
from services.ingest.catalogue.entry import FoundClip
from services.ingest.repeats import describe_repeats
from shared.errors import BadData
from shared.images.decoding import decode_image
from shared.images.depth import FEW_LEVELS, measure_depth

IGNORED_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


@dataclass
class FrameFindings:
    """Faults as (file, sentence), the frames' sizes (columns, rows) in their order, and notes on how they are read.

    `is_coarse`: few grey levels are left of 16 bits.
    """

    faults: list[tuple[Path, str]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_coarse: bool = False


def check_frames(clip: FoundClip, deep: bool) -> FrameFindings:
    """Read the header of every frame, or decode it if `deep`."""
    found = FrameFindings()
    for file in dict.fromkeys(clip.files):
        header = read_header(file)
        if header.fault:
            found.faults.append((file, f"{header.fault}. {header.advice}".rstrip()))
        elif header.size:
            found.sizes.append(header.size)
    if deep:
        _check_pixels(clip, found)
    return found


def find_stray_files(clip: FoundClip, folder: Path) -> Iterator[str]:
    """A sentence for every file in a clip's folder that is no frame."""
    readings = [numbered.read_frame_folder(clip.source_path, cropped, fps=clip.fps) for cropped in (True, False)]
    frames = {name for reading in readings for names in reading.numbers.values() for name in names}
    reasons = {name: reason for reading in readings for name, reason in reading.left_out.items()}
    if any(reading.fault for reading in readings):  # other folders decided how these names are read
        frames.update(numbered.image_names(clip.source_path))
    for file in sorted(clip.source_path.iterdir()):
        if file.name not in frames and file.name.casefold() not in IGNORED_FILES and not file.name.startswith("."):
            yield f"{file.relative_to(folder)}: {reasons.get(file.name, 'no numbered image')}. It is ignored"


def _check_pixels(clip: FoundClip, found: FrameFindings) -> None:
    """Decode every frame that has a whole header. Look for repeated frames and measure the depth of 16 bits."""
    bad = {file for file, _ in found.faults}
    numbers = dict(zip(reversed(clip.files), reversed(clip.numbers), strict=True))
    last, repeats, found.sizes = np.empty(0, np.uint8), [], []
    for file, number in sorted(numbers.items(), key=lambda each: each[1]):
        try:
            pixels = _decode_file(file) if file not in bad else None
        except (BadData, OSError) as fault:
            found.faults.append((file, f"cannot be decoded ({fault})"))
            pixels = None
        if pixels is None:
            continue
        found.sizes.append((pixels.shape[1], pixels.shape[0]))
        if np.array_equal(last, pixels):
            repeats.append(number)
        last = pixels
    if not found.faults:
        _check_whole_clip(clip, found, repeats, last.dtype == np.uint16)


def _decode_file(file: Path) -> NDArray[Any]:
    return decode_image(np.frombuffer(file.read_bytes(), np.uint8), file.name)


def _check_whole_clip(clip: FoundClip, found: FrameFindings, repeats: Sequence[int], has_16_bits: bool) -> None:
    """What all frames together tell. Those of 16 bits are decoded again, one at a time."""
    try:
        if repeats:
            found.notes.append(describe_repeats(repeats, len(clip.files)))
        if has_16_bits:
            depth = measure_depth((file.name, _decode_file(file)) for file in dict.fromkeys(clip.files))
            found.notes.append(depth.note)
            found.is_coarse = depth.levels < FEW_LEVELS
    except BadData as fault:
        found.faults.append((clip.files[0], f"and the frames after it cannot be used ({fault})"))
