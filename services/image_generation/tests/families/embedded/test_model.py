"""What the embedded model plans for a request: its guide, its details and its looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chladni_contract.descriptor_space import COMPONENT_COUNT
from chladni_image_generation.families.embedded.detailer import Detailer, DetailerConfig
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.generation import Conditioning, GenerationRequest

SIZE = 64
EMBEDDING = np.random.default_rng(3).random(COMPONENT_COUNT, dtype=np.float32)


@pytest.fixture
def model(load_tiny_model):
    return load_tiny_model()


def request_for(model, *, look="", latents=None, weight=1.0, size=(SIZE, SIZE)):
    return GenerationRequest(
        conditioning=Conditioning(
            audio_embedding=EMBEDDING, initial_latents=latents, initial_latents_weight=weight
        ),
        seed=4,
        steps=1,
        guidance_scale=1.0,
        scheduler=model.description.scheduler_names[0],
        width_pixels=size[0],
        height_pixels=size[1],
        look=look,
    )


def planned(model, request):
    return model.plan(request, torch.Generator().manual_seed(request.seed))


def test_a_blend_is_guided_by_the_noise_of_the_seed_alone(model):
    smooth = np.full(model.description.latent_shape, 2.0, np.float32)
    guide = planned(model, request_for(model)).stages[0].condition["guide"]
    blend = planned(model, request_for(model, latents=smooth, weight=0.3))
    assert torch.equal(blend.stages[0].condition["guide"], guide)
    assert not torch.equal(blend.latents, planned(model, request_for(model)).latents)
    alone = planned(model, request_for(model, latents=smooth)).stages[0].condition["guide"]
    assert not torch.equal(alone, guide)


@pytest.mark.parametrize("size", [(128, 128), (64, 192), (256, 128)])
def test_a_seed_composes_alike_at_every_size(model, size):
    native = planned(model, request_for(model)).latents
    larger = planned(model, request_for(model, size=size)).latents
    assert larger.shape == (4, size[1] // 8, size[0] // 8)
    torch.testing.assert_close(grids_of_noise(larger[None]), grids_of_noise(native[None]), rtol=0, atol=1e-4)
    assert larger.std() == pytest.approx(1, abs=0.1)
    again = planned(model, request_for(model, size=size)).latents
    assert torch.equal(larger, again)


def test_the_landscape_without_a_detailer_is_what_was_decoded(model):
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert planned(model, request_for(model)).finish(pixels) is pixels
    assert planned(model, request_for(model, look="landscape")).finish(pixels) is pixels


@pytest.mark.parametrize("look", ["plate", "water:2,weather:1", "auto", "landscape,crystals"])
def test_other_looks_are_images_and_previews_of_the_same_kind(model, look):
    plan = planned(model, request_for(model, look=look))
    for side in (SIZE, 32):
        pixels = np.full((side, side, 3), 128, np.uint8)
        image = plan.finish(pixels)
        assert (image.shape, image.dtype) == ((side, side, 3), np.uint8)
        assert not np.array_equal(image, pixels)
        assert np.array_equal(image, plan.finish(pixels))


def test_a_detailer_draws_into_finished_images_and_not_into_previews(model):
    detailer = Detailer(DetailerConfig(hidden_channels=8))
    torch.nn.init.normal_(detailer.leave.weight, generator=torch.Generator().manual_seed(1))
    model._detailer = detailer.eval().requires_grad_(requires_grad=False)
    plan = planned(model, request_for(model))
    pixels = np.full((SIZE, SIZE, 3), 128, np.uint8)
    assert not np.array_equal(plan.finish(pixels), pixels)
    preview = np.full((32, 32, 3), 128, np.uint8)
    assert plan.finish(preview) is preview


def test_the_description_names_the_looks(model):
    assert model.description.looks[0] == "landscape"
    assert len(model.description.looks) >= 5
    assert replace(model.description, looks=()) != model.description
