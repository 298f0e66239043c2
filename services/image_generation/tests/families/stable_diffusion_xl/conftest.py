"""Stable Diffusion XL and its refiner, tiny and untrained, and their diffusers pipelines."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from PIL import Image

from chladni_image_generation.generation import (
    Conditioning,
    GenerationRequest,
)
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import new_scheduler
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl import (
    XL_SCHEDULE,
    save_untrained_stable_diffusion_xl,
)
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl_refiner import (
    save_untrained_stable_diffusion_xl_refiner,
)

CPU = torch.device("cpu")
CATALOG = SchedulerCatalog(new_scheduler("EulerDiscreteScheduler", XL_SCHEDULE))
SIZE_PIXELS = 16


@pytest.fixture(scope="session")
def directory_of(tmp_path_factory):
    """Return a function that gives the directory of an untrained base model with some options."""
    made = {}

    def directory_of(**options):
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("models") / "tiny-xl"
            save_untrained_stable_diffusion_xl(made[key], **options)
        return made[key]

    return directory_of


@pytest.fixture(scope="session")
def refiner_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "tiny-refiner"
    save_untrained_stable_diffusion_xl_refiner(directory, seed=1)
    return directory


def load(*directories, **options):
    reference = "+".join(map(str, directories))
    return load_model(reference, LoadingOptions(CPU, **{"dtype": "float32", **options}))


@pytest.fixture(scope="session", name="load")
def _load():
    return load


@pytest.fixture(scope="session")
def model(directory_of):
    return load(directory_of())


@pytest.fixture(scope="session")
def refined_model(directory_of, refiner_directory):
    return load(directory_of(), refiner_directory)


def base_pipeline(directory):
    return quiet(StableDiffusionXLPipeline.from_pretrained(directory, add_watermarker=False))


@pytest.fixture(scope="session", name="base_pipeline")
def _base_pipeline():
    return base_pipeline


@pytest.fixture(scope="session")
def pipeline(directory_of):
    return base_pipeline(directory_of())


@pytest.fixture(scope="session")
def refiner(refiner_directory, pipeline):
    return quiet(
        StableDiffusionXLImg2ImgPipeline.from_pretrained(
            refiner_directory, vae=pipeline.vae, add_watermarker=False
        )
    )


def quiet(pipeline):
    """Return a pipeline that shows no progress and remembers the schedulers that fit its own."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.catalog = SchedulerCatalog(pipeline.scheduler)
    return pipeline


@pytest.fixture(scope="session", name="quiet")
def _quiet():
    return quiet


def conditioning_of(**fields):
    return Conditioning(**({"prompt": "a cat", "negative_prompt": "a dog"} | fields))


@pytest.fixture(scope="session", name="conditioning_of")
def _conditioning_of():
    return conditioning_of


def request_for(conditioning=None, **fields):
    defaults = {
        "seed": 7,
        "steps": 5,
        "guidance_scale": 4.0,
        "scheduler": CATALOG.names[0],
        "width_pixels": SIZE_PIXELS,
        "height_pixels": SIZE_PIXELS,
    }
    return GenerationRequest(conditioning=conditioning or conditioning_of(), **(defaults | fields))


@pytest.fixture(scope="session", name="request_for")
def _request_for():
    return request_for


def scheduler_for(pipeline, request):
    """Return a scheduler that leaves latents of an initial image with one channel after the other.

    The autoencoder leaves the channels of a pixel together, the rows of the engine's calls never have them
    so, and convolutions round differently for the one and the other.
    """
    scheduler = pipeline.catalog.new(request.scheduler)
    add_noise = scheduler.add_noise
    scheduler.add_noise = lambda *arguments: add_noise(*arguments).contiguous()
    return scheduler


@pytest.fixture(scope="session", name="scheduler_for")
def _scheduler_for():
    return scheduler_for


def arguments_of(request, generator):
    return {
        "prompt": request.conditioning.prompt,
        "negative_prompt": request.conditioning.negative_prompt or None,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "generator": generator,
        # The pipelines pass DDIM's 0 to TCD too, whose own is 0.3 (Zheng et al. 2024).
        "eta": 0.3 if request.scheduler == "TCDScheduler" else 0.0,
    }


@pytest.fixture(scope="session", name="arguments_of")
def _arguments_of():
    return arguments_of


def expected_of(pipeline, request, *, refiner=None):
    """Return what the pipelines that serve people directly make of a request, drawing from one generator."""
    generator = torch.Generator().manual_seed(request.seed)
    arguments = arguments_of(request, generator)
    start = request.refiner_start
    if refiner is not None:
        ends = {"denoising_end": start, "output_type": "latent"}
    pipeline.scheduler = scheduler_for(pipeline, request)
    image = request.conditioning.initial_image
    if image is None:
        size = {"width": request.width_pixels, "height": request.height_pixels}
        images = pipeline(**arguments, **size, **(ends if refiner else {})).images
    else:
        zeros = pipeline.config.force_zeros_for_empty_prompt
        from_image = quiet(
            StableDiffusionXLImg2ImgPipeline(
                **pipeline.components, force_zeros_for_empty_prompt=zeros, add_watermarker=False
            )
        )
        images = from_image(
            **arguments,
            image=Image.fromarray(image),
            strength=request.conditioning.strength,
            **(ends if refiner else {}),
        ).images
    if refiner is not None:
        refiner.scheduler = scheduler_for(refiner, request)
        images = refiner(**arguments, image=images, denoising_start=start).images
    return np.asarray(images[0])


@pytest.fixture(scope="session", name="expected_of")
def _expected_of():
    return expected_of


def assert_equal_images(image, expected):
    np.testing.assert_array_equal(image, expected)
    assert image.std() > 1, "an image of nothing proves nothing"


@pytest.fixture(scope="session", name="assert_equal_images")
def _assert_equal_images():
    return assert_equal_images
