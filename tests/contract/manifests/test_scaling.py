"""Autoscalers ask for what exists, scale down slower than the longest work, and lose nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import promql_parser
import pytest
import yaml

from chladni_gateway.config import GatewaySettings
from chladni_runtime.settings import load_settings

SECRETS = frozenset({"gateway-bucket", "gateway-redis"})

Resources = list[dict[str, Any]]


@pytest.fixture
def scaled(build: Callable[[Path], Resources], repository: Path) -> Callable[[str], Resources]:
    return lambda overlay: build(repository / f"deploy/kustomize/overlays/{overlay}")


def _of_kind(resources: Resources, kind: str) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == kind}


def _autoscalers(resources: Resources) -> dict[str, Any]:
    """Return the behaviour of scaling by Deployment, whoever scales it."""
    by_keda = {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"]["advanced"]["horizontalPodAutoscalerConfig"][
            "behavior"
        ]
        for item in _of_kind(resources, "ScaledObject").values()
    }
    by_cpu = {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"]["behavior"]
        for item in _of_kind(resources, "HorizontalPodAutoscaler").values()
    }
    assert not by_keda.keys() & by_cpu.keys()
    return by_keda | by_cpu


@pytest.mark.parametrize("overlay", ["cpu", "prod"])
def test_every_service_but_the_gateway_is_scaled_and_has_no_number_of_its_own(
    scaled: Callable[[str], Resources], overlay: str
) -> None:
    resources = scaled(overlay)
    deployments = _of_kind(resources, "Deployment")
    assert _autoscalers(resources).keys() == deployments.keys() - {"gateway"}
    assert {name for name, item in deployments.items() if "replicas" in item["spec"]} == {"gateway"}


@pytest.mark.parametrize("overlay", ["cpu", "prod"])
def test_image_generation_scales_down_slower_than_its_longest_work(
    scaled: Callable[[str], Resources], overlay: str
) -> None:
    resources = scaled(overlay)
    environ = next(
        item["data"]
        for item in _of_kind(resources, "ConfigMap").values()
        if item["metadata"]["name"].startswith("image-generation-")
    )
    drain_seconds = float(environ["CHLADNI_IMAGE_GENERATION_DRAIN_TIMEOUT_SECONDS"])
    longest_seconds = GatewaySettings.model_fields["job_timeout_seconds"].default
    down = _autoscalers(resources)["image-generation"]["scaleDown"]
    assert drain_seconds >= longest_seconds
    assert down["stabilizationWindowSeconds"] > drain_seconds
    assert all(policy["value"] == 1 for policy in down["policies"])
    assert all(policy["periodSeconds"] > drain_seconds for policy in down["policies"])


def _queries(resources: Resources) -> Iterator[str]:
    for item in _of_kind(resources, "ScaledObject").values():
        for trigger in item["spec"]["triggers"]:
            yield trigger["metadata"]["query"]


def test_queries_are_promql_of_rules_and_metrics_that_exist(
    scaled: Callable[[str], Resources], repository: Path
) -> None:
    rules = yaml.safe_load((repository / "deploy/monitoring/rules.yaml").read_text())["groups"]
    known = {rule["record"] for group in rules for rule in group["rules"]}
    known |= set(re.findall(r"`(chladni_\w+)`", (repository / "deploy/monitoring/METRICS.md").read_text()))
    queries = list(_queries(scaled("prod")))
    assert len(queries) == 4
    for query in queries:
        promql_parser.parse(query)
        # A query without an answer would make KEDA fall back.
        assert "or vector(0)" in query
        names = set(re.findall(r"[\w:]+(?=\{)", query))
        assert names
        assert names <= known


# Image generation: one image in twenty waits 26 s, on two replicas, and 5 wait now; the others: 3 calls.
LOAD = [
    ("chladni_requests_in_flight", 'service="audio-features", pod="a", method="/x"', "2x10"),
    ("chladni_requests_in_flight", 'service="audio-features", pod="b", method="/x"', "1x10"),
    ("chladni_requests_in_flight", 'service="similarity", pod="a", method="/x"', "3x10"),
    ("chladni_queue_wait_seconds_bucket", 'service="image-generation", queue="q", le="10"', "0+60x10"),
    ("chladni_queue_wait_seconds_bucket", 'service="image-generation", queue="q", le="30"', "0+80x10"),
    ("chladni_queue_wait_seconds_bucket", 'service="image-generation", queue="q", le="+Inf"', "0+80x10"),
    ("chladni_ready", 'service="image-generation", pod="a"', "1x10"),
    ("chladni_ready", 'service="image-generation", pod="b"', "1x10"),
    ("chladni_generations_queued", 'service="image-generation", pod="a"', "5x10"),
]


@pytest.mark.parametrize(("load", "values"), [(LOAD, [3, 52, 5, 3]), ([], [0, 0, 0, 0])])
def test_every_query_has_one_answer(
    scaled: Callable[[str], Resources],
    repository: Path,
    tool: Callable[[str], str],
    tmp_path: Path,
    load: list[tuple[str, str, str]],
    values: list[int],
) -> None:
    # KEDA takes neither none nor several, not even if all but one are 0.
    test = {
        "interval": "1m",
        "input_series": [{"series": f"{name}{{{labels}}}", "values": steps} for name, labels, steps in load],
        "promql_expr_test": [
            {
                "expr": f"round({query}, 0.001)",
                "eval_time": "9m",
                "exp_samples": [{"labels": "{}", "value": value}],
            }
            for query, value in zip(_queries(scaled("prod")), values, strict=True)
        ],
    }
    rules = str(repository / "deploy/monitoring/rules.yaml")
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": [rules], "tests": [test]}))
    command = [tool("promtool"), "test", "rules", tmp_path / "test.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fallback_is_of_metrics_that_keda_allows_it_for(scaled: Callable[[str], Resources]) -> None:
    for item in _of_kind(scaled("prod"), "ScaledObject").values():
        assert item["spec"]["fallback"]
        assert {trigger["metricType"] for trigger in item["spec"]["triggers"]} == {"AverageValue"}


def test_keda_finds_the_prometheus_of_the_repository(
    scaled: Callable[[str], Resources], build: Callable[[Path], Resources], repository: Path
) -> None:
    (service,) = _of_kind(build(repository / "deploy/monitoring"), "Service").values()
    metadata = service["metadata"]
    address = f"http://{metadata['name']}.{metadata['namespace']}.svc:{service['spec']['ports'][0]['port']}"
    addresses = {
        trigger["metadata"]["serverAddress"]
        for item in _of_kind(scaled("prod"), "ScaledObject").values()
        for trigger in item["spec"]["triggers"]
    }
    assert addresses == {address}


def test_a_disruption_leaves_every_scaled_service_a_replica(scaled: Callable[[str], Resources]) -> None:
    resources = scaled("prod")
    budgets: Mapping[str, Any] = _of_kind(resources, "PodDisruptionBudget")
    assert budgets.keys() == _autoscalers(resources).keys()
    assert all(item["spec"]["maxUnavailable"] == 1 for item in budgets.values())


def test_gateways_are_scaled_together_with_all_that_they_share(
    build: Callable[[Path], Resources], repository: Path, tmp_path: Path
) -> None:
    kustomize = Path(os.path.relpath(repository / "deploy/kustomize", tmp_path.resolve()))
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(kustomize / "overlays/prod")],
        "components": [str(kustomize / "components" / name) for name in ("gateway-replicas", "webhooks")],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    resources = build(tmp_path)
    for item in resources:
        if item["apiVersion"] not in {"keda.sh/v1alpha1", "gateway.networking.k8s.io/v1"}:
            kubernetes_validate.validate(item, "1.32", strict=True)
    deployment = _of_kind(resources, "Deployment")["gateway"]
    assert "replicas" not in deployment["spec"]
    assert _autoscalers(resources).keys() >= {"gateway", "image-generation"}
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
    (config_map,) = [name for name in sources if name.startswith("gateway-") and name not in SECRETS]
    assert set(sources) == {config_map, *SECRETS}
    environ = _of_kind(resources, "ConfigMap")[config_map]["data"] | dict.fromkeys(
        ("CHLADNI_GATEWAY_IMAGE_BUCKET_ACCESS_KEY_ID", "CHLADNI_GATEWAY_SESSION_KEY"), "k" * 32
    )
    settings = load_settings(GatewaySettings, environ)
    assert settings.redis_url.get_secret_value() == "redis://redis:6379/0"
    assert settings.max_films == 0
    assert (settings.image_bucket, settings.webhook_hosts) == ("chladni-images", ("*",))
    drain_seconds = settings.drain_delay_seconds + settings.drain_timeout_seconds
    assert pod["terminationGracePeriodSeconds"] > drain_seconds
    policies = _of_kind(resources, "NetworkPolicy")
    assert {"gateway-to-bucket", "gateway-to-webhooks"} <= policies.keys()
    assert any("redis" in name for name in policies)
