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

__all__ = [
    "EvaluationProtocol",
    "HoldOut",
    "LabelledClip",
    "ProtocolSelection",
    "apply_evaluation_protocol",
    "dataset_key",
    "person_pool",
    "sheet_version",
]
