"""Identical requests, callers that share the model, sizes that alternate, and callers that leave."""

from __future__ import annotations

import asyncio
import io
import random

import numpy as np
import pytest
from PIL import Image

from chladni_contract.errors import ChladniError, DeadlineExceededError, FaultError, Reason
from chladni_image_generation.engine import output
from chladni_image_generation.engine.scheduler import Priority, SchedulingParameters
from chladni_image_generation.generation import (
    PNG,
    Completed,
    ImageEncoding,
    ImageFormat,
    Origin,
    PreviewOptions,
    Progress,
    Queued,
    Started,
)
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline

CACHE_BYTES = 1_000_000
JPEG = ImageEncoding(ImageFormat.JPEG)


def steps_taken(engine):
    return engine._metrics.steps._value.get()


async def test_a_repeated_request_is_answered_without_a_step(make_engine, request_for, events_of):
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        first = (await events_of(engine, request_for()))[-1]
        assert not first.is_reused
        taken = steps_taken(engine)
        events = await events_of(engine, request_for(), previews=PreviewOptions(1))
        assert [type(event) for event in events] == [Started, Completed]
        assert events[-1].is_reused
        assert events[-1].content == first.content
        assert steps_taken(engine) == taken
        anew = (await events_of(engine, request_for(), use_cache=False))[-1]
        assert not anew.is_reused
        assert anew.content == first.content
        assert steps_taken(engine) == 2 * taken


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"steps": 5},
        {"guidance_scale": 2.0},
        {"scheduler": "UniPCMultistepScheduler"},
        {"embedding_seed": 1},
        {"reproducible": False},
        {"upscale": 2},
        {"look": "plate"},
        {"origin": Origin(recipe="other")},
        {"origin": Origin(audio_sha256="ab" * 32)},
        {"origin": Origin(options={"noise_mode": "raw"})},
    ],
)
async def test_whatever_the_bytes_depend_on_makes_another_request(
    make_engine, request_for, events_of, change
):
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        await events_of(engine, request_for())
        assert not (await events_of(engine, request_for(**change)))[-1].is_reused


async def test_encodings_share_the_computation_and_are_never_mixed_up(make_engine, request_for, events_of):
    encodings = (PNG, JPEG, ImageEncoding(ImageFormat.JPEG, 30), ImageEncoding(ImageFormat.WEBP), PNG)
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        together = await asyncio.gather(
            *(events_of(engine, request_for(), encoding=encoding) for encoding in encodings)
        )
        assert steps_taken(engine) == 4
        again = [await events_of(engine, request_for(), encoding=encoding) for encoding in encodings]
        assert steps_taken(engine) == 4
    async with make_engine(cache_bytes=0) as engine:
        alone = [await events_of(engine, request_for(), encoding=encoding) for encoding in encodings]
    for encoding, *events in zip(encodings, together, again, alone, strict=True):
        completed = [one[-1] for one in events]
        assert {one.encoding for one in completed} == {encoding}
        assert len({one.content for one in completed}) == 1
        with Image.open(io.BytesIO(completed[0].content)) as image:
            assert image.format == encoding.format
    assert len({events[-1].content for events in alone}) == 4


async def test_an_image_that_cannot_be_encoded_fails_alone(make_engine, request_for, events_of, monkeypatch):
    def fail(*_):
        raise OSError("no such encoder")

    monkeypatch.setattr(output, "transcode_png", fail)
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        with pytest.raises(FaultError, match="could not be encoded"):
            await events_of(engine, request_for(), encoding=JPEG)
        assert (await events_of(engine, request_for()))[-1].is_reused


async def test_without_a_cache_every_request_is_computed(make_engine, request_for, events_of):
    async with make_engine(cache_bytes=0) as engine:
        results = await asyncio.gather(*(events_of(engine, request_for()) for _ in range(3)))
        assert not any(events[-1].is_reused for events in results)
        assert steps_taken(engine) == 12


async def test_the_cache_keeps_its_bound_and_forgets_the_oldest(make_engine, request_for, events_of):
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        size = len((await events_of(engine, request_for()))[-1].content)
    async with make_engine(cache_bytes=int(size * 2.5)) as engine:
        for seed in (1, 2, 1, 3):
            await events_of(engine, request_for(seed=seed))
        assert engine._cache.currsize <= size * 2.5
        assert (await events_of(engine, request_for(seed=1)))[-1].is_reused
        assert not (await events_of(engine, request_for(seed=2)))[-1].is_reused


async def test_identical_requests_in_flight_share_one_computation(make_engine, request_for, events_of, until):
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        early = [
            asyncio.create_task(events_of(engine, request_for(steps=40), previews=PreviewOptions(interval)))
            for interval in (0, 10)
        ]
        await until(lambda: steps_taken(engine) >= 5)
        late = await events_of(engine, request_for(steps=40), previews=PreviewOptions(8, 32))
        results = [*(await asyncio.gather(*early)), late]
        assert steps_taken(engine) == 40
    assert [events[-1].is_reused for events in results] == [False, True, True]
    assert len({events[-1].content for events in results}) == 1
    previews = [
        [event.step for event in events if isinstance(event, Progress) and event.preview]
        for events in results
    ]
    assert previews[:2] == [[], [10, 20, 30]]
    assert set(previews[2]) <= {8, 16, 24, 32}
    assert previews[2]
    assert isinstance(late[0], Started | Queued)


async def test_a_shared_computation_goes_on_until_the_last_caller_leaves(
    make_engine, request_for, events_of, until
):
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        first, second = (CancellationToken(), CancellationToken())
        tasks = [
            asyncio.create_task(events_of(engine, request_for(steps=2000), token))
            for token in (first, second)
        ]
        await until(lambda: steps_taken(engine) >= 3)
        first.cancel()
        with pytest.raises(ChladniError) as caught:
            await tasks[0]
        assert caught.value.reason is Reason.CANCELLED
        taken = steps_taken(engine)
        await until(lambda: steps_taken(engine) >= taken + 3)
        second.cancel()
        with pytest.raises(ChladniError):
            await tasks[1]
        taken = steps_taken(engine)
        await asyncio.sleep(0.1)
        assert steps_taken(engine) == taken
        assert engine._metrics.saved_steps._value.get() == 2000 - taken
        assert not engine._shared


async def test_each_follower_keeps_a_deadline_of_its_own(make_engine, request_for, events_of, until):
    async with make_engine(cache_bytes=CACHE_BYTES) as engine:
        patient = asyncio.create_task(events_of(engine, request_for(steps=300)))
        await until(lambda: steps_taken(engine) >= 3)
        with pytest.raises(DeadlineExceededError):
            await events_of(engine, request_for(steps=300), CancellationToken(Deadline.after(0.05)))
        assert isinstance((await patient)[-1], Completed)


async def test_a_flood_of_one_caller_does_not_hold_up_another(make_engine, request_for, events_of):
    finished = []

    async def generate(engine, caller, index):
        request = request_for(steps=6, seed=index)
        await events_of(engine, request, scheduling=SchedulingParameters(caller))
        finished.append(caller)

    async with make_engine(max_active_requests=2) as engine:
        flood = [asyncio.create_task(generate(engine, "flood", index)) for index in range(20)]
        await asyncio.sleep(0)
        await generate(engine, "single", 100)
        assert len(finished) <= 4
        await asyncio.gather(*flood)


async def test_interactive_requests_go_before_those_of_a_batch(make_engine, request_for, events_of):
    finished = []

    async def generate(engine, priority, index):
        request = request_for(steps=6, seed=index)
        await events_of(engine, request, scheduling=SchedulingParameters("somebody", priority))
        finished.append(priority)

    async with make_engine() as engine:
        night = [asyncio.create_task(generate(engine, Priority.BATCH, index)) for index in range(6)]
        await asyncio.sleep(0)
        day = [asyncio.create_task(generate(engine, Priority.INTERACTIVE, 10 + index)) for index in range(3)]
        await asyncio.gather(*night, *day)
    assert finished[:3] == [Priority.INTERACTIVE] * 3


async def test_sizes_share_the_model_and_each_image_is_as_it_is_alone(make_engine, request_for, image_of):
    sizes = [(64, 64), (128, 64), (64, 128), (128, 128)]
    requests = [
        request_for(
            width_pixels=width,
            height_pixels=height,
            seed=index,
            steps=3 + index % 3,
            reproducible=reproducible,
        )
        for index, ((width, height), reproducible) in enumerate(
            (size, reproducible) for size in sizes for reproducible in (True, False)
        )
    ]
    async with make_engine(batch_size=4) as engine:
        together = await asyncio.gather(
            *(image_of(engine, request, previews=PreviewOptions(1, 32)) for request in requests)
        )
        for image, request in zip(together, requests, strict=True):
            assert image.shape == (request.height_pixels, request.width_pixels, 3)
            if request.reproducible:
                assert np.array_equal(image, await image_of(engine, request))


async def test_what_is_not_exact_is_not_padded_and_says_so(
    make_engine, load_batch_invariant_model, request_for, events_of
):
    model = load_batch_invariant_model()
    calls = []
    denoise = model.denoise
    model.denoise = lambda rows: calls.append(len(rows)) or denoise(rows)
    async with make_engine(model, batch_size=4) as engine:
        loose = (await events_of(engine, request_for(reproducible=False)))[-1].provenance
        assert (loose.reproducible, loose.batch_size) == (False, 1)
        assert set(calls) == {1}
        strict = (await events_of(engine, request_for()))[-1].provenance
        assert (strict.reproducible, strict.batch_size) == (True, 4)
        assert set(calls) == {1, 4}


async def test_callers_that_leave_at_random_change_no_image_and_leave_nothing_behind(
    make_engine, request_for, events_of, until
):
    """Half of 40 requests are given up at random moments; the rest are compared with their solo rendering."""
    source = random.Random(5)
    async with make_engine(batch_size=4, max_active_requests=6, cache_bytes=CACHE_BYTES) as engine:

        async def visit(index):
            request = request_for(
                embedding_seed=index % 7,
                seed=index % 11,
                steps=source.randint(1, 12),
                guidance_scale=source.choice([1.0, 2.0]),
            )
            token = CancellationToken()
            await asyncio.sleep(source.random() * 0.5)
            task = asyncio.create_task(
                events_of(
                    engine,
                    request,
                    token,
                    scheduling=SchedulingParameters(f"caller {index % 5}", source.choice(list(Priority))),
                )
            )
            if index % 2:
                await asyncio.sleep(source.random() * 0.2)
                token.cancel()
                engine._arrival.set()
            return request, (await asyncio.gather(task, return_exceptions=True))[0]

        visits = await asyncio.gather(*(visit(index) for index in range(40)))
        left = [engine._waiting, engine._active, engine._encoding, engine._shared]
        assert not any(left)
        assert engine._scheduler.order(0.0) == []
    kept = [(request, events) for request, events in visits if isinstance(events, list)]
    assert len(kept) >= 20
    for _, failure in visits:
        assert isinstance(failure, list) or failure.reason is Reason.CANCELLED
    async with make_engine(batch_size=4) as engine:
        for request, events in kept:
            assert (await events_of(engine, request))[-1].content == events[-1].content
