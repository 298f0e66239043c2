"""Write the reference of the metrics of all services as Markdown.

    python deploy/monitoring/metrics_reference.py deploy/monitoring/METRICS.md

`make metrics-reference` calls it. The metrics come from the classes that declare them; a test compares the
reference with what running services expose.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from chladni_audio_features.metrics import AudioMetrics
from chladni_gateway.metrics import CreationMetrics, HttpMetrics, WebhookMetrics, observe_counts
from chladni_image_generation.metrics import GenerationMetrics
from chladni_runtime.security.watched_files import FileMetrics
from chladni_runtime.server.metrics import ServerMetrics
from chladni_runtime.telemetry.process_metrics import (
    GpuCollector,
    MemoryCollector,
    ReplacedProcessCollector,
    note_build,
)
from chladni_runtime.telemetry.work_metrics import ModelMetrics, WorkMetrics
from chladni_similarity.collections.metrics import CollectionMetrics
from chladni_similarity.metrics import EmbeddingMetrics

_INTRODUCTION: Final = """# Metrics

Written by `make metrics-reference`; a test compares it with what running services expose. Each service
serves them on its metrics port under `/metrics`: as Prometheus's text, or as OpenMetrics where the `Accept`
header asks for it, then with exemplars that name traces. Prometheus adds the labels `service` and `pod`
(`prometheus.yaml`). Labels hold names of the code and of the configuration, never anything of a request. The
metrics of the process, of Python and of its garbage collector are those of `prometheus_client`.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as an operator sees it.

    Attributes:
        name: Its name; a counter's ends in ``_total``.
        kind: ``counter``, ``gauge`` or ``histogram``.
        labels: Names of its labels.
        description: What it counts.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str

    @property
    def series(self) -> frozenset[str]:
        """Names of the series that it consists of."""
        suffixes = ("_bucket", "_sum", "_count") if self.kind == "histogram" else ("",)
        return frozenset(f"{self.name}{suffix}" for suffix in suffixes)


class _NoGpus:
    """What `torch.cuda` says on a machine with one GPU that does nothing."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def mem_get_info(_device: int) -> tuple[int, int]:
        return 0, 0

    @staticmethod
    def memory_allocated(_device: int) -> int:
        return 0

    @staticmethod
    def memory_reserved(_device: int) -> int:
        return 0

    @staticmethod
    def utilization(_device: int) -> int:
        return 0


def metrics_of_services() -> Mapping[str, tuple[Metric, ...]]:
    """Return the metrics by service; those that all have are under ``every service``."""
    every = CollectorRegistry()
    ServerMetrics(every)
    WorkMetrics(every)
    FileMetrics(every)
    every.register(MemoryCollector())
    note_build(every, version="", revision="")
    audio = CollectorRegistry()
    AudioMetrics(audio)
    ModelMetrics(audio)
    audio.register(ReplacedProcessCollector(lambda: 0))
    images = CollectorRegistry()
    GenerationMetrics(images)
    ModelMetrics(images)
    images.register(GpuCollector(_NoGpus()))
    similarity = CollectorRegistry()
    EmbeddingMetrics(similarity)
    ModelMetrics(similarity)
    similarity.register(ReplacedProcessCollector(lambda: 0))
    CollectionMetrics(similarity)
    similarity.register(GpuCollector(_NoGpus()))
    gateway = CollectorRegistry()
    CreationMetrics(gateway)
    WebhookMetrics(gateway)
    HttpMetrics(gateway)
    observe_counts(gateway, unfinished_jobs=lambda: 0, live_streams=lambda: 0)
    return {
        "every service": tuple(_metrics_of(every)),
        "audio-features": tuple(_metrics_of(audio)),
        "image-generation": tuple(_metrics_of(images)),
        "similarity": tuple(_metrics_of(similarity)),
        "gateway": tuple(_metrics_of(gateway)),
    }


def _metrics_of(registry: CollectorRegistry) -> Iterator[Metric]:
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - no public way leads to the labels
        for family in collector.collect():
            if isinstance(collector, MetricWrapperBase):
                labels = tuple(collector._labelnames)  # noqa: SLF001 - as above
            else:
                labels = tuple(dict.fromkeys(key for sample in family.samples for key in sample.labels))
            suffix = "_total" if family.type == "counter" else ""
            yield Metric(f"{family.name}{suffix}", family.type, labels, family.documentation)


def reference() -> str:
    """Return the reference as Markdown."""
    pages = [_INTRODUCTION]
    for service, metrics in metrics_of_services().items():
        rows = "\n".join(
            f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
            f"| {metric.description} |"
            for metric in sorted(metrics, key=lambda metric: metric.name)
        )
        pages.append(
            f"## {service[0].upper()}{service[1:]}\n\n| metric | kind | labels | what it says |\n"
            f"|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(pages)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
