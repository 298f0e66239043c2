"""Live audio through all services: how soon an image follows the sound, how many a second, and who gives way.

A melody with strokes is played at its own pace. A delay is the time from when the moment that an image shows
was sent to when the image was received.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, median, percentile
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_client.async_client import AsyncClient
from chladni_client.types.live import PcmFormat
from chladni_local.cluster import LocalCluster
from chladni_local.services import SERVICES

RATE_HZ: Final = 22050
_CHUNK_SECONDS: Final = 0.04
_LATE_SECONDS: Final = 0.3
_SIZES: Final = (256, 512)
_SLOW_READER_SECONDS: Final = 0.7
_MEBIBYTE: Final = 2**20


@dataclass(slots=True)
class Watched:
    """What was seen of one stream.

    Attributes:
        delays_seconds: Delay of each image.
        first_seconds: Time from the first piece of audio to the first image; NaN before that.
        skipped: Images that were due and left out.
        seconds: Length of the audio.
    """

    seconds: float
    delays_seconds: list[float] = field(default_factory=list)
    first_seconds: float = float("nan")
    skipped: int = 0

    @property
    def images_per_second(self) -> float:
        """Images received in a second of audio."""
        return len(self.delays_seconds) / self.seconds

    @property
    def late_share(self) -> float:
        """Part of the images that were late."""
        return sum(delay > _LATE_SECONDS for delay in self.delays_seconds) / max(1, len(self.delays_seconds))


def measure(conditions: Conditions) -> Figures:
    """Return delays and rates of one stream, the shares of two, and the price that a still image pays."""
    folder = conditions.folder / "cluster"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CHLADNI_")}
    conditions.report("starting the services")
    with LocalCluster(folder=folder, ports="free", environ=environ, services=SERVICES) as cluster:
        gateway_pid = cluster.process("gateway").pid
        return asyncio.run(_measure(conditions, cluster.target("gateway"), gateway_pid))


async def _measure(conditions: Conditions, target: str, gateway_pid: int) -> Figures:
    seconds = conditions.choose(20.0, 2.0)
    figures: Figures = {}
    async with (
        AsyncClient(target, caller_id="first") as first,
        AsyncClient(target, caller_id="second") as second,
    ):
        await _watch(first, 1.0)
        for size in _SIZES:
            conditions.report(f"one stream of {size} pixels")
            figures |= _stream_figures(f"live.{size}", await _watch(first, seconds, size_pixels=size))
        conditions.report("two streams")
        both = await asyncio.gather(_watch(first, seconds), _watch(second, seconds))
        counts = [len(watched.delays_seconds) for watched in both]
        figures["live.two_streams.least_share"] = min(counts) / max(1, sum(counts))
        conditions.report("a still image alone, and beside a stream")
        repeats = conditions.choose(5, 1)
        alone = [await _still_seconds(second, seed) for seed in range(repeats)]
        streaming = asyncio.create_task(_watch(first, 3.0 * repeats * max(alone) + 3.0))
        await asyncio.sleep(1.0)
        beside = [await _still_seconds(second, 100 + seed) for seed in range(repeats)]
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)
        figures["live.still_beside_ratio"] = median(beside) / median(alone)
        conditions.report("a slow reader")
        before = _resident_bytes(gateway_pid)
        await _watch(first, seconds, pause_seconds=_SLOW_READER_SECONDS)
        figures["live.slow_reader_growth_mib"] = (_resident_bytes(gateway_pid) - before) / _MEBIBYTE
    return figures


def _stream_figures(prefix: str, watched: Watched) -> Figures:
    if not watched.delays_seconds:
        raise MeasurementError("a live stream gave no image")
    return {
        f"{prefix}.first_image_ms": watched.first_seconds * 1e3,
        f"{prefix}.delay_p50_ms": median(watched.delays_seconds) * 1e3,
        f"{prefix}.delay_p95_ms": percentile(watched.delays_seconds, 95) * 1e3,
        f"{prefix}.images_per_second": watched.images_per_second,
        f"{prefix}.late_share": watched.late_share,
    }


async def _watch(
    client: AsyncClient, seconds: float, *, size_pixels: int = 256, pause_seconds: float = 0.0
) -> Watched:
    """Play audio for so long, and watch the images."""
    audio = melody(seconds)
    watched = Watched(seconds)
    began_at = time.monotonic()

    async def chunks() -> AsyncIterator[bytes]:
        length = round(_CHUNK_SECONDS * RATE_HZ)
        for number, start in enumerate(range(0, len(audio), length), start=1):
            await asyncio.sleep(max(0.0, began_at + number * _CHUNK_SECONDS - time.monotonic()))
            yield audio[start : start + length].tobytes()

    images = client.stream_images(
        chunks(), PcmFormat(RATE_HZ), width_pixels=size_pixels, height_pixels=size_pixels, seed=1
    )
    async with aclosing(images):
        async for image in images:
            elapsed_seconds = time.monotonic() - began_at
            if not watched.delays_seconds:
                watched.first_seconds = elapsed_seconds - _CHUNK_SECONDS
            watched.delays_seconds.append(elapsed_seconds - image.time_seconds)
            watched.skipped = image.skipped_images
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
    return watched


async def _still_seconds(client: AsyncClient, seed: int) -> float:
    started_at = time.monotonic()
    await client.create_image(melody(2.0), sample_rate_hz=RATE_HZ, seed=seed, bypass_cache=True)
    return time.monotonic() - started_at


def melody(seconds: float) -> NDArray[np.int16]:
    """Return 16-bit samples of notes with strokes between them."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    notes = 220.0 * 2 ** (np.array([0, 3, 7, 10, 12, 10, 7, 3]) / 12)
    since_note = times % 0.375
    frequency = notes[(times / 0.375).astype(int) % len(notes)]
    tone = 0.3 * np.exp(-4 * since_note) * np.sin(2 * np.pi * frequency * since_note)
    stroke = 0.3 * np.exp(-25 * (times % 0.75)) * np.random.default_rng(0).standard_normal(len(times))
    samples: NDArray[np.int16] = (np.clip(tone + stroke, -1, 1) * 32767).astype("<i2")
    return samples


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return the delays by size."""
    return [
        BarChart(
            "live",
            f"Live images: {figures['live.256.images_per_second']:.1f} a second at 256 pixels",
            "milliseconds",
            {
                f"{size} pixels": {
                    percent: figures[f"live.{size}.delay_{percent}_ms"] for percent in ("p50", "p95")
                }
                for size in _SIZES
            },
        )
    ]
