"""What a run does before any worker: clips that can be read go out, those that can't are named."""

from pathlib import Path
from typing import Any

import pytest

from merstream.embedded.features import ExtractedFeatures, load_extracted_features
from merstream.embedded.pipeline import ClipEmitter, StageRun, run_stages
from merstream.embedded.run_folder import PooledStores, Workspace
from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.catalogue.tree import DatasetTree
from shared.dataset_notices import announce_dataset
from shared.errors import BadData
from shared.records import Artifact, Dataset, Pipeline, Record, Sample, artifact_key
from shared.store import LocalStore, NotStored
from shared.training.protocol import ProtocolSettings

R0, R1 = "0" * 32, "1" * 32


def clip(name: str, file: Path) -> FoundClip:
    sample = Sample(dataset="d", subject="01", clip=name, onset=3, offset=4, fps=200)
    return FoundClip(sample, (file, file), (3, 4), "frames", cropped=False)


def test_a_clip_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "img3.jpg").write_bytes(b"jpeg")
    (tmp_path / "img9.jpg").mkdir()
    clips = [
        clip("folder", tmp_path / "img9.jpg"),
        ClipProblem("d", "01", "x", "row 7"),
        clip("fine", tmp_path / "img3.jpg"),
    ]
    place = Workspace(tmp_path / "out")
    bus, emitter = place.open_bus(), ClipEmitter(place.open_store(), Pipeline())
    assert len(list(emitter.emit_clips(clips, bus))) == 3
    (message,) = bus.read_newest("mer.sources").values()
    bus.close()
    assert Record.decode(message.value).sample.clip == "fine"
    assert emitter.tally.clip_count == 1
    assert emitter.tally.failures[0].startswith("01/folder: expected a readable img9.jpg, got Is a directory")
    assert emitter.tally.failures[1] == "row 7"


def record(pipeline: Pipeline, name: str, recipe: str = "0" * 32, dataset: str = "d") -> Record:
    sample = Sample(dataset=dataset, subject="01", clip=name, onset=0, offset=1, fps=200)
    source = Artifact(key=artifact_key("source", sample, recipe), sha256="0" * 64, size=1)
    artifact = Artifact(key=artifact_key("roi-au", sample, recipe), sha256="1" * 64, size=1)
    about = {"recipe": recipe, "trace": "t", "pipeline": pipeline, "inputs": {"source": source}}
    return Record(sample=sample, stage="roi-au", artifact=artifact, **about)


def told(place: Workspace, pipeline: Pipeline, clips: dict[str, str], dataset: str = "d", **more: Any) -> None:
    """The dataset consists of these clips (recipe by name) now, all of them through."""
    bus = place.open_bus()
    records = [record(pipeline, name, recipe, dataset) for name, recipe in clips.items()]
    for each in records:
        bus.publish("mer.features", each.key, each.encode())
    versions = {each.sample.identity: each.version for each in records}
    announce_dataset(
        bus, place.open_store(), Dataset(name=dataset, pipeline=pipeline, clips=versions, complete=True, **more)
    )
    bus.close()


def names(found: ExtractedFeatures) -> list[str]:
    return [record.sample.clip for record in found.features]


def test_train_takes_the_pipeline_that_ran_last(tmp_path: Path) -> None:
    place, first, second = Workspace(tmp_path), Pipeline(), Pipeline(profile="paper")
    told(place, first, {"a": R0, "b": R0}, created="2026-01-01T00:00:00Z")
    told(place, second, {"a": R0}, created="2026-01-02T00:00:00Z")
    told(place, first, {"a": R0, "b": R0}, created="2026-01-03T00:00:00Z")
    assert names(load_extracted_features([tmp_path])) == ["a", "b"]
    assert [record.pipeline for record in load_extracted_features([tmp_path], second.digest[:6]).features] == [second]
    with pytest.raises(BadData, match=f"expected features of pipeline x, got {second.digest}, {first.digest}"):
        load_extracted_features([tmp_path], "x")


def test_train_reads_what_the_dataset_consists_of_now(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    told(place, Pipeline(), {"a": R0, "b": R0, "c": R0})
    told(place, Pipeline(), {"a": R0, "b": R1}, faults=("d/01/c: no such file.",))
    found = load_extracted_features([tmp_path])
    assert [(record.sample.clip, record.recipe) for record in found.features] == [("a", R0), ("b", R1)]
    assert found.faults == ["d/01/c: no such file."]


def test_datasets_of_a_folder_and_of_several_are_pooled(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        place.mkdir()
    told(Workspace(one), Pipeline(), {"a": R0})
    told(Workspace(one), Pipeline(), {"b": R0}, dataset="e", faults=("e/1/x: no face.",))
    told(Workspace(other), Pipeline(), {"c": R0}, dataset="f")
    assert names(load_extracted_features([one])) == ["a", "b"]
    found = load_extracted_features([one, other])
    assert (names(found), found.faults) == (["a", "b", "c"], ["e/1/x: no face."])
    told(Workspace(other), Pipeline(profile="paper"), {"c": R0}, dataset="f")
    with pytest.raises(BadData, match=r"Expected features of one pipeline to train on together, got .*one: .*other: "):
        load_extracted_features([one, other])


def test_clips_that_are_under_way_are_not_passed_over(tmp_path: Path) -> None:
    told(Workspace(tmp_path), Pipeline(), {"a": R0})
    bus = Workspace(tmp_path).open_bus()
    versions = {each.sample.identity: each.version for each in (record(Pipeline(), "a"), record(Pipeline(), "b"))}
    announce_dataset(bus, Workspace(tmp_path).open_store(), Dataset(name="d", clips=versions, complete=True))
    bus.close()
    with pytest.raises(BadData, match="clips in work: 1 of d"):
        load_extracted_features([tmp_path])


def test_no_run_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected the folder of an earlier run, got none"):
        load_extracted_features([tmp_path / "nowhere"])
    Workspace(tmp_path).open_bus().close()
    with pytest.raises(BadData, match="expected features of pipeline any, got none"):
        load_extracted_features([tmp_path])


def test_artifacts_of_several_folders_are_one_store(tmp_path: Path) -> None:
    for name in ("one", "other"):
        LocalStore(tmp_path / name).put(f"roi-au/{name}.npz", name.encode())
    pooled = PooledStores([tmp_path / "one", tmp_path / "other"])
    assert (pooled.get("roi-au/one.npz"), pooled.get("roi-au/other.npz")) == (b"one", b"other")
    pooled.fetch_file("roi-au/other.npz", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"other"
    with pytest.raises(NotStored, match="roi-au/none"):
        pooled.get("roi-au/none.npz")


def write_clips(folder: Path, subjects: list[str]) -> Path:
    """A dataset with one clip of three empty frames per subject."""
    lines = ["dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"]
    for number, subject in enumerate(subjects):
        lines.append(f'lab,"{subject}",c{number},f{number},1,2,3,200,others,')
        for frame in (1, 2, 3):
            file = folder / f"f{number}" / f"img{frame}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    (folder / "clips.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("subjects", [["sub01", "1"], ["01", "01_s2"], ["p 3", "P-03", "x"]])
def test_a_person_under_two_names_is_refused_before_the_first_artifact(tmp_path: Path, subjects: list[str]) -> None:
    folder = write_clips(tmp_path / "data", subjects)
    place = Workspace(tmp_path / "out")
    with pytest.raises(BadData, match=f"^lab/.* and lab/{subjects[1]}|^lab/{subjects[1]} and lab/"):
        run_stages(StageRun(folder), place, jobs=1)
    assert not place.folder.exists()
    clips = StageRun(folder, protocol=ProtocolSettings(distinct=True)).discover_checked_clips(DatasetTree(folder))
    assert [clip.sample.subject for clip in clips if isinstance(clip, FoundClip)] == subjects
