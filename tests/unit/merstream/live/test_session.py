"""A session: frames in, the event after it has ended, recognition behind it, a prediction in the end."""

from dataclasses import replace

import numpy as np
import pytest

from merstream.live import live_face
from merstream.live import session as session_module
from merstream.live.clip_recognition import DirectRecogniser
from merstream.live.event_board import LiveEvent
from merstream.live.live_view import describe_moment, describe_problems
from merstream.live.session import LiveSession
from services.spotter.recorded_frames import RecordedFrame
from services.trainer.recogniser.loading import load_recogniser
from shared.prediction.model import Prediction
from shared.spotting.events import EventFlag
from tests.unit.merstream.live import drawn_session as drawn
from tests.unit.merstream.live.drawn_session import SlowRecogniser


@pytest.fixture(scope="module")
def held() -> tuple[LiveSession, SlowRecogniser]:
    """Not to be changed."""
    return drawn.play_session()


@pytest.fixture(scope="module")
def played(held: tuple[LiveSession, SlowRecogniser]) -> LiveSession:
    return held[0]


def test_the_smile_is_announced_within_two_seconds_after_it_ended(played: LiveSession) -> None:
    (event,) = [event for event in played.events if not event.spotted.flags]
    assert abs(event.spotted.onset - drawn.ONSET) < 0.1
    assert abs(event.spotted.offset - drawn.OFFSET) < 0.1
    assert event.spotted.kind == "micro"
    assert 0.6 <= event.announced - event.spotted.offset < 1.2
    assert event.frames[1] == pytest.approx(drawn.APEX * drawn.RATE, abs=2)
    assert event.confidence > 0.5


def test_watching_goes_on_while_an_event_is_being_recognised(played: LiveSession) -> None:
    session, recogniser = drawn.play_session()
    assert [event.spotted for event in session.events] == [event.spotted for event in played.events]
    (number,) = session.awaited_numbers
    assert list(recogniser.held) == [number]
    assert session.frames == 96
    recogniser.released = True
    assert session.recognise_next() == [number]
    assert session.awaited_numbers == ()
    (event,) = session.compose_prediction().events
    assert event.recognition
    assert event.recognition.emotion == "positive"


def test_the_stages_and_the_model_recognise_what_the_ring_kept(held: tuple[LiveSession, SlowRecogniser]) -> None:
    ((number, clip),) = held[1].held.items()
    direct = DirectRecogniser(load_recogniser())
    direct.start_clip(number, clip)
    answer = direct.take_answer()
    assert answer
    assert answer.failure == ""
    assert answer.found
    assert sum(answer.found.emotions.values()) == pytest.approx(1)
    assert answer.found.emotion == "positive"


def test_a_session_is_a_prediction_as_of_a_recording(played: LiveSession) -> None:
    prediction = played.compose_prediction()
    assert Prediction.decode(prediction.encode()) == prediction
    assert (prediction.video.frames, prediction.video.width, prediction.video.height) == (96, 320, 240)
    assert prediction.video.fps == pytest.approx(30)
    (face,) = prediction.faces
    assert face.seen_seconds == 0  # the face is still being watched
    assert [event.id for event in prediction.events] == list(range(1, len(prediction.events) + 1))
    assert [event.failure for event in prediction.events if not event.flags] == [session_module.ENDED]


def test_the_end_closes_what_is_open() -> None:
    session = LiveSession("smile", SlowRecogniser())
    for frame in drawn.list_frames():
        if frame.seconds > drawn.OFFSET + 0.1:
            break
        session.add_frame(frame)
    assert [event for event in session.events if not event.spotted.flags] == []
    found = session.finish()
    assert len(found) == 1
    assert session.compose_prediction().faces[0].seen_seconds == pytest.approx(session.seconds)
    assert session.finish() == []


def test_flagged_events_are_not_recognised_and_it_is_said_once(played: LiveSession) -> None:
    session = LiveSession("blinking", SlowRecogniser())
    watch, smile = played.faces[1].watch, played.events[0]
    assert watch
    flagged = replace(smile.spotted, flags=(EventFlag("blink", "An eye is closed."),))
    list(session._take_events(watch, iter([LiveEvent(1, flagged, 2.5, smile.frames, 0.9) for _ in range(2)])))
    session.faces, session.frames, session.seconds = played.faces, 96, 3.2
    prediction = session.compose_prediction()
    assert session.awaited_numbers == ()
    assert [event.failure for event in prediction.events] == ["", ""]
    assert prediction.remarks.count(session_module.FLAGGED) == 1


def test_dropped_frames_are_counted_and_times_stay_true() -> None:
    session, _ = drawn.play_session(skipped=1)
    assert (session.frames, session.dropped) == (48, 47)
    assert session.rate == pytest.approx(15, rel=0.05)
    assert session.source_rate == pytest.approx(30, rel=0.05)
    assert any("15 of 30 frames/s can be watched" in problem for problem in describe_problems(session))
    assert any("47 of 95 frames came while" in remark for remark in session.compose_prediction().remarks)


def test_a_slow_source_is_said() -> None:
    session = LiveSession("slow", SlowRecogniser())
    blank = np.full((120, 160, 3), 90, np.uint8)
    for index in range(50):
        session.add_frame(RecordedFrame(index, index / 10, blank))
    problems = describe_problems(session)
    assert any("gives 10 frames/s" in problem for problem in problems)
    assert any("No face is seen" in problem for problem in problems)


def test_a_dark_face_is_said() -> None:
    session = LiveSession("dark", SlowRecogniser())
    for frame in list(drawn.list_frames())[:20]:
        session.add_frame(RecordedFrame(frame.index, frame.seconds, (frame.pixels // 4).astype(np.uint8)))
    assert any("dark" in problem for problem in describe_problems(session))


def test_the_model_is_waited_for_in_words() -> None:
    recogniser = SlowRecogniser()
    recogniser.loaded = None
    session = LiveSession("early", recogniser)
    assert describe_problems(session) == ["The first frame has not come yet."]
    session.add_frame(next(drawn.list_frames()))
    assert "The model is being loaded again. Events wait for it." in describe_problems(session)
    assert session.compose_prediction().model is None


def test_a_queue_of_events_that_is_full_drops_its_oldest(monkeypatch: pytest.MonkeyPatch, played: LiveSession) -> None:
    monkeypatch.setattr(session_module, "MOST_WAITING", 2)
    session = LiveSession("crowded", SlowRecogniser())
    watch, first = played.faces[1].watch, played.events[0]
    assert watch
    for _ in range(4):
        again = LiveEvent(1, first.spotted, first.announced, first.frames, 0.9)
        list(session._take_events(watch, iter([again])))
    assert session.awaited_numbers == (3, 4)
    assert session.failures == {1: session_module.OVERTAKEN, 2: session_module.OVERTAKEN}


def test_quality_of_a_long_session_needs_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_face, "MOST_SAMPLES", 4)
    monkeypatch.setattr(live_face, "SAMPLE_GAP", 0.0)
    session = LiveSession("long", SlowRecogniser())
    for frame in list(drawn.list_frames())[:40]:
        session.add_frame(frame)
    face = session.faces[1]
    assert len(face.samples) == len(face.boxes) <= 4
    assert face.stride == 16
    assert face.looks == 40


def test_the_view_has_the_curve_of_the_mouth_where_the_smile_is(played: LiveSession) -> None:
    view = describe_moment(played)
    assert view.motion
    rows = {row.name: row for row in view.motion.rows}
    corner = np.array(rows["mouth corner"].left)
    at = round((drawn.APEX - view.motion.start) / view.motion.step)
    assert abs(int(corner.argmax()) - at) <= 1
    assert (corner[: -round(drawn.SECONDS / view.motion.step) - 1] == -1).all()
    assert len(rows["glabella"].right) == 0
    assert view.counts["micro"] == 1
    ((left, top, right, bottom),) = [face.box for face in view.faces]
    assert 0.2 < left < 0.5 < right < 0.8
    assert 0 < top < 0.5 < bottom <= 1
