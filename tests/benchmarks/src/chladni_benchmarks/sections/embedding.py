"""The embedding service against the bare path: the same preparation and the same model without a server.

Three processes take turns, in rounds of two seconds: the service with its client at 1, 8 and 32 requests
in flight, and the bare path at batch 1 and 16. Medians of the rounds are compared, so that a temporary
disturbance of the machine affects all of them equally.

``throughput_ratio`` is the throughput over its ceiling: the bare path's throughput times the share of the
machine that the client leaves (`figures.throughput_ceiling`). ``cpu_ms_over_model`` is the server's
processor time an image less the bare path's. Both compare concurrency 1 with batch 1, and others with
batch 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, latency_figures, median, throughput_ceiling
from chladni_benchmarks.models.saved_models import DIMENSION, save_tower
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.reports.targets import TARGETS
from chladni_benchmarks.services.measured_service import MeasuredService, measured_service
from chladni_benchmarks.workers.worker import Worker
from chladni_runtime.execution.processors import available_processor_count

_BATCH_SIZES: Final = (1, 16)
_CONCURRENCIES: Final = (1, 8, 32)
_COMPARED_BATCH_SIZE: Final = {1: 1, 8: 16, 32: 16}
_CHECKED_IMAGES: Final = 4
_TOLERANCE: Final = 1e-4  # float32 rounds differently in batches of another size


@dataclass(slots=True)
class _Rounds:
    """The results of one way: a number for each round, and the time of every request."""

    throughput_per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    client_load: list[float] = field(default_factory=list)
    latencies_seconds: list[float] = field(default_factory=list)

    def add(self, answer: Mapping[str, Any], cpu_seconds: float, client_cpu_seconds: float) -> None:
        self.throughput_per_second.append(answer["image_count"] / answer["wall_seconds"])
        self.cpu_ms.append(cpu_seconds / answer["image_count"] * 1e3)
        self.client_load.append(client_cpu_seconds / answer["wall_seconds"])
        self.latencies_seconds.extend(answer["latencies_seconds"])

    def figures(self, prefix: str) -> Figures:
        return {
            f"{prefix}.throughput_per_second": median(self.throughput_per_second),
            f"{prefix}.cpu_ms": median(self.cpu_ms),
            **latency_figures(prefix, self.latencies_seconds),
        }


def measure(conditions: Conditions) -> Figures:
    """Return throughput, processor time and latency of both ways, and their ratios."""
    tower = conditions.folder / "clip-tower"
    conditions.report("building a CLIP tower")
    save_tower(tower)
    settings: dict[str, str | int] = {"models": str(tower), "cache_capacity": 0}
    with (
        Worker("bare_embedding", str(tower)) as bare,
        measured_service("similarity", conditions.folder, settings) as served,
        Worker("embedding_client", served.target) as client,
    ):
        _check_vectors(bare, client)
        conditions.report("embedding: warming up")
        _run_rounds(bare, served, client, seconds=conditions.choose(0.7, 0.2))
        all_rounds: dict[str, _Rounds] = {}
        round_count = conditions.choose(5, 1)
        for number in range(1, 1 + round_count):
            conditions.report(f"embedding: round {number} of {round_count}")
            _run_rounds(bare, served, client, seconds=conditions.choose(2.0, 0.2), into=all_rounds)
        _check_vectors(bare, client)
    return _figures(all_rounds)


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return throughput and processor time of every way."""
    ways = {f"in process,\nbatch {size}": f"embedding.inprocess.b{size}" for size in _BATCH_SIZES}
    ways |= {f"served,\n{count} at once": f"embedding.c{count}" for count in _CONCURRENCIES}
    return [
        BarChart(
            "embedding_throughput",
            "Embeddings of 224x224 images",
            "images a second",
            {"throughput": {way: figures[f"{name}.throughput_per_second"] for way, name in ways.items()}},
        ),
        BarChart(
            "embedding_cpu",
            "Processor time of the server above the bare path, for an embedding",
            "CPU-ms",
            {
                "over the model": {
                    f"{count} at once": figures[f"embedding.c{count}.cpu_ms_over_model"]
                    for count in _CONCURRENCIES
                }
            },
            limit=TARGETS["embedding.c32.cpu_ms_over_model"].bound,
        ),
    ]


def _run_rounds(
    bare: Worker,
    served: MeasuredService,
    client: Worker,
    *,
    seconds: float,
    into: dict[str, _Rounds] | None = None,
) -> None:
    """Run every way in turn, the bare one before each of the service's."""
    rounds = {} if into is None else into
    for concurrency in _CONCURRENCIES:
        batch_size = _COMPARED_BATCH_SIZE[concurrency]
        answer = bare.ask("run", batch_size=batch_size, seconds=seconds)
        rounds.setdefault(f"inprocess.b{batch_size}", _Rounds()).add(answer, answer["cpu_seconds"], 0.0)
        cpu_seconds = served.processor_seconds
        answer = client.ask("run", concurrency=concurrency, seconds=seconds)
        cpu_seconds = served.processor_seconds - cpu_seconds
        rounds.setdefault(f"c{concurrency}", _Rounds()).add(answer, cpu_seconds, answer["cpu_seconds"])


def _figures(rounds: Mapping[str, _Rounds]) -> Figures:
    figures: Figures = {}
    for name, way in rounds.items():
        figures |= way.figures(f"embedding.{name}")
    for concurrency, batch_size in _COMPARED_BATCH_SIZE.items():
        name, bare = f"embedding.c{concurrency}", f"embedding.inprocess.b{batch_size}"
        client_load = median(rounds[f"c{concurrency}"].client_load)
        ceiling = throughput_ceiling(
            figures[f"{bare}.throughput_per_second"],
            client_cpu_seconds=client_load,
            wall_seconds=1.0,
            processor_count=available_processor_count(),
        )
        figures[f"{name}.throughput_ratio"] = figures[f"{name}.throughput_per_second"] / ceiling
        figures[f"{name}.cpu_ms_over_model"] = figures[f"{name}.cpu_ms"] - figures[f"{bare}.cpu_ms"]
        figures[f"{name}.client_cpu_ms"] = client_load / figures[f"{name}.throughput_per_second"] * 1e3
    return figures


def _check_vectors(bare: Worker, client: Worker) -> None:
    """Check that both ways compute the same vectors."""
    expected = np.array(bare.ask("vectors", count=_CHECKED_IMAGES))
    answered = np.array(client.ask("vectors", count=_CHECKED_IMAGES))
    if answered.shape != (_CHECKED_IMAGES, DIMENSION) or not np.allclose(
        answered, expected, rtol=0, atol=_TOLERANCE
    ):
        raise MeasurementError("the service's vectors are not those of the bare path")
