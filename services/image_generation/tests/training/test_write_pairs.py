"""Pairs of sounds and images for other models to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.data.art import render
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.write_pairs import main


def run(out: Path, *more: str) -> dict[str, torch.Tensor]:
    assert main(["--threads", "1", "--out", str(out), *more]) == 0
    return load_file(out)


def test_pairs_of_art_and_of_samples_are_told_apart(tmp_path: Path, tiny_model_directory: Path) -> None:
    out = tmp_path / "deep" / "pairs.safetensors"
    pairs = run(out, "--art", "3", "--samples", "2", "--seed", "4", "--model", str(tiny_model_directory))
    assert pairs["source"].tolist() == [0, 0, 0, 1, 1]
    assert pairs["images"].dtype == pairs["source"].dtype == torch.uint8
    assert pairs["images"].shape == (5, 3, 128, 128)
    assert pairs["sounds"].dtype == torch.float32
    assert torch.equal(pairs["sounds"], sample_descriptors(5, seed=4))
    flat = pairs["images"].float().flatten(1)
    assert flat.std(dim=1).min() > 1, "no image is empty"
    assert torch.pdist(flat).min() > 0, "each has noise of its own"
    with safe_open(out, framework="pt") as file:
        assert file.metadata()["sound_space"] == "chladni-descriptors-v2"


def test_a_row_of_art_is_the_image_of_its_sound(tmp_path: Path) -> None:
    pairs = run(tmp_path / "pairs.safetensors", "--art", "2", "--samples", "0", "--seed", "4")
    image = render(pairs["sounds"][1:], draw_grids([4 * 1_000_003 + 1]), size_pixels=256)
    small = torch.nn.functional.avg_pool2d(image, 2)[0] * 255
    assert (pairs["images"][1] - small).abs().max() < 0.6


def test_recorded_sounds_are_taken_and_moved_a_little(tmp_path: Path) -> None:
    recorded = sample_descriptors(3, seed=70)
    archive = tmp_path / "sounds.npz"
    np.savez_compressed(archive, embeddings=recorded.numpy(), kinds=["note"] * 3)
    pairs = run(
        tmp_path / "pairs.safetensors", "--art", "2", "--samples", "0", "--audio-embeddings", str(archive)
    )
    distance = (pairs["sounds"][:, None] - recorded).abs().mean(dim=2).amin(dim=1)
    assert (distance > 0).all()
    assert (distance < 0.03).all()


def test_sounds_of_another_space_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "old.npz"
    np.savez_compressed(archive, embeddings=np.zeros((3, 24), np.float32))
    with pytest.raises(ValueError, match=r"\(N, 152\).*\(3, 24\)"):
        run(
            tmp_path / "pairs.safetensors", "--art", "1", "--samples", "0", "--audio-embeddings", str(archive)
        )
