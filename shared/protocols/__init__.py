"""Label sets and published evaluation protocols, with their counts."""

from shared.protocols.base import (
    EvaluationProtocol,
    HoldOut,
    LabelledClip,
    ProtocolSelection,
    apply_evaluation_protocol,
    dataset_key,
    person_pool,
    sheet_version,
)
from shared.protocols.persons import find_same_people, refuse_same_people

__all__ = [
    "EvaluationProtocol",
    "HoldOut",
    "LabelledClip",
    "ProtocolSelection",
    "apply_evaluation_protocol",
    "dataset_key",
    "find_same_people",
    "person_pool",
    "refuse_same_people",
    "sheet_version",
]
