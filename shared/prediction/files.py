"""The files of a prediction as bytes: prediction.json and events.csv. docs/reference/prediction-files.md has them."""

import json
from collections.abc import Iterator

from shared.prediction.model import PredictedEvent, Prediction
from shared.tables.csv_writing import format_csv

PREDICTION_FILE, EVENTS_FILE = "prediction.json", "events.csv"
PRESENT = 0.5  # probability from which on an action unit counts as present
EVENT_COLUMNS = (
    *("video", "event", "face_id", "kind", "onset_s", "apex_s", "offset_s", "duration_s"),
    *("onset_frame", "apex_frame", "offset_frame", "confidence", "size_eye_distances", "strength", "side", "regions"),
    *("flags", "emotion", "fine_emotion"),
)
LAST_COLUMNS = ("remarks",)


def format_prediction(prediction: Prediction) -> bytes:
    """prediction.json: UTF-8, with the names of the schema, indented."""
    text = json.dumps(prediction.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def format_events(prediction: Prediction) -> bytes:
    """events.csv: one row per event, UTF-8."""
    rows = list(list_rows(prediction))
    names = dict.fromkeys(name for row in rows for name in row)
    measured = [name for name in names if name not in (*EVENT_COLUMNS, *LAST_COLUMNS)]
    columns = [*EVENT_COLUMNS, *_order_columns(measured), *LAST_COLUMNS]
    return format_csv(columns, ([row.get(name, "") for name in columns] for row in rows)).encode()


def list_rows(prediction: Prediction) -> Iterator[dict[str, str | int | float]]:
    """The events as rows by column name."""
    for event in prediction.events:
        yield {
            "video": prediction.video.name,
            "event": event.id,
            "face_id": event.face,
            "kind": event.kind,
            "onset_s": round(event.onset_seconds, 4),
            "apex_s": round(event.apex_seconds, 4),
            "offset_s": round(event.offset_seconds, 4),
            "duration_s": round(event.seconds, 4),
            "onset_frame": event.onset_frame,
            "apex_frame": event.apex_frame,
            "offset_frame": event.offset_frame,
            "confidence": round(event.confidence, 3),
            "size_eye_distances": round(event.size_eye_distances, 5),
            "strength": round(event.strength, 2),
            "side": event.side,
            "regions": ";".join(event.regions),
            "flags": ";".join(flag.name for flag in event.flags),
            **_list_probabilities(event),
            "remarks": " ".join([*(flag.reason for flag in event.flags), *_list_limits(event)]),
        }


def _list_probabilities(event: PredictedEvent) -> dict[str, str | int | float]:
    """The columns of what a model says. OpenFace's AU12_c is presence, and AU12_p is its probability."""
    found = event.recognition
    if found is None:
        return {}
    columns: dict[str, str | int | float] = {"emotion": found.emotion, "fine_emotion": found.fine_emotion or ""}
    columns |= {f"emotion_{name}": round(share, 4) for name, share in found.emotions.items()}
    columns |= {f"fine_{name}": round(share, 4) for name, share in found.fine_emotions.items()}
    for unit, share in sorted(found.action_units.items(), key=lambda item: int(item[0])):
        columns |= {f"AU{int(unit):02d}_c": int(share >= PRESENT), f"AU{int(unit):02d}_p": round(share, 4)}
    return columns


def _list_limits(event: PredictedEvent) -> list[str]:
    warnings = event.recognition.warnings if event.recognition else ()
    return [*warnings, *([event.failure] if event.failure else [])]


def _order_columns(names: list[str]) -> list[str]:
    """Emotions first, then the action units: presence of all of them, then their probabilities."""
    groups = ("emotion_", "fine_", "_c", "_p")
    return sorted(names, key=lambda name: next(rank for rank, part in enumerate(groups) if _is_part(name, part)))


def _is_part(name: str, part: str) -> bool:
    return name.startswith(part) if part.endswith("_") else name.startswith("AU") and name.endswith(part)
