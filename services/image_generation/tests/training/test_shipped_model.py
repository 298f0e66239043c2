"""The model that ships: whole, small enough, and painting images instead of noise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chladni_image_generation
from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_SPACE
from chladni_image_generation.descriptor_space import silence
from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.detail_planes import draw_detail_planes
from chladni_image_generation.families.embedded.detailer import DETAILER_FOLDER, Detailer
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.models.files import file_digests
from chladni_image_generation.training.data.art import render_each
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.reports.contact_sheet import typical_embedding
from chladni_image_generation.training.reports.evaluation import neighbour_correlation
from chladni_image_generation.training.reports.sampling import (
    ImageModel,
    SamplingDefaults,
    initial_noise,
    sample_images,
)

FOLDER = Path(chladni_image_generation.__file__).parent / "models" / "embedded"
LIMIT_BYTES = 40_000_000
FEW_STEPS = SamplingDefaults(steps=8)
SOUND_SEED = 12
SOUNDS = 3
SMALL_PIXELS = 128
"""Sides of images of which there are many; one costs a tenth of what one of 512 pixels does."""


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return ImageModel(
        UNet2DConditionModel.from_pretrained(FOLDER, subfolder="unet").eval(),
        AutoencoderDC.from_pretrained(FOLDER, subfolder="vae").eval(),
        FlowMatchEulerDiscreteScheduler.from_pretrained(FOLDER, subfolder="scheduler"),
    )


def paint(model: ImageModel, embedding: torch.Tensor, seeds: list[int]) -> torch.Tensor:
    return sample_images(model, embedding, initial_noise(seeds, 512), FEW_STEPS)


@pytest.fixture(scope="module")
def painted(model: ImageModel) -> torch.Tensor:
    """An image of each of some sounds, all with seed 1."""
    return paint(model, sample_descriptors(SOUNDS, seed=SOUND_SEED), [1] * SOUNDS)


def test_every_file_is_as_the_manifest_says_and_small_enough() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["sha256"] == file_digests(FOLDER)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < LIMIT_BYTES


def test_the_detailer_draws_most_of_the_fine_detail_of_the_art(model: ImageModel) -> None:
    embedding, noise = sample_descriptors(1, seed=SOUND_SEED), initial_noise([1], 256)
    grids = grids_of_noise(noise)
    decoded = sample_images(model, embedding, noise, SamplingDefaults(steps=1))
    planes = draw_detail_planes(parameters_from_descriptors(embedding), grids, height=256, width=256)
    detailer = Detailer.load(FOLDER / DETAILER_FOLDER, dtype=torch.float32)
    detailed = detailer(decoded * 2 - 1, planes) / 2 + 0.5
    art = fine_detail(render_each(embedding, grids, size_pixels=256))
    assert (fine_detail(decoded) * art).sum() < 0.1 * art.square().sum()
    assert (fine_detail(detailed) * art).sum() > 0.55 * art.square().sum()


def fine_detail(images: torch.Tensor) -> torch.Tensor:
    """Return what blurring by five pixels takes away."""
    return images - torch.nn.functional.avg_pool2d(images, 5, stride=1, padding=2, count_include_pad=False)


def test_the_manifest_tells_of_the_space_and_the_sizes_of_this_code() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["conditioning"]["descriptor_space"] == DESCRIPTOR_SPACE
    assert manifest["conditioning"]["components"] == list(COMPONENT_NAMES)
    assert manifest["conditioning"]["guide_channels"] == GUIDE_CHANNELS
    assert manifest["sizes"] == {"minimum_pixels": 256, "maximum_pixels": 2048, "multiple_pixels": 64}
    autoencoder = AutoencoderDC.from_pretrained(FOLDER, subfolder="vae")
    assert manifest["latents"] == {
        "channels": 4,
        "height": 64,
        "width": 64,
        "scaling_factor": autoencoder.config.scaling_factor,
        "shift": 0.0,
    }


def test_a_sample_is_an_image_and_not_noise(model: ImageModel) -> None:
    image = paint(model, typical_embedding()[None], [3])
    colours = (image[0] * 255).round().byte().flatten(1).unique(dim=1).shape[1]
    assert colours > 2000
    assert neighbour_correlation(image) > 0.95
    assert image.std() > 0.05


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sound_seed=st.integers(0, 2**32), seed=st.integers(0, 2**32 - 1))
def test_any_embedding_gives_a_rich_image_and_not_noise(
    model: ImageModel, sound_seed: int, seed: int
) -> None:
    """Feature: voice-to-image-system, Property 7: Image Generation Quality."""
    embedding, noise = sample_descriptors(1, seed=sound_seed), initial_noise([seed], SMALL_PIXELS)
    image = sample_images(model, embedding, noise, SamplingDefaults(steps=1))
    colours = (image[0] * 255).round().byte().flatten(1).unique(dim=1).shape[1]
    assert colours > 1000
    assert neighbour_correlation(image) > 0.95
    assert image.std() > 0.03


def test_different_sounds_differ_more_than_different_seeds(model: ImageModel, painted: torch.Tensor) -> None:
    again = paint(model, sample_descriptors(SOUNDS, seed=SOUND_SEED), [2] * SOUNDS)
    means, others = painted.mean(dim=(2, 3)), again.mean(dim=(2, 3))
    assert torch.pdist(means).mean() > (means - others).norm(dim=1).mean()


def test_a_sample_is_nearer_to_the_art_of_its_own_sound_than_to_any_other(painted: torch.Tensor) -> None:
    grids = grids_of_noise(initial_noise([1] * SOUNDS, 512))
    art = render_each(sample_descriptors(SOUNDS, seed=SOUND_SEED), grids)
    distance = (painted[:, None] - art[None]).abs().mean(dim=(2, 3, 4))
    assert distance.argmin(dim=1).tolist() == list(range(SOUNDS))


def test_silence_paints_a_calm_dark_image(model: ImageModel) -> None:
    quiet, busy = paint(model, torch.stack([silence(), typical_embedding()]), [4, 4])
    assert 0.02 < quiet.mean() < 0.35
    assert 0 < quiet.std() < busy.std()
