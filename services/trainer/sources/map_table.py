"""The maps of a whole table together: their numbers, and the order of their channels, decided once from all rows."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.sources.channel_order import (
    LEAST_ROWS,
    STATED,
    ChannelEvidence,
    ChannelVerdict,
    find_contrary_maps,
    judge_channels,
    measure_channels,
)
from services.trainer.sources.map_values import CHANNEL_NAMES, LEAST_ONE_SIDED_ROWS, GivenMap, check_map_values
from shared.errors import BadData

CHUNK_ROWS = 256  # maps measured at a time, which bounds the memory
LOW_REST, HIGH_REST = 0.25, 0.7  # of a channel's range; u and v rest near 0.5, strain near 0.15
LEAST_CONTRARY_SHARE = 0.005  # of the rows; fewer that look otherwise are chance
WAY_OUT = "If the maps are right all the same, state check off in their rows."


def check_map_table(maps: Sequence[GivenMap]) -> list[str]:
    """Sentences for the report about maps that are odd but usable.

    Raises BadData, with a row, for maps that hold no flow, mix units, or contradict the order of their channels.
    """
    notes = check_map_values(maps)
    evidence = _measure_in_chunks(maps)
    for rows in _divide_rows(maps):
        part, chosen = evidence.subset(rows), [maps[row] for row in np.flatnonzero(rows).tolist()]
        _refuse_other_order(chosen, part)
        _refuse_flow_pictures(chosen, part)
        _refuse_lost_signs(chosen, part)
    _refuse_contrary_rows(maps, evidence)
    if maps[0].unit != "px" and not judge_channels(evidence).agrees:
        notes.append(
            f"The channels of {len(maps)} maps are read with order {_stated_orders(maps)}. The maps are too few or too "
            "noisy to confirm it."
        )
    if (lengths := int(evidence.is_length[:, STATED[2]].sum())) > len(maps) / 2:
        notes.append(f"The third channel of {lengths} maps is the length of (u, v), not strain. It is used as it is.")
    return notes


def _measure_in_chunks(maps: Sequence[GivenMap]) -> ChannelEvidence:
    parts = [
        measure_channels(np.stack([each.values.mean(0) for each in maps[start : start + CHUNK_ROWS]]))
        for start in range(0, len(maps), CHUNK_ROWS)
    ]
    return ChannelEvidence(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def _divide_rows(maps: Sequence[GivenMap]) -> Iterator[NDArray[np.bool_]]:
    """All rows [N] bool, then the rows of each dataset and of each stated order: a part of a table may be otherwise."""
    yield np.ones(len(maps), bool)
    for labels in ([each.dataset for each in maps], [each.order for each in maps]):
        names = dict.fromkeys(labels)
        if len(names) > 1:
            yield from (np.array(labels) == name for name in names)


def _stated_orders(maps: Sequence[GivenMap]) -> str:
    return " and ".join(sorted({each.order for each in maps}))


def _refuse_other_order(maps: Sequence[GivenMap], evidence: ChannelEvidence) -> None:
    verdict = judge_channels(evidence)
    if verdict.contradicts:
        found = [CHANNEL_NAMES[verdict.order.index(position)] for position in range(3)]
        raise BadData(
            f"{maps[0].error_prefix}: expected u, v and strain with order {_stated_orders(maps)}, got {len(maps)} maps "
            f"of {'/'.join(dict.fromkeys(each.dataset for each in maps))} that look like {', '.join(found)}"
            f"{' on its side' if verdict.turned else ''}. {_describe_measure(evidence, verdict)} "
            f"{_describe_correction(maps, verdict)} {WAY_OUT}"
        )


def _describe_measure(evidence: ChannelEvidence, verdict: ChannelVerdict) -> str:
    """The figures that contradict the stated order."""
    strain = verdict.order[2]
    if strain != STATED[2]:
        rests = evidence.rest.mean(0)
        return (
            f"Strain is a magnitude, so its median lies low in its range: at {rests[strain]:.2f} in channel "
            f"{strain + 1}, at {rests[2]:.2f} in channel 3."
        )
    found = evidence.symmetry_score(verdict.order, verdict.turned).mean()
    stated = evidence.symmetry_score(STATED, False).mean()
    return (
        f"Only u changes its sign in a mirror image: this fits by {found:.2f} of 3, the stated order by {stated:.2f}."
    )


def _describe_correction(maps: Sequence[GivenMap], verdict: ChannelVerdict) -> str:
    if verdict.turned:
        return "Exchange rows and columns of the maps, or turn the frames upright before computing the flow."
    orders = {each.order for each in maps}
    if len(orders) > 1:
        return "Correct the column order in these rows."
    stated = orders.pop()
    return f"State order {''.join(stated[position] for position in verdict.order)}, or write the channels so."


def _refuse_contrary_rows(maps: Sequence[GivenMap], evidence: ChannelEvidence) -> None:
    """Rows whose own map is proof enough, in a table that as a whole does not contradict its order."""
    contrary = find_contrary_maps(evidence)
    if contrary.sum() > LEAST_CONTRARY_SHARE * len(maps):
        row = int(contrary.argmax())
        rests = evidence.rest[row]
        raise BadData(
            f"{maps[row].error_prefix}: expected u, v and strain with order {maps[row].order}, got strain in channel "
            f"{int(rests.argmin()) + 1}: medians lie at {', '.join(f'{rest:.2f}' for rest in rests)} of the ranges. So "
            f"in {contrary.sum()} of {len(maps)} rows. Correct their column order, or the files. {WAY_OUT}"
        )


def _refuse_flow_pictures(maps: Sequence[GivenMap], evidence: ChannelEvidence) -> None:
    """Colour pictures of a flow: all channels rest at one end of their range, at white or at black."""
    rests = evidence.rest.mean(0)
    if len(maps) >= LEAST_ROWS and evidence.fit.max(1).mean() < 0.3 and ((rests > 0.75).all() or (rests < 0.2).all()):
        raise BadData(
            f"{maps[0].error_prefix}: expected u, v and strain, got channels that all rest at one end of their range, "
            f"{', '.join(f'{rest:.2f}' for rest in rests)} of it. A colour picture of a flow looks so. Write u, v and "
            f"strain as numbers. {WAY_OUT}"
        )


def _refuse_lost_signs(maps: Sequence[GivenMap], evidence: ChannelEvidence) -> None:
    """u and v that rest at the bottom of their range, as sizes do, and strain that rests at its top, as a negative."""
    if len(maps) < LEAST_ONE_SIDED_ROWS:
        return
    u, v, strain = evidence.rest.mean(0)
    if max(u, v) < LOW_REST:
        raise BadData(
            f"{maps[0].error_prefix}: expected u and v with both signs, so that rest lies within their range, got rest "
            f"at {u:.2f} and {v:.2f} of it in the mean of {len(maps)} maps. Sizes without a sign look so. Write u and "
            f"v with their signs. {WAY_OUT}"
        )
    if strain > HIGH_REST:
        raise BadData(
            f"{maps[0].error_prefix}: expected strain, of which most of a face has little, got rest at {strain:.2f} of "
            f"its range in the mean of {len(maps)} maps. An inverted picture looks so. Invert it back. {WAY_OUT}"
        )
