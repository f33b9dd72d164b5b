import pytest

from merstream.stages import STAGES
from shared.bus.topics import IMAGE_STAGES, TOPIC_BY_GROUP, TOPICS, dead_letter_topic, topic_by_short_name


def test_image_stages_are_the_stages_in_their_order() -> None:
    assert tuple(stage.name for stage in STAGES) == IMAGE_STAGES


def test_every_stage_reads_the_topic_of_its_group() -> None:
    for stage in STAGES:
        assert topic_by_short_name(stage.consumes).name == TOPIC_BY_GROUP[stage.name]
        assert topic_by_short_name(stage.produces).name in TOPICS


def test_every_group_has_dead_letters() -> None:
    assert {dead_letter_topic(group).name for group in TOPIC_BY_GROUP} < TOPICS.keys()


def test_an_unknown_topic_is_named() -> None:
    with pytest.raises(KeyError, match=r"Unknown topic 'mer\.pixels'"):
        topic_by_short_name("pixels")
