"""docs/reference/datasets.md names every dataset, docs/reference/protocols.md every protocol with its count."""

from pathlib import Path

import pytest

from services.ingest.catalogue.entry import DatasetLayout
from services.ingest.catalogue.registry import LAYOUTS
from shared.protocols.base import EvaluationProtocol
from shared.protocols.catalogue import PROTOCOL_BY_NAME
from shared.protocols.label_sets import DATASET_NAMES
from tests.dataset_layouts import FORMS

REFERENCE = Path(__file__).parents[2] / "docs/reference"
DOC = (REFERENCE / "datasets.md").read_text(encoding="utf-8")
PROTOCOLS = (REFERENCE / "protocols.md").read_text(encoding="utf-8")
KEYS = [layout.key for layout in LAYOUTS if layout.key != "clips"]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.key)
def test_every_dataset_is_in_the_table(layout: DatasetLayout) -> None:
    name, key = layout.name, layout.key
    assert (f"| {name}, `{key}` |" in DOC) or key == "clips"


@pytest.mark.parametrize("task", PROTOCOL_BY_NAME.values(), ids=PROTOCOL_BY_NAME)
def test_every_protocol_is_in_the_table(task: EvaluationProtocol) -> None:
    (row,) = [line for line in PROTOCOLS.splitlines() if line.startswith(f"| `{task.name}` |")]
    clips = task.total_clips or "not asserted"
    assert f"| {clips} | {task.hold_out} |" in row
    counted: dict[str, int] = {}
    for share in task.shares:
        for label, count in share.counts.items():
            counted[label] = counted.get(label, 0) + count
    assert all(f"{label} {count}" in row for label, count in counted.items())


def test_datasets_have_one_name_everywhere() -> None:
    assert set(KEYS) == set(FORMS) == set(DATASET_NAMES)
    assert {share.dataset for task in PROTOCOL_BY_NAME.values() for share in task.shares} <= set(KEYS)
