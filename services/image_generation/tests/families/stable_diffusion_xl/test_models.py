"""Models of Stable Diffusion XL: what they say of themselves, and what is wrong with their files."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.testing.untrained_checkpoints.tiny_decoder import save_untrained_tiny_decoder

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
SIZE_PIXELS = 16
TURBO = {
    "scheduler": "EulerAncestralDiscreteScheduler",
    "scheduler_options": {"timestep_spacing": "trailing"},
}


def test_the_description_tells_what_is_taken_and_made(model, refined_model, directory_of, load):
    description = refined_model.description
    assert description.family == "stable-diffusion-xl"
    assert description.id == "tiny-xl+tiny-refiner"
    assert description.required_inputs == {"prompt"}
    assert description.inputs == {"prompt", "negative_prompt", "initial_image", "initial_latents"}
    assert description.default_refiner_start == 0.8
    assert model.description.default_refiner_start is None
    assert (description.default_steps, description.default_guidance_scale) == (50, 5.0)
    assert description.image_size_pixels == (SIZE_PIXELS, SIZE_PIXELS)
    assert description.digest != model.description.digest
    turbo = load(directory_of(**TURBO)).description
    assert (turbo.default_steps, turbo.default_guidance_scale) == (4, 1.0)
    assert load(directory_of(guidance_embedding_size=6)).description.guidance_rows == 1


def test_sides_are_multiples_that_all_denoisers_can_halve(model, refined_model):
    sizes = model.description.sizes
    assert [side for side in range(1, 100) if side in sizes] == [8, 16, 24, 32]
    assert [side for side in range(1, 100) if side in refined_model.description.sizes] == [16, 32]


def test_the_manifest_overrides_what_is_usual(directory_of, tmp_path, load):
    directory = shutil.copytree(directory_of(), tmp_path / "named")
    manifest = {"licence": "CC0-1.0", "defaults": {"steps": 30, "guidance_scale": 7.0}}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    description = load(directory).description
    assert (description.default_steps, description.default_guidance_scale) == (30, 7.0)
    assert description.license == "CC0-1.0"


def test_a_text_encoder_that_base_and_refiner_share_is_kept_once(
    directory_of, refiner_directory, tmp_path, load
):
    def pipelines_of(refiner):
        return [denoiser._pipeline for denoiser in load(directory_of(), refiner)._denoisers.values()]

    directory = shutil.copytree(refiner_directory, tmp_path / "sharing")
    shutil.rmtree(directory / "text_encoder_2")
    shutil.copytree(directory_of() / "text_encoder_2", directory / "text_encoder_2")
    base, refiner = pipelines_of(directory)
    assert base.text_encoder_2 is refiner.text_encoder_2
    base, refiner = pipelines_of(refiner_directory)
    assert base.text_encoder_2 is not refiner.text_encoder_2


def test_a_tiny_decoder_makes_previews_and_images_if_wanted(
    directory_of, refiner_directory, refined_model, tmp_path, load
):
    save_untrained_tiny_decoder(tmp_path / "tiny", seed=4)
    parts = (directory_of(), refiner_directory, tmp_path / "tiny")
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    previewing, decoding = load(*parts), load(*parts, tiny_decoder_for_images=True)
    with torch.inference_mode():
        preview, image = previewing.preview(latents[0], 16), refined_model.decode(latents)[0]
        assert not np.array_equal(preview, refined_model.preview(latents[0], 16))
        np.testing.assert_array_equal(previewing.decode(latents)[0], image)
        np.testing.assert_array_equal(decoding.decode(latents)[0], preview)


@pytest.mark.parametrize(
    ("of_refiner", "name"),
    [
        (False, "unet/diffusion_pytorch_model.safetensors"),
        (False, "text_encoder_2/model.safetensors"),
        (False, "scheduler/scheduler_config.json"),
        (True, "unet/config.json"),
        (True, "text_encoder_2/model.safetensors"),
    ],
)
def test_a_missing_file_is_told(directory_of, refiner_directory, tmp_path, of_refiner, name, load):
    base = shutil.copytree(directory_of(), tmp_path / "base")
    refiner = shutil.copytree(refiner_directory, tmp_path / "refiner")
    ((refiner if of_refiner else base) / name).unlink()
    with pytest.raises(ModelFilesError, match="cannot be loaded") as caught:
        load(base, refiner)
    assert str(tmp_path) not in str(caught.value)


def test_a_refiner_for_other_schedulers_is_refused(directory_of, refiner_directory, tmp_path, load):
    directory = shutil.copytree(refiner_directory, tmp_path / "flow")
    config = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    (directory / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    index = json.loads((directory / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    (directory / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFilesError, match="EulerDiscreteScheduler"):
        load(directory_of(), directory)
