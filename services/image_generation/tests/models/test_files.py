"""Models are found, checked against their manifest, and refused with a reason."""

from __future__ import annotations

import json
import shutil

import diffusers
import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from huggingface_hub.utils import filter_repo_objects

from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS
from chladni_image_generation.families.embedded.model import load_embedded_model
from chladni_image_generation.models.files import ModelFilesError, find_model_files, name_of
from chladni_image_generation.models.interface import DenoiserRow, EmbeddingSpace
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_runtime.settings import SettingsError, load_settings


@pytest.fixture
def copied_directory(tiny_model_directory, tmp_path):
    return shutil.copytree(tiny_model_directory, tmp_path / "model")


def test_the_digest_follows_the_contents(tiny_model_directory, copied_directory):
    original = find_model_files(str(tiny_model_directory)).digest
    assert find_model_files(str(copied_directory)).digest == original
    config = copied_directory / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text() + " ")
    (copied_directory / "manifest.json").unlink()
    assert find_model_files(str(copied_directory)).digest != original


def test_a_damaged_file_is_named(copied_directory):
    weights = next(copied_directory.rglob("unet/*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelFilesError, match=f"unet/{weights.name}"):
        find_model_files(str(copied_directory))


def test_a_missing_file_is_named(copied_directory):
    (copied_directory / "vae" / "config.json").unlink()
    with pytest.raises(ModelFilesError, match=r"vae/config\.json"):
        find_model_files(str(copied_directory))


def test_a_directory_of_something_else_is_refused(tmp_path):
    with pytest.raises(ModelFilesError, match="model_index"):
        find_model_files(str(tmp_path))


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_damaged_manifest_is_told_as_such(copied_directory, content):
    (copied_directory / "manifest.json").write_text(content)
    with pytest.raises(ModelFilesError, match=r"manifest\.json of model 'model' is damaged"):
        find_model_files(str(copied_directory))


@pytest.mark.parametrize("reference", ["{folder}/nothing", "./nothing", "../nothing", "~/nothing"])
def test_of_a_directory_only_its_name_is_told_even_where_there_is_none(tmp_path, reference):
    reference = reference.format(folder=tmp_path)
    assert name_of(reference) == "nothing"
    with pytest.raises(ModelFilesError, match="'nothing': there is no such directory"):
        find_model_files(reference)


def test_what_is_no_directory_is_an_identifier_on_the_hub():
    assert [name_of(name) for name in ("owner/name", "owner/name@v1", "embedded")] == [
        "owner/name",
        "owner/name@v1",
        "embedded",
    ]


REPOSITORY = [
    "README.md",
    "model_index.json",
    "sd_xl_base_1.0.safetensors",
    "tokenizer/merges.txt",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/openvino_model.bin",
]


@pytest.mark.parametrize("is_addition", [False, True])
def test_of_a_hub_model_only_what_is_loaded_is_downloaded(tiny_model_directory, monkeypatch, is_addition):
    """The hub is not there in tests; which files would come, its own library tells."""
    wanted = []

    def download(repository, *, revision, allow_patterns, ignore_patterns, local_files_only):
        assert (repository, revision) == ("owner/name", "v1")
        wanted.extend(
            filter_repo_objects(REPOSITORY, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)
        )
        return str(tiny_model_directory)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_model_files("owner/name@v1", is_addition=is_addition).id == "owner/name@v1"
    left_out = {
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/openvino_model.bin",
    }
    # A single file is all of a tiny decoder or an IP-Adapter, and a copy of everything in a whole model.
    left_out |= set() if is_addition else {"sd_xl_base_1.0.safetensors"}
    assert set(wanted) == set(REPOSITORY) - left_out


def test_a_name_that_is_neither_directory_nor_hub_id_is_refused():
    with pytest.raises(ModelFilesError, match=r"neither embedded, .* directory, .* nor owner/name"):
        find_model_files("no such/model/at all")


def test_a_model_may_be_asked_for_by_digest(copied_directory):
    digest = find_model_files(str(copied_directory)).digest
    assert find_model_files(f"{copied_directory}@{digest[:12]}").id == "model"
    with pytest.raises(ModelFilesError, match=f"has the digest {digest}, but the setting asks for 0000"):
        find_model_files(f"{copied_directory}@{'0' * 12}")


def test_settings_name_the_models_that_are_not_well_formed():
    environment = {
        "CHLADNI_IMAGE_GENERATION_MODEL": "sd-turbo",
        "CHLADNI_IMAGE_GENERATION_FURTHER_MODELS": "embedded, owner/name+refiner",
    }
    with pytest.raises(SettingsError, match="2 fault") as caught:
        load_settings(ImageGenerationSettings, environment)
    for text in (*environment, "'sd-turbo' is no model", "'refiner' is no model"):
        assert text in str(caught.value)


def load(directory):
    return load_embedded_model(
        find_model_files(str(directory)), device=torch.device("cpu"), dtype=torch.float32
    )


def edit_manifest(directory, edit):
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def test_a_model_of_another_embedding_space_is_refused(copied_directory):
    edit_manifest(copied_directory, lambda manifest: manifest["conditioning"].update(descriptor_space="clap"))
    with pytest.raises(ModelFilesError, match="clap"):
        load(copied_directory)


def test_a_model_without_a_guide_is_refused(copied_directory):
    unet = UNet2DConditionModel.from_pretrained(copied_directory, subfolder="unet")
    narrow = UNet2DConditionModel.from_config({**unet.config, "in_channels": 4})
    shutil.rmtree(copied_directory / "unet")
    narrow.save_pretrained(copied_directory / "unet")
    edit_manifest(copied_directory, lambda manifest: manifest.update(sha256={}))
    with pytest.raises(ModelFilesError, match=r"does not take a guide of 39 channels .* 4 input channels"):
        load(copied_directory)


def test_a_loaded_model_says_what_it_takes_and_makes(tiny_model_directory):
    description = load(tiny_model_directory).description
    assert description.embedding_space == EmbeddingSpace("chladni-descriptors-v2", 152, (0.0, 1.0))
    assert description.required_inputs == {"audio_embedding"}
    assert description.upscales == (1, 2)
    assert description.latent_shape == (4, 8, 8)
    assert description.image_size_pixels == (64, 64)
    assert description.latent_shape_of(128, 64) == (4, 8, 16)
    assert [side for side in range(32, 321) if side in description.sizes] == [64, 128, 192, 256]


def test_conditions_have_the_size_of_the_latents(tiny_model_directory):
    model = load(tiny_model_directory)
    sound = np.full(152, 0.5, np.float32)
    for condition in (model.encode(sound, torch.randn(4, 8, 16)), model.null_condition((4, 8, 16))):
        assert condition["guide"].shape == (GUIDE_CHANNELS, 8, 16)
        assert set(condition) == {"class_labels", "guide"}
    assert model.encode(sound, torch.randn(4, 8, 16))["guide"].any()
    assert not model.null_condition((4, 8, 16))["guide"].any()


@torch.inference_mode()
def test_the_guide_is_heard_by_the_denoiser(tiny_model_directory):
    model = load(tiny_model_directory)
    condition = model.encode(np.full(152, 0.5, np.float32), torch.randn(4, 8, 8))
    mirrored = {**condition, "guide": condition["guide"].flip(2)}
    latents, timestep = torch.zeros(4, 8, 8), torch.tensor(500.0)
    one, other = (
        model.denoise([DenoiserRow(latents, timestep, given)])[0] for given in (condition, mirrored)
    )
    assert one.shape == latents.shape
    assert not torch.allclose(one, other)


@torch.inference_mode()
def test_the_decoder_is_given_latents_without_their_scaling_factor(copied_directory):
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = load(copied_directory).decode(latents)
    config = copied_directory / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "scaling_factor": 2.0}))
    edit_manifest(copied_directory, lambda manifest: manifest.update(sha256={}))
    scaled = load(copied_directory)
    assert np.array_equal(scaled.decode(2 * latents), plain)
    assert not np.array_equal(scaled.decode(latents), plain)


def test_a_scheduler_that_diffusers_lacks_is_refused(copied_directory):
    edit_manifest(copied_directory, lambda manifest: manifest["defaults"].update(scheduler="Magic"))
    with pytest.raises(ModelFilesError, match="Magic"):
        load(copied_directory)


def test_weights_that_are_not_safetensors_are_refused(copied_directory):
    weights = next(copied_directory.rglob("unet/*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    (copied_directory / "manifest.json").write_text(
        json.dumps({**json.loads((copied_directory / "manifest.json").read_text()), "sha256": {}})
    )
    with pytest.raises(ModelFilesError, match="cannot be loaded"):
        load(copied_directory)


def test_schedulers_of_a_noise_predicting_model_are_the_compatible_ones():
    catalog = SchedulerCatalog(diffusers.DDIMScheduler())
    assert not catalog.is_flow
    assert catalog.names[0] == "DDIMScheduler"
    assert "EulerAncestralDiscreteScheduler" in catalog.names
    assert catalog.new("EulerAncestralDiscreteScheduler") is not catalog.new(
        "EulerAncestralDiscreteScheduler"
    )
    with pytest.raises(ValueError, match="does not fit"):
        catalog.new("FlowMatchEulerDiscreteScheduler")


def test_a_directory_gives_its_name_as_identifier_and_never_its_path(copied_directory, monkeypatch):
    assert find_model_files(str(copied_directory)).id == "model"
    monkeypatch.chdir(copied_directory)
    assert find_model_files(".").id == "model"
