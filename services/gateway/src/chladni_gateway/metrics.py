"""Metrics of the gateway. Labels are bounded: routes, recipes, stages and reasons that exist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.domain.stages import Stage
from chladni_runtime.execution.deadlines import Clock
from chladni_runtime.server.metrics import LATENCY_BUCKETS_SECONDS
from chladni_runtime.telemetry.scope import current_telemetry

_CREATED: Final = "CREATED"


@dataclass(slots=True)
class CountedCreation:
    """What is known about a creation that is being counted.

    Attributes:
        recipe: Name of its recipe; ``unknown`` until that is found.
        is_created: Whether the image is made and stored.
    """

    recipe: str = "unknown"
    is_created: bool = False


class StageTimer:
    """Times stages of a request that follow one another.

    Args:
        clock: Monotonic clock in seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._telemetry = current_telemetry()
        self._clock = clock
        self._lap_started_at = clock()

    def lap(self, stage: Stage) -> None:
        """End a stage and start the next one."""
        now = self._clock()
        self._telemetry.record_stage(stage.value, self._lap_started_at, now)
        self._lap_started_at = now


class CreationMetrics:
    """Counts creations by recipe and outcome.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._creations = Counter(
            "chladni_creations_total",
            "Ended creations of images; the outcome is CREATED or the reason of the error.",
            ["recipe", "outcome"],
            registry=registry,
        )
        self._fallbacks = Counter(
            "chladni_recipe_fallbacks_total",
            "Creations whose recipe used its fallback.",
            ["recipe", "fallback"],
            registry=registry,
        )

    @contextmanager
    def count_creation(self) -> Iterator[CountedCreation]:
        """Count one creation by what leaves the context."""
        counted = CountedCreation()
        outcome = _CREATED
        try:
            yield counted
        except ChladniError as error:
            outcome = error.reason.value
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = Reason.CANCELLED.value
            raise
        except Exception:
            outcome = Reason.INTERNAL.value
            raise
        finally:
            self._creations.labels(counted.recipe, _CREATED if counted.is_created else outcome).inc()

    def count_fallback(self, recipe: str, fallback: str) -> None:
        """Count that a recipe took another way than its own."""
        self._fallbacks.labels(recipe, fallback).inc()


def observe_counts(
    registry: CollectorRegistry, *, unfinished_jobs: Callable[[], int], live_streams: Callable[[], int]
) -> None:
    """Make counts that others keep into metrics.

    Args:
        registry: Registry that the metrics join.
        unfinished_jobs: Returns the number of unfinished jobs.
        live_streams: Returns the number of live streams.
    """
    Gauge("chladni_unfinished_jobs", "Unfinished jobs.", registry=registry).set_function(unfinished_jobs)
    Gauge("chladni_live_streams", "Live streams that are open.", registry=registry).set_function(live_streams)


class WebhookMetrics:
    """Counts the reports to webhooks.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "chladni_webhook_attempts_total",
            "Attempts to report the end of a job: delivered, failed (and tried again), refused or given_up.",
            ["outcome"],
            registry=registry,
        )


class HttpMetrics:
    """Counts and times HTTP requests.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "chladni_http_requests_total",
            "Ended HTTP requests; the route is the template of its path.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.duration = Histogram(
            "chladni_http_request_duration_seconds",
            "Time from the arrival of an HTTP request to the end of its answer.",
            ["method", "route"],
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
