"""The files of a clip's folder: whether its frames are whole images of one size, and which files are no frames."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from merstream.doctor.image_headers import ImageHeader, read_header
from services.ingest import image
from services.ingest.catalogue import numbered
from services.ingest.catalogue.entry import FoundClip
from services.ingest.image_depth import measure_depth
from shared.errors import BadData

IGNORED_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


@dataclass
class FrameFindings:
    """Faults as (file, sentence), the frames' sizes (columns, rows) in their order, and notes on how they are read."""

    faults: list[tuple[Path, str]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_frames(clip: FoundClip, deep: bool) -> FrameFindings:
    """Read the header of every frame, or decode it if `deep`."""
    found, has_16_bits = FrameFindings(), False
    for file in dict.fromkeys(clip.files):
        header = read_header(file)
        if deep and not header.fault:
            header = _decode_file(file, header)
            has_16_bits |= header.bits > 8
        if header.fault:
            found.faults.append((file, f"{header.fault}. {header.advice}".rstrip()))
        if header.size:
            found.sizes.append(header.size)
    if has_16_bits and not found.faults:
        _check_depth(clip, found)
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


def _decode_file(file: Path, header: ImageHeader) -> ImageHeader:
    try:
        pixels = image.decode_image(np.frombuffer(file.read_bytes(), np.uint8), file.name)
    except (BadData, OSError) as fault:
        return ImageHeader(header.kind, fault=f"cannot be decoded ({fault})", advice="")
    return ImageHeader(header.kind, (pixels.shape[1], pixels.shape[0]), bits=8 * pixels.itemsize)


def _check_depth(clip: FoundClip, found: FrameFindings) -> None:
    """What the true depth of 16-bit frames is. They are decoded again, one at a time."""
    data = ((file, np.frombuffer(file.read_bytes(), np.uint8)) for file in dict.fromkeys(clip.files))
    try:
        found.notes.append(measure_depth((file.name, image.decode_image(each, file.name)) for file, each in data).note)
    except BadData as fault:
        found.faults.append((clip.files[0], f"has 16 bits of unknown scale ({fault})"))
