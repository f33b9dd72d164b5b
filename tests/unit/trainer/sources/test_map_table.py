"""Tables of drawn maps in wrong orders, units and files: the same figures where understood, else the row is named."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import merstream
from benchmarks.drawn_maps import EXPRESSIONS, draw_maps, stretch_maps
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.learners.augmentation import mirror_maps
from services.trainer.sources.samples_csv import load_plan_from_table
from shared.errors import BadData
from shared.training.options import resolve_options

LABELS = list(EXPRESSIONS) * 8
MAPS = draw_maps(LABELS, np.random.default_rng(7)).astype(np.float32)
BYTES = stretch_maps(MAPS)
Change = Callable[[int, np.ndarray], Any]


def png_bytes(channels: np.ndarray, order: str = "rgb") -> bytes:
    """A PNG of u, v and strain [3,28,28], which lie in the colours that `order` names."""
    file = io.BytesIO()
    colours = np.stack([channels[order.index(colour)] for colour in "rgb"], -1)
    Image.fromarray(np.ascontiguousarray(colours)).save(file, "PNG")
    return file.getvalue()


def npz_bytes(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def write_table(
    folder: Path,
    make: Callable[[int], bytes],
    suffix: str = ".png",
    columns: Callable[[int], Mapping[str, str]] = lambda row: {},
    datasets: int = 1,
) -> Path:
    """A table of four persons; `make(row)` gives the bytes of a file, `columns(row)` the optional cells."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["dataset,subject,clip,label,path,order,depth,check"]
    for row, label in enumerate(LABELS):
        (folder / f"{row}{suffix}").write_bytes(make(row))
        more = columns(row)
        cells = [more.get(name, "") for name in ("order", "depth", "check")]
        lines.append(",".join([f"lab{row % datasets}", f"s{row // 6}", f"c{row:02}", label, f"{row}{suffix}", *cells]))
    (folder / "samples.csv").write_text("\n".join(lines))
    return folder / "samples.csv"


def load(table: Path) -> EvaluationPlan:
    return load_plan_from_table(table, resolve_options("corrected", {"model": "linear"}, "cpu"))


def read_maps(table: Path) -> np.ndarray:
    return load(table).features.arrays["maps"][:, 0]


def test_figures_are_the_same_in_every_order_that_is_stated(tmp_path: Path) -> None:
    figures = []
    for name, make, suffix, columns in (
        ("rgb", lambda row: png_bytes(BYTES[row]), ".png", {}),
        ("bgr", lambda row: png_bytes(BYTES[row], "bgr"), ".png", {"order": "bgr"}),
        ("brg", lambda row: png_bytes(BYTES[row], "brg"), ".png", {"order": "brg"}),
        ("bytes", lambda row: npz_bytes(maps=BYTES[row]), ".npz", {"depth": "min-max"}),
        ("permuted", lambda row: npz_bytes(maps=BYTES[row][[2, 0, 1]]), ".npz", {"depth": "min-max", "order": "gbr"}),
    ):
        table = write_table(tmp_path / name, make, suffix, lambda row, columns=columns: columns)
        u, v, strain = read_maps(table).transpose(1, 0, 2, 3)
        for channel, truth in ((u, MAPS[:, 0]), (v, MAPS[:, 1]), (strain, MAPS[:, 2])):
            assert np.corrcoef(channel[5].ravel(), truth[5].ravel())[0, 1] > 0.999
        report = merstream.evaluate(table, model="linear", out=tmp_path / name / "out")
        figures.append((report.result.uf1, report.result.uar))
    assert len(set(figures)) == 1
    assert figures[0][0] > 0.6


def test_px_are_used_as_they_are_and_a_report_has_no_remark(tmp_path: Path) -> None:
    named = write_table(
        tmp_path / "named",
        lambda row: npz_bytes(**dict(zip(("u", "v", "strain"), MAPS[row], strict=True))),
        ".npz",
    )
    plan = load(named)
    assert np.array_equal(plan.features.arrays["maps"][:, 0], MAPS)
    assert plan.notes == ()
    assert load(write_table(tmp_path / "png", lambda row: png_bytes(BYTES[row]))).notes == ()


def test_a_mirrored_picture_is_the_mirror_image_of_its_map(tmp_path: Path) -> None:
    """Of OpenCV's file too: u is the channel that changes its sign."""
    import torch

    def write_with_opencv(row: int) -> bytes:
        return cv2.imencode(".png", BYTES[row].transpose(1, 2, 0))[1].tobytes()

    turned = BYTES[..., ::-1].copy()
    turned[:, 0] = 255 - turned[:, 0]
    maps = read_maps(write_table(tmp_path / "a", write_with_opencv, columns=lambda row: {"order": "bgr"}))
    mirrored = read_maps(write_table(tmp_path / "b", lambda row: png_bytes(turned[row])))
    np.testing.assert_allclose(mirror_maps(torch.from_numpy(maps)).numpy(), mirrored, atol=1e-6)


@pytest.mark.parametrize("order", ["rbg", "grb", "gbr", "brg", "bgr"])
def test_another_order_than_stated_is_refused_and_named(tmp_path: Path, order: str) -> None:
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row], order))
    with pytest.raises(BadData, match=rf"row 2: .*order rgb, got 24 maps of lab0 .*State order {order}, or"):
        load(table)
    assert load(write_table(tmp_path, lambda row: png_bytes(BYTES[row], order), columns=lambda row: {"order": order}))


def test_check_off_takes_odd_maps_as_they_are_stated_and_says_so(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row], "bgr"), columns=lambda row: {"check": "off"})
    plan = load(table)
    assert np.array_equal(plan.features.arrays["maps"][3, 0, 2], (BYTES[3, 0] / 255).astype(np.float32))
    assert plan.notes == ("24 of 24 maps state check off, so their order and unit were not measured.",)
    assert plan.report_fields["faults"][0] == plan.notes[0]


def test_an_order_that_is_stated_wrongly_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row]), columns=lambda row: {"order": "bgr"})
    with pytest.raises(BadData, match=r"order bgr, got 24 maps .* State order rgb, or"):
        load(table)


def test_arrays_in_another_order_or_on_their_side_are_refused(tmp_path: Path) -> None:
    for order, letters in (([2, 1, 0], "bgr"), ([1, 0, 2], "grb"), ([2, 0, 1], "gbr")):
        table = write_table(tmp_path, lambda row, order=order: npz_bytes(maps=MAPS[row][order]), ".npz")
        with pytest.raises(BadData, match=f"State order {letters}, or"):
            load(table)
        table = write_table(
            tmp_path,
            lambda row, order=order: npz_bytes(maps=MAPS[row][order]),
            ".npz",
            lambda row, letters=letters: {"order": letters},
        )
        assert np.array_equal(read_maps(table), MAPS)
    table = write_table(tmp_path, lambda row: npz_bytes(maps=MAPS[row].swapaxes(1, 2)), ".npz")
    with pytest.raises(BadData, match=r"on its side.*Exchange rows and columns"):
        load(table)
    named = dict(zip(("u", "v", "strain"), MAPS[0], strict=True))
    table = write_table(tmp_path, lambda row: npz_bytes(**named), ".npz", lambda row: {"order": "bgr"})
    with pytest.raises(BadData, match=r"0\.npz: expected order rgb or none, .*got bgr"):
        load(table)


def test_rows_in_another_order_are_named(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row], "bgr" if row in (4, 9) else "rgb"))
    with pytest.raises(BadData, match=r"row 6: .*4\.png: .* got strain in channel 1: .*So in 2 of 24 rows"):
        load(table)


def test_one_dataset_in_another_order_is_named(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row], "rgb" if row % 3 else "grb"), datasets=3)
    with pytest.raises(BadData, match=r"row 2: .*got 8 maps of lab0 that look like v, u, strain.*State order grb"):
        load(table)


def change_row(row: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[int], bytes]:
    return lambda at: npz_bytes(maps=change(MAPS[at].copy()) if at == row else MAPS[at])


def put(value: float, cells: Any = np.s_[0, 3:5, 3:5]) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[cells] = value
        return values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(1e30), r"expected motion below 1000 px, got 4 values up to 1e\+30"),
        (put(1e9), r"got 4 values up to 1e\+09"),
        (put(-9999.0), "got 4 values up to 9999"),
        (put(666.0), r"4 cells with exactly 666"),
        (put(99.0), r"4 cells with exactly 99"),
        (put(0.0, np.s_[:]), "got u and v and strain with the value 0 in every cell"),
        (put(0.5, np.s_[1]), r"got v with the value 0\.5 in every cell"),
        (lambda values: values[[0, 0, 2]], "got u and v with the same values"),
        (lambda values: 100 * values, r"got motion up to \d+, where the median of 24 rows is"),
        (lambda values: values / 640, r"got motion up to 0\.00\d+, where the median"),
        (lambda values: values[[2, 1, 0]], r"expected strain above zero.*Write u, v and strain in this order"),
        (lambda values: values * np.float32([[[1]], [[1]], [[-1]]]), r"expected strain above zero.*1 of 24 rows"),
        (lambda values: stretch_maps(values).astype(float), r"fill 0\.\.255 exactly, as in 1 of 24 rows"),
        (lambda values: stretch_maps(values) / 255, r"fill 0\.\.1 exactly"),
        (put(np.nan), "expected finite numbers in maps, got 4"),
    ],
)
def test_a_row_that_holds_no_flow_or_another_unit_is_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(BadData, match=rf"samples\.csv row 13: .*11\.npz: {message}|row 13: .*{message}"):
        load(write_table(tmp_path, change_row(11, change), ".npz"))


def test_two_units_in_one_table_are_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: npz_bytes(maps=MAPS[row] / (30 if row % 3 == 1 else 1)), ".npz")
    with pytest.raises(BadData, match=r"row 3: .*expected one unit in the table, .*8 rows differ so"):
        load(table)
    normed = MAPS / np.abs(MAPS[:, :2]).max((1, 2, 3), keepdims=True)
    table = write_table(tmp_path, lambda row: npz_bytes(maps=normed[row] if row > 19 else MAPS[row]), ".npz")
    with pytest.raises(BadData, match=r"row 22: .*got 4 of 24 rows with exactly the amplitude 1"):
        load(table)
    assert load(write_table(tmp_path, lambda row: npz_bytes(maps=normed[row]), ".npz")).notes == ()


def test_clean_px_of_other_programs_are_not_refused(tmp_path: Path) -> None:
    """Flow cut off at a limit, in half floats, of faces of two sizes, and strain that an interpolation overshot."""
    made = {
        "cut": np.clip(MAPS, -0.5, 0.5),
        "halves": MAPS.astype(np.float16),
        "sizes": MAPS * np.float32(2.5) ** (np.arange(24) % 2)[:, None, None, None],
        "overshot": MAPS - np.float32([[[0]], [[0]], [[0.005]]]),
        "scaled": MAPS * np.float32([[[3]], [[3]], [[0.1]]]),
    }
    for name, maps in made.items():
        plan = load(write_table(tmp_path / name, lambda row, maps=maps: npz_bytes(maps=maps[row]), ".npz"))
        assert plan.notes == ()
        assert np.array_equal(plan.features.arrays["maps"][:, 0], maps.astype(np.float32))


def stretch_with_sentinel(maps: np.ndarray) -> np.ndarray:
    changed = maps.astype(np.float64)
    changed[11, 0, 3, 4] = 1e30
    return stretch_maps(changed)


def cut_to_bytes(maps: np.ndarray) -> np.ndarray:
    return np.round(maps * np.float32([[[10]], [[10]], [[200]]])).astype(int).astype(np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (stretch_with_sentinel, r"row 13: .*got 0, or a value 1 beside it, in all but 1 of 784 cells"),
        (cut_to_bytes, r"got values below 64 and above 191 alone"),
        (lambda maps: 255 - stretch_maps(maps), r"got rest at 0\.\d+ of its range in the mean of 24 maps"),
        (lambda maps: stretch_maps(maps * 1.0) ^ np.uint8([[[0]], [[0]], [[255]]]), r"expected strain, of which most"),
        (lambda maps: stretch_maps(np.sqrt(np.abs(maps)) ** 3), r"expected u and v with both signs"),
    ],
)
def test_pictures_that_lost_their_motion_or_its_sign_are_refused(tmp_path: Path, make: Any, message: str) -> None:
    pictures = make(MAPS)
    with pytest.raises(BadData, match=message):
        load(write_table(tmp_path, lambda row: png_bytes(pictures[row])))


def length_and_angle(maps: np.ndarray) -> np.ndarray:
    u, v, strain = maps.swapaxes(0, 1)
    return np.stack([np.hypot(u, v), np.arctan2(v, u) % (2 * np.pi), strain], 1)


def stretch_and_blur(maps: np.ndarray) -> np.ndarray:
    return np.array([[cv2.blur(channel, (3, 3)) for channel in each] for each in stretch_maps(maps).astype(np.float32)])


@pytest.mark.parametrize("make", [length_and_angle, lambda maps: (maps - maps.min()) / np.ptp(maps), stretch_and_blur])
def test_numbers_that_are_not_px_but_never_negative_are_refused(tmp_path: Path, make: Any) -> None:
    numbers = make(MAPS)
    with pytest.raises(BadData, match=r"expected px, with motion to all sides, got u and v of 0 or more .* 24 rows"):
        load(write_table(tmp_path, lambda row: npz_bytes(maps=numbers[row]), ".npz"))


def test_pictures_of_motion_in_a_few_cells_are_not_refused(tmp_path: Path) -> None:
    limit = np.quantile(np.abs(MAPS), 0.95, axis=(2, 3), keepdims=True)
    pictures = stretch_maps(np.where(np.abs(MAPS) > limit, MAPS, 0.0))
    plan = load(write_table(tmp_path, lambda row: png_bytes(pictures[row])))
    assert len(plan.features.emotions) == 24


@pytest.mark.parametrize("over", [(2, 3), (0, 2, 3)])
def test_standardised_maps_are_used_as_they_are(tmp_path: Path, over: tuple[int, ...]) -> None:
    maps = (MAPS - MAPS.mean(over, keepdims=True)) / MAPS.std(over, keepdims=True)
    plan = load(write_table(tmp_path, lambda row: npz_bytes(maps=maps[row]), ".npz"))
    assert plan.notes == ("Strain is below zero in all 24 maps. It is used as it is, as of standardised maps.",)
    assert np.array_equal(plan.features.arrays["maps"][:, 0], maps)


def test_files_of_two_kinds_are_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: npz_bytes(maps=BYTES[row]), ".npz", lambda row: {"depth": "min-max"})
    lines = table.read_text().splitlines()
    lines[5] = lines[5].replace("min-max", "")
    table.write_text("\n".join(lines))
    with pytest.raises(BadData, match=r"row 6: .*got px in 1 rows and min-max in 23"):
        load(table)
    centred = np.clip(np.round(128 + 20 * MAPS), 0, 255).astype(np.uint8)
    centred[:, 2] = np.clip(np.round(400 * MAPS[:, 2]), 0, 255)
    table = write_table(tmp_path, lambda row: png_bytes(centred[row] if row == 8 else BYTES[row]))
    with pytest.raises(BadData, match=r"row 10: .*expected u and v stretched to 0\.\.255, as in 23 of 24 rows"):
        load(table)
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row]), columns=lambda row: {"depth": "centred"})
    with pytest.raises(BadData, match=r"row 2: .*They were stretched: state depth min-max"):
        load(table)
    table = write_table(tmp_path, lambda row: png_bytes(centred[row]), columns=lambda row: {"depth": "centred"})
    np.testing.assert_allclose(read_maps(table)[:, :2], 20 * MAPS[:, :2] / 127, atol=0.6 / 127)


def test_a_copy_that_was_saved_again_is_found_across_persons(tmp_path: Path) -> None:
    table = write_table(
        tmp_path, lambda row: npz_bytes(maps=MAPS[0 if row == 20 else row], again=np.array(row)), ".npz"
    )
    with pytest.raises(BadData, match="lab0/s0/c00 and lab0/s3/c20 have the same content"):
        load(table)


def test_colour_pictures_of_a_flow_are_refused(tmp_path: Path) -> None:
    def draw_wheel(row: int) -> bytes:
        size, angle = cv2.cartToPolar(MAPS[row, 0], MAPS[row, 1], angleInDegrees=True)
        hsv = np.stack([angle, np.clip(size / size.max(), 0, 1), np.ones_like(size)], -1).astype(np.float32)
        return png_bytes(np.round(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8).transpose(2, 0, 1))

    with pytest.raises(BadData, match=r"row 2: .*all rest at one end of their range, 0\.8"):
        load(write_table(tmp_path, draw_wheel))


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda picture, file: picture.save(file, "JPEG"), "expected a PNG, got a JPEG"),
        (lambda picture, file: picture.convert("RGBA").save(file, "PNG"), r"mode RGBA \(with transparency\)"),
        (lambda picture, file: picture.quantize(64).save(file, "PNG"), r"mode P \(with a palette\)"),
        (lambda picture, file: picture.convert("L").save(file, "PNG"), r"mode L \(grey\)"),
        (lambda picture, file: picture.convert("L").convert("RGB").save(file, "PNG"), "u and v with the same values"),
        (
            lambda picture, file: file.write(
                cv2.imencode(".png", np.asarray(picture)[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
            ),
            r"in mode RGB \(16-bit\)",
        ),
    ],
)
def test_pictures_of_another_kind_are_named(tmp_path: Path, save: Any, message: str) -> None:
    def make(row: int) -> bytes:
        file = io.BytesIO()
        picture = Image.fromarray(BYTES[row].transpose(1, 2, 0).copy())
        save(picture, file) if row == 2 else picture.save(file, "PNG")
        return file.getvalue()

    with pytest.raises(BadData, match=rf"samples\.csv row 4: .*2\.png: .*{message}"):
        load(write_table(tmp_path, make))


def test_few_maps_are_read_as_stated_and_the_report_says_so(tmp_path: Path) -> None:
    table = write_table(tmp_path, lambda row: png_bytes(BYTES[row]))
    table.write_text("\n".join(table.read_text().splitlines()[:3]))
    (note,) = load(table).notes
    assert note.startswith("The channels of 2 maps are read with order rgb.")
