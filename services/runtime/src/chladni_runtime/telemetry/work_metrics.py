"""Metrics that mean the same in every service: how long work waits, how long its stages take, its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

if TYPE_CHECKING:
    from chladni_runtime.telemetry.spans import Span

WORK_BUCKETS_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
)  # fmt: skip


class WorkMetrics:
    """Waiting and working times of a service. Labels are bounded: names in the code, or configured models.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._queue_wait = Histogram(
            "chladni_queue_wait_seconds",
            "Time that work waited for its turn, by queue: an image model, a pool of workers, or jobs.",
            ["queue"],
            buckets=WORK_BUCKETS_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "chladni_stage_seconds",
            "Time of a stage of a request, without waiting for its turn.",
            ["stage"],
            buckets=WORK_BUCKETS_SECONDS,
            registry=registry,
        )
        self._queues: dict[str, Histogram] = {}
        self._of_stages: dict[str, Histogram] = {}

    def observe_wait(self, queue: str, seconds: float, span: Span) -> None:
        """Count a turn that came.

        Args:
            queue: What was waited in.
            seconds: How long.
            span: The request's span, for the exemplar.
        """
        if queue not in self._queues:
            self._queues[queue] = self._queue_wait.labels(queue)
        self._queues[queue].observe(seconds, exemplar_of(span))

    def observe_stage(self, stage: str, seconds: float, span: Span) -> None:
        """Count a stage that ended."""
        if stage not in self._of_stages:
            self._of_stages[stage] = self._stages.labels(stage)
        self._of_stages[stage].observe(seconds, exemplar_of(span))


class ModelMetrics:
    """Which models a service has, and how long they took to load.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._info = Gauge(
            "chladni_model_info",
            "1 for each loaded model, with the digest of its files, which all replicas should share.",
            ["model", "digest"],
            registry=registry,
        )
        self._load_seconds = Gauge(
            "chladni_model_load_seconds",
            "Time that loading and warming a model took at the start; absent if it was loaded with others.",
            ["model"],
            registry=registry,
        )

    def note_loaded(self, model: str, digest: str, *, load_seconds: float | None = None) -> None:
        """Note a model that is ready.

        Args:
            model: Its name in requests.
            digest: Digest of its files, hexadecimal.
            load_seconds: How long loading it took; `None` if it was loaded with others.
        """
        self._info.labels(model, digest).set(1)
        if load_seconds is not None:
            self._load_seconds.labels(model).set(load_seconds)


def exemplar_of(span: Span) -> dict[str, str] | None:
    """Return the exemplar that leads from a number to a trace; `None` if the trace is not recorded."""
    context = span.context
    return {"trace_id": context.trace_id} if context is not None and context.is_sampled else None
