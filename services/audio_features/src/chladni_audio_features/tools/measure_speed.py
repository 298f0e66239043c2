"""Measure the time of the analyses and the memory they take.

    OMP_NUM_THREADS=1 python -m chladni_audio_features.tools.measure_speed

CPU time is reported, which a busy machine distorts less than elapsed time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence

import numpy as np

from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.composition import load_extractor
from chladni_audio_features.tools.make_samples import encode
from chladni_runtime.execution.memory import keep_freed_memory


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repetitions", type=int, default=15, help="runs of each; the median counts")
    options = parser.parse_args(arguments)

    imported_seconds = time.process_time()
    keep_freed_memory()
    started_at = time.process_time()
    extractor = load_extractor(DecodingLimits())
    print(f"imports                  {1000 * imported_seconds:8.0f} ms")
    print(f"load and warm up         {1000 * (time.process_time() - started_at):8.0f} ms")

    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal(30 * ANALYSIS_SAMPLE_RATE_HZ).astype(np.float32)
    stereo = 0.1 * rng.standard_normal((30 * 44100, 2))
    decoder = AudioDecoder(DecodingLimits())
    transform, analyser = extractor.transform, extractor.analyser

    def report(name: str, run: Callable[[], object]) -> None:
        print(f"{name:<24} {_median_milliseconds(run, options.repetitions):8.1f} ms")

    report("log-mel of 30 s", lambda: log_mel_spectrogram(transform.power_of_clip(noise)))
    report("descriptors of 10 s", lambda: analyser.describe(noise[: len(noise) // 3]))
    report("descriptors of 30 s", lambda: analyser.describe(noise))
    for suffix in (".wav", ".flac", ".mp3", ".ogg"):
        content = encode(stereo, rate_hz=44100, suffix=suffix)
        report(f"decode 30 s of {suffix}", lambda content=content: decoder.decode(content))  # type: ignore[misc]
    peak_kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory              {peak_kibibytes / 1024:8.0f} MiB")


def _median_milliseconds(run: Callable[[], object], repetitions: int) -> float:
    times = []
    for _ in range(repetitions + 1):
        started_at = time.process_time()
        run()
        times.append(time.process_time() - started_at)
    return 1000.0 * float(np.median(times[1:]))


if __name__ == "__main__":
    main()
