"""One hostile input through the entries that take its kind. Each returns how it ended, or raises Finding."""

import contextlib
import hashlib
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from merstream.doctor.report import show_diagnosis
from services.spotter.recording import open_recording
from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import BadData
from shared.inbox.reading_options import ReadingOptions
from shared.records import Artifact, Record, artifact_key
from tests.hostile import archives, arrays, images, messages, sheets, videos
from tests.hostile.any_name_store import AnyNameStore, open_any_names
from tests.hostile.confinement import Surroundings
from tests.hostile.lab import HostileLab
from tests.hostile.texts import make_text
from tests.unit.ingest.inbox.lab import HEADER, dataset, sheet

# What a worker or the inbox says of an error that nobody planned, and of a process that a signal ended.
_UNPLANNED = re.compile(r"^Unexpected |Traceback|expected a dataset that can be read, got \w+: |SIG[A-Z]{3}")
_LOST = re.compile(r"reading was given up|was given up \d+ times|more memory than this process")
PLAN = {
    "profile": "corrected",
    "overrides": {"flow": {"levels": 3}},
    "train": {"model": "majority", "seed": 1},
    "fps": 9,
}
VIDEO_PLAN = {"model": "shipped", "subject": "s1", "force": True, "fps": 30}
REQUEST = {
    "datasets": ["d"],
    "model": "majority",
    "protocol": "loso",
    "seed": 1,
    "seeds": 1,
    "classes": ["others"],
    "settings": {"epochs": 3},
    "partial": True,
}


class Finding(Exception):
    """An input that ended in no sentence. The message says where and how."""


class Trials:
    """`outcomes` counts how inputs ended, by kind and outcome."""

    def __init__(self, home: Path, around: Surroundings) -> None:
        self.home, self.around = home, around
        self.lab = HostileLab(home / "stack")
        self.names = HostileLab(
            home / "names", partial(open_any_names, home / "names-inbox"), AnyNameStore(home / "names-videos")
        )
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self._number = 0

    def run_trial(self, kind: str, draw: random.Random) -> None:
        """One input of a kind. Raises Finding, and whatever a service lets through."""
        self._number += 1
        self.outcomes[kind, TRIALS[kind](self, draw)] += 1

    def close(self) -> None:
        self.lab.close()
        self.names.close()

    def check_life(self) -> None:
        """Raise Finding if a service does not do its work any more."""
        for lab in (self.lab, self.names):
            for key, data in dataset("a").items():
                lab.inbox.put(f"sound/{key}", data)
            found = lab.scan_inboxes()["sound"]
            if len(found.clips) != 1 or found.faults:
                raise Finding(f"a sound dataset is not announced any more: {found}")
            lab.poll_loops()
            if (status := lab.ask_api("GET", "/datasets")[0]) != 200:
                raise Finding(f"GET /datasets is answered by {status}")
        (sentence,) = self.lab.work_off("ingest")
        if "img1.jpg" not in sentence:
            raise Finding(f"ingest does not read frames any more: {sentence}")

    def try_dataset(self, files: Mapping[str, bytes], examine: bool = True) -> str:
        """Upload a dataset, let inbox, ingest and `mer doctor` read it, and remove it."""
        lab, name = self.lab, f"d{self._number}"
        try:
            for path, data in files.items():
                lab.inbox.put(f"{name}/{path}", data)
            found = lab.scan_inboxes().get(name)
            if found is None:
                raise Finding(f"{name} was neither announced nor refused")
            letters = [*check_sentences(found.faults), *check_sentences(lab.work_off("ingest"))]
            if examine:
                self._examine_folder(self.home / "stack" / "inbox" / name)
        finally:
            for key in list(lab.inbox.list_keys(f"{name}/")):
                lab.inbox.delete(key)
        return "fault" if found.faults else "dead letter" if letters else "read"

    def _examine_folder(self, folder: Path) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                show_diagnosis([folder], ReadingOptions(), deep=True, distinct=False, as_json=True, html=None)
            except BadData as fault:
                check_sentences([str(fault)])


def check_sentences(sentences: Iterable[str]) -> list[str]:
    """The sentences. Raises Finding for one about an error that nobody planned, or about memory."""
    found = list(sentences)
    for sentence in found:
        if _UNPLANNED.search(sentence) or _LOST.search(sentence):
            raise Finding(sentence[:1000])
    return found


def _try_image(trials: Trials, draw: random.Random) -> str:
    suffix, data = images.make_image(draw)
    sound = images.encode_image({".jpg": "JPEG", ".png": "PNG"}.get(suffix, "PNG"))
    frames = {f"img{number}{suffix}": data if number == 2 or draw.random() < 0.3 else sound for number in (1, 2, 3)}
    folder = trials.home / "frames" / str(trials._number)
    folder.mkdir(parents=True)
    for name, content in frames.items():
        (folder / name).write_bytes(content)
    with contextlib.suppress(BadData):
        for _ in open_recording(folder, 50).read_frames():
            pass
    return trials.try_dataset(
        {"clips.csv": sheet({"a": "others"}), **{f"frames/a/{name}": content for name, content in frames.items()}}
    )


def _try_video(trials: Trials, draw: random.Random) -> str:
    suffix, data = videos.make_video(draw, trials.around.secret_file)
    table = f"{HEADER}\n,s,a,v{suffix},0,2,5,25,others,4\n".encode()
    outcome = trials.try_dataset({"clips.csv": table, f"v{suffix}": data})
    lab, key = trials.lab, f"v{trials._number}{suffix}"
    lab.videos.put(key, data)
    lab.videos.put(f"{key}.merstream.json", b'{"force": true}')
    lab.scan_inboxes()
    outcome += " refused" if check_sentences(lab.work_off("spotter")) else " spotted"
    for each in list(lab.videos.list_keys()):
        lab.videos.delete(each)
    return outcome


def _try_archive(trials: Trials, draw: random.Random) -> str:
    suffix, data = archives.make_archive(draw, trials.around.outside)
    inside = draw.random() < 0.3
    return trials.try_dataset({f"packed{suffix}": data, **(dataset("b") if inside else {})}, examine=False)


def _try_sheet(trials: Trials, draw: random.Random) -> str:
    name, data = sheets.make_sheet(draw, trials.around.secret_file)
    return trials.try_dataset(
        {**dataset("a", "b"), "clips.csv": b"", name: data}
        if name == "clips.csv"
        else {**{path: each for path, each in dataset("a", "b").items() if path != "clips.csv"}, name: data}
    )


def _try_arrays(trials: Trials, draw: random.Random) -> str:
    group, lab = draw.choice(tuple(arrays.READS)), trials.lab
    found = arrays.make_artifacts(group, draw, trials.around.outside / "evil")
    sample = messages.SAMPLE.model_copy(update={"clip": f"c{trials._number}"})
    named = {}
    for stage, data in found.items():
        key = artifact_key(stage, sample, "0" * 32)
        lab.store.put(key, data)
        named[stage] = Artifact(key=key, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    stage, artifact = next(iter(named.items()))
    record = Record(sample=sample, stage=stage, artifact=artifact, inputs=named, recipe="r", trace="t")
    lab.bus.publish(TOPIC_BY_GROUP[group], record.key, record.encode())
    letters = lab.work_off(group)
    # A stage trusts arrays whose digest is the record's. That they are of another shape is found where it matters.
    # One that is honest about 256 MB may need more memory than there is.
    known = (_UNPLANNED.match(sentence) or "needs more memory" in sentence for sentence in letters)
    planned = check_sentences(sentence for sentence, is_known in zip(letters, known, strict=True) if not is_known)
    return "dead letter" if planned else "unplanned letter" if letters else "computed"


def _try_message(trials: Trials, draw: random.Random) -> str:
    topic, key, value, headers = messages.make_message(draw)
    lab = trials.lab
    lab.bus.publish(topic, key, value, headers)
    groups = [group for group, name in TOPIC_BY_GROUP.items() if name == topic]
    letters = [sentence for group in groups for sentence in check_sentences(lab.work_off(group))]
    for group in TOPIC_BY_GROUP:  # what it published in turn
        check_sentences(lab.work_off(group))
    lab.poll_loops()
    for path in ("/datasets", "/runs"):
        _check_answer(*lab.ask_api("GET", path))
    if topic in ("mer.datasets", "mer.videos", "mer.spotted"):
        lab.scan_inboxes()
    return "dead letter" if letters else "read"


def _try_name(trials: Trials, draw: random.Random) -> str:
    """An object under a name of S3, which a path on a disk may not be, and a notification of it."""
    lab = trials.names
    path = archives.make_odd_path(draw, trials.around.outside)
    name = draw.choice(
        (path, f"d/{path}", f"d/{path}/clips.csv", f"d/{path}.zip", f"{path}.mp4", f"d/frames/a/{path}.jpg")
    )
    key = name.encode()[:1024].decode("utf-8", "ignore")
    bucket = lab.videos if key.endswith(".mp4") else lab.inbox
    for own, data in dataset("a").items():
        lab.inbox.put(f"d/{own}", data)
    bucket.put(key, draw.choice((b"x", sheet({"a": "others"}))))
    event = {"s3": {"bucket": {"name": draw.choice(("datasets", "videos", "x"))}, "object": {"key": key}}}
    lab.bus.publish("mer.bucket-events", "k", json.dumps({"Records": [event]}).encode())
    lab.poll_loops()
    found = lab.scan_inboxes()
    for each in found.values():
        check_sentences(each.faults)
    check_sentences([*lab.work_off("spotter"), *lab.work_off("ingest")])
    bucket.delete(key)
    return "refused" if any(each.faults for each in found.values()) else "read"


def _try_plan(trials: Trials, draw: random.Random) -> str:
    if draw.random() < 0.5:
        return trials.try_dataset({**dataset("a"), "merstream.json": make_text(PLAN, draw)}, examine=False)
    lab, key = trials.lab, f"p{trials._number}.mp4"
    lab.videos.put(key, videos.encode_video(".mp4"))
    lab.videos.put(f"{key}.merstream.json", make_text(VIDEO_PLAN, draw))
    lab.scan_inboxes()
    outcome = "refused" if check_sentences(lab.work_off("spotter")) else "read"
    for each in list(lab.videos.list_keys()):
        lab.videos.delete(each)
    return outcome


def _try_request(trials: Trials, draw: random.Random) -> str:
    trials.lab.announce_sound_dataset()
    path = draw.choice(
        (
            *(
                "/runs",
                "/runs",
                "/runs",
                "/runs",
                "/datasets",
                "/runs/x",
                f"/runs/{'ab' * 16}",
                "/openapi.json",
                "/%00",
            ),
            *(
                f"/runs/{'ab' * 16}/../../x",
                f"/runs/{'ab' * 16}/report.html",
                "/runs?limit=-1",
                "/runs?dataset=%00&limit=9",
            ),
            *("/runs?limit=99999999999999999999", "/runs/\u202e", "//", "/runs/" + "x" * 5000),
        )
    )
    method = draw.choice(("POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"))
    headers = draw.choice(({}, {"content-type": "text/xml"}, {"host": "evil.example"}, {"host": "\xff["}))
    if draw.random() < 0.7:
        method, path, headers = "POST", "/runs", {}
    status, body = trials.lab.ask_api(method, path, make_text(REQUEST, draw), headers)
    _check_answer(status, body)
    return str(status)


def _check_answer(status: int, body: str) -> None:
    if status >= 500:
        raise Finding(f"the API answers {status} {body[:500]}")


TRIALS: Mapping[str, Callable[[Trials, random.Random], str]] = {
    "image": _try_image,
    "video": _try_video,
    "archive": _try_archive,
    "sheet": _try_sheet,
    "npz": _try_arrays,
    "message": _try_message,
    "name": _try_name,
    "merstream.json": _try_plan,
    "request": _try_request,
}
