"""Every scheduler of diffusers that fits a model, the stateful and the noisy ones included."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import diffusers
import numpy as np
import pytest

from chladni_contract.errors import InvalidInputError
from chladni_image_generation.models.schedulers import SchedulerCatalog

CATALOG = SchedulerCatalog(diffusers.DDIMScheduler())


@pytest.fixture
def noise_predicting_model(load_tiny_model):
    """The tiny model, taken for one that predicts noise: most schedulers are made for those."""
    model = load_tiny_model()
    model._schedulers = CATALOG
    model.description = replace(model.description, scheduler_names=CATALOG.names)
    return model


def test_the_well_known_schedulers_are_offered():
    assert {
        "DDIMScheduler",
        "DDPMScheduler",
        "PNDMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "HeunDiscreteScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
        "LCMScheduler",
        "TCDScheduler",
    } <= set(CATALOG.names)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # diffusers', with LMS
@pytest.mark.parametrize("batch_size", [1, 4])
async def test_companions_never_change_an_image_with_any_scheduler(
    make_engine, noise_predicting_model, request_for, image_of, batch_size
):
    requests = [
        request_for(
            embedding_seed=index,
            seed=index,
            steps=4 + index % 4,
            guidance_scale=1.0 + index % 2,
            scheduler=name,
        )
        for index, name in enumerate(CATALOG.names)
    ]
    async with make_engine(noise_predicting_model, batch_size=batch_size) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        for request, image in zip(requests, together, strict=True):
            assert np.array_equal(image, await image_of(engine, request)), request.scheduler


async def test_too_few_steps_for_a_scheduler_are_told(
    make_engine, noise_predicting_model, request_for, events_of
):
    async with make_engine(noise_predicting_model) as engine:
        with pytest.raises(InvalidInputError, match="PNDMScheduler"):
            await events_of(engine, request_for(steps=2, scheduler="PNDMScheduler"))
