import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import BadData
from shared.store.npz import ArrayFile, pack_arrays, require_finite, unpack_arrays


@given(hnp.arrays(st.sampled_from(["u1", "i8", "f2", "f4", "f8", "U5", "?"]), hnp.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back_as_they_went(array: np.ndarray) -> None:
    back = unpack_arrays(pack_arrays({"a": array}))["a"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


def test_equal_arrays_are_equal_bytes_whatever_the_order() -> None:
    one, two = np.arange(3), np.ones((2, 2))
    assert pack_arrays({"one": one, "two": two}) == pack_arrays({"two": two.copy(order="F"), "one": one})


def test_an_artifact_opens_with_plain_numpy() -> None:
    with np.load(io.BytesIO(pack_arrays({"flows": np.float16([1.5])})), allow_pickle=False) as archive:
        assert archive["flows"].tolist() == [1.5]


def test_objects_are_refused_on_both_sides() -> None:
    with pytest.raises(BadData, match="'o' holds Python objects"):
        pack_arrays({"o": np.array([{}], dtype=object)})
    pickled = io.BytesIO()
    np.savez(pickled, o=np.array([{}], dtype=object))
    with pytest.raises(BadData, match=r"flow of clip 7 is no \.npz of plain arrays"):
        unpack_arrays(pickled.getvalue(), "flow of clip 7")


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 cut", b"\x93NUMPY\x01\x00", pack_arrays({"a": np.arange(100)})[:200]]
)
def test_bytes_that_are_no_artifact_are_named(data: bytes) -> None:
    with pytest.raises(BadData, match="clip 7"):
        unpack_arrays(data, "clip 7")


def test_not_finite_names_array_count_and_place() -> None:
    flows = np.zeros((2, 3), np.float16)
    flows[1, 2] = np.inf
    with pytest.raises(BadData, match=r"clip 7: array 'flows' \(2, 3\) has 1 values .* first at \(1, 2\)"):
        require_finite({"frames": np.zeros(2, np.uint8), "flows": flows}, "clip 7")


def with_header(header: str, version: int = 1) -> bytes:
    """An .npz whose only array has this header and 8 bytes."""
    text = header.encode() + b"\n"
    data = b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text + bytes(8)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", data)
    return packed.getvalue()


def with_text() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", b"no array")
    return packed.getvalue()


def single() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(3))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,)}"),
        with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (2147483648, 2147483648, 2147483648)}"),
        with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}"),
        with_header("{'descr': 'zzz', 'fortran_order': False, 'shape': (1,)}"),
        with_header("{'descr': '|u1', 'fortran_order': False, 'shape': ('x',)}"),
        with_header("(" * 500),
        with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (8,)}", 9),
        with_text(),
        single(),
    ],
)
def test_a_header_that_lies_takes_no_memory_and_is_named(data: bytes) -> None:
    with pytest.raises(BadData, match=r"clip 7 is no \.npz of plain arrays"):
        unpack_arrays(data, "clip 7")


@given(
    hnp.arrays(st.sampled_from(["u1", "f4", "U5"]), hnp.array_shapes(min_dims=1, min_side=0)),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
)
def test_rows_are_those_of_the_whole_array(array: np.ndarray, start: int, stop: int | None) -> None:
    opened = ArrayFile(io.BytesIO(pack_arrays({"a": array, "fps": np.array(200.0)})))
    np.testing.assert_array_equal(opened["a"], array)
    assert ("a" in opened, "b" in opened, len(opened)) == (True, False, 2)
    assert opened.shapes == {"a": array.shape, "fps": ()}
    np.testing.assert_array_equal(opened.read_rows("a", start, stop), array[start:stop])
    assert opened.read_rows("fps").item() == 200.0


def test_a_file_whose_arrays_cannot_be_read_in_parts_is_refused() -> None:
    turned, pickled = io.BytesIO(), io.BytesIO()
    np.savez(turned, a=np.asfortranarray(np.ones((2, 3))))
    np.savez(pickled, a=np.array([{}], dtype=object))
    for file in (turned, pickled, io.BytesIO(b"PK"), io.BytesIO(pack_arrays({"a": np.ones(9)})[:-40])):
        with pytest.raises(BadData, match=r"flow of clip 7 is no \.npz of plain arrays"):
            ArrayFile(file, "flow of clip 7")
    with pytest.raises(BadData, match="expected an array 'b', got a"):
        ArrayFile(io.BytesIO(pack_arrays({"a": np.ones(9)}))).read_rows("b")


def test_a_damaged_array_is_refused_where_it_is_read() -> None:
    data = bytearray(pack_arrays({"a": np.ones(9000)}))
    data[30_000] ^= 255
    with pytest.raises(BadData, match="array 'a' is damaged"):
        ArrayFile(io.BytesIO(data)).read_rows("a")
