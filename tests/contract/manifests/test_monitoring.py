"""Prometheus finds the services, and the alerts watch metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.descriptor import FileDescriptor
from prometheus_client import CollectorRegistry

from chladni.image.v1 import image_generation_service_pb2
from chladni_gateway.metrics import HttpMetrics
from chladni_image_generation.metrics import GenerationMetrics
from chladni_runtime.server.metrics import ServerMetrics

Tool = Callable[[str], str]


@pytest.fixture
def monitoring(repository: Path) -> Path:
    return repository / "deploy/monitoring"


@pytest.fixture
def expressions(monitoring: Path) -> str:
    groups = yaml.safe_load((monitoring / "alerts.yaml").read_text())["groups"]
    return "\n".join(rule["expr"] for group in groups for rule in group["rules"])


def _promtool(tool: Tool, *arguments: str | Path) -> str:
    done = subprocess.run(
        [tool("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alert_rules_are_valid(monitoring: Path, tool: Tool) -> None:
    assert "rules found" in _promtool(tool, "check", "rules", "--lint=all", monitoring / "alerts.yaml")


def test_alerts_fire_when_they_should_and_only_then(monitoring: Path, tool: Tool) -> None:
    assert "SUCCESS" in _promtool(tool, "test", "rules", monitoring / "alerts_test.yaml")


def test_every_alert_is_tested_both_ways(monitoring: Path) -> None:
    groups = yaml.safe_load((monitoring / "alerts.yaml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    cases = [
        case
        for test in yaml.safe_load((monitoring / "alerts_test.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == alerts


def test_alerts_use_metrics_labels_and_codes_that_exist(expressions: str) -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    metrics.requests.labels("method", "OK").inc()
    metrics.duration.labels("method").observe(1)
    metrics.in_flight.labels("method").set(0)
    GenerationMetrics(registry)
    HttpMetrics(registry).requests.labels("POST", "/api/v1/generate", "200").inc()
    samples = {sample.name for metric in registry.collect() for sample in metric.samples}
    assert set(re.findall(r"\bchladni_\w+", expressions)) <= samples
    for codes in re.findall(r'code=~?"([^"]+)"', expressions):
        assert set(codes.split("|")) <= set(grpc.StatusCode.__members__)


def test_alerts_name_methods_that_exist(expressions: str) -> None:
    image: FileDescriptor = image_generation_service_pb2.DESCRIPTOR
    methods = {
        f"/{service.full_name}/{method.name}"
        for service in image.services_by_name.values()
        for method in service.methods
    }
    named = set(re.findall(r'method="([^"]+)"', expressions))
    assert named
    assert named <= methods


def test_prometheus_scrapes_the_metrics_port_of_each_pod(
    monitoring: Path,
    repository: Path,
    build: Callable[[Path], list[dict[str, Any]]],
    services: Mapping[str, Any],
    tool: Tool,
    tmp_path: Path,
) -> None:
    config = yaml.safe_load((monitoring / "prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    # What the discovery in a cluster would say of the pods, so that the relabelling runs without one.
    del job["kubernetes_sd_configs"]
    deployments = [r for r in build(repository / "deploy/kustomize/base") if r["kind"] == "Deployment"]
    job["static_configs"] = [target for item in deployments for target in _discovered(item)]
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(config))
    (tmp_path / "alerts.yaml").write_text((monitoring / "alerts.yaml").read_text())

    _promtool(tool, "check", "config", path)
    answer = _promtool(tool, "check", "service-discovery", "--timeout=1s", path, job["job_name"])

    kept = [target["labels"] for target in json.loads(answer) if target["labels"]]
    found = {(label["service"], label["__address__"], label["__metrics_path__"]) for label in kept}
    assert found == {
        (name, f"{name}-0:{service.ports()['metrics']}", "/metrics") for name, service in services.items()
    }
    assert len(kept) == len(services)
    assert all(label["pod"] == f"{label['service']}-0" for label in kept)


def _discovered(deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the targets of one pod as the discovery of role `pod` does: one for each port."""
    name = deployment["metadata"]["name"]
    template = deployment["spec"]["template"]
    labels = {"__meta_kubernetes_pod_name": f"{name}-0"}
    for kind in ("annotation", "label"):
        for key, value in template["metadata"][f"{kind}s"].items():
            labels[f"__meta_kubernetes_pod_{kind}_{re.sub(r'[^a-zA-Z0-9]', '_', key)}"] = value
    return [
        {
            "targets": [f"{name}-0:{port['containerPort']}"],
            "labels": labels | {"__meta_kubernetes_pod_container_port_name": port["name"]},
        }
        for container in template["spec"]["containers"]
        for port in container["ports"]
    ]
