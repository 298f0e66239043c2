"""What sections compute from what they measure."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import MeasurementError
from chladni_benchmarks.models.stable_diffusion import DenoiserShape, UntrainedStableDiffusion
from chladni_benchmarks.reports import targets
from chladni_benchmarks.sections import SECTIONS, burst, cancellation, fairness, generation, gpu, live


def test_every_section_has_a_module_and_every_target_a_section() -> None:
    assert all(find_spec(f"chladni_benchmarks.sections.{section.name}") for section in SECTIONS)
    assert {name.partition(".")[0] for name in targets.TARGETS} <= {section.name for section in SECTIONS}


def outcome(code: str = "", *, seconds: float = 0.02, has_retry_info: bool = False) -> dict[str, Any]:
    return {"code": code, "seconds": seconds, "has_retry_info": has_retry_info}


def test_a_burst_counts_what_was_refused_lost_and_internal() -> None:
    refused = [outcome("RESOURCE_EXHAUSTED", seconds=0.05, has_retry_info=True)] * 100
    refused += [outcome("RESOURCE_EXHAUSTED", seconds=0.09, has_retry_info=True)]
    others = [outcome("INTERNAL"), outcome("NONE"), outcome("RESOURCE_EXHAUSTED")]
    counted = burst._burst_figures([*[outcome()] * 257, *refused, *others])
    assert counted["burst.accepted"] == 257
    assert counted["burst.refused"] == 101
    assert counted["burst.lost"] == 3
    assert counted["burst.internal"] == 1
    assert counted["burst.refused_p50_ms"] == pytest.approx(50)
    assert counted["burst.refused_max_ms"] == pytest.approx(90)
    with pytest.raises(MeasurementError, match="the answers were: RESOURCE_EXHAUSTED, accepted"):
        burst._burst_figures([*[outcome()] * 257, *[outcome("RESOURCE_EXHAUSTED")] * 343])


def test_steps_after_a_caller_has_left_are_those_without_a_received_event() -> None:
    assert cancellation._Trial(received_steps=4, taken_steps=5).steps_after == 1


def test_schedules_repeat_and_hold_every_job() -> None:
    def arrivals(seed: int) -> list[dict[str, Any]]:
        return fairness._arrivals(random.Random(seed), 0.04, long_count=3, short_count=8)

    assert arrivals(0) == arrivals(0) != arrivals(1)
    jobs = arrivals(0)
    assert sorted(job["steps"] for job in jobs) == [4] * 8 + [50] * 3
    moments = [job["at_seconds"] for job in jobs]
    assert moments == sorted(moments)
    assert max(moments) <= 3 * 50 * 0.04


def test_the_measurements_for_gpus_work_on_any_device() -> None:
    shape = DenoiserShape((32, 32, 32, 32), heads=4, token_width=32, latent_side=8)
    model = UntrainedStableDiffusion(shape, device=torch.device("cpu"), dtype=torch.float32)
    conditions = Conditions(Path(), is_quick=True, report=lambda _: None)
    measured = gpu.measure_model(model, gpu.Effort(1, 2, 2, 5), conditions)
    assert measured["gpu.differing_images"] == 0
    assert measured["gpu.batched_speedup_8"] > 0
    assert gpu.charts(measured)


def test_the_overhead_of_serving_is_the_sum_of_its_parts() -> None:
    bare = generation.MadeImage(b"", 2.0, 0.0, {"denoise": 1.0, "decode": 0.75, "encode": 0.25})
    served = generation.MadeImage(b"", 2.4, 0.0)
    parts = generation.overhead_parts(
        [(served, bare)] * 3,
        {"denoise": 1.1, "decode": 0.75, "encode": 0.2, "audio": 9.0},
        wait_seconds=0.05,
    )
    assert parts == pytest.approx(
        {
            "generation.overhead_of_denoise": 0.05,
            "generation.overhead_of_decode": 0.0,
            "generation.overhead_of_encode": -0.025,
            "generation.overhead_of_queue": 0.025,
            "generation.overhead_of_calls_and_event_loop": 0.15,
        }
    )
    assert sum(parts.values()) == pytest.approx(served.seconds / bare.seconds - 1)


def test_a_live_stream_is_judged_by_its_delays_and_its_rate() -> None:
    watched = live.Watched(2.0, delays_seconds=[0.1, 0.2, 0.4, 0.1], first_seconds=0.35)
    figures = live._stream_figures("live.256", watched)
    assert figures["live.256.images_per_second"] == 2
    assert figures["live.256.late_share"] == 0.25
    assert figures["live.256.first_image_ms"] == pytest.approx(350)
    assert figures["live.256.delay_p50_ms"] == pytest.approx(150)
    with pytest.raises(MeasurementError, match="no image"):
        live._stream_figures("live.256", live.Watched(2.0))
    audio = live.melody(1.0)
    assert audio.dtype == "<i2"
    assert len(audio) == live.RATE_HZ
