"""The clips that a protocol selects; a copy of a clip is never both trained on and tested."""

from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.trainer.data.features import select_clips
from shared.errors import BadData
from shared.protocols.catalogue import PROTOCOL_BY_NAME
from shared.records import Artifact, Record, Sample
from shared.training.annotations import subject_id
from shared.training.clip_selection import ProtocolClip, content_digests, select_by_protocol
from shared.training.protocol import GENERIC_PROTOCOLS, ProtocolSettings, protocol_folds

LABELS = ("disgust", "happiness", "others")


def sample(dataset: str, subject: str, clip: str, emotion: str | None) -> Sample:
    return Sample(dataset=dataset, subject=subject, clip=clip, emotion=emotion, onset=0, offset=5, fps=200)


def shares(name: str) -> dict[str, list[str | None]]:
    """Datasets, and labels that the protocol has a class for."""
    if name not in PROTOCOL_BY_NAME:
        return {"casme2": list(LABELS), "lab": list(LABELS)}
    return {
        share.dataset: [label for labels in share.classes.values() for label in labels] or [*LABELS, None]
        for share in PROTOCOL_BY_NAME[name].shares
    }


def draw_clips(data: st.DataObject, name: str) -> tuple[list[Sample], list[tuple[str, ...]]]:
    """Clips for a protocol, and the digests of their files: sometimes two clips have the same ones."""
    labels = shares(name)
    places = st.sampled_from(list(product(sorted(labels), range(1, 5), range(1, 5))))
    drawn = st.lists(st.tuples(places, st.integers(0, 11)), min_size=8, max_size=24, unique_by=lambda clip: clip[0])
    clips = [
        sample(dataset, f"s{subject}", f"c{number}", labels[dataset][label % len(labels[dataset])])
        for (dataset, subject, number), label in data.draw(drawn)
    ]
    digests = [(f"features {number}", f"source {number}") for number in range(len(clips))]
    for _ in range(data.draw(st.integers(0, 2))):
        one, other = (data.draw(st.integers(0, len(clips) - 1)) for _ in range(2))
        digests[one] = data.draw(st.sampled_from([digests[other], (digests[one][0], digests[other][1])]))
    return clips, digests


@pytest.mark.parametrize("name", [*GENERIC_PROTOCOLS, *PROTOCOL_BY_NAME])
@settings(max_examples=25)
@given(data=st.data())
def test_no_content_stands_on_both_sides_under_two_names(name, data) -> None:
    clips, digests = draw_clips(data, name)
    if name == "split":
        tested = tuple(data.draw(st.sets(st.sampled_from([subject_id(clip) for clip in clips]), min_size=1)))
        protocol = ProtocolSettings(name=name, test_subjects=tested)
    else:
        protocol = ProtocolSettings(name=name, allow_other_counts=True, **({"folds": 2} if name == "k-fold" else {}))
    try:
        found = select_by_protocol(clips, protocol, contents=digests)
        rows, classes = select_clips(found.clips, found.classes, found.other_emotions)
        kept = [found.clips[row] for row in rows]
        divided = protocol_folds(
            protocol, [subject_id(clip) for clip in kept], [classes.index(clip.emotion) for clip in kept]
        )
    except BadData:
        assume(False)
        raise
    for fold in divided:
        sides = ({content for row in side for content in digests[kept[row].row]} for side in (fold.train, fold.test))
        assert not set.intersection(*sides)


def test_a_copy_under_another_subject_is_refused_and_both_are_named() -> None:
    clips = [sample("lab", subject, "c1", "disgust") for subject in ("s1", "s2", "s3")]
    with pytest.raises(BadData, match=r"lab/s1/c1 and lab/s3/c1 have the same content \(sha256 a"):
        select_by_protocol(clips, ProtocolSettings(), contents=["a", "b", "a"])
    assert len(select_by_protocol(clips, ProtocolSettings(), contents=["a", "b", "c"]).clips) == 3


def test_a_dataset_that_was_renamed_is_told_with_the_way_out() -> None:
    clips = [sample(dataset, "s1", "c1", "disgust") for dataset in ("lab", "new lab")]
    with pytest.raises(
        BadData, match=r"the dataset lab is also here as new lab, renamed or copied\. .* `mer forget NAME"
    ):
        select_by_protocol(clips, ProtocolSettings(), contents=["a", "a"])


def test_one_person_under_two_names_is_refused_among_the_clips_that_are_used() -> None:
    clips = [
        sample("lab", "01", "c1", "disgust"),
        sample("lab", "sub1", "c2", "fear"),
        sample("lab", "2", "c", "others"),
    ]
    with pytest.raises(BadData, match=r"^lab/01 and lab/sub1: one person under two names"):
        select_by_protocol(clips, ProtocolSettings())
    assert select_by_protocol(clips, ProtocolSettings(distinct=True))
    assert select_by_protocol(clips, ProtocolSettings(), ("disgust", "others")), "a clip that is left out is no harm"


def test_a_protocol_leaves_its_clips_out_in_any_spelling_of_the_person() -> None:
    clips = [sample("CASME II", "sub05", "EP09_05f", "disgust"), sample("CASME II", "sub06", "EP01_01", "repression")]
    found = select_by_protocol(clips, ProtocolSettings(name="megc2019", allow_other_counts=True))
    assert [clip.row for clip in found.clips] == [1]


def test_a_copy_within_a_group_is_no_harm() -> None:
    clips = [sample("casme2", "s1", "c1", "disgust"), sample("casme2", "s1", "c2", "disgust")]
    assert len(select_by_protocol(clips, ProtocolSettings(), contents=["a", "a"]).clips) == 2
    apart = [sample("casme2", "s1", "c1", "disgust"), sample("casme2", "s2", "c1", "disgust")]
    assert select_by_protocol(apart, ProtocolSettings(name="cd6me", allow_other_counts=True), contents=["a", "a"]).clips
    with pytest.raises(BadData, match="one is a copy of the other"):
        select_by_protocol(apart, ProtocolSettings(), contents=["a", "a"])


def test_one_clip_under_two_spellings_would_count_twice() -> None:
    clips = [sample("casme2", "s1", clip, "disgust") for clip in ("EP02_01f", "ep2_1F", "EP02_02")]
    with pytest.raises(BadData, match=r"s1/EP02_01f and casme2/s1/ep2_1F have the same content .* would count twice"):
        select_by_protocol(clips, ProtocolSettings(), contents=["a", "a", "b"])
    assert len(select_by_protocol(clips, ProtocolSettings(), contents=["a", "c", "b"]).clips) == 3


def test_a_copy_that_is_left_out_is_no_harm() -> None:
    clips = [sample("lab", "s1", "c1", "disgust"), sample("lab", "s2", "c1", "fear")]
    assert select_by_protocol(clips, ProtocolSettings(), ("disgust", "happiness"), ["a", "a"])


def test_features_and_every_artifact_that_they_come_from_stand_for_a_clip() -> None:
    artifacts = [Artifact(key="k", sha256=f"{number:064x}", size=1) for number in range(3)]
    inputs = {"source": artifacts[1], "flow": artifacts[2]}
    record = Record(
        sample=sample("d", "s", "c", None), stage="roi-au", artifact=artifacts[0], inputs=inputs, recipe="r", trace="t"
    )
    assert content_digests(record) == tuple(artifact.sha256 for artifact in artifacts)


def test_a_named_protocol_gives_its_classes_and_says_what_it_leaves_out() -> None:
    clips = [
        sample("CASME II", "05", "EP09_05f", "disgust"),
        sample("CASME II", "06", "EP01_01", "repression"),
        sample("CASME II", "06", "EP02_01", "Other"),
        sample("SAMM", "006", "006_1_2", "Happiness"),
        sample("elsewhere", "1", "c", "disgust"),
    ]
    found = select_by_protocol(clips, ProtocolSettings(name="megc2019", allow_other_counts=True))
    assert [(clip.row, clip.emotion) for clip in found.clips] == [(1, "negative"), (3, "positive")]
    assert (found.classes, found.other_emotions) == (("negative", "positive"), "leave out")
    assert found.left_out == {
        "casme2: 05/EP09_05f: not on the composite's list": 1,
        "casme2: label others": 1,
        "elsewhere: not in this protocol": 1,
    }
    assert any("needs smic-hs, none of its clips are here" in fault for fault in found.faults)


def test_other_counts_are_refused_unless_they_are_allowed() -> None:
    clips = [sample("casme2", "s1", "c1", "disgust")]
    with pytest.raises(BadData, match=r"casme2 must give 246 clips .* got 1 \(disgust 1\).* --allow-other-counts"):
        select_by_protocol(clips, ProtocolSettings(name="casme2-5"))
    assert select_by_protocol(clips, ProtocolSettings(name="casme2-5", allow_other_counts=True)).faults


def test_a_dataset_of_another_name_is_what_somebody_says_it_is() -> None:
    clips = [sample("synthetic", "s1", "c1", "disgust")]
    allowed = ProtocolSettings(name="casme2-5", allow_other_counts=True)
    with pytest.raises(BadData, match="Protocol casme2-5 keeps none of the 1 clips"):
        select_by_protocol(clips, allowed)
    (clip,) = select_by_protocol(clips, allowed.model_copy(update={"datasets": {"synthetic": "casme2"}})).clips
    assert clip == ProtocolClip(0, "synthetic", "s1", "c1", "disgust", ())


def test_a_protocol_of_action_units_keeps_what_has_no_emotion() -> None:
    clips = [sample("casme2", "s1", "c1", None), sample("samm", "s1", "c1", "Anger")]
    found = select_by_protocol(clips, ProtocolSettings(name="cd6me", allow_other_counts=True))
    assert [clip.emotion for clip in found.clips] == ["unlabelled", "anger"]
    assert found.classes is None
