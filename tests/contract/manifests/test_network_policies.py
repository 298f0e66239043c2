"""Which pods of the cluster may call which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def _of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == kind}


def test_the_models_are_reached_by_the_gateway_and_audio_features_by_similarity(
    resources: list[dict[str, Any]], deployments: dict[str, Any]
) -> None:
    policies = _of_kind(resources, "NetworkPolicy")
    assert policies["deny-by-default"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    reached = {
        (sender, receiver)
        for sender in deployments
        for receiver in deployments
        if _may_call(policies.values(), deployments[sender], deployments[receiver], "grpc")
    }
    # The gateway takes calls from anywhere, but of the pods here none may make them, itself included.
    models = deployments.keys() - {"gateway"}
    assert reached == {*(("gateway", model) for model in models), ("similarity", "audio-features")}
    called_on_other_ports = {
        (sender, receiver, port)
        for sender in deployments
        for receiver in deployments
        for port in ("metrics", "http")
        if _may_call(policies.values(), deployments[sender], deployments[receiver], port)
    }
    assert called_on_other_ports == set()


def test_pods_send_nothing_out_of_the_namespace_but_questions_to_its_name_service(
    resources: list[dict[str, Any]],
) -> None:
    for policy in _of_kind(resources, "NetworkPolicy").values():
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                if "namespaceSelector" in peer:
                    assert peer["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
                    assert {port["port"] for port in rule["ports"]} == {53}
                else:
                    assert peer.keys() == {"podSelector"}


def test_from_elsewhere_come_calls_of_the_gateway_and_scrapes_alone(resources: list[dict[str, Any]]) -> None:
    for policy in _of_kind(resources, "NetworkPolicy").values():
        for rule in policy["spec"].get("ingress", []):
            ports = {port["port"] for port in rule["ports"]}
            if "from" not in rule:
                gateway = {"matchLabels": {"app.kubernetes.io/name": "gateway"}}
                assert policy["spec"]["podSelector"] == gateway
                assert ports == {"http", "grpc"}
                continue
            for peer in rule["from"]:
                if "namespaceSelector" in peer:
                    monitoring = {"kubernetes.io/metadata.name": "monitoring"}
                    assert peer["namespaceSelector"] == {"matchLabels": monitoring}
                    assert ports == {"metrics"}
                else:
                    assert peer.keys() == {"podSelector"}


def _may_call(
    policies: Iterable[Mapping[str, Any]], sender: Mapping[str, Any], receiver: Mapping[str, Any], port: str
) -> bool:
    """Return whether policies let one pod out to, and into, a port of another of the same namespace."""
    specs = [policy["spec"] for policy in policies]
    return _is_let(specs, "egress", "to", sender, receiver, port) and _is_let(
        specs, "ingress", "from", receiver, sender, port
    )


def _is_let(
    specs: Iterable[Mapping[str, Any]],
    direction: str,
    peers: str,
    pod: Mapping[str, Any],
    other: Mapping[str, Any],
    port: str,
) -> bool:
    return any(
        {"port": port} in rule["ports"]
        and (
            peers not in rule
            or any(
                peer.keys() == {"podSelector"} and _selects(peer["podSelector"], other)
                for peer in rule[peers]
            )
        )
        for spec in specs
        if _selects(spec["podSelector"], pod)
        for rule in spec.get(direction, [])
    )


def _selects(selector: Mapping[str, Any], deployment: Mapping[str, Any]) -> bool:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )
