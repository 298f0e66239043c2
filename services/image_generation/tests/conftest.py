"""A model of the true architecture, tiny and untrained, saved and loaded as a real one is."""

from __future__ import annotations

import asyncio
import io
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from prometheus_client import CollectorRegistry

from chladni_contract.descriptor_space import COMPONENT_COUNT
from chladni_image_generation.engine.engine import Engine, EngineLimits
from chladni_image_generation.engine.executor import new_compute_thread
from chladni_image_generation.engine.scheduler import FairScheduler
from chladni_image_generation.families.embedded.model import load_embedded_model
from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.metrics import GenerationMetrics
from chladni_image_generation.models.files import find_model_files
from chladni_image_generation.testing.untrained_model import save_untrained_model
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.failpoints import NO_FAILPOINTS

TINY_SIZE_PIXELS = 64
DEFAULT_SCHEDULER = "FlowMatchEulerDiscreteScheduler"


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Compute references as engines compute in these tests: the last bits depend on the threads."""
    thread_count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(thread_count)


@pytest.fixture(scope="session")
def tiny_model_directory(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "tiny"
    save_untrained_model(directory, size_pixels=TINY_SIZE_PIXELS)
    return directory


def load_from(directory):
    return load_embedded_model(
        find_model_files(str(directory)), device=torch.device("cpu"), dtype=torch.float32
    )


@pytest.fixture
def load_tiny_model(tiny_model_directory):
    """Return a function that loads a fresh copy of the tiny model."""
    return partial(load_from, tiny_model_directory)


class BatchInvariantModel:
    """A real model of which a row's result depends on the number of rows in its call, and on nothing else.

    So rows may share calls, whatever the processor: of the model's own kernels none promises that.
    """

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def denoise(self, rows):
        one_by_one = torch.cat([self._model.denoise([row]) for row in rows])
        return one_by_one * (1 + 1e-4 * len(rows))

    def decode(self, latents):
        return np.concatenate([self._model.decode(image[None]) for image in latents])


@pytest.fixture
def load_batch_invariant_model(tiny_model_directory):
    """Return a function that loads the tiny model, made batch invariant."""
    return lambda: BatchInvariantModel(load_from(tiny_model_directory))


@pytest.fixture(scope="session")
def compute_thread():
    with new_compute_thread(1) as thread:
        yield thread


@pytest.fixture
def make_engine(load_tiny_model, compute_thread):
    """Return a function that makes an engine, around a given model or the tiny one."""

    def make(model=None, failpoints=NO_FAILPOINTS, *, checkpoints=None, **limits):
        return Engine(
            model or load_tiny_model(),
            limits=EngineLimits(**limits),
            scheduler=FairScheduler(),
            metrics=GenerationMetrics(CollectorRegistry()),
            compute_thread=compute_thread,
            clock=time.monotonic,
            failpoints=failpoints,
            checkpoints=checkpoints,
        )

    return make


def request_for(embedding_seed=0, **fields):
    """Return a request whose embedding follows from a seed."""
    embedding = np.random.default_rng(embedding_seed).random(COMPONENT_COUNT, dtype=np.float32)
    defaults = {
        "seed": 7,
        "steps": 4,
        "guidance_scale": 1.0,
        "scheduler": DEFAULT_SCHEDULER,
        "width_pixels": TINY_SIZE_PIXELS,
        "height_pixels": TINY_SIZE_PIXELS,
    }
    return GenerationRequest(conditioning=Conditioning(audio_embedding=embedding), **(defaults | fields))


@pytest.fixture(name="request_for")
def _request_for():
    return request_for


async def events_of(engine, request, token=None, **options):
    """Return all events of a request."""
    return [event async for event in engine.generate(request, token or CancellationToken(), **options)]


@pytest.fixture(name="events_of")
def _events_of():
    return events_of


@pytest.fixture(name="image_of")
def _image_of():
    """Return a function that generates an image and returns its pixels."""

    async def image_of(engine, request, **options):
        events = await events_of(engine, request, **options)
        return np.asarray(Image.open(io.BytesIO(events[-1].content)))

    return image_of


@pytest.fixture(name="until")
def _until():
    """Return a function that waits until a condition holds."""

    async def until(condition, timeout_seconds=10):
        async with asyncio.timeout(timeout_seconds):
            while not condition():
                await asyncio.sleep(0.005)

    return until
