"""How often the order of a table's channels is refused wrongly, and how often a wrong order passes: drawn maps.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/channel_order.py     # minutes; writes results/channel-order.json

A table has rows of one class or of all three, and maps stretched to 0..255. For each disturbance, size of table and
seed, the same maps are stated rightly and wrongly. "refused" is a share of the tables, with its deviation over seeds.
"""

import json
from collections.abc import Callable

import numpy as np

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from benchmarks.drawn_maps import EXPRESSIONS, Disturbance, Floats, draw_maps, stretch_maps
from services.trainer.sources.channel_order import find_contrary_maps, judge_channels, measure_channels

DISTURBANCES = {
    "little": Disturbance(0.3, 0.1),
    "moving head": Disturbance(1.0, 0.1),
    "noise": Disturbance(0.3, 0.3),
}
ROWS = (4, 12, 40)
CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "right": lambda maps: maps,
    "strain in the first channel": lambda maps: maps[:, ::-1],
    "u and v exchanged": lambda maps: maps[:, [1, 0, 2]],
    "transposed": lambda maps: maps.swapaxes(-1, -2),
    "right, length instead of strain": lambda maps: _with_length(maps),
    "length in the first channel": lambda maps: _with_length(maps)[:, ::-1],
}
POOL = 24  # maps per class and seed, of which tables are drawn


def _with_length(maps: Floats) -> Floats:
    return np.stack([maps[:, 0], maps[:, 1], np.hypot(maps[:, 0], maps[:, 1])], 1)


def is_refused(maps: Floats) -> bool:
    """Whether a table of these maps [N,3,28,28] would be refused for its order."""
    evidence = measure_channels(stretch_maps(maps))
    return judge_channels(evidence).contradicts or bool(find_contrary_maps(evidence).any())


def measure_refusals(disturbance: Disturbance, rows: int, tables: int, seed: int) -> dict[str, float]:
    """The share of tables that is refused, by change."""
    rng = np.random.default_rng(seed)
    pool = {label: draw_maps([label] * POOL, rng, disturbance) for label in EXPRESSIONS}
    refused = dict.fromkeys(CHANGES, 0)
    for number in range(tables):
        labels = [*EXPRESSIONS][number % 4 : number % 4 + 1] or [*EXPRESSIONS]
        chosen = [pool[labels[row % len(labels)]][rng.integers(POOL)] for row in range(rows)]
        for name, change in CHANGES.items():
            refused[name] += is_refused(change(np.array(chosen)))
    return {name: count / tables for name, count in refused.items()}


def main() -> None:
    parser = argument_parser(__doc__, result_file("channel-order"))
    parser.add_argument("--tables", type=int, default=20, help="tables per seed")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    results = {}
    for name, disturbance in DISTURBANCES.items():
        for rows in ROWS:
            runs = [measure_refusals(disturbance, rows, options.tables, seed) for seed in range(options.seeds)]
            results[f"{name}, {rows} rows"] = {
                change: [round(float(f([run[change] for run in runs])), 3) for f in (np.mean, np.std)]
                for change in CHANGES
            }
    size = {"tables": options.tables, "seeds": options.seeds}
    write_result(
        options.out, {"benchmark": "channel-order", "machine": describe_machine("numpy"), **size, "results": results}
    )
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
