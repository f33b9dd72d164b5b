"""The dataset on disk: CASME II's layout and sheet, the same bytes for the same seed."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from merstream.commands.demo import draw_dataset
from merstream.synth import DIFFICULTIES, Difficulty, coding_sheet, true_motion, write_dataset

SIZE = (120, 160)
SHORT = Difficulty(duration=(0.05, 0.08))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    write_dataset(folder, subjects=2, clips=3, seed=5, size=SIZE, cropped=True, difficulty=SHORT)
    return folder


def rows(folder: Path) -> list[tuple[object, ...]]:
    page = openpyxl.load_workbook(folder / coding_sheet.SHEET_NAME).worksheets[0]
    return list(page.iter_rows(values_only=True))


def clips(folder: Path) -> Iterator[tuple[str, str, int, int, int]]:
    for subject, name, _, onset, apex, offset, *_ in rows(folder)[1:]:
        yield f"sub{subject}", str(name), int(str(onset)), int(str(apex)), int(str(offset))


def test_same_bytes_from_two_processes(dataset: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path, subjects=2, clips=3, seed=5, size=SIZE, cropped=True, difficulty=SHORT, jobs=2)
    assert digests(tmp_path) == digests(dataset)


def test_a_person_does_not_depend_on_how_many_there_are(dataset: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_dataset(
        tmp_path, 1, 3, seed=5, size=SIZE, cropped=True, difficulty=SHORT, progress=lambda *done: seen.append(done)
    )
    alone, among = digests(tmp_path), digests(dataset)
    assert {name: alone[name] for name in alone if "sub01" in name} == {n: among[n] for n in among if "sub01" in n}
    assert seen == [(1, 1)]


def test_another_seed_is_another_dataset(dataset: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path, 1, 1, seed=6, size=SIZE, difficulty=SHORT)
    assert not set(digests(tmp_path).values()) & set(digests(dataset).values())


def test_the_sheet_reads_like_casme2s(dataset: Path) -> None:
    header, *body = rows(dataset)
    assert header == coding_sheet.SHEET_COLUMNS
    assert len(body) == 6
    for subject, name, blank, onset, apex, offset, also_blank, units, emotion in body:
        assert re.fullmatch(r"\d\d", str(subject))
        assert re.fullmatch(r"EP\d\d_\d\d", str(name))
        assert blank is None
        assert also_blank is None
        assert onset < apex < offset  # type: ignore[operator]
        assert re.fullmatch(r"[LR]?\d+(\+[LR]?\d+)*", str(units))
        assert emotion in {"others", "disgust", "happiness", "repression", "surprise"}
    assert len({row[:2] for row in body}) == 6


def test_frames_lie_gapless_around_onset_and_offset(dataset: Path) -> None:
    for subject, name, onset, _, offset in clips(dataset):
        found = [int(f.stem[3:]) for f in (dataset / "CASME2_RAW_selected" / subject / name).glob("img*.jpg")]
        assert sorted(found) == list(range(min(found), max(found) + 1))
        assert min(found) < onset
        assert max(found) > offset
        assert not any(f.stem.startswith("img0") for f in (dataset / "CASME2_RAW_selected").rglob("*.jpg"))


def test_the_crop_is_the_face_of_the_whole_frame(dataset: Path) -> None:
    subject, name, onset, *_ = next(clips(dataset))
    whole = cv2.imread(str(dataset / "CASME2_RAW_selected" / subject / name / f"img{onset}.jpg"))
    face = cv2.imread(str(dataset / "Cropped" / subject / name / f"reg_img{onset}.jpg"))
    left, top, right, bottom = true_motion.load_motion(dataset / "truth" / subject / f"{name}.npz").crop
    assert whole.shape == (*SIZE, 3)
    assert np.abs(whole[top:bottom, left:right].astype(int) - face).mean() < 4
    assert 1 < face.shape[0] / face.shape[1] < 1.5


def test_every_clip_moves_and_its_truth_says_so(dataset: Path) -> None:
    for subject, name, onset, apex, _ in clips(dataset):
        file = dataset / "truth" / subject / f"{name}.npz"
        flow = true_motion.read_true_flow(file, onset, apex, cropped=True)
        assert 0.5 * 0.6 * SIZE[0] / 480 < np.hypot(*flow).max() < 6 * SIZE[0] / 480
        assert np.hypot(*true_motion.read_true_flow(file, onset, onset, cropped=True)).max() < 1e-3


def test_hard_clips_are_those_persons_with_heads_that_move_three_times_as_far(tmp_path: Path) -> None:
    for hardness in ("plain", "hard"):
        draw_dataset(tmp_path / hardness, subjects=1, clips=1, seed=5, jobs=1, difficulty=hardness)
    plain, hard = (
        true_motion.load_motion(next((tmp_path / hardness).glob("truth/*/*.npz"))) for hardness in ("plain", "hard")
    )
    assert np.allclose(hard.head[:, :2], 0.8 / 0.25 * plain.head[:, :2])
    assert np.allclose(hard.head[:, 2], 0.2 / 0.06 * plain.head[:, 2])
    assert np.array_equal(hard.weights, plain.weights)
    assert not plain.head[:, 3:].any()
    assert not hard.head[:, 3:].any()


def test_hardest_clips_are_those_heads_that_turn_and_nod_too(tmp_path: Path) -> None:
    for hardness in ("hard", "hardest"):
        write_dataset(tmp_path / hardness, 1, 8, seed=5, size=SIZE, raw=False, difficulty=DIFFICULTIES[hardness])
    hard, hardest = (
        [true_motion.load_motion(file) for file in sorted((tmp_path / hardness).glob("truth/*/*.npz"))]
        for hardness in ("hard", "hardest")
    )
    turns = np.rad2deg(np.concatenate([motion.head[:, 3:] for motion in hardest]))
    assert np.sqrt(np.mean(turns**2)) == pytest.approx(0.5, rel=0.5)
    blinking = sum("45L" in motion.units for motion in hardest)
    assert 0 < blinking < 8
    assert not any("45L" in motion.units for motion in hard)
