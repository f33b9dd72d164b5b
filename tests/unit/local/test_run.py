"""What a run does before any worker: clips that can be read go out, those that can't are named."""

from pathlib import Path

from services.ingest.catalogue.entry import Found, Problem
from services.local.jobs import extracted
from services.local.run import Tally, _emitted
from services.local.workspace import Workspace
from shared.processing import write_artifact
from shared.records import Pipeline, Record, Sample


def clip(name: str, file: Path) -> Found:
    sample = Sample(dataset="d", subject="01", clip=name, onset=3, offset=4, fps=200)
    return Found(sample, (file, file), (3, 4), "frames", cropped=False)


def test_a_clip_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "img3.jpg").write_bytes(b"jpeg")
    (tmp_path / "img9.jpg").mkdir()
    clips = [
        clip("folder", tmp_path / "img9.jpg"),
        Problem("d", "01", "x", "row 7"),
        clip("fine", tmp_path / "img3.jpg"),
    ]
    place, tally = Workspace(tmp_path / "out"), Tally()
    bus = place.bus()
    for _ in _emitted(iter(clips), Pipeline(), "trace", place, bus, tally):
        pass
    (message,) = bus.latest("mer.sources").values()
    bus.close()
    assert Record.decode(message.value).sample.clip == "fine"
    assert tally.found == 1
    assert tally.failures[0].startswith("01/folder: expected a readable img9.jpg, got Is a directory")
    assert tally.failures[1] == "row 7"


def test_train_takes_the_pipeline_that_ran_last(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    bus, artifact = place.bus(), write_artifact(place.store(), "k.npz", {})
    first, second = Pipeline(), Pipeline(profile="paper")
    for name, pipeline in (("a", first), ("b", first), ("a", second), ("b", first)):
        sample = Sample(dataset="d", subject="01", clip=name, onset=0, offset=1, fps=200)
        record = Record(sample=sample, stage="roi-au", artifact=artifact, recipe="r", trace="t", pipeline=pipeline)
        bus.publish("mer.features", record.key, record.encode())
    bus.close()
    assert {record.sample.clip for record in extracted(tmp_path, None)} == {"a", "b"}
    assert [record.pipeline for record in extracted(tmp_path, second.digest[:6])] == [second]
