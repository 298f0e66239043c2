"""Run a Prometheus and a trace collector against the real services, and see that operators would see.

    python deploy/monitoring/monitoring_check.py

`make monitoring-check` calls it. It starts the four services on free ports of this machine, makes images, and
requires: every service is scraped; every recording rule gives numbers; every expression of the dashboards is
answered, and those about what happened with numbers; METRICS.md names what is exposed; a point of a histogram
leads to a trace; that trace is one tree over the services; and an alert fires once a service is stopped.
Alerts wait a second here instead of minutes, and windows of five minutes are half a minute.

What it does not show: the discovery of pods in a cluster (a test replays it), and Grafana itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx
import yaml
from metrics_reference import metrics_of_services
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from chladni_local.cluster import LocalCluster
from chladni_local.ports import free_ports
from chladni_local.services import LOOPBACK, SERVICES, Service

_FOLDER: Final = Path(__file__).parent
_REPOSITORY: Final = _FOLDER.parents[1]
_SAMPLE: Final = _REPOSITORY / "tests/fixtures/samples"
_OUTPUT: Final = _REPOSITORY / "build/monitoring-check"
_TRACE_ID: Final = "c0ffee00c0ffee00c0ffee00c0ffee00"
_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3"})
_IMAGES: Final = 4
_WINDOW: Final = "30s"
_PATIENCE_SECONDS: Final = 60.0
_STOPPED: Final = "similarity"
_QUIET: Final = re.compile(
    r"gpu|chladni_memory:ratio|fallbacks|shortages|embedding_cache|generations_reused|ratio_rate(30m|1h|6h)"
)
"""Expressions that may well have no numbers here: no GPU, no limit of memory, nothing went wrong."""


class CheckError(Exception):
    """Something that an operator would look for is not there."""


class Collector:
    """An OTLP collector that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep the spans of a request."""
        for resource_spans in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in resource_spans.resource.attributes}
            for scope_spans in resource_spans.scope_spans:
                self.spans += [(attributes["service.name"], span) for span in scope_spans.spans]

    def tree(self, trace_id: str) -> list[tuple[int, str, Span]]:
        """Return the spans of a trace, each with its depth and its service, parents before children."""
        children: dict[str, list[tuple[str, Span]]] = defaultdict(list)
        for service, span in self.spans:
            if span.trace_id.hex() == trace_id:
                children[span.parent_span_id.hex()].append((service, span))

        def below(parent: str, depth: int) -> Iterator[tuple[int, str, Span]]:
            for service, span in sorted(children[parent], key=lambda item: item[1].start_time_unix_nano):
                yield depth, service, span
                yield from below(span.span_id.hex(), depth + 1)

        return list(below("00f067aa0ba902b7", 0))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Prometheus:
    """A Prometheus that is running.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=10)

    def ask(self, path: str, **parameters: str | float) -> Any:
        """Return the data of an answer of its API."""
        answer = self._client.get(path, params=parameters).json()
        if answer["status"] != "success":
            raise CheckError(f"Prometheus refuses {parameters}: {answer['error']}")
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples that an expression has now."""
        samples: list[dict[str, Any]] = self.ask("/query", query=expression)["result"]
        return samples


@contextmanager
def running_prometheus(cluster: LocalCluster, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes the services every second."""
    program = shutil.which("prometheus")
    if program is None:
        raise CheckError("prometheus is not installed (Debian: apt-get install prometheus)")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_hasty(folder, name)) for name in ("rules.yaml", "alerts.yaml")],
        "scrape_configs": [
            {
                "job_name": "chladni",
                "static_configs": [
                    {
                        "targets": [cluster.address(service.name, "metrics")],
                        "labels": {"service": service.name, "pod": f"{service.name}-0"},
                    }
                    for service in SERVICES
                ],
            }
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    own = Service("prometheus", "", {"web": 0})
    port = free_ports([own])["prometheus"]["web"]
    arguments = [
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--enable-feature=exemplar-storage",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)  # noqa: S603 - found on the path
    try:
        prometheus = Prometheus(f"http://{LOOPBACK}:{port}")
        eventually("Prometheus answers", lambda: prometheus.ask("/status/buildinfo"), errors=httpx.HTTPError)
        yield prometheus
    finally:
        process.terminate()
        process.wait()


def _hasty(folder: Path, name: str) -> Path:
    """Write rules that wait seconds where the real ones wait minutes, and return their file."""
    text = (_FOLDER / name).read_text()
    text = re.sub(r"\bfor: \d+m", "for: 1s", text)
    (folder / name).write_text(text.replace("[5m]", f"[{_WINDOW}]"))
    return folder / name


def eventually(what: str, probe: Callable[[], object], *, errors: type[Exception] = CheckError) -> None:
    """Wait until a probe returns something true.

    Raises:
        CheckError: It does not in time.
    """
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            if probe():
                print(f"  ok: {what}")
                return
        except errors:
            pass
        if time.monotonic() > ends_at:
            raise CheckError(f"not within {_PATIENCE_SECONDS:g} s: {what}")
        time.sleep(0.5)


def make_images(gateway_url: str, clips: Sequence[Path], *, first_trace: int = 0) -> None:
    """Make an image of each clip, in traces whose identifiers begin at `_TRACE_ID` + `first_trace`."""
    with httpx.Client(base_url=gateway_url, timeout=120) as client:
        for number, clip in enumerate(clips):
            trace_id = f"{int(_TRACE_ID, 16) + first_trace + number:032x}"
            response = client.post(
                "/api/v1/generate",
                files={"file": (clip.name, clip.read_bytes())},
                headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"},
            )
            response.raise_for_status()


def check_exposition(cluster: LocalCluster) -> None:
    """Require that METRICS.md and the services agree.

    Raises:
        CheckError: They do not.
    """
    known = metrics_of_services()
    for service in SERVICES:
        text = httpx.get(f"http://{cluster.address(service.name, 'metrics')}/metrics", timeout=10).text
        exposed = {
            f"{family.name}_total" if family.type == "counter" else family.name
            for family in text_string_to_metric_families(text)
            if family.name.startswith("chladni_") and not family.name.endswith("_created")
        }
        described = {metric.name for metric in (*known["every service"], *known[service.name])}
        # These are there if the service has a GPU, or a collection.
        optional = {name for name in described if re.match(r"chladni_(gpu|collection)", name)}
        if exposed - described or described - exposed - optional:
            raise CheckError(f"{service.name}: METRICS.md and /metrics differ: {exposed ^ described}")
        print(f"  ok: the {len(exposed)} metrics of {service.name} are described")


def check_expressions(prometheus: Prometheus) -> None:
    """Require that rules and dashboards have numbers.

    Raises:
        CheckError: One has none, though it should.
    """
    rules = [
        rule["record"]
        for group in yaml.safe_load((_FOLDER / "rules.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]
    expressions = {
        target["expr"].replace("$__rate_interval", _WINDOW).replace("$service", ".*")
        for path in sorted((_FOLDER / "dashboards").glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets") or ()
    }
    silent = [one for one in (*rules, *sorted(expressions)) if not prometheus.query(one)]
    unexpected = [one for one in silent if not _QUIET.search(one)]
    if unexpected:
        raise CheckError("no numbers for:\n    " + "\n    ".join(unexpected))
    print(
        f"  ok: {len(rules)} rules and {len(expressions)} expressions, {len(silent)} of them without numbers"
    )


def check_trace(collector: Collector) -> None:
    """Require that a request is one tree over the services, and print it.

    Raises:
        CheckError: It is not.
    """
    spans = collector.tree(_TRACE_ID)
    count = sum(span.trace_id.hex() == _TRACE_ID for _, span in collector.spans)
    if len(spans) != count or not {"gateway", "audio-features", "image-generation"} <= {
        service for _, service, _ in spans
    }:
        raise CheckError(f"the trace is no tree over the services: {len(spans)} of {count} spans are in it")
    names = {span.name for _, _, span in spans}
    if not {"queue", "decode", "analyse", "denoise", "step", "encode"} <= names:
        raise CheckError(f"stages are missing in the trace: {sorted(names)}")
    steps = 0
    for depth, service, span in spans:
        if span.name == "step" and (steps := steps + 1) > 1:
            continue
        milliseconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        print(f"      {'  ' * depth}{span.name}  ({service}, {milliseconds:.1f} ms)")
    print(f"  ok: one tree of {count} spans, {steps} of them steps (the first is shown)")


def run(folder: Path) -> None:
    """Run the whole check.

    Raises:
        CheckError: Something is not as it should be.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    collector = Collector()
    environ = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    clips = sorted(path for path in _SAMPLE.iterdir() if path.suffix in _SUFFIXES)[:_IMAGES]
    with (
        LocalCluster(
            folder=folder / "services", ports="free", environ=environ, start_timeout_seconds=600
        ) as cluster,
        running_prometheus(cluster, folder) as prometheus,
    ):
        eventually("all services are scraped", lambda: len(prometheus.query("up == 1")) == len(SERVICES))
        make_images(cluster.page_url, clips)
        print(f"  ok: {len(clips)} images made")
        check_exposition(cluster)
        eventually(
            "the images are counted",
            lambda: prometheus.query(
                "sum(chladni_creations_total) >= 1 and sum(chladni_generations_total) >= 1"
            ),
        )
        make_images(cluster.page_url, clips[:2], first_trace=len(clips))
        time.sleep(2)
        check_expressions(prometheus)
        now = time.time()
        exemplars = prometheus.ask(
            "/query_exemplars", query="chladni_stage_seconds_bucket", start=now - 300, end=now
        )
        traces = {item["labels"]["trace_id"] for series in exemplars for item in series["exemplars"]}
        if _TRACE_ID not in traces:
            raise CheckError(f"no point of a histogram leads to the trace; there are {sorted(traces)}")
        print("  ok: points of histograms lead to the traces")
        eventually("the spans have come", lambda: len(collector.tree(_TRACE_ID)) > len(SERVICES))
        time.sleep(1)
        check_trace(collector)
        cluster.stop_service(_STOPPED)
        eventually(
            f"ChladniPodDown fires for {_STOPPED}",
            lambda: prometheus.query(
                f'ALERTS{{alertname="ChladniPodDown", service="{_STOPPED}", alertstate="firing"}}'
            ),
        )
        firing = {item["metric"]["alertname"] for item in prometheus.query('ALERTS{alertstate="firing"}')}
        print(f"  firing now: {', '.join(sorted(firing))}")
    collector.close()


if __name__ == "__main__":
    try:
        run(_OUTPUT)
    except CheckError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        raise SystemExit(1) from None
