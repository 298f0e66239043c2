"""Metrics of the audio-features service."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from chladni_audio_features.audio.containers.recognition import Container

_PCM_LABEL: Final = "PCM"


class AudioMetrics:
    """How much audio was analysed and how much work is in progress.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._analysed_seconds = Counter(
            "chladni_audio_analysed_seconds_total",
            "Length of the clips that were analysed.",
            ["format"],
            registry=registry,
        )
        self.work_in_progress = Gauge(
            "chladni_audio_work_in_progress",
            "Analyses that run or wait for a worker.",
            registry=registry,
        )

    def count_analysed(self, container: Container | None, duration_seconds: float) -> None:
        """Count a clip; samples that came without a file have no container."""
        self._analysed_seconds.labels(container.value if container else _PCM_LABEL).inc(duration_seconds)
