"""The model that ships: whole, small enough, and painting pictures instead of noise."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel

import chladni_image_generation
from chladni_image_generation.jobs.contact_sheet import typical_embedding
from chladni_image_generation.jobs.descriptor_sampling import sample_descriptors, silence
from chladni_image_generation.jobs.evaluation import neighbour_correlation
from chladni_image_generation.jobs.sampling import (
    ImageModel,
    SamplingDefaults,
    initial_noise,
    sample_pictures,
)
from chladni_image_generation.model_files import file_digests

FOLDER = Path(chladni_image_generation.__file__).parent / "models" / "embedded"
LIMIT_BYTES = 40_000_000
FEW_STEPS = SamplingDefaults(steps=8)


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return ImageModel(
        UNet2DConditionModel.from_pretrained(FOLDER, subfolder="unet").eval(),
        AutoencoderDC.from_pretrained(FOLDER, subfolder="vae").eval(),
        FlowMatchEulerDiscreteScheduler.from_pretrained(FOLDER, subfolder="scheduler"),
    )


def paint(model: ImageModel, embedding: torch.Tensor, seeds: list[int]) -> torch.Tensor:
    return sample_pictures(model, embedding, initial_noise(seeds, 512), FEW_STEPS)


def test_every_file_is_as_the_manifest_says_and_small_enough() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["sha256"] == file_digests(FOLDER)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < LIMIT_BYTES


def test_a_sample_is_a_picture_and_not_noise(model: ImageModel) -> None:
    picture = paint(model, typical_embedding()[None], [3])
    colours = (picture[0] * 255).round().byte().flatten(1).unique(dim=1).shape[1]
    assert colours > 2000
    assert neighbour_correlation(picture) > 0.95
    assert picture.std() > 0.05


def test_different_sounds_differ_more_than_different_seeds(model: ImageModel) -> None:
    sounds = sample_descriptors(3, seed=12)
    first, second = paint(model, sounds, [1, 1, 1]), paint(model, sounds, [2, 2, 2])
    means_first, means_second = first.mean(dim=(2, 3)), second.mean(dim=(2, 3))
    between_seeds = (means_first - means_second).norm(dim=1).mean()
    between_sounds = torch.pdist(means_first).mean()
    assert between_sounds > between_seeds


def test_silence_paints_a_calm_dark_picture(model: ImageModel) -> None:
    quiet, busy = paint(model, torch.stack([silence(), typical_embedding()]), [4, 4])
    assert 0.02 < quiet.mean() < 0.35
    assert 0 < quiet.std() < busy.std()
