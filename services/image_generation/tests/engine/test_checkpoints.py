"""Generations that go on from a checkpoint: the same bytes, and only the last steps twice."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch

from chladni_image_generation.engine.checkpoints import checkpointer
from chladni_image_generation.engine.checkpoints.checkpointer import CheckpointFolder
from chladni_image_generation.engine.checkpoints.sampler_state import (
    UnknownStateError,
    decode_state,
    encode_state,
    scheduler_state,
)
from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Progress
from chladni_image_generation.models.interface import GenerationPlan
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_runtime.execution.cancellation import CancellationToken

CATALOG = SchedulerCatalog(diffusers.DDIMScheduler())
STEPS = 6


class NoisyUpscaling:
    """A real model and a second stage that draws noise when it begins, and keeps what it was given."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def plan(self, request, generator):
        plan = self._model.plan(request, generator)
        (stage,) = plan.stages
        (second,) = self._model.plan(request, torch.Generator().manual_seed(0)).stages

        def enter(latents):
            second.condition["given"] = latents
            return latents + torch.randn(latents.shape, generator=generator)

        return GenerationPlan(plan.latents, (stage, replace(second, network="second", enter=enter)))

    def denoise(self, rows):
        given = torch.stack([row.condition.get("given", torch.zeros_like(row.latents)) for row in rows])
        plain = [
            replace(row, condition={name: row.condition[name] for name in row.condition if name != "given"})
            for row in rows
        ]
        return self._model.denoise(plain) + 0.1 * given


def steps(sampler, model, count):
    with torch.inference_mode():
        for _ in range(count):
            sampler.advance(list(model.denoise(sampler.rows())))


def after_a_restart(sampler, model):
    state, facts = decode_state(encode_state(sampler.state(), {"fact": [1, "a"]}))
    assert facts == {"fact": [1, "a"]}
    resumed = Sampler(model, sampler.request)
    resumed.resume(state)
    return resumed


def check_resumed(model, request, *, at):
    whole = Sampler(model, request)
    steps(whole, model, whole.total_steps)
    sampler = Sampler(model, request)
    for count in at:
        steps(sampler, model, count)
        sampler = after_a_restart(sampler, model)
    assert not sampler.is_denoised
    steps(sampler, model, sampler.total_steps - sampler.steps_done)
    assert torch.equal(sampler.latents, whole.latents), request.scheduler
    assert torch.equal(sampler.clean_estimate, whole.clean_estimate), request.scheduler


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # diffusers', with LMS
@pytest.mark.parametrize("name", CATALOG.names)
def test_every_scheduler_goes_on_as_if_nothing_had_happened(load_tiny_model, request_for, name):
    model = load_tiny_model()
    model._schedulers = CATALOG
    check_resumed(model, request_for(steps=STEPS, scheduler=name, guidance_scale=2.0), at=(3, 2))


@pytest.mark.parametrize("at", [(2, 3), (STEPS,), (STEPS, 2), (STEPS + 1, 3)])
def test_what_a_later_stage_was_given_and_drew_is_there_again(load_tiny_model, request_for, at):
    check_resumed(NoisyUpscaling(load_tiny_model()), request_for(steps=STEPS), at=at)


def test_what_cannot_be_written_down_is_not():
    class Odd:
        def __init__(self):
            self.noise = object()

    with pytest.raises(UnknownStateError, match="noise is a object"):
        scheduler_state(Odd())


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints", interval_seconds=0.0)


def resumed_steps(engine):
    return engine._metrics.resumed_steps._value.get()


async def kill_after(engine, request, *, step):
    """Leave a generation after some steps, as a process that is killed does."""
    async with aclosing(engine.generate(request, CancellationToken())) as events:
        async for event in events:
            if isinstance(event, Progress) and event.step == step:
                break


async def test_a_request_that_comes_again_after_a_kill_goes_on_with_the_same_bytes(
    make_engine, request_for, events_of, folder
):
    request = request_for(steps=STEPS, scheduler="UniPCMultistepScheduler", guidance_scale=2.0)
    async with make_engine() as engine:
        expected = (await events_of(engine, request))[-1].content
    async with make_engine(checkpoints=folder) as engine:
        await kill_after(engine, request, step=4)
    async with make_engine(checkpoints=folder) as engine:
        events = await events_of(engine, request)
        assert events[-1].content == expected
        resumed = int(resumed_steps(engine))
        assert resumed in {4, 5}, "one more step may have been in progress"
        taken = [event.step for event in events if isinstance(event, Progress)]
        assert taken == list(range(resumed + 1, STEPS + 1))


async def test_another_request_another_batch_size_and_a_bypassed_cache_begin_from_the_start(
    make_engine, request_for, events_of, folder, load_batch_invariant_model
):
    request = request_for(steps=STEPS)
    model = load_batch_invariant_model()
    async with make_engine(model, checkpoints=folder) as engine:
        await kill_after(engine, request, step=4)
        for other, options in ((replace(request, seed=8), {}), (request, {"use_cache": False})):
            events = await events_of(engine, other, **options)
            assert len([event for event in events if isinstance(event, Progress)]) == STEPS
    async with make_engine(model, batch_size=2) as engine:
        expected = (await events_of(engine, request))[-1].content
    async with make_engine(model, checkpoints=folder, batch_size=2) as engine:
        assert (await events_of(engine, request))[-1].content == expected


async def test_a_damaged_checkpoint_costs_its_steps_and_nothing_else(
    make_engine, request_for, events_of, folder, tmp_path, caplog
):
    request = request_for(steps=STEPS)
    async with make_engine(checkpoints=folder) as engine:
        await kill_after(engine, request, step=4)
    async with make_engine(checkpoints=folder) as engine:
        await events_of(engine, request_for(steps=1), use_cache=False)  # What was in progress has ended.
        (file,) = (tmp_path / "checkpoints").iterdir()
        file.write_bytes(file.read_bytes()[:-7])
        expected = (await events_of(engine, request, use_cache=False))[-1].content
        assert (await events_of(engine, request))[-1].content == expected
        folder.write(file.name, b"not a checkpoint")
        with caplog.at_level(logging.WARNING):
            assert (await events_of(engine, request))[-1].content == expected
        assert "cannot be used" in caplog.text
        assert resumed_steps(engine) == 0


async def test_nothing_is_written_before_the_interval_has_passed(
    make_engine, request_for, events_of, tmp_path
):
    folder = CheckpointFolder(tmp_path / "checkpoints", interval_seconds=60.0)
    async with make_engine(checkpoints=folder) as engine:
        await events_of(engine, request_for(steps=STEPS))
    assert not list((tmp_path / "checkpoints").iterdir())


def test_old_checkpoints_and_the_oldest_of_too_many_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "MAX_BYTES", 300)
    now = 0.0
    path = tmp_path / "checkpoints"
    folder = CheckpointFolder(path, interval_seconds=1.0, clock=lambda: now)
    for name in "abcd":
        folder.write(name, bytes(100))
    now = max(file.stat().st_mtime for file in path.iterdir()) + 61
    folder.write("e", bytes(100))
    assert len(list(path.iterdir())) == 3
    now += checkpointer.RETENTION_SECONDS
    folder.write("f", bytes(100))
    assert [file.name for file in path.iterdir()] == ["f"]


async def test_a_state_that_cannot_be_read_costs_its_checkpoint_alone(
    make_engine, request_for, events_of, folder, tmp_path, monkeypatch, caplog
):
    def fail(_sampler):
        raise MemoryError("no room for a copy")

    monkeypatch.setattr(Sampler, "state", fail)
    async with make_engine(checkpoints=folder) as engine:
        assert (await events_of(engine, request_for(steps=STEPS)))[-1].content
    assert "could not be made" in caplog.text
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_checkpoint_that_another_process_removes_does_not_keep_the_next_from_being_written(tmp_path):
    folder = CheckpointFolder(tmp_path, interval_seconds=1.0)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")  # listed, but not there when it is looked at
    folder.write("a", b"content")
    assert folder.read("a") == b"content"


def test_a_folder_that_fails_is_logged_and_no_more(tmp_path, caplog, monkeypatch):
    folder = CheckpointFolder(tmp_path / "checkpoints", interval_seconds=1.0)
    (tmp_path / "checkpoints").rmdir()
    folder.write("a", b"content")
    assert folder.read("a") is None
    assert "could not be written" in caplog.text

    def refuse(*_, **__):
        raise OSError("read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    folder.write("a", b"content")
