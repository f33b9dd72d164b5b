"""What a run consists of, as run.json says it, and what differs elsewhere."""

from shared.records import Artifact, Record, Sample
from shared.run_contents import RunContents, TableClip
from shared.training.manifest import current_environment, data_differences, describe_run, environment_differences
from shared.training.options import resolve_options

CHOICE = resolve_options("corrected", {"model": "linear", "seeds": 2, "seed": 4, "classes": "a,b"}, "cpu")


def clip(number: int, content: str = "0", emotion: str = "a") -> TableClip:
    return TableClip(dataset="lab", subject="s1", clip=f"c{number}", emotion=emotion, sha256=content * 64)


def record(sample, content: str, trace: str = "t") -> Record:
    artifact = Artifact(key="k", sha256=content * 64, size=1)
    return Record(sample=sample, stage="roi-au", artifact=artifact, recipe="r", trace=trace)


def run(*clips: TableClip) -> RunContents:
    return describe_run("lab", "", CHOICE, table=clips)


def test_it_says_everything_and_survives_the_wire():
    said = run(clip(2), clip(1))
    assert RunContents.decode(said.encode()) == said
    assert [each.clip for each in said.table] == ["c1", "c2"]
    assert (said.settings["model"], said.settings["seed"], said.seeds, said.classes) == ("linear", 4, 2, ("a", "b"))
    assert said.environment.libraries.keys() >= {"torch", "numpy", "scikit-learn"}
    assert said.environment.device == "cpu"


def test_its_digest_follows_content_and_labels_and_nothing_else():
    sample = Sample(dataset="toy", subject="s1", clip="c1", emotion="happiness", onset=0, offset=9, fps=200)
    digest = describe_run("toy", "p", CHOICE, [record(sample, "0")]).data
    assert describe_run("other", "q", CHOICE, [record(sample, "0", trace="u")]).data == digest
    assert describe_run("toy", "p", CHOICE, [record(sample, "1")]).data != digest
    other = sample.model_copy(update={"emotion": "fear"})
    assert describe_run("toy", "p", CHOICE, [record(other, "0")]).data != digest
    assert run(clip(1), clip(2)).data == run(clip(2), clip(1)).data
    assert run(clip(1), clip(2)).data != run(clip(1)).data


def test_clips_that_differ_are_named_by_what_differs():
    then = run(clip(1), clip(2), clip(3), clip(4))
    now = run(clip(2, content="1"), clip(3, emotion="b"), clip(4), clip(5))
    assert data_differences(then, now) == [
        "1 missing: lab/s1/c1",
        "1 not in the run: lab/s1/c5",
        "1 of other content: lab/s1/c2",
        "1 of other labels: lab/s1/c3",
    ]
    assert data_differences(then, then) == []
    many = data_differences(run(*map(clip, range(10, 18))), run())
    assert many == ["8 missing: lab/s1/c10, lab/s1/c11, lab/s1/c12, lab/s1/c13, lab/s1/c14 and 3 more"]


def test_another_library_device_or_python_is_told():
    here = current_environment("cpu")
    libraries = {**here.libraries, "torch": "1.0", "scipy": here.libraries["scipy"]}
    then = here.model_copy(update={"device": "cuda (A GPU)", "libraries": {**libraries, "gone": "1"}})
    assert list(environment_differences(then, here)) == [
        "device: the run was started with cuda (A GPU), this is cpu.",
        "gone: the run was started with 1, this is none.",
        f"torch: the run was started with 1.0, this is {here.libraries['torch']}.",
    ]
    assert list(environment_differences(here, here)) == []
    assert list(environment_differences(None, here)) == ["The run does not state its environment."]
