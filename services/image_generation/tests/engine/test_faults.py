"""What goes wrong in a model: one request fails, the others are as if nothing had been."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
import torch
from PIL import Image

from chladni_contract.errors import ChladniError, Reason
from chladni_image_generation.generation import Completed, PreviewOptions, Progress
from chladni_runtime.failpoints import parse_failpoints


@pytest.fixture
def load_tiny_model(load_batch_invariant_model):
    """Let rows share calls on every processor: how many do is what these tests count."""
    return load_batch_invariant_model


class FaultyModel:
    """A real model whose denoiser fails for rows that carry a certain condition."""

    def __init__(self, model, fault):
        self._model = model
        self._fault = fault
        self.poison = None

    def __getattr__(self, name):
        return getattr(self._model, name)

    def plan(self, request, generator):
        plan = self._model.plan(request, generator)
        if request.conditioning.audio_embedding[0] == 1.0:
            self.poison = plan.stages[0].condition["class_labels"]
        return plan

    def denoise(self, rows):
        output = self._model.denoise(rows)
        for index, row in enumerate(rows):
            if row.condition["class_labels"] is self.poison:
                output[index] = self._fault()
        return output


class SmallMemoryModel:
    """A real model on a device that has room for few rows."""

    def __init__(self, model, *, denoiser_rows=100, decoder_rows=100):
        self._model = model
        self.denoiser_rows = denoiser_rows
        self.decoder_rows = decoder_rows
        self.calls = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def denoise(self, rows):
        self.calls.append(len(rows))
        if len(rows) > self.denoiser_rows:
            out_of_memory()
        return self._model.denoise(rows)

    def decode(self, latents):
        if len(latents) > self.decoder_rows:
            out_of_memory()
        return self._model.decode(latents)


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def nan():
    return float("nan")


def out_of_memory():
    raise torch.OutOfMemoryError("no memory")


def out_of_main_memory():
    torch.empty(2**52)


def bug():
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (nan, Reason.NON_FINITE_OUTPUT),
        (out_of_memory, Reason.OUT_OF_MEMORY),
        (out_of_main_memory, Reason.OUT_OF_MEMORY),
        (bug, Reason.INTERNAL),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 4])
async def test_one_bad_request_fails_alone(
    make_engine, load_tiny_model, request_for, events_of, image_of, fault, reason, batch_size
):
    bad = request_for()
    bad.conditioning.audio_embedding[0] = 1.0
    good = [request_for(embedding_seed=3 + index, seed=index) for index in range(3)]
    async with make_engine(FaultyModel(load_tiny_model(), fault), batch_size=batch_size) as engine:
        failed, *results = await asyncio.gather(
            events_of(engine, bad), *(events_of(engine, request) for request in good), return_exceptions=True
        )
        assert isinstance(failed, ChladniError)
        assert failed.reason is reason
        again = [await image_of(engine, request) for request in good]
    for events, request, later in zip(results, good, again, strict=True):
        terms = events[-1].provenance
        async with make_engine(batch_size=terms.batch_size) as engine:
            assert (await events_of(engine, request))[-1].content == events[-1].content
        if terms.batch_size == batch_size:
            assert np.array_equal(later, pixels_of(events[-1].content))


@pytest.mark.parametrize(("guidance_scale", "calls"), [(1.0, [8, 4, 2]), (2.0, [16, 8, 4, 2])])
async def test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does(
    make_engine, load_tiny_model, request_for, events_of, guidance_scale, calls
):
    requests = [
        request_for(embedding_seed=index, seed=index, steps=2 + index, guidance_scale=guidance_scale)
        for index in range(6)
    ]
    model = SmallMemoryModel(load_tiny_model(), denoiser_rows=2, decoder_rows=1)
    async with make_engine(model, batch_size=8, decode_batch_size=4) as engine:
        results = await asyncio.gather(*(events_of(engine, request) for request in requests))
        assert engine._metrics.shortages._value.get() == len(calls) - 1
    assert model.calls[: len(calls)] == calls
    for request, events in zip(requests, results, strict=True):
        assert events[-1].provenance.batch_size == 2
        assert events[-1].provenance.reproducible
        async with make_engine(batch_size=2 if guidance_scale == 1 else 1) as engine:
            alone = (await events_of(engine, request))[-1]
        assert np.array_equal(pixels_of(alone.content), pixels_of(events[-1].content))


async def test_a_request_begun_in_larger_batches_starts_again_when_memory_gets_short(
    make_engine, load_tiny_model, request_for, events_of, until
):
    model = SmallMemoryModel(load_tiny_model())
    request = request_for(steps=60)
    async with make_engine(model, batch_size=4) as engine:
        running = asyncio.create_task(events_of(engine, request))
        await until(lambda: engine._metrics.steps._value.get() >= 5)
        model.denoiser_rows = 2
        events = await running
    steps = [event.step for event in events if isinstance(event, Progress)]
    again = steps.index(1, 1)
    assert steps == [*range(1, again + 1), *range(1, 61)]
    assert events[-1].provenance.batch_size == 2
    async with make_engine(batch_size=2) as engine:
        assert (await events_of(engine, request))[-1].content == events[-1].content


async def test_batches_are_as_configured_again_once_the_engine_was_idle(
    make_engine, load_tiny_model, request_for, events_of
):
    model = SmallMemoryModel(load_tiny_model(), denoiser_rows=1)
    async with make_engine(model, batch_size=4) as engine:
        assert (await events_of(engine, request_for()))[-1].provenance.batch_size == 1
        model.denoiser_rows = 100
        assert (await events_of(engine, request_for(seed=8)))[-1].provenance.batch_size == 4


async def test_what_fits_into_no_memory_fails_and_the_next_request_works(
    make_engine, load_tiny_model, request_for, events_of
):
    model = SmallMemoryModel(load_tiny_model(), decoder_rows=0)
    async with make_engine(model, batch_size=2, decode_batch_size=2) as engine:
        with pytest.raises(ChladniError) as caught:
            await events_of(engine, request_for())
        assert caught.value.reason is Reason.OUT_OF_MEMORY
        assert caught.value.retry_after_seconds > 0
        model.decoder_rows = 1
        assert isinstance((await events_of(engine, request_for()))[-1], Completed)


async def test_a_preview_that_fails_costs_only_itself(make_engine, load_tiny_model, request_for, events_of):
    model = load_tiny_model()
    model.preview = lambda _latents, _size_pixels: bug()
    async with make_engine(model) as engine:
        events = await events_of(engine, request_for(steps=3), previews=PreviewOptions(1, 16))
    assert [event.preview for event in events if isinstance(event, Progress)] == [None] * 3
    assert isinstance(events[-1], Completed)


async def test_an_image_that_cannot_be_encoded_is_told(make_engine, load_tiny_model, request_for, events_of):
    model = load_tiny_model()
    decode = model.decode
    model.decode = lambda latents: decode(latents).astype(np.float64)
    async with make_engine(model) as engine:
        with pytest.raises(ChladniError) as caught:
            await events_of(engine, request_for())
        assert caught.value.reason is Reason.INTERNAL
        model.decode = decode
        assert isinstance((await events_of(engine, request_for()))[-1], Completed)


@pytest.mark.parametrize(
    ("place", "action", "reason"),
    [
        ("step.before", "memory", Reason.OUT_OF_MEMORY),
        ("step.after", "error", Reason.BACKEND_UNAVAILABLE),
        ("finish.before", "memory", Reason.OUT_OF_MEMORY),
        ("finish.after", "error", Reason.BACKEND_UNAVAILABLE),
    ],
)
async def test_a_failpoint_ends_one_request_and_the_next_is_exact(
    make_engine, request_for, events_of, place, action, reason
):
    async with make_engine() as engine:
        expected = (await events_of(engine, request_for()))[-1].content
    async with make_engine(failpoints=parse_failpoints(f"{place}=1*{action}")) as engine:
        with pytest.raises(ChladniError) as caught:
            await events_of(engine, request_for())
        assert caught.value.reason is reason
        assert (await events_of(engine, request_for()))[-1].content == expected
