"""Prometheus finds the services, and the alerts watch metrics that exist."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import promql_parser
import pytest
import yaml
from google.protobuf.descriptor import FileDescriptor

from chladni.image.v1 import image_generation_service_pb2

Tool = Callable[[str], str]

FOREIGN = frozenset({"up", "process_cpu_seconds_total"})
"""Metrics that the services' libraries and Prometheus add."""
TARGET_LABELS = frozenset({"service", "pod", "job", "le", "__name__"})
"""Labels that prometheus.yaml adds, and those of Prometheus itself."""


@pytest.fixture
def monitoring(repository: Path) -> Path:
    return repository / "deploy/monitoring"


@pytest.fixture
def expressions(monitoring: Path) -> str:
    return "\n".join(rule["expr"] for rule in _rules(monitoring))


def _rules(monitoring: Path) -> list[dict[str, Any]]:
    return [
        rule
        for name in ("rules.yaml", "alerts.yaml")
        for group in yaml.safe_load((monitoring / name).read_text())["groups"]
        for rule in group["rules"]
    ]


@pytest.fixture
def program(monitoring: Path) -> Iterator[Callable[[str], Any]]:
    """Load a program of the folder as a module."""
    loaded: list[str] = []

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(f"chladni_{name}", monitoring / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look it up
        loaded.append(spec.name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]


@pytest.fixture
def labels_of_series(program: Callable[[str], Any], monitoring: Path) -> dict[str, frozenset[str]]:
    """The labels of every series that the services and the recording rules make."""
    labels = {
        series: frozenset(metric.labels) | TARGET_LABELS
        for metrics in program("metrics_reference").metrics_of_services().values()
        for metric in metrics
        for series in metric.series
    }
    recorded = {rule["record"] for rule in _rules(monitoring) if "record" in rule}
    # What a rule keeps is in its name: service_queue:... has the labels service and queue.
    return labels | {name: frozenset(name.partition(":")[0].split("_")) | TARGET_LABELS for name in recorded}


def _dashboard_expressions(monitoring: Path) -> list[str]:
    return [
        target["expr"].replace("$__rate_interval", "1m").replace("$service", ".*")
        for path in sorted((monitoring / "dashboards").glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets") or ()
    ]


def _selectors(expression: str) -> Iterator[promql_parser.VectorSelector]:
    """Yield the selectors of an expression, which must be PromQL."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return iter(found)


def _promtool(tool: Tool, *arguments: str | Path) -> str:
    done = subprocess.run(
        [tool("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alert_rules_are_valid(monitoring: Path, tool: Tool) -> None:
    assert "rules found" in _promtool(
        tool, "check", "rules", "--lint=all", monitoring / "rules.yaml", monitoring / "alerts.yaml"
    )


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


def test_every_alert_has_a_paragraph_in_the_runbook_and_none_is_left_over(monitoring: Path) -> None:
    alerts = [rule["alert"] for rule in _rules(monitoring) if "alert" in rule]
    assert re.findall(r"^## (\w+)$", (monitoring / "runbook.md").read_text(), re.MULTILINE) == alerts


def test_rules_and_dashboards_use_metrics_and_labels_that_exist(
    monitoring: Path, labels_of_series: Mapping[str, frozenset[str]]
) -> None:
    expressions = [rule["expr"] for rule in _rules(monitoring)] + _dashboard_expressions(monitoring)
    for expression in expressions:
        for selector in _selectors(expression):
            if selector.name in FOREIGN:
                continue
            assert selector.name in labels_of_series, expression
            used = {matcher.name for matcher in selector.matchers.matchers}
            assert used <= labels_of_series[selector.name], expression


def test_rules_name_codes_that_exist(expressions: str) -> None:
    for codes in re.findall(r'code=~?"([^"]+)"', expressions):
        assert set(codes.split("|")) <= set(grpc.StatusCode.__members__)


def test_dashboards_are_those_that_their_program_writes(
    monitoring: Path, program: Callable[[str], Any]
) -> None:
    dashboards = program("dashboards")
    written = {f"{board.uid}.json": dashboards.to_json(board) for board in dashboards.BOARDS}
    committed = {path.name: path.read_text() for path in (monitoring / "dashboards").iterdir()}
    assert committed == written, "run: make dashboards"


def test_the_reference_of_metrics_is_that_of_the_code(
    monitoring: Path, program: Callable[[str], Any]
) -> None:
    assert (monitoring / "METRICS.md").read_text() == program("metrics_reference").reference(), (
        "run: make metrics-reference"
    )


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
    # A pod that still fetches its image does not answer, and should not be asked.
    phases = ("Running", "Pending", "Failed")
    job["static_configs"] = [
        target for item in deployments for phase in phases for target in _discovered(item, phase)
    ]
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(config))
    for name in config["rule_files"]:
        (tmp_path / name).write_text((monitoring / name).read_text())

    _promtool(tool, "check", "config", path)
    answer = _promtool(tool, "check", "service-discovery", "--timeout=1s", path, job["job_name"])

    kept = [target["labels"] for target in json.loads(answer) if target["labels"]]
    found = {(label["service"], label["__address__"], label["__metrics_path__"]) for label in kept}
    assert found == {
        (name, f"{name}-0:{service.ports()['metrics']}", "/metrics") for name, service in services.items()
    }
    assert len(kept) == len(services)
    assert all(label["pod"] == f"{label['service']}-0" for label in kept)


def _discovered(deployment: Mapping[str, Any], phase: str) -> list[dict[str, Any]]:
    """Return the targets of one pod as the discovery of role `pod` does: one for each port."""
    name = deployment["metadata"]["name"]
    template = deployment["spec"]["template"]
    labels = {"__meta_kubernetes_pod_name": f"{name}-0", "__meta_kubernetes_pod_phase": phase}
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
