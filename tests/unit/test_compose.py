"""Compose files, Dockerfiles and .env, read without Docker: what they promise each other and the code."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from merstream.single_thread import THREAD_COUNT_VARIABLES
from merstream.stages import STAGES
from shared import setup, weights
from shared.bus.topics import TOPICS
from shared.settings import OTHER_VARIABLES, Settings
from tests.servers import minio

ROOT = Path(__file__).parents[2]


def environment(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECURE = yaml.safe_load((ROOT / "docker-compose.secure.yml").read_text())
GPU = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())
PROMETHEUS = yaml.safe_load((ROOT / "docker" / "prometheus.yml").read_text())
ENV = environment(ROOT / ".env")
DOCKERFILES = [ROOT / "docker" / "Dockerfile", ROOT / "docker" / "minio.Dockerfile"]
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE_NAMES = "localhost/merstream/"  # no registry of others has them
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith(IMAGE_NAMES)}
BUILT = {name: service["build"]["args"] for name, service in OURS.items() if "build" in service}
WORKERS = sorted(OURS.keys() - {"init"})
POD_KINDS = ("Deployment", "StatefulSet")


def instructions(file: Path) -> list[str]:
    """Each of them on one line, comments left out."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_nothing_that_it_need_not(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is (name != "grafana"), "what it writes besides its volume is not known here"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_takes_no_more_of_the_machine_than_a_pod(name: str) -> None:
    service = SERVICES[name]
    assert (service["pids_limit"], service["cpu_quota"]) == (512, 200_000)
    pod = {"init": "inbox", "minio": "store"}.get(name, name)
    files = [file for part in ("base", f"components/{pod}") for file in (ROOT / "k8s" / part).glob(f"{pod}.yaml")]
    if name in ("prometheus", "grafana"):
        assert (service["mem_limit"], files) == ("2g", [])
        return
    (given,) = [m for file in files for m in yaml.safe_load_all(file.read_text()) if m["kind"] in POD_KINDS]
    kind = "initContainers" if name == "init" else "containers"
    (container,) = given["spec"]["template"]["spec"][kind]
    memory = container["resources"]["limits"]["memory"]
    assert service["mem_limit"] == memory.removesuffix("i").lower()


def test_no_volume_is_without_a_name() -> None:
    """Such a volume stays behind at each `down`."""
    named = [mount for service in SERVICES.values() for mount in service.get("volumes", []) if isinstance(mount, str)]
    assert all(re.match(r"[\w-]+:/|\./", mount) for mount in named)
    assert {mount.split(":")[0] for mount in named if not mount.startswith(".")} == set(COMPOSE["volumes"])
    scratch = [mount for name in WORKERS for mount in OURS[name]["volumes"]]
    assert scratch == [f"scratch-{name}:/scratch" for name in WORKERS], "one service does not see what another unpacks"


def test_nothing_leads_from_a_stage_to_other_machines() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    published = {name for name, service in SERVICES.items() if "ports" in service}
    assert {name for name, service in SERVICES.items() if "published" in service["networks"]} == published
    assert all("inside" in service["networks"] for service in SERVICES.values())
    options = COMPOSE["networks"]["published"]["driver_opts"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_no_registry_is_asked_for_an_image_of_ours_and_no_old_one_is_run() -> None:
    assert {name: service["pull_policy"] for name, service in OURS.items()} == {
        name: "build" if name in BUILT else "never" for name in OURS
    }


@pytest.mark.parametrize("name", OURS)
def test_a_service_hears_signals_and_has_room_for_small_files(name: str) -> None:
    service = OURS[name]
    assert service["init"] is True, "as process 1, Python would not hear SIGTERM while it imports"
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert service["restart"] == ("no" if name == "init" else "unless-stopped")


@pytest.mark.parametrize("name", WORKERS)
def test_a_service_stops_in_time_and_scales(name: str) -> None:
    service = OURS[name]
    assert float(service["stop_grace_period"].removesuffix("s")) > Settings().grace_seconds
    assert service["depends_on"] == {"init": {"condition": "service_completed_successfully"}}
    assert not service.keys() & {"container_name", "hostname", "deploy"}
    assert ("ports" in service) == (name == "console"), "two replicas can't have one port"


def test_the_api_is_served_where_it_is_published() -> None:
    console = SERVICES["console"]
    assert [port.split(":")[-1] for port in console["ports"]] == [str(Settings().api_port)]
    assert console["environment"]["MER_API_HOST"] == "0.0.0.0"
    assert "console" in Settings().api_hosts.split(",")
    assert [name for name, service in OURS.items() if "docker/token.env" in service["env_file"]] == ["console"]
    assert console["environment"].keys() >= SERVICES["trainer"]["environment"].keys()


def test_every_stage_has_a_service_of_its_name_and_an_image() -> None:
    stages = {stage.name for stage in STAGES} | {"spotter", "trainer", "console"}
    assert set(WORKERS) == stages | {"inbox", "withdrawal", "planner", "recogniser"}
    assert set(BUILT) == stages
    assert {name: OURS[name]["image"] for name in stages} == {name: f"{IMAGE_NAMES}{name}:${{TAG}}" for name in stages}
    assert {name: BUILT[name]["SERVICE"] for name in stages} == {name: name.replace("-", "_") for name in stages}


@pytest.mark.parametrize("name", WORKERS)
def test_prometheus_asks_every_replica_of_every_service(name: str) -> None:
    (job,) = [job for job in PROMETHEUS["scrape_configs"] if job["job_name"] == name]
    (lookup,) = job["dns_sd_configs"]
    assert (lookup["names"], lookup["type"], lookup["port"]) == ([name], "A", Settings().port)


def test_prometheus_has_the_alerts_of_kubernetes() -> None:
    (file,) = PROMETHEUS["rule_files"]
    assert f"./docker/{file}:/etc/prometheus/{file}:ro" in SERVICES["prometheus"]["volumes"]
    rules = yaml.safe_load((ROOT / "k8s/components/monitoring/alerts.yaml").read_text())
    assert yaml.safe_load((ROOT / "docker" / file).read_text()) == rules["spec"]


@pytest.mark.parametrize("name", BUILT)
def test_an_image_is_made_of_files_that_are_there(name: str) -> None:
    arguments = BUILT[name]
    locked = (ROOT / "requirements" / f"{arguments['SERVICE']}.txt").read_text()
    assert (ROOT / "services" / arguments["SERVICE"] / "__main__.py").exists()
    assert (arguments.get("FOUNDATION", "plain") == "torch") is bool(re.search(r"^torch==", locked, re.MULTILINE))
    assert set(arguments.get("WEIGHTS", "").split()) <= set(weights.ALL_WEIGHTS)


def test_every_weight_is_baked_where_it_is_read() -> None:
    read = {
        "ingest": (weights.FACE_DETECTOR, weights.FACE_MESH),
        "spotter": (weights.FACE_MESH,),
        "interpolator": (weights.RIFE,),
        "roi-au": (weights.LANDMARKS, weights.FACE_MESH),
    }
    for name, arguments in BUILT.items():
        baked = {weights.ALL_WEIGHTS[weight] for weight in arguments.get("WEIGHTS", "").split()}
        assert baked == set(read.get(name, ())), name


def test_the_torch_layer_is_part_of_the_trainer() -> None:
    pins = [
        set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / f"{extra}.txt").read_text(), re.MULTILINE))
        for extra in ("interpolator", "trainer")
    ]
    assert pins[0] <= pins[1]


@pytest.mark.parametrize("name", [name for name in ENV if name.endswith("_IMAGE")])
def test_an_image_of_others_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", ENV[name])


def test_every_variable_has_a_value_and_none_is_left_over() -> None:
    files = [*ROOT.glob("docker-compose*.yml"), *(ROOT / "docker").glob("*.env")]
    text = "".join(file.read_text() for file in files)
    assert set(re.findall(r"\$\{(\w+)", text)) == set(ENV)
    assert "$" not in (ROOT / "docker-compose.gpu.yml").read_text()


def test_a_secret_of_its_own_wins_over_the_shared_one() -> None:
    keys = {"minio": "docker/minio.env", **dict.fromkeys(OURS, "docker/keys.env")}
    for name, first in keys.items():
        files = SERVICES[name]["env_file"]
        assert (files[0], files[-1]) == (first, {"path": f"${{SECRETS}}/{name}.env", "required": False})


def test_secrets_come_from_the_environment_alone() -> None:
    given = {name: service.get("environment", {}) for name, service in SERVICES.items()}
    given |= {file.name: environment(file) for file in (ROOT / "docker").glob("*.env") if file.name != "localhost.env"}
    found = []
    for name, variables in given.items():
        for variable, value in variables.items():
            if re.search("SECRET|PASSWORD|ACCESS_KEY|ROOT_USER", variable):
                assert re.fullmatch(r"\$\{\w+:\?\}", value), (name, variable)
                found.append(name)
    assert sorted(found) == ["keys.env", "keys.env", "minio.env", "minio.env"]
    assert ENV["S3_SECRET_KEY"].startswith(setup.DEMO_SECRET_PREFIX), "the set-up warns of it by how it begins"
    files = [*ROOT.glob("docker-compose*.yml"), *(file for file in (ROOT / "docker").rglob("*") if file.is_file())]
    assert [file.name for file in files if ENV["S3_SECRET_KEY"] in file.read_text()] == ["localhost.env"]


def test_mer_finds_the_demo_where_compose_puts_it() -> None:
    given = environment(ROOT / "docker" / "localhost.env")
    assert given["MER_KAFKA_SERVERS"] == f"127.0.0.1:{ENV['KAFKA_PORT']}"
    assert given["MER_S3_ENDPOINT"] == f"127.0.0.1:{ENV['S3_PORT']}"
    assert given["MER_S3_ACCESS_KEY"] == ENV["S3_ACCESS_KEY"]
    assert given["MER_S3_SECRET_KEY"] == ENV["S3_SECRET_KEY"]


@pytest.mark.parametrize("given", [SERVICES, GPU["services"], SECURE["services"]], ids=["compose", "gpu", "secure"])
def test_a_service_is_given_settings_that_it_knows(given: dict[str, Any]) -> None:
    known = {f"MER_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    for name, service in given.items():
        unknown = {v for v in service.get("environment", {}) if v.startswith("MER_")} - known
        assert not unknown, name


def test_only_this_machine_reaches_what_is_published() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{\w+\}:\d+", port) for port in ports)


def test_drops_are_told_to_the_topic_that_the_inbox_reads() -> None:
    told = SERVICES["minio"]["environment"]
    name = setup.KAFKA_TARGET.split(":")[4]
    assert told[f"MINIO_NOTIFY_KAFKA_ENABLE_{name}"] == "on"
    assert told[f"MINIO_NOTIFY_KAFKA_TOPIC_{name}"] in TOPICS
    assert told[f"MINIO_NOTIFY_KAFKA_QUEUE_DIR_{name}"] in [v.split(":")[1] for v in SERVICES["minio"]["volumes"]]


def test_with_logins_every_client_of_kafka_logs_in_over_tls() -> None:
    for name in OURS:
        given, mounts = SECURE["services"][name]["environment"], SECURE["services"][name]["volumes"]
        assert (given["MER_KAFKA_TLS"], given["MER_KAFKA_CA_FILE"]) == ("true", "/tls/ca.crt")
        assert given["MER_KAFKA_SASL"] == ("PLAIN" if name == "init" else "SCRAM-SHA-512")
        assert (given["MER_S3_TLS"], given["MER_S3_CA_BUNDLE"]) == ("true", "/store-tls/public.crt")
        assert mounts == ["kafka-tls:/tls:ro", "store-tls:/store-tls:ro"]
    hardened = ("read_only", "cap_drop", "security_opt", "pids_limit", "cpu_quota")
    for maker in ("certificate", "store-certificate"):
        assert [SECURE["services"][maker][name] for name in hardened] == [SERVICES["kafka"][name] for name in hardened]
    broker = SECURE["services"]["kafka"]["environment"]
    kinds = dict(part.split(":") for part in broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    heard = dict(part.split("://") for part in broker["KAFKA_LISTENERS"].split(","))
    assert {name for name, kind in kinds.items() if kind == "PLAINTEXT"} == {
        name for name, place in heard.items() if place.startswith("localhost:")
    }, "without a login from within the container alone"
    assert broker["KAFKA_AUTHORIZER_CLASS_NAME"].endswith("StandardAuthorizer")


def test_services_with_torch_get_the_gpu() -> None:
    networks = {name for name, given in BUILT.items() if given.get("FOUNDATION") == "torch"}
    tensors = {BUILT[file.parent.name]["SERVICE"] for file in (ROOT / "services").glob("*/torch_*.py")} | {"magnifier"}
    assert {name for name, given in GPU["services"].items() if "deploy" in given} == networks | tensors | {"ingest"}
    assert {name: given["build"] for name, given in GPU["services"].items() if "build" in given} == {
        name: {"args": {"FOUNDATION": "torch"}} for name in tensors
    }
    told = {name for name, given in GPU["services"].items() if given["environment"] == {"MER_DEVICE": "cuda"}}
    assert told == networks | tensors | {"planner", "console", "ingest"}, "who starts runs chooses the model"


def test_the_magnifier_gets_torch_on_a_cpu_where_it_is_asked_for() -> None:
    layer = yaml.safe_load((ROOT / "docker-compose.magnet.yml").read_text())
    assert layer == {"services": {"magnifier": {"build": GPU["services"]["magnifier"]["build"]}}}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_a_process_is_started_without_a_shell(file: Path) -> None:
    started = [line for line in instructions(file) if re.match(r"(ENTRYPOINT|CMD|HEALTHCHECK)\b", line)]
    assert len(started) >= 2
    for line in started:
        command = line[line.index("[") :]
        assert all(isinstance(word, str) for word in json.loads(command)), line
    assert not file.read_text().startswith("# syntax="), "the builder would have to pull it"


def test_the_image_runs_as_nobody_and_with_the_threads_of_the_embedded_run() -> None:
    lines = instructions(DOCKERFILES[0])
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert "STOPSIGNAL SIGTERM" in lines
    variables = " ".join(line for line in lines if line.startswith("ENV"))
    assert all(f"{name}=1" in variables for name in THREAD_COUNT_VARIABLES)
    assert "PIP_NO_INDEX=1" in variables


def test_images_say_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}" in instructions(DOCKERFILES[0])
    assert ENV["TAG"] == version


def test_a_build_sees_what_it_copies_and_nothing_private() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = [line.split()[1:-1] for line in instructions(DOCKERFILES[0]) if line.startswith("COPY")]
    tops = {source.split("/")[0] for sources in copied for source in sources}
    assert {rule[1:].split("/")[0] for rule in rules if rule.startswith("!")} == tops


def test_minio_from_source_is_the_one_that_tests_run() -> None:
    assert f"ARG MINIO={minio.VERSION}" in instructions(DOCKERFILES[1])


def test_weights_need_no_more_than_the_image_has_when_it_gets_them(tmp_path: Path) -> None:
    """Their layer stays in the cache of builds while the other files of `shared` change."""
    (line,) = [
        line for line in DOCKERFILES[0].read_text().splitlines() if "shared/weights.py" in line and "COPY" in line
    ]
    (tmp_path / "shared").mkdir()
    for file in line.split()[1:-1]:
        shutil.copy(ROOT / file, tmp_path / file)
    subprocess.run([sys.executable, "-c", "import shared.weights"], cwd=tmp_path, check=True)
