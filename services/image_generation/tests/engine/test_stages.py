"""Ways to an image that lead through several networks: calls, sizes, shortage of memory, estimates."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from chladni_contract.errors import ChladniError
from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
from chladni_image_generation.engine.eta import DurationEstimator, EtaEstimator
from chladni_image_generation.engine.executor import ExecutionState
from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.engine.scheduler import FairScheduler, SchedulingParameters
from chladni_image_generation.engine.tracking import TrackedRequest
from chladni_image_generation.generation import PreviewOptions, Progress
from chladni_image_generation.models.interface import GenerationPlan
from chladni_runtime.execution.cancellation import CancellationToken

SECOND = "second"
NATIVE = (4, 8, 8)
FIRST_GROUP = BatchGroup(NATIVE, 1, reproducible=True)
SECOND_GROUP = replace(FIRST_GROUP, network=SECOND)


@pytest.fixture
def load_tiny_model(load_batch_invariant_model):
    """Let rows share calls on every processor: how many do is what these tests count."""
    return load_batch_invariant_model


class TwoStageModel:
    """A real model whose way is parted: its denoiser plays two, which together paint what it paints alone.

    Args:
        model: The model.
        first_share: Part of the timesteps that the first network takes.
        enlargement: Factor by which the latents grow in between.
        rows: Rows for which there is memory, by network.
    """

    def __init__(self, model, *, first_share=0.5, enlargement=1, rows=None):
        self._model = model
        self._first_share = first_share
        self._enlargement = enlargement
        self.rows = rows or {}
        self.calls = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def plan(self, request, generator):
        plan = self._model.plan(request, generator)
        (stage,) = plan.stages
        count = round(self._first_share * len(stage.timesteps))
        first = replace(stage, timesteps=stage.timesteps[:count])
        second = replace(
            stage,
            timesteps=stage.timesteps[count:],
            network=SECOND,
            enter=self._enlarged,
            enlargement=self._enlargement,
        )
        if self._enlargement > 1:
            embedding = request.conditioning.audio_embedding
            second = replace(second, condition=self._model.encode(embedding, self._enlarged(plan.latents)))
        return GenerationPlan(plan.latents, tuple(one for one in (first, second) if len(one.timesteps)))

    def denoise(self, rows):
        (network,) = {row.network for row in rows}
        self.calls.append((network, len(rows)))
        if len(rows) > self.rows.get(network, 100):
            raise torch.OutOfMemoryError("no memory")
        return self._model.denoise(rows)

    def _enlarged(self, latents):
        return torch.nn.functional.interpolate(latents[None], scale_factor=self._enlargement)[0]


@pytest.fixture
def two_stages(load_tiny_model):
    return lambda **options: TwoStageModel(load_tiny_model(), **options)


def requests_of(request_for, count=6):
    return [request_for(embedding_seed=seed, seed=seed, steps=2 + seed) for seed in range(count)]


def pixels_of(events):
    return np.asarray(Image.open(io.BytesIO(events[-1].content)))


def steps_of(events):
    return [event.step for event in events if isinstance(event, Progress)]


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("first_share", [0.5, 0.0, 1.0])
async def test_networks_that_alternate_make_what_one_makes_alone(
    make_engine, two_stages, request_for, events_of, batch_size, first_share
):
    requests = requests_of(request_for)
    async with make_engine(two_stages(first_share=first_share), batch_size=batch_size) as engine:
        results = await asyncio.gather(*(events_of(engine, request) for request in requests))
    async with make_engine(batch_size=batch_size) as engine:
        for request, events in zip(requests, results, strict=True):
            assert steps_of(events) == list(range(1, request.steps + 1))
            np.testing.assert_array_equal(pixels_of(events), pixels_of(await events_of(engine, request)))


async def test_requests_that_begin_with_other_networks_share_no_call(
    make_engine, two_stages, request_for, events_of, load_tiny_model
):
    model = two_stages()
    split = model.plan

    def plan(request, generator):
        model._first_share = (0.0, 0.5, 1.0)[request.seed % 3]
        return split(request, generator)

    model.plan = plan
    requests = requests_of(request_for)
    # A call with rows of both networks would fail.
    async with make_engine(model, batch_size=4) as engine:
        results = await asyncio.gather(*(events_of(engine, request) for request in requests))
    async with make_engine(batch_size=4) as engine:
        for request, events in zip(requests, results, strict=True):
            np.testing.assert_array_equal(pixels_of(events), pixels_of(await events_of(engine, request)))


async def test_where_memory_is_short_for_the_second_network_both_have_smaller_calls(
    make_engine, two_stages, request_for, events_of
):
    requests = requests_of(request_for)
    async with make_engine(two_stages(rows={SECOND: 2}), batch_size=8) as engine:
        results = await asyncio.gather(*(events_of(engine, request) for request in requests))
        assert engine._metrics.shortages._value.get() == 2
    for request, events in zip(requests, results, strict=True):
        terms = events[-1].provenance
        assert (terms.batch_size, terms.reproducible) == (2, True)
        async with make_engine(batch_size=2) as engine:
            np.testing.assert_array_equal(pixels_of(events), pixels_of(await events_of(engine, request)))


async def test_a_request_in_its_second_stage_starts_again_when_memory_gets_short(
    make_engine, two_stages, request_for, events_of, until
):
    model = two_stages()
    request = request_for(steps=60)
    async with make_engine(model, batch_size=4) as engine:
        running = asyncio.create_task(events_of(engine, request))
        await until(lambda: engine._metrics.steps._value.get() >= 33)
        model.calls.clear()
        model.rows[SECOND] = 2
        events = await running
    steps = steps_of(events)
    again = steps.index(1, 1)
    assert again > 30
    assert steps == [*range(1, again + 1), *range(1, 61)]
    counted = [call for call in model.calls if call[1] <= 2]
    assert {rows for _, rows in counted} == {2}
    assert [network for network, _ in counted][-30:] == [SECOND] * 30
    assert events[-1].provenance.batch_size == 2
    async with make_engine(batch_size=2) as engine:
        assert np.array_equal(pixels_of(await events_of(engine, request)), pixels_of(events))


async def test_companions_in_the_first_stage_bear_with_a_shortage_in_the_second(
    make_engine, two_stages, request_for, events_of, until
):
    model = two_stages()
    early, late = request_for(steps=40), request_for(embedding_seed=5, seed=5, steps=60)
    async with make_engine(model, batch_size=4) as engine:
        running = asyncio.create_task(events_of(engine, early))
        await until(lambda: engine._metrics.steps._value.get() >= 21)
        running_late = asyncio.create_task(events_of(engine, late))
        await until(lambda: engine._metrics.steps._value.get() >= 25)
        model.rows[SECOND] = 1
        results = [await running, await running_late]
    for request, events in zip((early, late), results, strict=True):
        assert events[-1].provenance.batch_size == 1
        async with make_engine() as engine:
            assert np.array_equal(pixels_of(await events_of(engine, request)), pixels_of(events))


async def test_a_shortage_on_enlarged_latents_leaves_the_terms_of_a_smaller_batch_size(
    make_engine, two_stages, request_for, events_of
):
    requests = requests_of(request_for, 4)
    options = {"enlargement": 2, "first_share": 0.5}
    async with make_engine(two_stages(rows={SECOND: 1}, **options), batch_size=8) as engine:
        results = await asyncio.gather(*(events_of(engine, request) for request in requests))
    for request, events in zip(requests, results, strict=True):
        assert pixels_of(events).shape == (128, 128, 3)
        assert events[-1].provenance.batch_size == 4
        async with make_engine(two_stages(**options), batch_size=4) as engine:
            assert np.array_equal(pixels_of(await events_of(engine, request)), pixels_of(events))


async def test_previews_come_in_both_stages_and_a_cancelled_second_stage_ends(
    make_engine, two_stages, request_for, events_of
):
    model, token = two_stages(), CancellationToken()

    async def follow(engine):
        async for event in engine.generate(request_for(steps=60), token):
            if isinstance(event, Progress) and event.step == 40:
                token.cancel()

    async with make_engine(model) as engine:
        events = await events_of(engine, request_for(steps=4), previews=PreviewOptions(1, 16))
        previews = [event.preview for event in events if isinstance(event, Progress)]
        assert [preview is not None for preview in previews] == [True, True, True, False]
        model.calls.clear()
        with pytest.raises(ChladniError):
            await follow(engine)
    assert [network for network, _ in model.calls][:40] == [""] * 30 + [SECOND] * 10
    assert len(model.calls) < 60


def test_the_networks_of_a_group_have_calls_of_one_size():
    sizes = BatchSizes(4, NATIVE)
    sizes.halve(SECOND_GROUP)
    assert sizes.rows_per_call(FIRST_GROUP) == sizes.rows_per_call(SECOND_GROUP) == 2
    assert sizes.is_halved(FIRST_GROUP)
    sizes.note_safe(FIRST_GROUP)
    assert not sizes.is_safe(SECOND_GROUP)
    sizes.leave_alone(SECOND_GROUP)
    assert (sizes.rows_per_call(FIRST_GROUP), sizes.rows_per_call(SECOND_GROUP)) == (2, 1)


@pytest.fixture
def tracked_of(two_stages, request_for):
    def make(sizes, **options):
        request = request_for(steps=10)
        execution = ExecutionState(request, FIRST_GROUP, sampler=Sampler(two_stages(**options), request))
        return TrackedRequest(execution, SchedulingParameters(), arrived_at=0.0, key=None, sizes=sizes)

    return make


def test_what_remains_is_told_by_group(tracked_of):
    with torch.inference_mode():
        sampler = tracked_of(BatchSizes(1, NATIVE), enlargement=2).execution.sampler
        enlarged = BatchGroup((4, 16, 16), 1, reproducible=True, network=SECOND)
        assert sampler.remaining == [(FIRST_GROUP, 5), (enlarged, 5)]
        for _ in range(5):
            sampler.advance([torch.zeros(NATIVE)])
        assert sampler.remaining == [(enlarged, 5)]
        assert sampler.group == enlarged
        sampler.advance([torch.zeros((4, 16, 16))])
        assert sampler.remaining == [(enlarged, 4)]


def test_each_stage_is_expected_to_take_what_its_network_takes(tracked_of):
    sizes, durations = BatchSizes(1, NATIVE), DurationEstimator()
    durations.observe_denoising(1.0, work=10)
    durations.observe_decoding(0.5, images=1)
    tracked = [tracked_of(sizes), tracked_of(sizes)]
    eta = EtaEstimator(tracked, durations, sizes)
    assert eta.seconds_alone(tracked[0]) == pytest.approx(1.0 + 0.5)
    durations.observe_denoising(1.0, work=2, network=SECOND)
    assert eta.seconds_alone(tracked[0]) == pytest.approx(5 * 0.1 + 5 * 0.5 + 0.5)
    assert eta.seconds_in_line(tracked[1]) == pytest.approx(2 * (5 * 0.1 + 5 * 0.5 + 0.5))


def test_larger_latents_of_a_later_stage_are_more_work(tracked_of):
    sizes = BatchSizes(1, NATIVE)
    assert tracked_of(sizes).remaining_work == 10
    assert tracked_of(sizes, enlargement=2).remaining_work == 5 + 5 * 4


class RecordedScheduler(FairScheduler):
    """A fair scheduler that keeps what was charged."""

    def __init__(self):
        super().__init__()
        self.charges = []

    def charge(self, contender, work):
        self.charges.append(work)
        super().charge(contender, work)


async def test_each_step_is_charged_as_the_work_that_it_was(make_engine, two_stages, request_for, events_of):
    engine = make_engine(two_stages(enlargement=2))
    engine._scheduler = scheduler = RecordedScheduler()
    async with engine:
        await events_of(engine, request_for(steps=4))
    assert scheduler.charges == [1, 1, 4, 4]
