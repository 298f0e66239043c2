"""The service's log-mel spectrogram of 30 s against librosa's, in time, processor time and value.

librosa's FFT uses several threads on several processors, so that wall time is only half of the comparison: on
a busy machine the processor time counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import librosa
import numpy as np
from numpy.typing import NDArray

from chladni_audio_features.analysis.spectrogram import MelTransform, log_mel_spectrogram
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_fixtures.audio import RATE_HZ, melody

_CLIP_SECONDS: Final = 30.0


def measure(conditions: Conditions) -> Figures:
    """Return medians of times, of ratios of pairs that alternate, and the largest difference in dB."""
    samples = melody(_CLIP_SECONDS)
    transform = MelTransform()

    def ours() -> NDArray[np.float32]:
        return log_mel_spectrogram(transform.power_of_clip(samples)).decibels

    def theirs() -> NDArray[np.float32]:
        power = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ, n_fft=2048, hop_length=512, n_mels=128)
        decibels: NDArray[np.float32] = librosa.power_to_db(power, ref=np.max)
        return decibels

    difference_db = float(np.abs(ours() - theirs()).max())  # also the first run of each, which is slower
    if difference_db > 0.1:
        raise MeasurementError(f"the two spectrograms differ by {difference_db:g} dB; they are not the same")
    conditions.report("mel spectrograms of 30 s")
    pairs = [(_times(ours), _times(theirs)) for _ in range(conditions.choose(25, 2))]
    return {
        "mel.speedup_over_librosa": median([theirs.wall / ours.wall for ours, theirs in pairs]),
        "mel.cpu_speedup_over_librosa": median([theirs.cpu / ours.cpu for ours, theirs in pairs]),
        "mel.milliseconds": median([ours.wall for ours, _ in pairs]) * 1e3,
        "mel.cpu_milliseconds": median([ours.cpu for ours, _ in pairs]) * 1e3,
        "mel.librosa_milliseconds": median([theirs.wall for _, theirs in pairs]) * 1e3,
        "mel.librosa_cpu_milliseconds": median([theirs.cpu for _, theirs in pairs]) * 1e3,
        "mel.max_difference_db": difference_db,
    }


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return both ways side by side."""
    ways = {"Chladni": "mel.", "librosa": "mel.librosa_"}
    return [
        BarChart(
            "mel",
            "Log-mel spectrogram of 30 s",
            "milliseconds",
            {
                way: {"wall": figures[f"{prefix}milliseconds"], "CPU": figures[f"{prefix}cpu_milliseconds"]}
                for way, prefix in ways.items()
            },
        )
    ]


@dataclass(frozen=True, slots=True)
class _Times:
    """Wall and processor time of a call, in seconds."""

    wall: float
    cpu: float


def _times(function: Callable[[], object]) -> _Times:
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return _Times(time.perf_counter() - wall, time.process_time() - cpu)
