"""Videos whose events have features: recognised once, whole again after any kill, and again when something changed."""

from contextlib import suppress
from pathlib import Path

import pytest

from shared.bus import Message
from shared.bus.dead_letters import bury_message, read_outstanding_letters, replay_letter
from shared.pipeline_state import PipelineState
from shared.video_progress import VideoFollower
from tests.unit.trainer.lab import Killed, Life
from tests.unit.trainer.service.video_lab import NAME, VideoLab, video
from tests.unit.trainer.service.videos.recogniser_process import Recogniser


def test_a_video_is_recognised_once_all_its_events_have_features(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    one.work()
    assert one.states() == {"watching": 1}
    lab.spot()
    lab.extract(1, 3)
    one.work()
    assert (one.states(), lab.published("mer.recognitions")) == ({"computing": 1}, 0)
    lab.extract(2)
    one.work()
    result, prediction = lab.results()[NAME], lab.prediction()
    assert (result.events, result.flagged, result.recognised) == (3, 1, 3)
    assert result.files["prediction.json"].startswith("predictions/visit%203%2Fown.mp4/")
    assert prediction.model is not None
    assert (prediction.model.name, prediction.model.digest) == ("shipped", result.model)
    for event in prediction.events:
        assert event.recognition is not None
        assert sum(event.recognition.emotions.values()) == pytest.approx(1)
        assert set(event.recognition.emotions) == {"negative", "positive", "surprise", "none"}
        assert "12" in event.recognition.action_units
    assert [event.flags != () for event in prediction.events] == [False, True, False], "the draft's fields stay"
    for _ in range(2):
        one.work()
    assert one.states() == {"predicted": 1}
    assert (lab.published("mer.recognitions"), lab.published("mer.predictions")) == (1, 1)
    assert (one.value("mer_predictions_total"), one.value("mer_compute_seconds_count", stage="recogniser")) == (1, 1)
    emotions = [e.recognition.emotion for e in prediction.events if e.recognition]
    assert one.value("mer_recognised_events_total", emotion=emotions[0]) == emotions.count(emotions[0])


def test_a_video_without_events_has_a_prediction(lab: VideoLab, one: Recogniser) -> None:
    lab.events = ()
    lab.announce()
    lab.spot()
    one.work()
    assert (lab.results()[NAME].events, lab.prediction().events) == (0, ())


def test_an_event_that_failed_says_why_and_stops_no_other(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot(faults={3: "the frames could not be read."})
    lab.extract(1)
    lab.bury(2, "no face in any frame.")
    one.work()
    first, second, third = lab.prediction().events
    assert (first.failure, first.recognition is None) == ("", False)
    assert (second.failure, second.recognition) == ("interpolator: no face in any frame.", None)
    assert third.failure == "the frames could not be read."
    assert lab.results()[NAME].recognised == 1
    assert one.value("mer_recognised_events_total", emotion="failed") == 2


def test_a_replayed_event_makes_another_prediction(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    lab.extract(1, 3)
    lab.bury(2)
    one.work()
    first = lab.results()[NAME]
    (letter,) = read_outstanding_letters(lab.bus, lab.store, "interpolator")
    replay_letter(lab.bus, letter)
    one.work()
    assert one.states() == {"computing": 1}, "the event is waited for again"
    lab.extract(2)
    one.work()
    assert lab.results()[NAME].contents != first.contents
    assert [event.failure for event in lab.prediction().events] == ["", "", ""]


def test_features_that_were_changed_fail_their_event_alone(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    lab.extract()
    key = next(key for key in lab.store.list_keys("roi-au/") if "event-2" in key)
    lab.store.put(key, lab.store.get(key) + b" ")
    one.work()
    assert "was changed after it was written" in lab.prediction().events[1].failure
    assert lab.results()[NAME].recognised == 2


def test_a_replaced_video_is_predicted_anew_and_an_outdated_spotting_is_left_alone(
    lab: VideoLab, one: Recogniser
) -> None:
    lab.announce()
    lab.spot()
    lab.announce(video(mark="second"))
    lab.extract()
    one.work()
    assert (one.states(), lab.results()) == ({"watching": 1}, {})
    lab.spot(video(mark="second"), number=2)
    one.work()
    assert one.states() == {"computing": 1}, "features of the earlier content do not count"
    lab.extract(number=2)
    one.work()
    assert lab.results()[NAME].video.mark == "second"


def test_a_removed_video_is_not_waited_for(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    one.work()
    assert one.states() == {"computing": 1}
    lab.bus.publish("mer.videos", video().key, None)
    lab.extract()
    one.work()
    assert (one.states(), lab.published("mer.recognitions")) == ({}, 0)


def test_a_video_that_could_not_be_watched_is_counted_as_failed(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    message = Message("mer.videos", 0, 0, video().key, video().encode())
    bury_message(lab.bus, lab.store, "spotter", message, "no video", {})
    one.work()
    assert one.states() == {"failed": 1}
    lab.announce(video(mark="second"))
    one.work()
    assert one.states() == {"watching": 1}, "the letter was about other bytes"


def test_a_video_that_nobody_works_on_is_lost_and_one_in_work_is_not(
    lab: VideoLab, one: Recogniser, caplog: pytest.LogCaptureFixture
) -> None:
    def poll_states() -> dict[str, float | None]:
        one.predictions.poll_topics()
        one.predictions.poll_topics()
        return one.states()

    lab.announce()
    assert poll_states() == {"watching": 1}
    lab.discard_work("mer.videos", "spotter")
    assert poll_states() == {"lost": 1}
    lab.spot()
    assert poll_states() == {"computing": 1}
    lab.discard_work("mer.sources", "ingest")
    assert poll_states() == {"lost": 1}
    lab.extract()
    assert poll_states() == {"recognising": 1}
    lab.discard_work("mer.recognitions", "recogniser")
    assert poll_states() == {"lost": 1}
    assert [line.partition(":")[0] for line in caplog.messages if "lost" in line] == [
        f"1 videos are lost, such as {NAME}"
    ] * 3
    assert lab.published("mer.recognitions") == 1


def test_a_lost_video_that_is_uploaded_again_is_predicted(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    lab.extract()
    one.predictions.poll_topics()
    lab.discard_work("mer.recognitions", "recogniser")
    one.predictions.poll_topics()
    assert one.states() == {"lost": 1}
    again = video(trace="again")
    lab.announce(again)
    lab.spot(again)
    one.work()
    one.work()
    assert one.states() == {"predicted": 1}


def test_what_nobody_has_asked_for_is_not_lost_but_asked_for(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    one.predictions.poll_topics()
    lab.extract()
    lab.discard_work("mer.sources", "ingest")
    one.work()
    assert (one.states(), lab.published("mer.recognitions")) == ({"recognising": 1}, 1)


def test_a_video_that_the_inbox_refuses_is_counted_as_failed(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    lab.extract()
    lab.announce(video(fault="merstream.json: model: there is no such run."))
    one.work()
    assert (one.states(), lab.published("mer.recognitions")) == ({"failed": 1}, 0)


def test_no_training_starts_for_a_video(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    lab.extract()
    one.work()
    for _ in range(3):
        one.look()
    assert (lab.published("mer.runs"), lab.published("mer.datasets")) == (0, 0)


def test_a_request_that_comes_twice_writes_one_prediction(lab: VideoLab, one: Recogniser) -> None:
    other = Recogniser(lab.home)
    lab.announce()
    lab.spot()
    lab.extract()
    one.predictions.poll_topics()
    other.predictions.poll_topics()
    assert lab.published("mer.recognitions") == 1, "the second one sees what the first one asked for"
    (message,) = lab.bus.read_newest("mer.recognitions").values()
    lab.bus.publish("mer.recognitions", message.key, message.value)
    one.work()
    other.work()
    counts = [each.value("mer_records_total", stage="recogniser", outcome="reused") or 0 for each in (one, other)]
    assert (sum(counts), lab.published("mer.predictions")) == (1, 2)
    assert len([key for key in lab.content() if key.endswith("prediction.json")]) == 1
    other.close()


def test_a_request_that_is_none_becomes_a_dead_letter(lab: VideoLab, one: Recogniser) -> None:
    lab.bus.publish("mer.recognitions", "k", b"nonsense")
    one.work()
    (letter,) = read_outstanding_letters(lab.bus, lab.store, "recogniser")
    assert "Not a mer.recognition/1" in letter.reason


def predicted(home: Path, life: Life) -> tuple[dict[str, bytes], str, list[int]]:
    """A trainer's life on a watched video, and then another's; what is in the store, and what is left to do."""
    lab = VideoLab(home)
    lab.announce()
    lab.spot()
    lab.extract()
    for one in (Recogniser(home, life), Recogniser(home)):
        with suppress(Killed):
            one.work()
        one.close()
    left = [lab.bus.group_progress("mer.recognitions", "recogniser").lag, lab.published("mer.recogniser.dlq")]
    found = lab.content(), lab.results()[NAME].files["prediction.json"], left
    lab.bus.close()
    return found


def test_killed_before_any_effect_the_next_ends_with_the_same_bytes(tmp_path: Path) -> None:
    life = Life()
    whole = predicted(tmp_path / "whole", life)
    assert life.seen >= 5, "contents, request, prediction, result, commit"
    assert whole[2] == [0, 0]
    for number in range(life.seen):
        assert predicted(tmp_path / str(number), Life(number)) == whole, number


def test_what_comes_late_about_replaced_bytes_changes_nothing(lab: VideoLab, one: Recogniser) -> None:
    """A spotter and a recogniser that were frozen before they published, and go on after the video was replaced."""
    now = video(mark="second")
    lab.announce()
    lab.spot()
    lab.extract()
    one.work()
    late = [(topic, *lab.bus.read_newest(topic).values()) for topic in ("mer.spotted", "mer.predictions")]
    lab.announce(now)
    lab.spot(now, number=1)
    lab.extract(number=1)
    one.work()
    before = states(lab)
    assert before == {NAME: ("predicted", "second")}
    for topic, message in late:
        lab.bus.publish(topic, message.key, message.value)
    assert states(lab) == before
    lab.announce()
    assert states(lab) == {NAME: ("predicted", "first")}, "the first bytes again: nothing has to be done again"


def states(lab: VideoLab) -> dict[str, tuple[str, str]]:
    """State and mark of each video."""
    state = PipelineState(lab.bus, lab.store)
    snapshot = state.read_snapshot()
    found = VideoFollower(lab.bus, lab.store).read_progress(snapshot.features, snapshot.failure_sentences)
    return {each.video.name: (each.state, each.result.video.mark if each.result else "") for each in found}
