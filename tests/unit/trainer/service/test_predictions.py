"""Videos whose events have features: recognised once, whole again after any kill, and again when something changed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from services.trainer.recogniser.run_recogniser import load_run
from shared.bus import Message
from shared.bus.dead_letters import bury_message, read_outstanding_letters, replay_letter
from shared.pipeline_state import PipelineState
from shared.store.npz import unpack_arrays
from shared.topic_views import read_records
from shared.video_progress import VideoFollower
from shared.video_records import PredictionResult, RefusedVideo, VideoPlan
from tests.unit.trainer.lab import Killed, Life, Trainer
from tests.unit.trainer.recogniser.drawn_runs import RUN, store_run
from tests.unit.trainer.service.video_lab import NAME, VideoLab, video


class Recogniser(Trainer):
    """The process of one trainer, as far as videos are concerned."""

    def work(self) -> None:
        self.predictions.poll_topics()
        while self.recogniser.step():
            pass

    def states(self) -> dict[str, float | None]:
        names = ("watching", "computing", "recognising", "predicted", "failed", "lost")
        return {name: count for name in names if (count := self.value("mer_prediction_videos", state=name))}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[VideoLab]:
    lab = VideoLab(tmp_path / "lab")
    yield lab
    lab.bus.close()


@pytest.fixture
def one(lab: VideoLab) -> Iterator[Recogniser]:
    one = Recogniser(lab.home)
    yield one
    one.close()


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


def test_another_model_predicts_what_is_there_anew(lab: VideoLab, one: Recogniser) -> None:
    lab.announce()
    lab.spot()
    lab.extract()
    one.predictions.model = "an earlier one"
    one.work()
    later = Recogniser(lab.home)
    assert lab.published("mer.recognitions") == 1
    later.predictions.model = "a later one"
    for _ in range(2):
        later.work()
    assert (lab.published("mer.recognitions"), later.states()) == (2, {"predicted": 1})
    later.close()


def maps_of(lab: VideoLab, event: int) -> np.ndarray:
    key = next(key for key in lab.store.list_keys("roi-au/") if f"event-{event}/" in key)
    return unpack_arrays(lab.store.get(key), key)["maps"]


def test_a_run_of_the_stack_recognises_what_its_plan_names(lab: VideoLab, one: Recogniser, loso_run: Path) -> None:
    store_run(loso_run / "report", lab.store)
    chosen = video(plan=VideoPlan(model=RUN, subject="lab/s2"))
    lab.announce(chosen)
    lab.spot(chosen)
    lab.extract()
    for _ in range(2):
        one.work()
    assert (one.states(), lab.published("mer.recognitions")) == ({"predicted": 1}, 1)
    prediction, own = lab.prediction(), load_run(loso_run)
    assert prediction.model is not None
    assert (prediction.model.name, prediction.model.digest) == (f"pooled-linear of run {RUN}", own.digest)
    assert prediction.settings["subject"] == "lab/s2"
    for event in prediction.events:
        assert event.recognition is not None
        said = own.recognise_features({"maps": maps_of(lab, event.id)}, subject="lab/s2")
        assert (event.recognition.emotions, event.recognition.warnings) == (said.emotions, ())


def test_a_person_who_is_not_named_is_warned_of(lab: VideoLab, one: Recogniser, loso_run: Path) -> None:
    store_run(loso_run / "report", lab.store)
    chosen = video(plan=VideoPlan(model=RUN))
    lab.announce(chosen)
    lab.spot(chosen)
    lab.extract()
    one.work()
    for event in lab.prediction().events:
        assert event.recognition is not None
        assert "trained on 4 people" in event.recognition.warnings[0]


def test_another_plan_predicts_anew_and_the_first_one_again_finds_its_prediction(
    lab: VideoLab, one: Recogniser, loso_run: Path
) -> None:
    store_run(loso_run / "report", lab.store)
    found = []
    for trace, plan in (("a", VideoPlan()), ("b", VideoPlan(model=RUN)), ("c", VideoPlan())):
        chosen = video(trace=trace, plan=plan)
        lab.announce(chosen)
        lab.spot(chosen)
        lab.extract()
        one.work()
        one.work()
        assert one.states() == {"predicted": 1}
        results = read_records(lab.bus, "mer.predictions", lambda key: PredictionResult)
        mine = {each.files["prediction.json"] for each in results if each.video.upload_key == chosen.upload_key}
        found.append(mine)
        assert len(mine) == 1
    assert found[0] == found[2] != found[1]
    assert one.value("mer_predictions_total") == 2


def test_a_run_that_is_gone_fails_its_video_alone(lab: VideoLab, one: Recogniser) -> None:
    chosen = video(plan=VideoPlan(model=RUN))
    lab.announce(chosen)
    lab.spot(chosen)
    lab.extract()
    one.work()
    one.work()
    assert one.states() == {"failed": 1}
    refused = RefusedVideo.decode(lab.store.get(chosen.refusal_key))
    assert f"expected `shipped` or the id of a finished run of this stack, got {RUN!r}" in refused.reason
    again = video(trace="again")
    lab.announce(again)
    lab.spot(again)
    one.work()
    one.work()
    assert (one.states(), lab.store.exists(chosen.refusal_key)) == ({"predicted": 1}, False)


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
