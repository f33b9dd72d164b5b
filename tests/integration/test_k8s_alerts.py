"""Alerts, as Prometheus evaluates them over series that we draw: each fires on its trouble and on no other."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "k8s/components/monitoring/alerts.yaml"
AT = "13h"  # later than the longest `for` after the longest window
IMAGE = next(
    line.partition("=")[2].partition("@")[0]
    for line in (ROOT / ".env").read_text().splitlines()
    if line.startswith("PROMETHEUS_IMAGE=")
)

WAITING = 'mer_waiting_records{namespace="n",stage="flow"}'
TRAINING = 'mer_waiting_records{namespace="n",stage="trainer"}'
HEAD = 'mer_oldest_record_seconds{namespace="n",stage="flow",partition="7"}'
BURIED = 'mer_dead_letters{namespace="n",stage="flow"}'
DONE = 'mer_records_total{namespace="n",stage="flow",outcome="computed",pod="p"}'
TRAINED = 'mer_records_total{namespace="n",stage="trainer",outcome="computed",pod="t"}'
REPEATED = 'mer_retries_total{namespace="n",stage="flow",pod="p"}'
HALTED = 'mer_halted{namespace="n",stage="flow",pod="p"}'
LOST = 'mer_train_clips{namespace="n",dataset="d",pipeline="p",state="lost",pod="i"}'
LOST_VIDEOS = 'mer_prediction_videos{namespace="n",state="lost",pod="i"}'
RESTARTED = 'kube_pod_container_status_restarts_total{namespace="n",container="worker",pod="p"}'

# What a deployment tells that has nothing to do and nothing to complain of, one sample a minute.
CALM = {
    WAITING: "0x800",
    TRAINING: "0x800",
    BURIED: "0x800",
    DONE: "7x800",
    TRAINED: "7x800",
    REPEATED: "2x800",
    'mer_heartbeat_seconds{namespace="n",stage="flow",pod="p"}': "0+60x800",
    HALTED: "0x800",
    LOST: "0x800",
    LOST.replace("lost", "waiting"): "5x800",
    LOST_VIDEOS: "0x800",
    LOST_VIDEOS.replace("lost", "watching"): "5x800",
    RESTARTED: "1x800",
    'kube_pod_container_status_restarts_total{namespace="other",container="worker",pod="q"}': "0+1x800",
}

CASES: dict[str, tuple[Mapping[str, str], set[str]]] = {
    "calm": ({}, set()),
    "much waits and much is done": ({WAITING: "4000-1x800", DONE: "0+1x800"}, set()),
    "more comes than is done": ({WAITING: "100+1x800", DONE: "0+1x800"}, {"MerBacklogGrows"}),
    "nothing is done": ({WAITING: "5x800"}, {"MerNoProgress"}),
    "a worker's first record is its last": ({WAITING: "5x800", DONE: "_x700 1x100"}, {"MerNoProgress"}),
    "a fold trains for hours": ({TRAINING: "5x800", TRAINED: "0x180 1x180 2x180 3x240"}, set()),
    "no fold is done": ({TRAINING: "5x800"}, {"MerTrainerStalled"}),
    "one record holds its partition": ({HEAD: "0+60x800"}, {"MerRecordStuck"}),
    "clips that nobody works on": ({LOST: "0x600 2x200"}, {"MerClipsLost"}),
    "clips that seem lost for a moment": ({LOST: "0x600 2x5 0x195"}, set()),
    "videos that nobody works on": ({LOST_VIDEOS: "0x600 2x200"}, {"MerVideosLost"}),
    "videos that seem lost for a moment": ({LOST_VIDEOS: "0x600 2x5 0x195"}, set()),
    "a letter": ({BURIED: "0x700 1x100"}, {"MerDeadLetters"}),
    "the store is away": ({REPEATED: "0+3x800"}, {"MerStoreErrors"}),
    "an attempt in two minutes": ({REPEATED: "0+0.5x800"}, set()),
    "buried too much": ({HALTED: "0x700 1x100"}, {"MerHalted"}),
    "it falls over": (
        {RESTARTED: "0+0.1x800"},
        {"MerWorkerRestarting"},
    ),
    "nobody tells": ({WAITING: "0x700", TRAINING: "0x700"}, {"MerNoFigures"}),
}


def promtool(folder: Path) -> list[str]:
    """The program, of this machine or of compose's image."""
    if found := shutil.which("promtool"):
        return [found, "test", "rules", str(folder / "test.yml")]
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "image", "inspect", IMAGE], capture_output=True).returncode:
        pytest.skip(f"No `promtool` on the PATH, and no Docker engine with {IMAGE}.")
    mount = ["--volume", f"{folder}:/rules:ro", "--entrypoint", "promtool"]
    return [docker, "run", "--rm", *mount, IMAGE, "test", "rules", "/rules/test.yml"]


def test_each_trouble_has_its_alert_and_no_other(tmp_path: Path) -> None:
    spec = yaml.safe_load(ALERTS.read_text())["spec"]
    names = [rule["alert"] for rule in spec["groups"][0]["rules"]]
    assert set().union(*(fired for _, fired in CASES.values())) == set(names), "every alert has a case"
    rules, tests = tmp_path / "rules.yml", tmp_path / "test.yml"
    rules.write_text(yaml.safe_dump(_without_words(spec)))
    cases = [_case(title, changes, fired, names) for title, (changes, fired) in CASES.items()]
    tests.write_text(yaml.safe_dump({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": cases}))
    tmp_path.chmod(0o755)
    done = subprocess.run(promtool(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _without_words(spec: dict[str, Any]) -> dict[str, Any]:
    """A case then has to name labels only; and only one: who it is about."""
    for rule in spec["groups"][0]["rules"]:
        rule["annotations"], rule["labels"] = {}, {}
        rule["expr"] = f"count({rule['expr']}) > 0"
    return spec


def _case(title: str, changes: Mapping[str, str], fired: set[str], names: list[str]) -> dict[str, Any]:
    series = [{"series": name, "values": values} for name, values in {**CALM, **changes}.items()]
    expected = [{"eval_time": AT, "alertname": n, "exp_alerts": [{}] if n in fired else []} for n in names]
    return {"name": title, "interval": "1m", "input_series": series, "alert_rule_test": expected}
