"""The training job end to end, in its tiny preset, and the model directory that it exports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import load_file

from chladni_contract.descriptor_space import COMPONENT_NAMES
from chladni_image_generation.families.embedded.conditioning import encode_condition
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS
from chladni_image_generation.families.embedded.model import load_embedded_model
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.models.files import file_digests, find_model_files
from chladni_image_generation.training.autoencoder import (
    build_autoencoder,
    decode_latents,
    encode_images,
    held_out_images,
    normalise_latents,
)
from chladni_image_generation.training.checkpoints import load_checkpoint, save_checkpoint
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.denoiser import draw_noise_levels
from chladni_image_generation.training.presets import TINY
from chladni_image_generation.training.train_image_model import main


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build folder and model directory of a whole tiny run."""
    folder = tmp_path_factory.mktemp("tiny")
    build, output = folder / "build", folder / "model"
    run_tiny(build, output)
    return build, output


def run_tiny(build: Path, output: Path, *more: str) -> None:
    arguments = ["--tiny", "--threads", "1", "--steps", "2"]
    folders = ["--build-folder", str(build), "--output", str(output)]
    assert main([*arguments, *folders, *more]) == 0


def test_export_loads_as_diffusers_parts_and_makes_an_image(tiny_run: tuple[Path, Path]) -> None:
    _, output = tiny_run
    denoiser = UNet2DConditionModel.from_pretrained(output, subfolder="unet")
    autoencoder = AutoencoderDC.from_pretrained(output, subfolder="vae")
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(output, subfolder="scheduler")
    scheduler.set_timesteps(2)
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    sound = torch.full((1, 152), 0.5)
    condition = encode_condition(sound, grids_of_noise(latents), height=16, width=16)
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            clean = denoiser(
                torch.cat([latents, condition.guide], dim=1),
                timestep,
                encoder_hidden_states=None,
                class_labels=condition.class_labels,
            ).sample
            velocity = (latents - clean) / (timestep / 1000)
            latents = scheduler.step(velocity, timestep, latents).prev_sample
        pixels = autoencoder.decode(latents / autoencoder.config.scaling_factor).sample
    assert pixels.shape == (1, 3, 128, 128)
    assert torch.isfinite(pixels).all()


def test_manifest_tells_all_and_its_digests_hold(tiny_run: tuple[Path, Path], tmp_path: Path) -> None:
    _, output = tiny_run
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["sha256"] == file_digests(output)
    assert {"unet/diffusion_pytorch_model.safetensors", "README.md"} < set(manifest["sha256"])
    assert manifest["conditioning"]["descriptor_space"] == "chladni-descriptors-v2"
    assert manifest["conditioning"]["components"] == list(COMPONENT_NAMES)
    assert manifest["conditioning"]["guide_channels"] == GUIDE_CHANNELS
    assert manifest["sizes"] == {"minimum_pixels": 128, "maximum_pixels": 1024, "multiple_pixels": 64}
    assert manifest["defaults"]["steps"] == 2
    assert manifest["training"]["progress"]["denoiser"]["step"] == 2
    assert manifest["metrics"]["autoencoder.psnr_db"] > 0
    copied = shutil.copytree(output, tmp_path / "model")
    (copied / "README.md").write_text("changed")
    assert manifest["sha256"] != file_digests(copied)


def test_what_is_served_is_what_was_trained(tiny_run: tuple[Path, Path]) -> None:
    _, output = tiny_run
    autoencoder = AutoencoderDC.from_pretrained(output, subfolder="vae").eval()
    manifest = json.loads((output / "manifest.json").read_text())
    factor = autoencoder.config.scaling_factor
    assert manifest["latents"] == {
        "channels": 4, "height": 32, "width": 32, "scaling_factor": factor, "shift": 0.0,
    }  # fmt: skip
    model = load_embedded_model(
        find_model_files(str(output)), device=torch.device("cpu"), dtype=torch.float32
    )
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        served = torch.from_numpy(model.decode(latents)).permute(0, 3, 1, 2)
        expected = decode_latents(autoencoder, latents)
    assert (served - expected * 255).abs().max() < 0.6


def test_weights_are_half_precision(tiny_run: tuple[Path, Path]) -> None:
    _, output = tiny_run
    for part in ("unet", "vae"):
        weights = load_file(output / part / "diffusion_pytorch_model.safetensors")
        assert {weight.dtype for weight in weights.values()} == {torch.float16}


def test_exported_files_can_be_read_by_every_user(tiny_run: tuple[Path, Path]) -> None:
    _, output = tiny_run
    files = [path for path in output.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in files)


def test_contact_sheets_are_written(tiny_run: tuple[Path, Path]) -> None:
    build, _ = tiny_run
    assert (build / "tiny" / "comparison.png").stat().st_size > 0
    assert (build / "tiny" / "variation.png").stat().st_size > 0


def test_same_seed_trains_the_same_weights(tmp_path: Path, tiny_run: tuple[Path, Path]) -> None:
    build, _ = tiny_run
    run_tiny(tmp_path / "build", tmp_path / "model", "--stages", "denoiser")
    first = load_checkpoint(build / "tiny" / "denoiser.pt")
    second = load_checkpoint(tmp_path / "build" / "tiny" / "denoiser.pt")
    assert first is not None
    assert second is not None
    for name, weight in first["average"].items():
        assert torch.equal(weight, second["average"][name]), name


def test_finished_stages_are_not_repeated(tiny_run: tuple[Path, Path], tmp_path: Path) -> None:
    build, _ = tiny_run
    checkpoints = [build / "tiny" / f"{stage}.pt" for stage in ("autoencoder", "denoiser")]
    before = [path.read_bytes() for path in checkpoints]
    run_tiny(build, tmp_path / "model")
    assert [path.read_bytes() for path in checkpoints] == before


def test_export_without_a_trained_denoiser_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="run the stage 'denoiser' first"):
        run_tiny(tmp_path / "build", tmp_path / "model", "--stages", "autoencoder", "export")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Embeddings of sounds, as the audio service's job writes them."""
    path = tmp_path / "sounds.npz"
    np.savez_compressed(path, embeddings=sample_descriptors(3, seed=70).numpy(), kinds=["note"] * 3)
    return path


def test_every_other_image_is_of_a_recorded_sound(tmp_path: Path, archive: Path) -> None:
    run_tiny(tmp_path / "build", tmp_path / "model", "--stages", "images", "--audio-embeddings", str(archive))
    assert not (tmp_path / "model").exists()
    recorded = sample_descriptors(3, seed=70)
    shards = sorted((tmp_path / "build" / "tiny" / "images").glob("images-*.pt"))
    assert len(shards) == 2, "one for each phase"
    for path in shards:
        shard = load_checkpoint(path)
        assert shard is not None
        assert shard["images"].dtype == torch.uint8
        assert shard["images"].shape[:2] == (4, 3)
        assert shard["grids"].shape == (4, 4, 8, 8)
        distance = (shard["embedding"][:, None] - recorded).abs().mean(dim=2).amin(dim=1)
        assert (distance < 0.03).tolist() == [True, False, True, False]


def test_sounds_of_another_space_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.npz"
    np.savez_compressed(path, embeddings=np.zeros((3, 24), np.float32))
    with pytest.raises(ValueError, match=r"old\.npz.*\(N, 152\).*\(3, 24\)"):
        run_tiny(
            tmp_path / "build", tmp_path / "model", "--stages", "images", "--audio-embeddings", str(path)
        )


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "--stages" in shown
    assert "goes on where it was" in shown


def test_normalising_latents_leaves_the_images_as_they_were() -> None:
    torch.manual_seed(0)
    autoencoder = build_autoencoder(TINY.autoencoder).eval()
    images = held_out_images(2, size_pixels=64)
    before = decode_latents(autoencoder, encode_images(autoencoder, images))
    normalise_latents(autoencoder, images)
    latents = encode_images(autoencoder, images)
    assert latents.shape == (2, 4, 8, 8)
    assert torch.allclose(latents.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)
    after = decode_latents(autoencoder, latents)
    assert torch.allclose(after, before, atol=1e-4)


def test_noise_levels_are_moved_towards_noise() -> None:
    levels = [draw_noise_levels(4000, shift, torch.Generator().manual_seed(1)) for shift in (1.0, 2.0)]
    for drawn in levels:
        assert 0 < drawn.min() < drawn.max() < 1
    assert levels[0].median() == pytest.approx(0.5, abs=0.03)
    assert levels[1].median() == pytest.approx(2 / 3, abs=0.03)


def test_checkpoint_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "stage" / "state.pt"
    assert load_checkpoint(path) is None
    for step in (1, 2):
        save_checkpoint(path, {"step": step})
    assert load_checkpoint(path) == {"step": 2}
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]
