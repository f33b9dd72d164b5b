"""The numbers of flow maps: what no flow field can hold, and what shows that two units are mixed in one table.

A map that was stretched to fill 0..255 has lost its amplitude, and its zero. So it can not stand beside one in px, or
beside one of a fixed scale. Each check looks at all maps of the table at once, and names one of the smaller part.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadData

LARGEST_MOTION = 1000.0  # px; a face is smaller. Files mark unknown flow by 1e9, 1e10, 1e30 or 9999
LARGEST_RATIO, SMALLEST_RATIO = 50.0, 1 / 200  # of a map's largest motion to that of the table's median map
UNIT_GAP = 8.0  # ratio of neighbouring amplitudes, sorted, that no single unit leaves between two parts of a table
SENTINEL_RATIO = 20.0  # an exact extreme value that repeats this far above the 98th percentile is no motion
STRETCHED_RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))
LEAST_MOVED_SHARE = 0.01  # of the cells of a stretched channel whose value is not that of most others
LEAST_END_SHARE = 0.15  # of the cells: noise at rest has both signs
LOW_BYTE, HIGH_BYTE = 64, 191  # -64 and more, cut to bytes, lies above
LEAST_ONE_SIDED_ROWS = 5  # heads that all move to the same side by chance are as rare as 4^-5
NEGATIVE_STRAIN = 0.2  # share of the largest strain that overshoot of an interpolation stays below
CHANNEL_NAMES = ("u", "v", "strain")


@dataclass(frozen=True)
class GivenMap:
    """The map of one row. values: [F,3,28,28] u, v, strain as the file has them. order, unit: as the row states."""

    error_prefix: str
    dataset: str
    order: str
    unit: str
    values: NDArray[np.float32]

    @property
    def last(self) -> NDArray[np.float32]:
        """[3,28,28] at the last factor."""
        return np.asarray(self.values[-1])

    @property
    def amplitude(self) -> float:
        """The largest u or v, of either sign."""
        return float(np.abs(self.last[:2]).max())


def check_map_values(maps: Sequence[GivenMap]) -> list[str]:
    """Sentences about what is odd but usable. Raises BadData, with the row, for values that no flow map can have."""
    for each in maps:
        _refuse_equal_values(each)
        if each.unit == "px":
            _refuse_unknown_flow(each)
        elif each.unit == "min-max":
            _refuse_hidden_motion(each)
    _refuse_mixed_units(maps)
    in_px = [each for each in maps if each.unit == "px"]
    _refuse_stretched_numbers(in_px)
    _refuse_one_sided_motion(in_px)
    _refuse_mixed_amplitudes(in_px)
    _refuse_partly_normalised(in_px)
    _refuse_wrong_depth(maps)
    return _describe_negative_strain(in_px)


def _refuse_equal_values(given: GivenMap) -> None:
    """A channel that holds one number, and two channels that hold the same."""
    for values in given.values:
        constant = [name for name, part in zip(CHANNEL_NAMES, values, strict=True) if part.min() == part.max()]
        if constant:
            value = values[CHANNEL_NAMES.index(constant[0]), 0, 0]
            raise BadData(
                f"{given.error_prefix}: expected motion in u, v and strain, got {' and '.join(constant)} with the "
                f"value {value:g} in every cell. Compute this clip's flow again or remove the row. If the "
                "face really rests, state check off."
            )
        for one, other in ((0, 1), (0, 2), (1, 2)):
            if np.array_equal(np.abs(values[one]), np.abs(values[other])):
                raise BadData(
                    f"{given.error_prefix}: expected three different channels, got {CHANNEL_NAMES[one]} and "
                    f"{CHANNEL_NAMES[other]} with the same values. A grey picture saved in colour looks so. Write u, v "
                    "and strain into the file."
                )


def _refuse_unknown_flow(given: GivenMap) -> None:
    size = np.abs(given.values)
    if (largest := float(size.max())) > LARGEST_MOTION:
        count = int((size > LARGEST_MOTION).sum())
        _raise_unknown_flow(given, f"{count} values up to {largest:g}")
    for part in np.abs(given.last[:2]):
        extreme, count = float(part.max()), int((part == part.max()).sum())
        if count > 1 and extreme > SENTINEL_RATIO * float(np.quantile(part, 0.98)) > 0:
            _raise_unknown_flow(given, f"{count} cells with exactly {extreme:g}, far above all others")


def _refuse_hidden_motion(given: GivenMap) -> None:
    """Stretched channels without levels between: a sentinel was stretched too, or signed numbers were cut to bytes."""
    for name, part in zip(CHANNEL_NAMES[:2], given.last[:2], strict=True):
        levels, counts = np.unique(np.round(part), return_counts=True)
        common = levels[counts.argmax()]
        moved = int((np.abs(part - common) > 1).sum())
        if moved < LEAST_MOVED_SHARE * part.size:
            raise BadData(
                f"{given.error_prefix}: expected motion in {name}, got {common:g}, or a value 1 beside it, in all but "
                f"{moved} of {part.size} cells. A number that marks unknown flow, such as 1e30, was stretched too and "
                "hides the motion, or px were not stretched. Write the map again from the flow, or remove the row."
            )
        between = (part >= LOW_BYTE) & (part <= HIGH_BYTE)
        ends = [float((part < LOW_BYTE).mean()), float((part > HIGH_BYTE).mean())]
        if between.mean() < LEAST_MOVED_SHARE and min(ends) > LEAST_END_SHARE:
            raise BadData(
                f"{given.error_prefix}: expected motion in {name}, got values below {LOW_BYTE} and above {HIGH_BYTE} "
                "alone. Negative numbers that are cut to bytes become so: -1 becomes 255. Stretch u and v to 0..255 "
                "before you save them."
            )


def _raise_unknown_flow(given: GivenMap, got: str) -> None:
    raise BadData(
        f"{given.error_prefix}: expected motion below {LARGEST_MOTION:g} px, got {got}. Such a number marks unknown "
        "flow. Fill these cells before you resize the flow, or remove the row."
    )


def _refuse_mixed_units(maps: Sequence[GivenMap]) -> None:
    units = Counter(each.unit for each in maps)
    if len(units) > 1:
        (most, count), (least, rare) = units.most_common()[0], units.most_common()[-1]
        odd = next(each for each in maps if each.unit == least)
        raise BadData(
            f"{odd.error_prefix}: expected one unit in the table, got {least} in {rare} rows and {most} in {count}. "
            "Their amplitudes can not be compared. Write all maps alike, or state depth for each file as it is."
        )


def _refuse_stretched_numbers(maps: Sequence[GivenMap]) -> None:
    """Arrays taken as px whose u and v both fill a range exactly."""
    found = [(each, bounds) for each in maps if (bounds := _filled_range(each.last)) is not None]
    if found:
        odd, (low, high) = found[0]
        raise BadData(
            f"{odd.error_prefix}: expected px, got u and v that both fill {low:g}..{high:g} exactly, as in "
            f"{len(found)} of {len(maps)} rows. They were stretched, so zero is lost. Scale them to 0..255 and state "
            "depth min-max."
        )


def _refuse_one_sided_motion(maps: Sequence[GivenMap]) -> None:
    """Maps in which nothing moves left or up: bytes or parts of a range, or the length and angle of the motion."""
    one_sided = [float(each.last[:2].min()) >= 0 for each in maps]
    if len(maps) >= LEAST_ONE_SIDED_ROWS and all(one_sided):
        medians = " and ".join(f"{float(np.median([np.median(each.last[k]) for each in maps])):.3g}" for k in (0, 1))
        raise BadData(
            f"{maps[0].error_prefix}: expected px, with motion to all sides, got u and v of 0 or more in all cells of "
            f"{len(maps)} rows, with medians of {medians}. They may have been moved to a range such as 0..255, or be "
            "length and angle. Write u and v with their signs. For stretched maps, state depth min-max."
        )


def _filled_range(values: NDArray[np.float32]) -> tuple[float, float] | None:
    """The range that u and v of [3,28,28] both fill from end to end, if it is one that programs stretch to."""
    bounds = {(float(part.min()), float(part.max())) for part in values[:2]}
    return next((known for known in STRETCHED_RANGES if bounds == {known}), None)


def _refuse_mixed_amplitudes(maps: Sequence[GivenMap]) -> None:
    if len(maps) < 3:
        return
    amplitudes = np.array([each.amplitude for each in maps])
    typical = float(np.median(amplitudes))
    ratios = amplitudes / typical
    strange = np.flatnonzero((ratios > LARGEST_RATIO) | (ratios < SMALLEST_RATIO))
    count, part = _find_unit_gap(amplitudes)
    if len(strange) or count:
        row = int(strange[0] if len(strange) else part)
        raise BadData(
            f"{maps[row].error_prefix}: expected one unit in the table, got motion up to {amplitudes[row]:.3g}, where "
            f"the median of {len(maps)} rows is {typical:.3g}; {max(len(strange), count)} rows differ so. Give "
            "all u and v in px of one frame size, or state check off for a row that is right."
        )


def _find_unit_gap(amplitudes: NDArray[np.float64]) -> tuple[int, int]:
    """How many rows lie beyond a gap that divides the table into two units, and the first of them; (0, 0) for none."""
    order = np.argsort(amplitudes, kind="stable")
    ratios = amplitudes[order][1:] / amplitudes[order][:-1]
    cut = int(ratios.argmax()) + 1
    small = min(cut, len(order) - cut)
    if ratios[cut - 1] < UNIT_GAP or small < max(2, len(order) / 20):
        return 0, 0
    return small, int(order[:cut].min() if small == cut else order[cut:].min())


def _refuse_partly_normalised(maps: Sequence[GivenMap]) -> None:
    """Some rows share exactly one amplitude, as after a division by it, and others do not."""
    measured = [(each, _exact_sizes(each.last)) for each in maps if not _is_coarse(each.last)]
    if len(measured) < 6:
        return
    for kind in range(len(measured[0][1])):
        size, count = Counter(sizes[kind] for _, sizes in measured).most_common(1)[0]
        if max(3, len(measured) / 10) <= count < len(measured):
            odd = next(each for each, sizes in measured if (sizes[kind] == size) == (2 * count < len(measured)))
            raise BadData(
                f"{odd.error_prefix}: expected one unit in the table, got {count} of {len(measured)} rows with exactly "
                f"the amplitude {size:g}. These were divided by their own size, the others were not. Write all alike."
            )


def _exact_sizes(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Numbers that a division of a map by its own size makes equal: largest u or v, longest vector, spreads."""
    u, v = (part.astype(np.float64) for part in values[:2])
    both = np.stack([u, v])
    largest = np.abs(both).max()
    if (np.abs(both) == largest).sum() > 1:  # a limit that flows were cut off at: equal in many maps of one unit
        return (np.nan,) * 4
    sizes = (largest, np.hypot(u, v).max(), u.std(), both.std())
    return tuple(float(f"{size:.5g}") for size in sizes)


def _is_coarse(values: NDArray[np.float32]) -> bool:
    """Few different numbers, as of bytes: they coincide between clips by chance."""
    return len(np.unique(values[:2])) < 300


def _refuse_wrong_depth(maps: Sequence[GivenMap]) -> None:
    """Stretched maps among those of one scale, and the reverse."""
    filled = [_filled_range(each.last) == (0.0, 255.0) for each in maps]
    spans = [max(float(np.ptp(part)) for part in each.last[:2]) for each in maps]
    if sum(filled) < max(2, 0.3 * len(maps)):
        return
    for each, full, span in zip(maps, filled, spans, strict=True):
        if each.unit == "centred" and full:
            raise BadData(
                f"{each.error_prefix}: expected depth centred, with one scale for all files, got u and v that both "
                f"fill 0..255, as in {sum(filled)} of {len(maps)} rows. They were stretched: state depth min-max."
            )
        if each.unit == "min-max" and not full and span < 150:
            raise BadData(
                f"{each.error_prefix}: expected u and v stretched to 0..255, as in {sum(filled)} of {len(maps)} rows, "
                f"got a range of {span:g}. Stretch this file too, or write all files with one scale (depth centred)."
            )


def _describe_negative_strain(maps: Sequence[GivenMap]) -> list[str]:
    """Strain is a magnitude. All rows below zero were standardised; some only were not made alike."""
    negative = [float(each.last[2].min()) < -NEGATIVE_STRAIN * float(np.abs(each.last[2]).max()) for each in maps]
    if not any(negative):
        return []
    if not all(negative) and not _are_standardised(maps):
        odd = next(each for each, below in zip(maps, negative, strict=True) if below)
        raise BadData(
            f"{odd.error_prefix}: expected strain above zero, since it is a magnitude, got {odd.last[2].min():.3g}. "
            f"{sum(negative)} of {len(maps)} rows are so. Write u, v and strain in this order and alike in all rows."
        )
    return [f"Strain is below zero in all {len(maps)} maps. It is used as it is, as of standardised maps."]


def _are_standardised(maps: Sequence[GivenMap]) -> bool:
    """Whether strain lies below zero where a face rests: in each map by its own mean, or in all by one common mean."""
    medians, lowest = (np.array([float(take(each.last[2])) for each in maps]) for take in (np.median, np.min))
    one_level = float(np.ptp(lowest)) < 0.3 * float(np.abs(np.median(lowest)))
    return bool((medians < 0).all() or ((lowest < 0).all() and one_level))
