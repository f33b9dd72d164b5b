"""Which number of a name is the frame's: names as tools write them, and any constants around a counter."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.catalogue.frame_names import NameReading, most_common_counters, read_frame_names

Name = Callable[[int], str]
NUMBERS = range(1, 41)


def read(name: Name, numbers: Sequence[int] = NUMBERS, fps: float | None = 200.0) -> NameReading:
    return read_frame_names([name(number) for number in numbers], fps=fps)


def plain(reading: NameReading) -> dict[int, list[str]]:
    assert reading.fault == ""
    return {number: list(names) for number, names in sorted(reading.numbers.items())}


COUNTED: dict[str, Name] = {
    "unpadded": lambda n: f"img{n}.jpg",
    "upper": lambda n: f"IMG_{n:04}.JPG",
    "OpenFace": lambda n: f"frame_det_00_{n:06}.jpg",
    "size last": lambda n: f"frame_{n:04}_224x224.jpg",
    "size that varies": lambda n: f"frame_{n:04}_224x{220 + n % 3}.jpg",
    "rate last": lambda n: f"frame{n:03}_200fps.jpg",
    "version last": lambda n: f"{n:04}_aligned_v2.jpg",
    "time last": lambda n: f"frame{n:03}_t{n * 5:04}ms.jpg",
    "time first": lambda n: f"{n * 0.005:.3f}s_frame{n}.jpg",
    "total last": lambda n: f"img_{n:03}_of_040.jpg",
    "score last": lambda n: f"img{n:03}_score{(n * 7) % 10}.jpg",
    "score without a repeat": lambda n: f"img{n:03}_score{(n * 37) % 101}.jpg",
    "confidence last": lambda n: f"img{n:03}_0.{(n * 37) % 97:02}.jpg",
    "s and a digit": lambda n: f"img{n:03}_s{n % 7}.jpg",
    "clip last": lambda n: f"{n:03}_EP02_01f.jpg",
    "copies of the file manager": lambda n: f"img ({n}).jpg",
    "two suffixes": lambda n: f"img{n}.jpg.png",
    "date first": lambda n: f"camera_20240101_{120000 + n // 20}_{n:04}.jpg",
    "date, time in milliseconds, number": lambda n: f"acA1300__22334455__20240101_{120000000 + 5 * n}_{n:04}.tiff",
    "milliseconds since 1970 first": lambda n: f"{1704067200000 + 5 * n}_{n:04}.png",
    "the number twice": lambda n: f"{n:03}_face_{n}.jpg",
    "clock last": lambda n: f"img_{n}_{20240101120000000 + 33 * n}.jpg",
    "renderer": lambda n: f"shot01.{n:04}.png",
    "renderer, whole number before the point": lambda n: f"shot 2.{n:04}.png",
    "label last": lambda n: f"img_{n}_{'happy' if n < 12 else 'sad'}.jpg",
    "two cameras in turn": lambda n: f"{'left' if n % 2 else 'right'}{n}.png",
    "SAMM": lambda n: f"006_{n:05}.jpg",
    "CASME": lambda n: f"EP07_1-{n}.jpg",
    "CASME, crops": lambda n: f"reg_EP07_1-{n:03}.jpg",
    "CASME II": lambda n: f"reg_img{n}.jpg",
    "SMIC": lambda n: f"reg_image{n:06}.bmp",
    "4DME": lambda n: f"Frame_{n:09}.jpg",
    "DFME": lambda n: f"{n:05}.png",
}


@pytest.mark.parametrize("name", COUNTED.values(), ids=COUNTED)
def test_the_number_that_counts_is_the_frames(name: Name) -> None:
    assert plain(read(name)) == {number: [name(number)] for number in NUMBERS}


@pytest.mark.parametrize("name", [COUNTED[kind] for kind in ("SAMM", "CASME", "CASME, crops", "CASME II", "4DME")])
def test_published_names_give_no_notes(name: Name) -> None:
    reading = read(name, range(5562, 5582))
    assert (reading.notes, dict(reading.left_out)) == ((), {})
    assert list(plain(reading)) == list(range(5562, 5582))


REFUSED: dict[str, tuple[Name, str]] = {
    "pairs": (lambda n: f"flow_{n:03}_{n + 1:03}.jpg", "flow_040_041.jpg may be frame 40 or frame 41"),
    "rank and number": (lambda n: f"{n:03}_img{n + 45}.jpg", "040_img85.jpg may be frame 40 or frame 85"),
    "rank and every other": (lambda n: f"{n:03}_img{2 * n + 45}.jpg", "040_img125.jpg may be frame 40 or frame 125"),
    "time without a unit": (lambda n: f"img{n:03}_{n * 5:04}.jpg", "img040_0200.jpg may be frame 40 or frame 200"),
    "clips in one folder": (lambda n: f"clip{n // 20}_{n % 20:03}.jpg", "clip2_000.jpg may be frame 2 or frame 0"),
    "faces in one folder": (
        lambda n: f"det_{n % 2:02}_{n // 2:06}.jpg",
        "det_01_000019.jpg may be frame 1 or frame 19",
    ),
    "hexadecimal": (lambda n: f"f_{n:04x}.jpg", "got hexadecimal ones (f_0001.jpg, f_0028.jpg)"),
    "two patterns": (
        lambda n: f"img{n // 2}{'_mask' if n % 2 else ''}.png",
        "one pattern, got 2: img0_mask.png, img1.png",
    ),
    "checksums": (lambda n: f"{n * 2654435761 % 16**8:08x}.jpg", "names of one pattern, got"),
}


@pytest.mark.parametrize(("name", "words"), REFUSED.values(), ids=REFUSED)
def test_two_readings_are_refused(name: Name, words: str) -> None:
    reading = read(name)
    assert words in reading.fault
    assert not reading.numbers


@pytest.mark.parametrize(
    "name", [lambda n: f"{n * 0.005:.3f}.jpg", lambda n: f"t{n * 5:04}ms.jpg", lambda n: f"face_{n * 5000}us.jpg"]
)
def test_times_are_numbers_at_the_rate_of_the_row(name: Name) -> None:
    reading = read(name)
    assert plain(reading) == {number: [name(number)] for number in NUMBERS}
    assert reading.notes == ("file names hold times: frame numbers are time x 200 frames per second",)
    assert "got times that are no frames at 30 frames per second" in read(name, fps=30.0).fault
    assert "got times" in read(name, fps=None).fault


def test_rounded_times_of_30_frames_per_second() -> None:
    assert list(plain(read(lambda n: f"{n / 30:.2f}.jpg", fps=30.0))) == list(NUMBERS)


def test_copies_and_strangers_are_left_out_and_told() -> None:
    names = [f"img{n}.jpg" for n in NUMBERS]
    reading = read_frame_names(
        [*names, "img3 (1).jpg", "img4 - Copy.jpg", "IMG5_copy.JPG", "cover100.jpg", "img7_old.jpg"]
    )
    assert plain(reading) == {number: [f"img{number}.jpg"] for number in NUMBERS}
    assert reading.notes == (
        "IMG5_copy.JPG was left out: it is a copy of IMG5.JPG",
        "img3 (1).jpg was left out: it is a copy of img3.jpg",
        "img4 - Copy.jpg was left out: it is a copy of img4.jpg",
        "2 files with names of another pattern were left out: cover100.jpg, img7_old.jpg",
    )


@pytest.mark.parametrize("stem", ["img", "s01", "EP02_01f"])
def test_downloads_of_one_name_are_no_copies(stem: str) -> None:
    """A browser numbers all downloads but the first."""
    reading = read_frame_names([f"{stem}.jpg", *(f"{stem} ({n}).jpg" for n in NUMBERS)])
    assert plain(reading) == {number: [f"{stem} ({number}).jpg"] for number in NUMBERS}


def test_a_date_before_the_number_is_no_clock() -> None:
    assert list(plain(read(lambda n: f"cam_20240101_{n:06}.jpg"))) == list(NUMBERS)


def test_patterns_that_complete_each_other_are_one_series_and_told() -> None:
    reading = read(lambda n: f"{'a' if n < 25 else 'b'}_{n:03}.jpg")
    assert list(plain(reading)) == list(NUMBERS)
    assert reading.notes == ("names of 2 patterns were taken for one series: a_001.jpg, b_025.jpg",)


def test_another_folder_decides_where_a_short_one_does_not() -> None:
    short = ["img001_score3.jpg", "img002_score4.jpg"]
    assert "img002_score4.jpg may be frame 2 or frame 4" in read_frame_names(short).fault
    habits = most_common_counters([read(COUNTED["score last"]).counters, {}])
    assert plain(read_frame_names(short, habits)) == {1: short[:1], 2: short[1:]}


WORDS = st.text("abcxyzABC", min_size=1, max_size=5)
CONSTANTS = st.lists(st.one_of(WORDS, st.integers(0, 10**6).map(lambda n: f"v{n}x")), max_size=3).map("_".join)


@given(
    before=CONSTANTS,
    after=CONSTANTS,
    join=st.sampled_from(["_", "-", " "]),
    width=st.integers(1, 9),
    first=st.integers(0, 99_999),
    missing=st.sets(st.integers(1, 18), max_size=4),
)
def test_constants_around_a_counter_never_count(
    before: str, after: str, join: str, width: int, first: int, missing: set[int]
) -> None:
    numbers = [first + step for step in range(20) if step not in missing]

    def name(number: int) -> str:
        return f"{before}{join}{number:0{width}}{join + after if after else ''}.jpg"

    assert plain(read(name, numbers)) == {number: [name(number)] for number in numbers}


@given(
    scores=st.lists(st.integers(0, 9), min_size=12, max_size=12).filter(lambda all_: len(set(all_)) > 1),
    first=st.integers(0, 5000),
)
def test_a_score_never_counts(scores: list[int], first: int) -> None:
    names = {first + step: f"img{first + step:05}_score{score}.png" for step, score in enumerate(scores)}
    assert plain(read_frame_names(names.values())) == {number: [name] for number, name in names.items()}


@given(st.lists(st.text("0123456789abcdef._- ()tsm", max_size=12).map(lambda stem: f"{stem}.jpg"), max_size=12))
def test_any_names_are_read_or_refused(names: list[str]) -> None:
    reading = read_frame_names(names, fps=100.0)
    assert not (reading.fault and reading.numbers)
    used = [name for same in reading.numbers.values() for name in same]
    assert set(used) <= set(names)
    assert not set(used) & set(reading.left_out)
