"""The manifests as kustomize builds them: every combination, every pod, every connection."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s import generate
from k8s.keda import PartitionState, replica_count
from k8s.scaling import SCALED_SERVICES
from services.ingest.inbox.metrics import InboxMetrics, VideoMetrics
from services.spotter.metrics import SpotterMetrics
from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.prediction_metrics import RecognitionMetrics, VideoStateMetrics
from shared.bus.topics import TOPIC_BY_GROUP, TOPICS
from shared.service_access import ACCESS, USER_PREFIX
from shared.settings import OTHER_VARIABLES, Settings
from shared.telemetry import Metrics
from tests.servers import kustomize
from tests.servers.policies import Peer, allowed

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("local", "gpu", "cluster")
SERVERS = ("kafka", "store")
API_PORT = Settings.model_fields["api_port"].default
STAGES = ("ingest", "interpolator", "magnifier", "flow", "roi-au")
WORKERS = ("inbox", "withdrawal", "spotter", *STAGES, "planner", "trainer", "recogniser", "console")
Manifest = dict[str, Any]


@cache
def overlay(name: str) -> list[Manifest]:
    try:
        return kustomize.build(K8S / "overlays" / name)
    except kustomize.ServerMissing as lacking:
        pytest.skip(str(lacking))


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def pods(manifests: list[Manifest]) -> dict[str, Mapping[str, Any]]:
    """Pod specs by their workload's name."""
    return {
        m["metadata"]["name"]: m["spec"]["template"]["spec"]
        for m in manifests
        if m["kind"] in ("Deployment", "StatefulSet")
    }


def containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from pod["containers"]
    yield from pod.get("initContainers", [])


def test_generated_files_are_as_make_gen_writes_them() -> None:
    assert generate.differing_files() == []


def test_each_manifest_exists_once() -> None:
    files = [file for file in K8S.rglob("*.yaml") if "overlays" not in file.parts]
    found = [manifest for file in files for manifest in yaml.safe_load_all(file.read_text())]
    patched = {"every", "kustomization"}
    whole = [m for m in found if isinstance(m, dict) and "metadata" in m and m["metadata"]["name"] not in patched]
    named = Counter((m["kind"], m["metadata"]["name"]) for m in whole if m["kind"] != "Deployment" or _is_whole(m))
    assert [name for name, count in named.items() if count > 1] == []
    assert {name for kind, name in named if kind == "Deployment"} == set(WORKERS)


def _is_whole(deployment: Manifest) -> bool:
    """Not a patch of one."""
    return "selector" in deployment["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_every_service(name: str) -> None:
    deployments = of_kind(overlay(name), "Deployment")
    assert set(deployments) == set(WORKERS)
    assert set(of_kind(overlay(name), "StatefulSet")) == (set() if name == "cluster" else set(SERVERS))
    assert all(m["metadata"].get("namespace", "merstream") == "merstream" for m in overlay(name))


@pytest.fixture(scope="module")
def mixer(tmp_path_factory: pytest.TempPathFactory) -> kustomize.Mixer:
    return kustomize.Mixer(K8S, tmp_path_factory.mktemp("k8s"))


@pytest.mark.parametrize("parts", kustomize.some_combinations(), ids="+".join)
def test_components_go_together(parts: tuple[str, ...], mixer: kustomize.Mixer) -> None:
    try:
        manifests = mixer.build(parts)
    except kustomize.ServerMissing as lacking:
        pytest.skip(str(lacking))
    assert set(of_kind(manifests, "Deployment")) == set(WORKERS)
    for pod in pods(manifests).values():
        settings = [source["configMapRef"]["name"] for c in containers(pod) for source in c.get("envFrom", [])[:1]]
        assert set(settings) <= set(of_kind(manifests, "ConfigMap")), "a pod takes settings that are not there"


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_pod_may_more_than_it_needs(name: str) -> None:
    for workload, pod in pods(overlay(name)).items():
        assert pod["automountServiceAccountToken"] is False, workload
        assert pod["enableServiceLinks"] is False, workload
        assert pod["serviceAccountName"] == workload
        assert pod["securityContext"]["runAsNonRoot"] is True, workload
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, workload
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, workload
    accounts = of_kind(overlay(name), "ServiceAccount")
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())


def test_the_ingress_leads_to_the_console_under_a_name_that_it_answers_to(mixer: kustomize.Mixer) -> None:
    manifests = mixer.build(("ingress", "namespace"))
    (rule,) = of_kind(manifests, "Ingress")["console"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    service = of_kind(manifests, "Service")[path["backend"]["service"]["name"]]
    assert path["backend"]["service"]["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
    (container,) = pods(manifests)["console"]["containers"]
    given = {each["name"]: each.get("value") for each in container["env"]}
    assert rule["host"] in given["MER_API_HOSTS"].split(",")
    assert given["MER_API_HOST"] == "0.0.0.0", "a patch adds to the list"


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_api_is_found_where_it_is_served(name: str) -> None:
    service, (container,) = (
        of_kind(overlay(name), "Service")["console"]["spec"],
        pods(overlay(name))["console"]["containers"],
    )
    assert service["ports"] == [{"name": "api", "port": API_PORT, "targetPort": "api"}]
    assert service["selector"]["app.kubernetes.io/name"] == "console"
    given = {entry["name"]: entry for entry in container["env"]}
    assert given["MER_API_HOST"]["value"] == "0.0.0.0"
    assert given["MER_API_TOKEN"]["valueFrom"]["secretKeyRef"]["optional"] is True


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_container_says_what_it_takes_and_at_most_takes(name: str) -> None:
    for workload, pod in pods(overlay(name)).items():
        for container in containers(pod):
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), workload
            assert {"cpu", "memory"} <= set(resources["limits"]), workload
        assert all("sizeLimit" in v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v), workload


@pytest.mark.parametrize("name", OVERLAYS)
def test_workers_are_probed_where_they_answer(name: str) -> None:
    port = Settings.model_fields["port"].default
    for workload in WORKERS:
        (container,) = pods(overlay(name))[workload]["containers"]
        named = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert named == {"metrics": port, **({"api": API_PORT} if workload == "console" else {})}
        paths = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert paths == {
            "startup": {"path": "/livez", "port": "metrics"},
            "liveness": {"path": "/livez", "port": "metrics"},
            "readiness": {"path": "/readyz", "port": "metrics"},
        }, workload


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_are_pinned(name: str) -> None:
    environment = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env").read_text(), re.MULTILINE))
    known = {environment[name] for name in ("KAFKA_IMAGE", "MINIO_IMAGE")}
    known |= {f"localhost/merstream/{service}:{environment['TAG']}" for service in WORKERS}
    used = {container["image"] for pod in pods(overlay(name)).values() for container in containers(pod)}
    assert used <= known, "compose and Kubernetes run the same images"


def secrets_of(container: Mapping[str, Any]) -> list[str]:
    return [source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source]


def test_where_servers_have_logins_a_pod_has_its_services_own_alone() -> None:
    for name in WORKERS:
        pod = pods(overlay("cluster"))[name]
        assert secrets_of(pod["containers"][0]) == [f"merstream-{name}"]
        assert [secrets_of(each) for each in pod.get("initContainers", [])] == (
            [["merstream-store", "merstream-kafka"]] if name == "inbox" else []
        ), "the set-up alone has the administrator's"
    settings = settings_of(overlay("cluster"))
    assert (settings["MER_S3_TLS"], settings["MER_KAFKA_TLS"], settings["MER_KAFKA_SASL"]) == (
        "true",
        "true",
        "SCRAM-SHA-512",
    )


def test_strimzi_gives_each_service_its_rights_and_nobody_else_any(tmp_path: Path) -> None:
    try:
        manifests = kustomize.Mixer(K8S, tmp_path).build(("store", "strimzi", "kafka-login", "service-logins"))
    except kustomize.ServerMissing as lacking:
        pytest.skip(str(lacking))
    cluster = of_kind(manifests, "Kafka")["kafka"]["spec"]["kafka"]
    assert [(each["tls"], each["authentication"]["type"]) for each in cluster["listeners"]] == [(True, "scram-sha-512")]
    assert cluster["authorization"] == {"type": "simple", "superUsers": ["mer-setup"]}
    users = of_kind(manifests, "KafkaUser")
    assert users.keys() == {f"{USER_PREFIX}{service}" for service in (*ACCESS, "setup")}
    rights = {(a["resource"]["name"], *a["operations"]) for a in users["mer-flow"]["spec"]["authorization"]["acls"]}
    topics = {("mer.magnified", "Read"), ("mer.flows", "Write"), ("mer.sources", "Write"), ("mer.flow.dlq", "Write")}
    assert rights == topics | {("flow", "Read")}
    for name, pod in pods(manifests).items():
        (tls,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "tls"]
        assert tls["secretName"] == "kafka-cluster-ca-cert", name


def settings_of(manifests: list[Manifest]) -> dict[str, str]:
    (settings,) = [m for m in of_kind(manifests, "ConfigMap").values() if "MER_SCRATCH" in m["data"]]
    return dict(settings["data"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_setting_is_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.settings import load_settings

    settings = settings_of(overlay(name))
    for variable, value in {**settings, "MER_S3_ACCESS_KEY": "a", "MER_S3_SECRET_KEY": "b"}.items():
        monkeypatch.setenv(variable, value)
    loaded = load_settings()
    assert loaded.kafka_servers
    assert loaded.s3_endpoint
    known = {f"MER_{field.upper()}" for field in Settings.model_fields} | OTHER_VARIABLES
    for pod in pods(overlay(name)).values():
        given = [entry["name"] for c in pod["containers"] for entry in c.get("env", [])]
        assert {variable for variable in given if variable.startswith("MER_")} <= known


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_may_finish_its_work(name: str) -> None:
    common = float(settings_of(overlay(name))["MER_GRACE_SECONDS"])
    for workload in WORKERS:
        pod = pods(overlay(name))[workload]
        own = {entry["name"]: entry.get("value") for entry in pod["containers"][0].get("env", [])}
        assert pod["terminationGracePeriodSeconds"] >= float(own.get("MER_GRACE_SECONDS", common)) + 30, workload


def test_a_roll_does_not_wait_for_a_gpu_that_is_taken() -> None:
    for workload, pod in of_kind(overlay("gpu"), "Deployment").items():
        limits = pod["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert ("nvidia.com/gpu" in limits) == (workload in ("interpolator", "trainer")), workload
        if "nvidia.com/gpu" in limits:
            assert pod["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0


@pytest.mark.parametrize(("component", "stage"), [("gpu-flow", "flow"), ("gpu-magnet", "magnifier")])
def test_a_stage_gets_a_gpu_where_it_is_asked_for(component: str, stage: str, mixer: kustomize.Mixer) -> None:
    deployment = of_kind(mixer.build(("gpu", component, "hpa")), "Deployment")[stage]["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxSurge"] == 0
    (worker,) = deployment["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "MER_DEVICE", "value": "cuda"} in worker["env"]


def test_nobody_says_how_many_but_who_scales() -> None:
    fixed = {name for name, m in of_kind(overlay("cluster"), "Deployment").items() if "replicas" in m["spec"]}
    assert fixed <= {"inbox"}
    assert not fixed & set(of_kind(overlay("cluster"), "ScaledObject"))


@pytest.mark.parametrize("kind", ["ScaledObject", "HorizontalPodAutoscaler"])
def test_every_group_is_scaled_up_to_its_partitions(kind: str, mixer: kustomize.Mixer) -> None:
    rendered = generate.scaled_object if kind == "ScaledObject" else generate.horizontal_autoscaler
    groups = {group: (rendered(scaled)["spec"], scaled) for scaled in SCALED_SERVICES for group in scaled.groups}
    assert set(groups) == set(TOPIC_BY_GROUP) - {"planner"}, "the planner is one"
    for group, (spec, scaled) in groups.items():
        assert spec["scaleTargetRef"]["name"] == group
        assert spec.get("maxReplicaCount", spec.get("maxReplicas")) == TOPICS[TOPIC_BY_GROUP[group]].partitions
        down = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", spec)["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] == scaled.patience_seconds >= 300


def test_gpu_stages_go_to_zero_and_get_a_pod_for_each_record() -> None:
    for name in ("interpolator", "trainer"):
        scaled = of_kind(overlay("cluster"), "ScaledObject")[name]
        group = {("mer.clips", "interpolator"), ("mer.folds", "trainer")}
        place = next(each for each in group if each[1] == name)
        asked = [
            replica_count(scaled, {place: {p: PartitionState(5 + (p < lag), 5) for p in range(24)}})
            for lag in (0, 1, 2, 24)
        ]
        assert asked == [0, 1, 2, 24]


@pytest.mark.parametrize(
    ("places", "pods"),
    [
        ([PartitionState(0, None)] * 24, 0),
        ([PartitionState(3, None), *[PartitionState(0, None)] * 23], 3),  # nothing was ever committed: all of it waits
        ([PartitionState(100, 60), *[PartitionState(7, 7)] * 23], 24),  # more than partitions: one for each
        ([PartitionState(8, 7)] * 5 + [PartitionState(7, 7)] * 19, 5),
    ],
)
def test_pods_that_a_backlog_asks_for(places: list[PartitionState], pods: int) -> None:
    (scaled,) = [generate.scaled_object(scaled) for scaled in SCALED_SERVICES if scaled.service == "interpolator"]
    assert replica_count(scaled, {("mer.clips", "interpolator"): dict(enumerate(places))}) == pods


def labelled(name: str) -> Peer:
    return Peer((("app.kubernetes.io/name", name), ("app.kubernetes.io/part-of", "merstream")))


DNS = Peer((("k8s-app", "kube-dns"),), namespace=(("kubernetes.io/metadata.name", "kube-system"),))
PROMETHEUS = Peer((), namespace=(("kubernetes.io/metadata.name", "monitoring"),))
INTERNET = Peer(address="93.184.216.34")
STRANGER = Peer((("app", "somebody"),))


def test_policies_let_the_work_pass_and_nothing_else() -> None:
    policies = list(of_kind(overlay("local"), "NetworkPolicy").values())
    everybody = {name: labelled(name) for name in (*WORKERS, *SERVERS)}
    everybody |= {"dns": DNS, "prometheus": PROMETHEUS, "internet": INTERNET, "stranger": STRANGER}
    ports = {"dns": (53,), "kafka": (9092, 9093, 29092), "store": (9000,), "internet": (443,)}
    ports["console"] = (9100, API_PORT)
    passing = {
        (source, target, port)
        for source, target in ((a, b) for a in everybody for b in everybody if a != b)
        for port in ports.get(target, (9100,))
        if not {source, target} <= {"dns", "prometheus", "internet", "stranger"}
        if allowed(policies, everybody[source], everybody[target], port)
    }
    wanted = {(worker, "kafka", 9092) for worker in (*WORKERS, "store")}
    wanted |= {(worker, "store", 9000) for worker in WORKERS}
    wanted |= {(pod, "dns", 53) for pod in (*WORKERS, *SERVERS)}
    wanted |= {("prometheus", worker, 9100) for worker in WORKERS}
    wanted |= {("stranger", "console", API_PORT)}
    assert passing == wanted


def test_policies_of_a_cluster_let_servers_elsewhere_be_reached() -> None:
    policies = list(of_kind(overlay("cluster"), "NetworkPolicy").values())
    for worker in WORKERS:
        assert allowed(policies, labelled(worker), Peer(address="10.1.2.3"), 9092)
        assert allowed(policies, labelled(worker), INTERNET, 443)
        assert not allowed(policies, labelled(worker), INTERNET, 80)


def expressions() -> Iterator[str]:
    (rules,) = of_kind(overlay("cluster"), "PrometheusRule").values()
    yield from (rule["expr"] for group in rules["spec"]["groups"] for rule in group["rules"])
    yield (K8S / "components/monitoring/merstream.json").read_text()


def test_alerts_and_dashboard_ask_for_figures_that_exist() -> None:
    registry = Metrics().registry
    for owner in (
        *(TrainingMetrics, InboxMetrics, VideoMetrics, SpotterMetrics),
        *(RecognitionMetrics, VideoStateMetrics),
    ):
        owner(registry)
    families = list(registry._collector_to_names.values())
    names = {name for family in families for name in family} | {f"{n}_bucket" for family in families for n in family}
    asked = {name for text in expressions() for name in re.findall(r"\bmer_\w+", text)}
    assert asked <= names
    assert {"mer_train_uf1", "mer_train_au_f1", "mer_train_au_f1_by_dataset"} <= asked, "the figures of a report"
    assert {"mer_prediction_videos", "mer_watched_seconds_total", "mer_spotted_events_total"} <= asked


def test_every_alert_has_its_line_in_the_runbook() -> None:
    (rules,) = of_kind(overlay("cluster"), "PrometheusRule").values()
    text = (ROOT / "docs/how-to/alerts.md").read_text()
    for rule in rules["spec"]["groups"][0]["rules"]:
        assert rule["annotations"]["runbook"] == f"docs/how-to/alerts.md#{rule['alert'].lower()}"
        assert f"\n## {rule['alert']}\n" in text
