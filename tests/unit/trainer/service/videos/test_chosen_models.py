"""Which model recognises a video: the shipped one, or a run of the stack that the plan names."""

from pathlib import Path

import numpy as np

from services.trainer.recogniser.run_recogniser import load_run
from shared.store.npz import unpack_arrays
from shared.topic_views import read_records
from shared.video_records import PredictionResult, RefusedVideo, VideoPlan
from tests.unit.trainer.recogniser.drawn_runs import RUN, store_run
from tests.unit.trainer.service.video_lab import VideoLab, video
from tests.unit.trainer.service.videos.recogniser_process import Recogniser


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
