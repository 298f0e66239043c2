"""The arithmetic of the measurements, and one cheap section from the command line to its chart."""

import io
import json
import math
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_benchmarks import figures
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import MeasurementError
from chladni_benchmarks.models.stable_diffusion import DenoiserShape, UntrainedStableDiffusion
from chladni_benchmarks.reports import charts, targets
from chladni_benchmarks.reports.table import figures_table
from chladni_benchmarks.sections import SECTIONS, burst, cancellation, fairness, gpu
from chladni_benchmarks.services.embedding_requests import embedding_request, random_images
from chladni_benchmarks.services.measured_service import processor_seconds
from chladni_benchmarks.workers.scheduler_replay import FirstComeFirstServed
from chladni_benchmarks.workers.worker import Worker
from chladni_contract.tensors import to_array


def run_bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "chladni_benchmarks", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_section_alone_gives_figures_a_table_and_a_chart(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "figures.json"
    finished = run_bench("--quick", "--only", "mel", "--output", str(output))
    assert finished.returncode == 0, finished.stderr
    written = json.loads(output.read_text())
    assert {name.partition(".")[0] for name in written} == {"machine", "mel"}
    assert all(math.isfinite(value) and value >= 0 for value in written.values())
    assert written["mel.max_difference_db"] <= 2e-5
    assert "mel.max_difference_db" in finished.stdout
    with Image.open(output.parent / "bench" / "mel.png") as chart:
        assert chart.width > 500


def test_help_names_every_section_and_an_unknown_one_is_refused() -> None:
    shown = run_bench("--help")
    assert shown.returncode == 0
    assert all(section.name in shown.stdout and section.question in shown.stdout for section in SECTIONS)
    assert run_bench("--only", "melody").returncode == 2


def test_every_section_has_a_module_and_every_target_a_section() -> None:
    assert all(find_spec(f"chladni_benchmarks.sections.{section.name}") for section in SECTIONS)
    assert {name.partition(".")[0] for name in targets.TARGETS} <= {section.name for section in SECTIONS}


def test_percentiles_and_their_names() -> None:
    seconds = [index / 1000 for index in range(1, 102)]
    assert figures.latency_figures("x", seconds) == pytest.approx({"x.p50_ms": 51, "x.p99_ms": 100})
    with pytest.raises(MeasurementError, match="nothing was measured"):
        figures.median([])


def test_the_ceiling_is_what_the_client_leaves() -> None:
    def ceiling(client_cpu_seconds: float) -> float:
        return figures.throughput_ceiling(
            500.0, client_cpu_seconds=client_cpu_seconds, wall_seconds=2.0, processor_count=2
        )

    assert ceiling(0.0) == 500.0
    assert ceiling(1.0) == pytest.approx(375.0)
    with pytest.raises(MeasurementError):
        ceiling(4.0)


def test_the_exponent_of_a_power_law_is_found() -> None:
    costs = {size: 3.0 * size**1.5 for size in (1.0, 4.0, 16.0, 64.0)}
    assert figures.growth_exponent(costs) == pytest.approx(1.5)
    with pytest.raises(MeasurementError):
        figures.growth_exponent({1.0: 0.0, 2.0: 1.0})
    with pytest.raises(MeasurementError):
        figures.growth_exponent({1.0: 1.0})


def test_a_bound_itself_is_met_and_nan_never_is() -> None:
    at_most, at_least = targets.Target("at most", 1), targets.Target("at least", 1)
    assert at_most.is_met(1)
    assert at_least.is_met(1)
    assert not at_most.is_met(1.01)
    assert not at_least.is_met(0.99)
    assert not at_most.is_met(math.nan)
    assert not at_least.is_met(math.nan)


def test_the_table_tells_met_from_missed_and_what_was_not_measured() -> None:
    values = {"burst.lost": 1.0, "cancellation.steps_after": 1.0, "mel.milliseconds": 7.0}
    assert targets.missed(values) == ["burst.lost"]
    terminal = io.StringIO()
    Console(width=100, file=terminal).print(figures_table(values, {"gpu": "no CUDA device"}))
    rows = {line.split()[0]: line for line in terminal.getvalue().splitlines() if line.strip()}
    assert "MISSED" in rows["burst.lost"]
    assert "met" in rows["cancellation.steps_after"]
    assert "no CUDA device" in rows["gpu"]


def test_charts_are_drawn(tmp_path: Path) -> None:
    paths = charts.draw(
        [
            charts.BarChart("bars", "Bars", "ms", {"a": {"x": 1.0, "y": 2.0}, "b": {"y": 3.0}}, limit=2.5),
            charts.LineChart("lines", "Lines", "size", "ms", {"a": {1.0: 1.0, 4.0: 0.0, 16.0: 9.0}}),
        ],
        tmp_path,
    )
    assert [path.name for path in paths] == ["bars.png", "lines.png"]
    assert all(np.asarray(Image.open(path).convert("L")).std() > 5 for path in paths)


def test_processor_time_is_that_of_work_and_not_of_waiting() -> None:
    before = processor_seconds(os.getpid())
    while processor_seconds(os.getpid()) == before:
        sum(range(10_000))
    assert before < processor_seconds(os.getpid()) < before + 10


def test_a_worker_answers_and_tells_what_fails() -> None:
    with Worker("bare_extraction") as worker:
        with pytest.raises(MeasurementError, match="bare_extraction: KeyError: 'nonsense'"):
            worker.ask("nonsense")
        assert len(worker.ask("extract")["embedding"]) == 152
    with Worker("burst_client") as nowhere, pytest.raises(MeasurementError, match="ended with status 1"):
        nowhere.ask("leave")  # it was given no target


def test_images_differ_and_travel_as_they_are() -> None:
    images = random_images(3, side_pixels=32)
    assert images.shape == (3, 3, 32, 32)
    assert len({image.tobytes() for image in images}) == 3
    request = similarity_pb2.EmbedImagesRequest.FromString(embedding_request(images))
    received = to_array(request.pixels, field="pixels", dtype=np.uint8, shape=(None, 3, None, None))
    np.testing.assert_array_equal(received, images)


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


def test_steps_after_a_caller_has_left_are_those_it_never_heard_of() -> None:
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


def test_first_come_is_first_served() -> None:
    order = FirstComeFirstServed()
    first, second, third = object(), object(), object()
    for contender in (first, second, third):
        order.join(contender)  # type: ignore[arg-type]
    order.leave(second)  # type: ignore[arg-type]
    order.leave(second)  # type: ignore[arg-type]
    assert order.order(0.0) == [first, third]


def test_the_measurements_for_gpus_work_on_any_device() -> None:
    shape = DenoiserShape((32, 32, 32, 32), heads=4, token_width=32, latent_side=8)
    model = UntrainedStableDiffusion(shape, device=torch.device("cpu"), dtype=torch.float32)
    conditions = Conditions(Path(), is_quick=True, report=lambda _: None)
    measured = gpu.measure_model(model, gpu.Effort(1, 2, 2, 5), conditions)
    assert measured["gpu.differing_images"] == 0
    assert measured["gpu.batched_speedup_8"] > 0
    assert gpu.charts(measured)
