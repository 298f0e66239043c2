"""Stable Diffusion XL and its refiner: the images of their diffusers pipelines, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import (
    Conditioning,
)
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import new_scheduler
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl import (
    XL_SCHEDULE,
)
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl_refiner import (
    save_untrained_stable_diffusion_xl_refiner,
)

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
CATALOG = SchedulerCatalog(new_scheduler("EulerDiscreteScheduler", XL_SCHEDULE))
NOISY_SCHEDULERS = ("EulerAncestralDiscreteScheduler", "DDPMScheduler", "LCMScheduler")
INITIAL_IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
TURBO = {
    "scheduler": "EulerAncestralDiscreteScheduler",
    "scheduler_options": {"timestep_spacing": "trailing"},
}


def image_of(model, request):
    with torch.inference_mode():
        sampler = Sampler(model, request)
        while not sampler.is_denoised:
            sampler.advance(list(model.denoise(sampler.rows())))
        return model.decode(sampler.latents[None])[0]


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CATALOG.names)))
def test_a_text_gives_the_pipelines_image(
    model, pipeline, seed, name, request_for, assert_equal_images, expected_of
):
    request = request_for(seed=seed, scheduler=name, guidance_scale=(1.0, 4.0)[seed % 2])
    assert_equal_images(image_of(model, request), expected_of(pipeline, request))


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CATALOG.names)))
def test_an_image_and_a_text_give_the_pipelines_image(
    model, pipeline, seed, name, conditioning_of, request_for, assert_equal_images, expected_of
):
    conditioning = conditioning_of(initial_image=INITIAL_IMAGE, strength=0.6)
    request = request_for(
        conditioning, seed=seed, scheduler=name, steps=7, guidance_scale=(4.0, 1.0)[seed % 2]
    )
    assert_equal_images(image_of(model, request), expected_of(pipeline, request))


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CATALOG.names)))
def test_base_and_refiner_give_the_ensembles_image(
    refined_model, pipeline, refiner, seed, name, request_for, assert_equal_images, expected_of
):
    request = request_for(seed=seed, scheduler=name, steps=6, refiner_start=(0.6, 0.8)[seed % 2])
    image = image_of(refined_model, request)
    assert_equal_images(image, expected_of(pipeline, request, refiner=refiner))
    assert not np.array_equal(image, expected_of(pipeline, request))


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    conditioning=st.builds(
        Conditioning,
        prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90),
        negative_prompt=st.sampled_from(["", "a dog"]),
    ),
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(2, 5),
    guidance_scale=st.sampled_from([1.0, 2.5]),
    start_and_strength=st.sampled_from(
        [(None, None), (None, 0.75), (0.4, None), (0.8, None), (0.8, 0.75), (0.4, 1.0)]
    ),
    name=st.sampled_from(["EulerDiscreteScheduler", *NOISY_SCHEDULERS]),
    sides=st.sampled_from([(16, 16), (32, 16)]),
)
def test_whatever_is_asked_for_the_pipelines_image_comes(
    refined_model,
    pipeline,
    refiner,
    conditioning,
    start_and_strength,
    sides,
    name,
    *,
    request_for,
    expected_of,
    **fields,
):
    start, strength = start_and_strength
    width_pixels, height_pixels = sides
    if strength is not None:
        image = np.resize(INITIAL_IMAGE, (height_pixels, width_pixels, 3))
        conditioning = replace(conditioning, initial_image=image, strength=strength)
    request = request_for(
        conditioning,
        scheduler=name,
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        refiner_start=start,
        **fields,
    )
    expected = expected_of(pipeline, request, refiner=refiner if start else None)
    np.testing.assert_array_equal(image_of(refined_model, request), expected)


def test_an_image_with_little_noise_is_the_refiners_alone(
    refined_model, refiner, conditioning_of, request_for, scheduler_for, arguments_of, assert_equal_images
):
    conditioning = conditioning_of(initial_image=INITIAL_IMAGE, strength=0.2)
    request = request_for(conditioning, steps=10, refiner_start=0.5)
    assert [stage.network for stage in stages_of(refined_model, request)] == ["refiner"]
    refiner.scheduler = scheduler_for(refiner, request)
    arguments = arguments_of(request, torch.Generator().manual_seed(request.seed))
    expected = refiner(**arguments, image=Image.fromarray(INITIAL_IMAGE), strength=0.2).images[0]
    assert_equal_images(image_of(refined_model, request), np.asarray(expected))


def stages_of(model, request):
    with torch.inference_mode():
        return model.plan(request, torch.Generator()).stages


@pytest.mark.parametrize("start", [1.0, None])
def test_a_refiner_that_is_left_out_leaves_the_base_models_image(model, refined_model, start, request_for):
    request = request_for(refiner_start=start)
    np.testing.assert_array_equal(image_of(refined_model, request), image_of(model, request_for()))


@pytest.mark.parametrize(
    ("steps", "start", "expected"),
    [(10, 0.8, [("", 8), ("refiner", 2)]), (10, 0.01, [("refiner", 10)]), (10, 0.9999, [("", 10)])],
)
def test_every_timestep_is_taken_once(refined_model, steps, start, expected, request_for):
    stages = stages_of(refined_model, request_for(steps=steps, refiner_start=start))
    assert [(stage.network, len(stage.timesteps)) for stage in stages] == expected
    timesteps = torch.cat([stage.timesteps for stage in stages])
    assert (timesteps.diff() < 0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"force_zeros_for_empty_prompt": False},
        {"autoencoder_options": {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [2.0, 3.0, 1.5, 1.0]}},
        {"guidance_embedding_size": 6, "scheduler": "LCMScheduler"},
        TURBO,
        {"scheduler_options": {"prediction_type": "v_prediction"}, "seed": 3},
    ],
    ids=["empty negative prompt", "latent statistics", "latent consistency", "turbo", "v prediction"],
)
@pytest.mark.parametrize("image", [None, INITIAL_IMAGE], ids=["text", "image"])
def test_other_kinds_of_checkpoints_give_the_pipelines_image(
    directory_of, options, image, load, request_for, assert_equal_images, expected_of, base_pipeline
):
    directory = directory_of(**options)
    model = load(directory)
    conditioning = Conditioning(prompt="a cat", initial_image=image)
    request = request_for(conditioning, scheduler=model.description.scheduler_names[0])
    assert_equal_images(image_of(model, request), expected_of(base_pipeline(directory), request))


def test_a_refiner_that_is_told_the_target_size_gives_its_pipelines_image(
    directory_of, pipeline, tmp_path, request_for, assert_equal_images, load, expected_of, quiet
):
    save_untrained_stable_diffusion_xl_refiner(tmp_path / "refiner", requires_aesthetics_score=False)
    refiner = StableDiffusionXLImg2ImgPipeline.from_pretrained(
        tmp_path / "refiner", vae=pipeline.vae, add_watermarker=False
    )
    request = request_for(refiner_start=0.6)
    image = image_of(load(directory_of(), tmp_path / "refiner"), request)
    assert_equal_images(image, expected_of(pipeline, request, refiner=quiet(refiner)))


def test_a_base_model_that_is_told_its_guidance_is_refined_by_one_that_needs_two_rows(
    directory_of,
    refiner_directory,
    refiner,
    load,
    request_for,
    assert_equal_images,
    expected_of,
    base_pipeline,
):
    directory = directory_of(guidance_embedding_size=6, scheduler="LCMScheduler")
    model = load(directory, refiner_directory)
    request = request_for(scheduler="LCMScheduler", refiner_start=0.6)
    with torch.inference_mode():
        sampler = Sampler(model, request)
        assert [group.rows_per_request for group, _ in sampler.remaining] == [1, 2]
    image = image_of(model, request)
    assert_equal_images(image, expected_of(base_pipeline(directory), request, refiner=refiner))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("image", [None, INITIAL_IMAGE], ids=["text", "image"])
def test_half_precision_gives_nearly_the_same_image(
    directory_of, refiner_directory, refined_model, dtype, image, load, request_for, conditioning_of
):
    model = load(directory_of(), refiner_directory, dtype=dtype)
    assert model.dtype is getattr(torch, dtype)
    request = request_for(conditioning_of(initial_image=image), refiner_start=0.6)
    rounded, reproducible = (image_of(one, request).astype(int) for one in (model, refined_model))
    assert 0 < np.abs(rounded - reproducible).mean() < 1.5


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
@pytest.mark.parametrize("start", [1.0, 0.4])
def test_texts_decide_in_both_stages(refined_model, field, start, request_for, conditioning_of):
    requests = [
        request_for(conditioning_of(**{field: text}), refiner_start=start) for text in ("red", "blue")
    ]
    first, second = (image_of(refined_model, request) for request in requests)
    assert not np.array_equal(first, second)


def test_given_latents_take_the_place_of_noise(
    model, pipeline, request_for, scheduler_for, arguments_of, assert_equal_images, conditioning_of
):
    latents = np.random.default_rng(3).standard_normal((4, 8, 8)).astype(np.float32)
    request = request_for(conditioning_of(initial_latents=latents))
    pipeline.scheduler = scheduler_for(pipeline, request)
    arguments = arguments_of(request, torch.Generator())
    expected = pipeline(**arguments, latents=torch.from_numpy(latents)[None], width=16, height=16).images[0]
    assert_equal_images(image_of(model, request), np.asarray(expected))
