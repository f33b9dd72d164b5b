"""Features of a user: valid tables and files, and the messages for invalid ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.folds.cross_validation import run_folds
from services.trainer.sources import samples_csv
from services.trainer.sources.map_pictures import decode_stretched
from services.trainer.sources.sample_files import arrange_channels
from shared.errors import BadData
from shared.training.options import resolve_options

HEADER = "dataset,subject,clip,label,aus,path"
Write = Callable[..., Path]


def gather(file: Path, model: str = "ststnet", **options: Any) -> EvaluationPlan:
    return samples_csv.load_plan_from_table(file, resolve_options("corrected", {"model": model, **options}, "cpu"))


def flow_map(seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (3, 28, 28)).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(header, **arrays)`: a table of two subjects with two clips each, an .npz a clip; the rows may be changed
    before they are written. Without arrays each file holds `maps`. Given maps are a little larger from clip to clip."""

    def make(header: str = HEADER, change: Callable[[list[str]], list[str]] = list, **arrays: np.ndarray) -> Path:
        rows = []
        for number, label in enumerate(["Happiness", "surprise"] * 2):
            name = f"maps/c{number}.npz"
            (tmp_path / "maps").mkdir(exist_ok=True)
            given = {
                key: array * np.float32(1 + number / 64) if array.dtype == np.float32 else array
                for key, array in arrays.items()
            }
            np.savez(tmp_path / name, **(given or {"maps": flow_map(number)}), different=np.array(number))
            rows.append(f"lab,s{number // 2},c{number},{label},{'12+6' if number % 2 == 0 else ''},{name}")
        (tmp_path / "samples.csv").write_text("\n".join([header, *change(rows)]) + "\n")
        return tmp_path / "samples.csv"

    return make


def test_a_table_of_maps_becomes_features_that_a_map_network_is_trained_on(write: Write, tmp_path: Path) -> None:
    evaluation = gather(write(), epochs=1)
    features = evaluation.features
    assert features.array_names == ("maps",)
    assert features.arrays["maps"].shape == (4, 1, 3, 28, 28)
    assert np.array_equal(features.arrays["maps"][2, 0], flow_map(2))
    assert features.classes == ("happiness", "surprise")
    assert features.names.tolist() == ["lab/s0/c0", "lab/s0/c1", "lab/s1/c2", "lab/s1/c3"]
    assert features.au_targets([12])[:, 0].tolist() == [1, 0, 1, 0]
    settings = resolve_options("corrected", {"model": "ststnet", "epochs": 1}, "cpu").settings
    outcomes = run_folds(features, settings, evaluation.folds, tmp_path)
    assert [outcome.names for outcome in outcomes] == [["lab/s0/c0", "lab/s0/c1"], ["lab/s1/c2", "lab/s1/c3"]]


def test_u_v_and_strain_are_a_map_and_factors_lead(write: Write) -> None:
    parts = dict(zip(("u", "v", "strain"), flow_map(0), strict=True))
    assert np.array_equal(gather(write(**parts)).features.arrays["maps"][0, 0], flow_map(0))
    both = np.stack([flow_map(0), flow_map(1)])
    parts = dict(zip(("u", "v", "strain"), both.swapaxes(0, 1), strict=True))
    features = gather(write(**parts, factors=np.array([1.2, 2.0]))).features
    assert np.array_equal(features.arrays["maps"][0], both)
    assert features.factors.tolist() == [1.2, 2.0]


def test_patches_alone_suffice_for_linear_with_maps_for_fmer_lite_with_a_clip_for_fmer(write: Write) -> None:
    patches = np.zeros((9, 2, 30, 7, 7))
    assert gather(write(patches=patches), "linear").features.array_names == ("patches",)
    for model, wanted in [("fmer-lite", "patches and maps"), ("fmer", "patches and clip")]:
        with pytest.raises(BadData, match=rf"samples\.csv: expected {wanted} .*'{model}', got patches\..*linear\."):
            gather(write(patches=patches), model)
    with pytest.raises(BadData, match=r"expected maps .*'ststnet', got patches"):
        gather(write(patches=patches), "ststnet")
    frames = gather(write(patches=patches, clip=np.zeros((16, 144, 144, 3), np.uint8)), "fmer")
    assert frames.features.array_names == ("patches", "clip")
    for maps in ({"maps": flow_map(0)}, dict(zip(("u", "v", "strain"), flow_map(0), strict=True))):
        whole = gather(write(patches=patches, **maps), "fmer-lite").features
        assert whole.array_names == ("patches", "maps")
        assert np.array_equal(whole.arrays["maps"][0, 0], flow_map(0))


@pytest.mark.parametrize("depth", ["", "min-max", "centred"])
def test_pictures_of_both_orders_hold_the_same_map(tmp_path: Path, depth: str) -> None:
    pixels = np.random.default_rng(0).integers(1, 250, (28, 28, 3), np.uint8)
    lines = ["dataset;subject;clip;label;path;order;depth"]
    for number, order in enumerate(["", "rgb", "bgr", "grb"]):
        given = pixels + np.uint8(number)
        stored = given[..., [(order or "rgb").index(colour) for colour in "rgb"]]
        Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"{number}.png")
        lines.append(f"lab;s{number};c;{'ab'[number % 2]};{number}.png;{order};{depth}")
    (tmp_path / "samples.csv").write_text("\n".join(lines))
    maps = gather(tmp_path / "samples.csv").features.arrays["maps"]
    for found, number in zip(maps[:, 0], range(4), strict=True):
        u, v, strain = (pixels + np.uint8(number)).transpose(2, 0, 1).astype(np.float64)
        if depth == "centred":
            expected = [(u - 128) / 127, (v - 128) / 127, strain / 255]
        else:
            expected = [(u - np.median(u)) / 127.5, (v - np.median(v)) / 127.5, strain / 255]
        np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_decoding_by_hand() -> None:
    pixels = np.zeros((28, 28, 3), np.uint8)
    pixels[...] = (51, 128, 100)  # red, green, blue
    pixels[0, 0] = (102, 255, 227)
    channels = pixels.transpose(2, 0, 1)
    u, v, strain = decode_stretched(arrange_channels(channels, "bgr"), "centred")
    assert (u[1, 1], v[1, 1], strain[1, 1]) == pytest.approx((-28 / 127, 0, 51 / 255))
    u, v, strain = decode_stretched(arrange_channels(channels, "bgr"), "min-max")
    assert (u[0, 0], v[0, 0], strain[0, 0]) == pytest.approx((127 / 127.5, 127 / 127.5, 102 / 255))
    assert (u[1, 1], v[1, 1]) == (0, 0)
    assert decode_stretched(channels, "min-max")[0, 0, 0] == pytest.approx(51 / 127.5)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("dataset,subject,clip,label,path", None),
        ("dataset,subject,clip,label,aus", r"samples\.csv row 1: expected the columns .* Add path\."),
        (HEADER + ",emotion", r"row 1: .* Rename or remove 'emotion'\."),
        (
            HEADER + ",aus",
            r"row 1: expected the column 'aus' once, .* \(columns E and G\), with '12\+6' and '' in row 2",
        ),
    ],
)
def test_columns(write: Write, header: str, message: str | None) -> None:
    columns = header.split(",")
    column_index = {name: HEADER.split(",").index(name) for name in columns if name in HEADER.split(",")}
    file = write(header, lambda rows: [",".join(row.split(",")[column_index[n]] for n in column_index) for row in rows])
    if message is None:
        assert not gather(file).features.aus.any()
        return
    with pytest.raises(BadData, match=message):
        gather(file)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("lab,s0,c1,,,maps/c1.npz", r"samples\.csv row 3: expected a label, got an empty cell"),
        ("lab,s0,c1,surprise,,", "row 3: expected a path, got an empty cell"),
        ("lab,s0,c1,nan,,maps/c1.npz", "row 3: expected a label, got 'nan', which tables write for a missing value"),
        ("lab,NULL,c1,surprise,,maps/c1.npz", "row 3: expected a subject, got 'NULL', which tables write for"),
        (
            "lab,s0,c0,surprise,,maps/c1.npz",
            "row 3: expected each clip once, got lab/s0/c0 again after samples",
        ),
        ("lab,s0,c1,surprise,x7,maps/c1.npz", "row 3: expected action units such as .*, got 'x7'"),
        ("lab,s0,c1,surprise,,maps/c9.npz", r"row 3: .*c9\.npz: expected the clip's file, got No such file"),
        ("lab,s0,c1,surprise,,maps/c1.mat", r"row 3: .*c1\.mat: expected the clip's file"),
        ("lab,s0,c1,surprise,,maps/c1.npz,more", "row 3: expected 6 cells, got 7"),
        ("lab,s1,c1,surprise,,maps/c0.npz", "lab/s0/c0 and lab/s1/c1 have the same content"),
    ],
)
def test_a_row_that_does_not_fit_is_named(write: Write, row: str, message: str) -> None:
    file = write(change=lambda rows: [rows[0], row, *rows[2:]])
    with pytest.raises(BadData, match=message):
        gather(file)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"maps": np.full((3, 28, 28), np.nan)}, "expected finite numbers in maps, got 2352 that are NaN"),
        ({"maps": np.full((3, 28, 28), 1e300)}, "expected finite numbers in maps, got 2352"),
        ({"maps": np.zeros((28, 28, 3))}, r"expected maps of shape \(3, 28, 28\) .*, got \(28, 28, 3\) of float64"),
        ({"maps": np.zeros((3, 28, 28)), "factors": np.ones(2)}, r"expected maps of shape \(2, 3, 28, 28\) holding"),
        ({"maps": np.zeros((3, 28, 28), "U1")}, "expected maps .* holding numbers, got .* of <U1"),
        ({"maps": np.zeros((3, 28, 28)), "factors": np.array(2.0)}, "expected factors as a row of finite numbers"),
        ({"u": np.zeros((28, 28))}, r"expected u, v and strain, or maps, or patches, got different, u\. Give"),
        (
            {name: np.zeros((size, 28)) for name, size in (("u", 28), ("v", 28), ("strain", 27))},
            "expected u, v and strain of one shape",
        ),
        ({"maps": np.zeros((3, 28, 28)), "clip": np.zeros((16, 144, 144, 3))}, "expected clip .* holding bytes"),
    ],
)
def test_a_file_that_does_not_fit_is_named(write: Write, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(BadData, match=rf"samples\.csv row 2: .*c0\.npz: {message}"):
        gather(write(**arrays))


def test_files_that_hold_something_else(write: Write, tmp_path: Path) -> None:
    file = write()
    (tmp_path / "maps/c3.npz").write_bytes(b"no archive")
    with pytest.raises(BadData, match=r"row 5: .*c3\.npz is no \.npz of plain arrays"):
        gather(file)
    file = write()
    np.savez(tmp_path / "maps/c3.npz", patches=np.zeros((9, 2, 30, 7, 7)))
    with pytest.raises(BadData, match=r"row 5: .*: expected maps, as samples\.csv row 2 has, got patches"):
        gather(file)
    np.savez(tmp_path / "maps/c3.npz", maps=np.zeros((1, 3, 28, 28)), factors=np.array([2.0]))
    with pytest.raises(BadData, match=r"row 5: .*: expected the factors \[1\.0\] of samples\.csv row 2, got \[2\.0\]"):
        gather(file)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.new("L", (28, 28)), "got 28x28 px in mode L"),
        (Image.new("RGB", (64, 28)), "got 64x28 px in mode RGB"),
        (None, "expected a PNG, got bytes that are none"),
    ],
)
def test_pictures_that_do_not_fit(tmp_path: Path, picture: Image.Image | None, message: str) -> None:
    if picture is None:
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    else:
        picture.save(tmp_path / "a.png")
    (tmp_path / "samples.csv").write_text(f"{HEADER}\nlab,s0,c0,a,,a.png\n")
    with pytest.raises(BadData, match=rf"samples\.csv row 2: .*a\.png: .*{message}"):
        gather(tmp_path / "samples.csv")


def test_other_kinds_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0")
    (tmp_path / "samples.csv").write_text(f"{HEADER}\nlab,s0,c0,a,,a.mat\n")
    with pytest.raises(BadData, match=r"row 2: .*a\.mat: expected a \.png or \.npz file, got \.mat\. Convert it"):
        gather(tmp_path / "samples.csv")


def test_tables_that_hold_nothing(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    with pytest.raises(BadData, match="expected a table, got No such file or directory"):
        gather(file)
    file.write_text("")
    with pytest.raises(BadData, match=r"row 1: expected the columns .*, got an empty file"):
        gather(file)
    file.write_text(HEADER + "\n , ,\n")
    with pytest.raises(BadData, match="expected a row for each clip, got none"):
        gather(file)
    file.write_bytes(b"dataset,subject\xff")
    with pytest.raises(BadData, match="expected UTF-8 text, got invalid start byte at byte 15"):
        gather(file)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (("12+6", "12,6"), "7 cells for 6 columns: the units without quotation marks read as 12+6"),
        (("s0,c0", "'s0,c0"), "with Excel's mark of text, \"'s0\" read as 's0'"),
        (("Happiness", "happi\u200bness"), "label (column D): U+200B, which nobody sees, left out of 'happiness'"),
        (("maps/c0.npz", "Maps/C0.npz"), "the path 'Maps/C0.npz' was read as 'maps/c0.npz'"),
    ],
)
def test_rows_as_people_write_them(write: Write, change: tuple[str, str], note: str) -> None:
    plan = gather(write(change=lambda rows: [rows[0].replace(*change), *rows[1:]]))
    features = plan.features
    assert features.names.tolist() == ["lab/s0/c0", "lab/s0/c1", "lab/s1/c2", "lab/s1/c3"]
    assert features.classes == ("happiness", "surprise")
    assert features.aus[0].tolist() == features.aus[2].tolist()
    assert features.au_targets([12])[:, 0].tolist() == [1, 0, 1, 0]
    (told,) = [each for each in plan.notes if each.startswith("samples.csv row 2: ")]
    assert note in told


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_clean_table_in_other_dress_is_read_without_a_note(write: Write, encoding: str) -> None:
    file = write(f"Unnamed: 0,{HEADER}", lambda rows: [f"{number},{row}" for number, row in enumerate(rows)])
    file.write_bytes(file.read_text().replace(",", "\t").encode(encoding))
    plan = gather(file)
    assert plan.features.names.tolist() == ["lab/s0/c0", "lab/s0/c1", "lab/s1/c2", "lab/s1/c3"]
    assert not [note for note in plan.notes if "samples.csv" in note]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Happiness", "#N/A"), r"row 2: expected a value in label \(column D\), got the spreadsheet's error #N/A"),
        (("Happiness", "12"), "row 2: expected a word in label, as in the other rows, got '12'"),
        (("12+6", "no 12"), "row 2: expected action units such as .*, got 'no 12'"),
        (("s0,c0", "MÃ¼,c0"), "row 2: expected readable text in subject .*, which is 'Mü' in a wrong encoding"),
    ],
)
def test_rows_that_may_mean_something_else(write: Write, change: tuple[str, str], message: str) -> None:
    with pytest.raises(BadData, match=message):
        gather(write(change=lambda rows: [rows[0].replace(*change), *rows[1:]]))


def test_a_label_nearly_equal_to_another_is_told(write: Write) -> None:
    plan = gather(write(change=lambda rows: [rows[0].replace("Happiness", "Happy"), *rows[1:]]))
    assert plan.features.classes == ("happiness", "happy", "surprise")
    told = "the label 'happy' (1x) is a class of its own beside 'happiness' (1x); correct it if they are the same"
    assert told in plan.notes
