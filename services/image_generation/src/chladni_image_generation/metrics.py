"""Prometheus metrics of image generation."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from chladni_runtime.server.metrics import LATENCY_BUCKETS_SECONDS

_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


class GaugeShare:
    """One engine's part of a gauge that several engines fill together.

    Args:
        gauge: Shows the sum of the parts.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._value = 0.0

    def set(self, value: float) -> None:
        """Set this engine's part."""
        self._gauge.inc(value - self._value)
        self._value = value


class GenerationMetrics:
    """Metrics of the engines of a server.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queued = Gauge("chladni_generations_queued", "Requests that wait.", registry=registry)
        self.active = Gauge("chladni_generations_active", "Requests in progress.", registry=registry)
        self.finished = Counter(
            "chladni_generations_total",
            "Requests by why they ended: completed, cancelled, deadline_exceeded or failed.",
            ["finish_reason"],
            registry=registry,
        )
        self.reused = Counter(
            "chladni_generations_reused_total",
            "Requests that an identical one answered: one in the cache, or one in progress.",
            ["source"],
            registry=registry,
        )
        self.cached_bytes = Gauge(
            "chladni_image_cache_bytes", "Bytes of images kept for identical requests.", registry=registry
        )
        self.shortages = Counter(
            "chladni_memory_shortages_total",
            "Calls of the model for which memory was too short, so that they were made smaller.",
            registry=registry,
        )
        self.steps = Counter("chladni_denoising_steps_total", "Denoising steps taken.", registry=registry)
        self.saved_steps = Counter(
            "chladni_denoising_steps_saved_total",
            "Denoising steps not taken because the caller left or the deadline passed.",
            registry=registry,
        )
        self.resumed_steps = Counter(
            "chladni_denoising_steps_resumed_total",
            "Denoising steps not taken again because a checkpoint of the request had them.",
            registry=registry,
        )
        self.step_seconds = Histogram(
            "chladni_denoising_step_seconds",
            "Time of one denoising step of a batch: the calls of the denoiser, and the scheduler after it.",
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.batch_requests = Histogram(
            "chladni_denoising_batch_requests",
            "Requests that took a denoising step together.",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self.pixels = Counter(
            "chladni_generated_pixels_total",
            "Pixels of the images that were computed, reused ones not among them.",
            registry=registry,
        )
