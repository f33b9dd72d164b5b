"""Label sets and published evaluation protocols, with their counts."""

from shared.protocols.base import HoldOut, Labelled, Selection, Task, dataset_key, people, select, sheet_version

__all__ = ["HoldOut", "Labelled", "Selection", "Task", "dataset_key", "people", "select", "sheet_version"]
