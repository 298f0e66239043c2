"""The engine with a real, tiny model: events, reproducibility, fairness, cancellation, limits, faults."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni_contract.errors import (
    DeadlineExceededError,
    DeadlineTooShortError,
    QueueFullError,
    UnavailableError,
)
from chladni_image_generation.families.embedded.conditioning import encode_condition, null_condition
from chladni_image_generation.families.embedded.detailer import Detailer, DetailerConfig
from chladni_image_generation.families.embedded.model import load_embedded_model
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.generation import Completed, Origin, PreviewOptions, Progress, Queued, Started
from chladni_image_generation.models.files import find_model_files
from chladni_image_generation.training.autoencoder import build_autoencoder
from chladni_image_generation.training.presets import TINY
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline


async def test_events_tell_of_every_step_and_end_with_the_image(make_engine, request_for, events_of):
    async with make_engine() as engine:
        events = await events_of(engine, request_for(steps=5), previews=PreviewOptions(2, 32))
    assert [type(event) for event in events] == [Queued, Started, *[Progress] * 5, Completed]
    assert [event.step for event in events[2:7]] == [1, 2, 3, 4, 5]
    previews = [event.step for event in events[2:7] if event.preview]
    assert previews == [2, 4]
    preview = Image.open(io.BytesIO(events[3].preview.jpeg))
    assert (preview.format, preview.size) == ("JPEG", (32, 32))
    image = Image.open(io.BytesIO(events[-1].content))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (64, 64))


async def test_the_png_carries_the_provenance_that_the_event_has(make_engine, request_for, events_of):
    async with make_engine() as engine:
        completed = (await events_of(engine, request_for(origin=Origin("embedded", "ab" * 32))))[-1]
    document = json.loads(Image.open(io.BytesIO(completed.content)).text["chladni"])
    provenance = completed.provenance
    assert document["seed"] == provenance.seed == 7
    assert document["model_digest"] == provenance.model_digest
    assert document["recipe"] == "embedded"
    assert document["audio_sha256"] == "ab" * 32
    assert document["library_versions"]["torch"] == torch.__version__
    # It renders looks and details: a later version may render them in another way.
    assert document["library_versions"]["chladni-image-generation"]
    assert len(provenance.conditioning_sha256) == 64


async def test_looks_and_details_are_the_same_in_company_and_alone(
    make_engine, load_batch_invariant_model, request_for, image_of
):
    detailer = Detailer(DetailerConfig(hidden_channels=8)).eval().requires_grad_(requires_grad=False)
    torch.nn.init.normal_(detailer.leave.weight, std=0.1)

    def finishing_model():
        model = load_batch_invariant_model()
        model._model._detailer = detailer
        return model

    requests = [request_for(seed, seed=seed, look=look) for seed, look in enumerate(("", "plate", "auto"))]
    async with make_engine(finishing_model(), batch_size=3, decode_batch_size=3) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
    async with make_engine(finishing_model(), batch_size=3, decode_batch_size=3) as engine:
        alone = [await image_of(engine, request) for request in requests]
    for first, second in zip(together, alone, strict=True):
        assert np.array_equal(first, second)
    async with make_engine(load_batch_invariant_model(), batch_size=3, decode_batch_size=3) as engine:
        assert not np.array_equal(await image_of(engine, requests[0]), alone[0])


async def test_same_request_same_bytes_other_seed_or_sound_other_image(make_engine, request_for, events_of):
    async with make_engine() as engine:
        first = (await events_of(engine, request_for()))[-1].content
        assert (await events_of(engine, request_for()))[-1].content == first
        assert (await events_of(engine, request_for(seed=8)))[-1].content != first
        assert (await events_of(engine, request_for(embedding_seed=1)))[-1].content != first
        assert (await events_of(engine, request_for(guidance_scale=3.0)))[-1].content != first
    async with make_engine() as engine:
        assert (await events_of(engine, request_for()))[-1].content == first


@pytest.fixture(scope="module")
def shared_model(tiny_model_directory):
    """One model for all examples: engines keep nothing in it."""
    return load_embedded_model(
        find_model_files(str(tiny_model_directory)), device=torch.device("cpu"), dtype=torch.float32
    )


@pytest.fixture(scope="module")
def thin_model(tiny_model_directory):
    """The tiny model with a decoder of few channels, which is fast at 512 pixels."""
    model = load_embedded_model(
        find_model_files(str(tiny_model_directory)), device=torch.device("cpu"), dtype=torch.float32
    )
    thin = replace(TINY.autoencoder, channels=(4, 4, 8, 8), layers=(0, 1, 1, 1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model._autoencoder = build_autoencoder(thin).eval().requires_grad_(requires_grad=False)
    return model


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spread=st.sampled_from([0.0, 0.2, 1.0, 5.0, 1000.0]),
    embedding_seed=st.integers(0, 2**40),
    seed=st.integers(0, 2**32 - 1),
)
async def test_any_embedding_gives_an_rgb_png_of_512_pixels(
    make_engine, thin_model, request_for, events_of, spread, embedding_seed, seed
):
    """Feature: voice-to-image-system, Property 6: Image Generation Success."""
    request = request_for(embedding_seed, seed=seed, steps=1, width_pixels=512, height_pixels=512)
    embedding = request.conditioning.audio_embedding**spread
    request = replace(request, conditioning=replace(request.conditioning, audio_embedding=embedding))
    async with make_engine(thin_model, png_compression_level=1) as engine:
        completed = (await events_of(engine, request))[-1]
    image = Image.open(io.BytesIO(completed.content))
    image.load()
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (512, 512))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    companions=st.lists(
        st.tuples(
            st.integers(1, 4),
            st.sampled_from([1.0, 2.5]),
            st.sampled_from(
                ["FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler", "DPMSolverMultistepScheduler"]
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    batch_size=st.sampled_from([1, 2, 4]),
)
async def test_companions_never_change_an_image(
    make_engine, shared_model, request_for, companions, batch_size, image_of
):
    requests = [
        request_for(embedding_seed=index, seed=index, steps=steps, guidance_scale=scale, scheduler=name)
        for index, (steps, scale, name) in enumerate(companions)
    ]
    async with make_engine(shared_model, batch_size=batch_size, max_active_requests=3) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        alone = [await image_of(engine, request) for request in requests]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one, other)


async def test_a_short_request_overtakes_a_long_one(make_engine, request_for, events_of):
    finished = []

    async def generate(engine, name, steps):
        await events_of(engine, request_for(steps=steps))
        finished.append(name)

    async with make_engine() as engine:
        long = asyncio.create_task(generate(engine, "long", 60))
        await asyncio.sleep(0)
        await generate(engine, "short", 2)
        await long
    assert finished == ["short", "long"]


async def test_closing_the_iterator_stops_within_one_step_and_counts_the_steps_saved(
    make_engine, request_for, until
):
    engine = make_engine()
    async with engine:
        events = engine.generate(request_for(steps=100), CancellationToken())
        async for event in events:
            if isinstance(event, Progress):
                seen = event.step
                break
        await events.aclose()
        await until(lambda: engine._metrics.active._value.get() == 0)
        taken = engine._metrics.steps._value.get()
        await asyncio.sleep(0.1)
        assert engine._metrics.steps._value.get() == taken
    assert taken <= seen + 1
    assert engine._metrics.saved_steps._value.get() == 100 - taken
    assert engine._metrics.finished.labels("cancelled")._value.get() == 1


async def test_a_deadline_ends_a_running_and_a_waiting_request(make_engine, request_for, events_of):
    async with make_engine(max_active_requests=1) as engine:
        token = CancellationToken(Deadline.after(0.3))
        with pytest.raises(DeadlineExceededError, match=r"after .* of 10000 steps"):
            await events_of(engine, request_for(steps=10_000), token)
        passed = CancellationToken(Deadline.after(0))
        with pytest.raises(DeadlineExceededError):
            await events_of(engine, request_for(), passed)
        assert (await events_of(engine, request_for()))[-1].content


async def test_a_request_that_cannot_end_in_time_is_refused_at_once(make_engine, request_for, events_of):
    async with make_engine() as engine:
        await events_of(engine, request_for())
        step_seconds = engine._durations.seconds_for(work=1, images=0)
        # What the steps of the others take on a busy machine must not change the estimate.
        engine._durations.observe_denoising = lambda *_, **__: None
        others = [
            engine.generate(request_for(steps=900, seed=seed), CancellationToken()) for seed in range(8)
        ]
        for other in others:
            await anext(other)
        token = CancellationToken(Deadline.after(500 * step_seconds))
        with pytest.raises(DeadlineTooShortError, match="fewer steps"):
            await events_of(engine, request_for(steps=10_000), token)
        token = CancellationToken(Deadline.after(3000 * step_seconds))
        with pytest.raises(QueueFullError, match="requests in progress") as refused:
            await events_of(engine, request_for(steps=1000), token)
        assert refused.value.retry_after_seconds > 0
        short = await events_of(
            engine, request_for(steps=4), CancellationToken(Deadline.after(3000 * step_seconds))
        )
        assert isinstance(short[-1], Completed)
        for other in others:
            await other.aclose()


async def test_after_a_stall_an_idle_engine_still_takes_requests(make_engine, request_for, events_of):
    async with make_engine() as engine:
        for _ in range(31):  # As if every step since the start had stalled.
            engine._durations.observe_denoising(60.0, work=1)
        token = CancellationToken(Deadline.after(30))
        assert isinstance((await events_of(engine, request_for(), token))[-1], Completed)


async def test_the_warm_up_measures_nothing(make_engine, request_for):
    async with make_engine() as engine:
        await engine.warm_up(request_for())
        assert engine._durations.seconds_for(work=1, images=1) == 0.0


async def test_a_full_queue_refuses_and_the_waiting_learn_their_position(make_engine, request_for, until):
    async with make_engine(max_active_requests=1, max_queued_requests=2) as engine:
        streams = [engine.generate(request_for(steps=5000), CancellationToken()) for _ in range(3)]
        assert isinstance(await anext(streams[0]), Queued)
        await until(lambda: engine._metrics.active._value.get() == 1)
        assert (await anext(streams[1])).position == 0
        assert (await anext(streams[2])).position == 1
        with pytest.raises(QueueFullError) as refused:
            await anext(engine.generate(request_for(), CancellationToken()))
        assert refused.value.retry_after_seconds > 0
        await streams[1].aclose()
        assert (await anext(streams[2])).position == 0
        for stream in streams:
            await stream.aclose()


async def test_a_reader_that_does_not_keep_up_loses_previews_but_no_step(make_engine, request_for, until):
    async with make_engine() as engine:
        stream = engine.generate(request_for(steps=12), CancellationToken(), previews=PreviewOptions(1))
        await anext(stream)
        await until(lambda: engine._metrics.finished.labels("completed")._value.get() == 1)
        events = [event async for event in stream]
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in progress] == list(range(1, 13))
    assert sum(event.preview is not None for event in progress) <= 4
    assert isinstance(events[-1], Completed)


async def test_requests_that_are_left_at_shutdown_learn_it(make_engine, request_for, events_of, until):
    async with make_engine() as engine:
        running = asyncio.create_task(events_of(engine, request_for(steps=1000)))
        await until(lambda: engine._metrics.steps._value.get() > 0)
    with pytest.raises(UnavailableError):
        await running


@torch.inference_mode()
def plain_diffusers_image(directory, request):
    """What a user of diffusers would write, with guidance in one batch of two."""
    unet = UNet2DConditionModel.from_pretrained(directory, subfolder="unet", torch_dtype=torch.float32)
    vae = AutoencoderDC.from_pretrained(directory, subfolder="vae", torch_dtype=torch.float32)
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(directory, subfolder="scheduler")
    scheduler.set_timesteps(request.steps)
    embedding = torch.tensor(request.conditioning.audio_embedding)[None]
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(request.seed))
    condition = encode_condition(embedding, grids_of_noise(latents), height=8, width=8)
    nothing = null_condition(1, height=8, width=8)
    labels = torch.cat([condition.class_labels, nothing.class_labels])
    guides = torch.cat([condition.guide, nothing.guide])
    for timestep in scheduler.timesteps:
        guided_latents = torch.cat([latents.expand(2, -1, -1, -1), guides], dim=1)
        clean = unet(guided_latents, timestep, encoder_hidden_states=None, class_labels=labels).sample
        velocity = (latents - clean) / (timestep / 1000)
        guided = velocity[1] + request.guidance_scale * (velocity[0] - velocity[1])
        latents = scheduler.step(guided[None], timestep, latents).prev_sample
    decoded = vae.decode(latents / vae.config.scaling_factor).sample[0].permute(1, 2, 0)
    return (decoded * 127.5 + 127.5).clamp(0, 255).round().numpy()


async def test_the_engine_agrees_with_a_plain_diffusers_loop(
    make_engine, tiny_model_directory, request_for, image_of
):
    request = request_for(steps=6, guidance_scale=2.0)
    async with make_engine() as engine:
        served = await image_of(engine, request)
    assert np.abs(served - plain_diffusers_image(tiny_model_directory, request)).max() <= 1
