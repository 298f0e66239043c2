"""Startup: time until all services are ready, time from a clip to its image, and memory.

Starts the four services, calls them through the public client as a user would, and reads the memory of each
afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, median
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_client import Client
from chladni_fixtures.audio import encoded, melody
from chladni_local.cluster import LocalCluster
from chladni_local.services import SERVICES

_CLIP_SECONDS: Final = 10.0
_CALLERS: Final = 8


def measure(conditions: Conditions) -> Figures:
    """Return times to SERVING, from a 10 s clip to its 512x512 image, and memory afterwards."""
    figures: Figures = {}
    conditions.report("starting the four services")
    with LocalCluster(
        folder=conditions.folder,
        ports="free",
        on_ready=lambda name, seconds: figures.update({f"ready_seconds.{name}": seconds}),
    ) as cluster:
        conditions.report("from a clip to an image")
        figures |= _measure_images(cluster.target("gateway"), runs=conditions.choose(7, 1))
        figures |= {
            f"resident_mb.{service.name}": _resident_mb(cluster, service.name) for service in SERVICES
        }
    return figures


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return the time to SERVING and the memory of each service."""
    names = [service.name for service in SERVICES]
    return [
        BarChart(
            "startup",
            "Start to SERVING, all four at once",
            "seconds",
            {"start": {name: figures[f"ready_seconds.{name}"] for name in names}},
        ),
        BarChart(
            "memory",
            "Resident memory after some work",
            "MB",
            {"memory": {name: figures[f"resident_mb.{name}"] for name in names}},
        ),
    ]


def _measure_images(target: str, *, runs: int) -> Figures:
    """Time images: one after another, and of eight callers at once, each with its own seed."""
    clip = encoded(melody(_CLIP_SECONDS))
    with Client(target) as client, ThreadPoolExecutor(_CALLERS) as callers:

        def seconds_for(seed: int) -> float:
            started_at = time.perf_counter()
            client.create_image(clip, seed=seed)
            return time.perf_counter() - started_at

        seconds_for(0)
        alone = [seconds_for(seed) for seed in range(1, 1 + runs)]
        started_at = time.perf_counter()
        list(callers.map(seconds_for, range(1000, 1000 + _CALLERS)))
        together = time.perf_counter() - started_at
    return {
        "wav_to_png.median_seconds": median(alone),
        "wav_to_png.max_seconds": max(alone),
        "wav_to_png.eight_at_once_seconds_each": together / _CALLERS,
    }


def _resident_mb(cluster: LocalCluster, name: str) -> float:
    text = httpx.get(f"http://{cluster.address(name, 'metrics')}/metrics", trust_env=False).text
    (family,) = [
        family
        for family in text_string_to_metric_families(text)
        if family.name == "process_resident_memory_bytes"
    ]
    return family.samples[0].value / 1e6
