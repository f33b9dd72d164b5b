"""Who may speak with whom: NetworkPolicies as the API defines them, for one namespace and its surroundings."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Labels = Mapping[str, str]
Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Peer:
    """A pod (of the policies' namespace unless it names another), or an address outside of the cluster."""

    labels: tuple[tuple[str, str], ...] = ()
    namespace: tuple[tuple[str, str], ...] | None = None  # labels of another namespace
    address: str | None = None


def allowed(policies: Iterable[Policy], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """A connection passes where the source's egress and the target's ingress both let it."""
    policies = list(policies)
    return _open(policies, "Egress", source, target, port, protocol) and _open(
        policies, "Ingress", target, source, port, protocol
    )


def _open(policies: list[Policy], kind: str, pod: Peer, other: Peer, port: int, protocol: str) -> bool:
    """Without a policy that selects it a pod is open; with some, one of their rules has to match."""
    if pod.namespace is not None or pod.address is not None:
        return True  # not under these policies
    ours = [
        p["spec"]
        for p in policies
        if kind in p["spec"]["policyTypes"] and _selects(p["spec"]["podSelector"], dict(pod.labels))
    ]
    rules = [rule for spec in ours for rule in spec.get(kind.lower()) or []]
    side = "to" if kind == "Egress" else "from"
    return not ours or any(_port(rule, port, protocol) and _peer(rule.get(side), other) for rule in rules)


def _port(rule: Mapping[str, Any], port: int, protocol: str) -> bool:
    return "ports" not in rule or any(p["port"] == port and p.get("protocol", "TCP") == protocol for p in rule["ports"])


def _peer(peers: list[Mapping[str, Any]] | None, other: Peer) -> bool:
    return peers is None or any(_matches(peer, other) for peer in peers)


def _matches(peer: Mapping[str, Any], other: Peer) -> bool:
    if "ipBlock" in peer:
        return other.address is not None and ipaddress.ip_address(other.address) in ipaddress.ip_network(
            peer["ipBlock"]["cidr"]
        )
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        namespace = dict(other.namespace or (("kubernetes.io/metadata.name", "merstream"),))
        if not _selects(peer["namespaceSelector"], namespace):
            return False
    elif other.namespace is not None:
        return False
    return _selects(peer.get("podSelector", {}), dict(other.labels))


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Raises KeyError for an operator that is not used here."""
    wanted = selector.get("matchLabels") or {}
    operators = {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
    }
    return all(labels.get(k) == v for k, v in wanted.items()) and all(
        operators[e["operator"]](labels.get(e["key"]), e["values"]) for e in selector.get("matchExpressions") or []
    )
