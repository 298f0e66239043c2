"""Rows that share a call: whether they leave each other alone is found out, and acted upon."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch

from chladni_image_generation.engine.batch_invariance import (
    is_decoder_batch_invariant,
    is_denoiser_batch_invariant,
)
from chladni_image_generation.engine.sampler import Sampler


class CrowdedModel:
    """A real model whose rows depend a little on their place, or on the row beside them."""

    def __init__(self, model, *, by_place=0.0, by_companion=0.0):
        self._model = model
        self._by_place = by_place
        self._by_companion = by_companion
        self.calls = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def denoise(self, rows):
        self.calls.append(len(rows))
        return self._disturb(self._model.denoise(rows))

    def decode(self, latents):
        return self._model.decode(self._disturb(latents))

    def _disturb(self, batch):
        if len(batch) == 1:
            return batch
        place = torch.arange(len(batch)).reshape(-1, 1, 1, 1)
        return batch + self._by_place * place + self._by_companion * batch.roll(1, dims=0)


@pytest.fixture
def one_thread():
    """With several, torch may split five rows among them within a row: a dependence of its own."""
    thread_count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(thread_count)


@pytest.fixture
def load_tiny_model(load_batch_invariant_model):
    """Let rows share calls on every processor: how many do is what these tests count."""
    return load_batch_invariant_model


@pytest.fixture
def example(load_tiny_model, request_for):
    return Sampler(load_tiny_model(), request_for()).rows()[0]


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize(
    ("fault", "verdict"), [({}, True), ({"by_place": 1e-3}, False), ({"by_companion": 1e-3}, False)]
)
@pytest.mark.usefixtures("one_thread")
@torch.inference_mode()
def test_a_dependence_on_place_or_companions_is_found(load_tiny_model, example, count, fault, verdict):
    model = CrowdedModel(load_tiny_model(), **fault)
    assert is_denoiser_batch_invariant(model, example, count) is verdict
    fault = {name: 10 * amount for name, amount in fault.items()}  # An image has only 256 levels.
    assert is_decoder_batch_invariant(CrowdedModel(load_tiny_model(), **fault), (4, 8, 8), count) is verdict


async def test_where_rows_disturb_each_other_exact_requests_go_alone(
    make_engine, load_tiny_model, request_for, events_of, image_of
):
    model = CrowdedModel(load_tiny_model(), by_companion=0.1)
    requests = [request_for(embedding_seed=index, seed=index, steps=3 + index) for index in range(5)]
    async with make_engine(model, batch_size=4, decode_batch_size=2) as engine:
        together = await asyncio.gather(*(events_of(engine, request) for request in requests))
        assert {events[-1].provenance.batch_size for events in together} == {1}
        assert {events[-1].provenance.decode_batch_size for events in together} == {1}
        for events, request in zip(together, requests, strict=True):
            assert (await events_of(engine, request))[-1].content == events[-1].content
        model.calls.clear()
        loose = [request_for(seed=index, reproducible=False) for index in range(4)]
        await asyncio.gather(*(events_of(engine, request) for request in loose))
        assert max(model.calls) > 1


async def test_guided_rows_share_a_call_even_then(make_engine, load_tiny_model, request_for, events_of):
    model = CrowdedModel(load_tiny_model(), by_companion=0.1)
    requests = [request_for(seed=index, steps=4, guidance_scale=2.0) for index in range(3)]
    async with make_engine(model, batch_size=4) as engine:
        together = await asyncio.gather(*(events_of(engine, request) for request in requests))
        for events, request in zip(together, requests, strict=True):
            assert events[-1].provenance.batch_size == 2
            assert (await events_of(engine, request))[-1].content == events[-1].content


async def test_a_shape_is_checked_once(make_engine, load_tiny_model, request_for, events_of):
    model = CrowdedModel(load_tiny_model())
    async with make_engine(model, batch_size=2) as engine:
        await events_of(engine, request_for(steps=3))
        checked = len(model.calls) - 3
        assert checked > 0
        await events_of(engine, request_for(steps=3, seed=1))
        assert len(model.calls) == checked + 6
        assert np.array_equal(model.calls[-6:], [2] * 6)
