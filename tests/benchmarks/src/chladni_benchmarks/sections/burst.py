"""600 requests at once against image generation with a queue of 256.

Three client processes send 200 requests each at the same moment, several times. A request that does not fit
into the queue must be refused at once, with RESOURCE_EXHAUSTED and the time after which to try again; none
may be lost or end as INTERNAL. Then all clients leave at once, and the service must work as before: report
SERVING and make the same image as before the burst.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, latency_figures
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.reports.targets import TARGETS
from chladni_benchmarks.services.image_requests import FinishedGeneration, generation_request, pixels_of
from chladni_benchmarks.services.measured_service import MeasuredService, measured_service
from chladni_benchmarks.workers.worker import Worker

REQUEST_COUNT: Final = 600
QUEUE_LIMIT: Final = 256
_CLIENT_COUNT: Final = 3
_STEPS: Final = 50
_LEAD_SECONDS: Final = 0.3
_TIMEOUT_SECONDS: Final = 10.0
_INTERNAL_CODES: Final = frozenset({"INTERNAL", "UNKNOWN"})

_Outcomes = Sequence[Mapping[str, Any]]


def measure(conditions: Conditions) -> Figures:
    """Return how many requests were accepted, refused and lost, and after which time; of the worst burst."""
    settings: dict[str, str | int] = {
        "max_queued_requests": QUEUE_LIMIT,
        "max_concurrent_requests": 288,
    }
    conditions.report("starting the service and its clients")
    bursts: list[Figures] = []
    with measured_service("image-generation", conditions.folder, settings) as served, ExitStack() as stack:
        clients = [stack.enter_context(Worker("burst_client", served.target)) for _ in range(_CLIENT_COUNT)]
        before = _image(served)
        burst_count = conditions.choose(4, 1)
        for number in range(1, 1 + burst_count):
            conditions.report(f"{REQUEST_COUNT} requests at once, {number} of {burst_count}")
            outcomes = _burst(clients, first_seed=number * REQUEST_COUNT)
            recovery_seconds = _leave(served, clients)
            bursts.append(_burst_figures(outcomes) | {"burst.recovery_seconds": recovery_seconds})
        _check_health(served)
        if not np.array_equal(before, _image(served)):
            raise MeasurementError("after the burst the service makes another image of the same request")
    # More is worse, except for accepted requests.
    worst = {name: max(burst[name] for burst in bursts) for name in bursts[0]}
    return worst | {"burst.accepted": min(burst["burst.accepted"] for burst in bursts)}


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return the times of the refusals."""
    return [
        BarChart(
            "burst",
            f"{REQUEST_COUNT} requests at once: {figures['burst.refused']:.0f} refused after",
            "milliseconds",
            {"refused": {name: figures[f"burst.refused_{name}_ms"] for name in ("p50", "p99", "max")}},
            limit=TARGETS["burst.refused_max_ms"].bound,
        )
    ]


def _burst(clients: Sequence[Worker], *, first_seed: int) -> _Outcomes:
    start_at = time.monotonic() + _LEAD_SECONDS
    share = REQUEST_COUNT // len(clients)
    for index, client in enumerate(clients):
        client.send(
            "burst",
            first_seed=first_seed + index * share,
            count=share,
            steps=_STEPS,
            start_at=start_at,
            timeout_seconds=_TIMEOUT_SECONDS,
        )
    return [outcome for client in clients for outcome in client.receive()]


def _burst_figures(outcomes: _Outcomes) -> Figures:
    accepted = [outcome for outcome in outcomes if not outcome["code"]]
    refused = [
        outcome
        for outcome in outcomes
        if outcome["code"] == "RESOURCE_EXHAUSTED" and outcome["has_retry_info"]
    ]
    if not refused or len(accepted) < QUEUE_LIMIT:
        codes = sorted({outcome["code"] or "accepted" for outcome in outcomes})
        raise MeasurementError(
            f"of {len(outcomes)} requests {len(accepted)} were accepted and {len(refused)} refused with "
            f"RetryInfo, against a queue of {QUEUE_LIMIT}; the answers were: {', '.join(codes)}"
        )
    seconds = [outcome["seconds"] for outcome in refused]
    latencies = latency_figures("burst.refused", seconds)
    return {
        **{name.replace("refused.", "refused_"): value for name, value in latencies.items()},
        "burst.refused_max_ms": max(seconds) * 1e3,
        "burst.requests": len(outcomes),
        "burst.refused": len(refused),
        "burst.accepted": len(accepted),
        "burst.accepted_max_ms": max(outcome["seconds"] for outcome in accepted) * 1e3,
        "burst.lost": len(outcomes) - len(refused) - len(accepted),
        "burst.internal": sum(outcome["code"] in _INTERNAL_CODES for outcome in outcomes),
    }


def _leave(served: MeasuredService, clients: Sequence[Worker]) -> float:
    """Let all clients leave; return the time until the service is idle."""
    started_at = time.monotonic()
    for client in clients:
        client.send("leave")
    for client in clients:
        client.receive()
    while served.metric("chladni_generations_queued") or served.metric("chladni_generations_active"):
        if time.monotonic() > started_at + _TIMEOUT_SECONDS:
            raise MeasurementError("the service still works for clients that have left")
        time.sleep(0.02)
    return time.monotonic() - started_at


def _check_health(served: MeasuredService) -> None:
    answer = health_pb2_grpc.HealthStub(served.channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise MeasurementError("after the burst the service does not report SERVING")


def _image(served: MeasuredService) -> Any:
    stub = image_grpc.ImageGenerationServiceStub(served.channel)
    return pixels_of(FinishedGeneration.of(stub.GenerateImage(generation_request(0))).completed.image.content)
