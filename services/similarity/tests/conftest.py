"""Images to try things on: synthetic ones, and scikit-image's photographs."""

from __future__ import annotations

from importlib import resources
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from chladni_similarity.embedders.alignment import AlignmentEmbedder
from chladni_similarity.embedders.efficientnet_lite0 import EfficientNetLite0Embedder
from chladni_similarity.training import train_alignment


@pytest.fixture(scope="session")
def embedder():
    return EfficientNetLite0Embedder.load()


@pytest.fixture(scope="session")
def photograph():
    """Gives the bytes of a photograph by its file name."""
    folder = resources.files("skimage") / "data"
    return lambda name: (folder / name).read_bytes()


@pytest.fixture(scope="session")
def encode():
    """Encodes an array or a Pillow image."""

    def encoded(source, image_format="PNG", **options):
        image = source if isinstance(source, Image.Image) else Image.fromarray(source)
        file = BytesIO()
        image.save(file, image_format, **options)
        return file.getvalue()

    return encoded


@pytest.fixture(scope="session")
def random_image():
    """Gives (H, W, 3) pixels that are smooth in places and busy in others; each seed another."""

    def image(seed, height=48, width=64):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noise = rng.integers(-30, 31, (height, width, 3)) * rng.integers(0, 2, (height, 1, 1))
        return np.clip(smooth + noise, 0, 255).astype(np.uint8)

    return image


@pytest.fixture(scope="session")
def make_pairs():
    """Makes images that show some of their sound: six values as colours, stripes and a fading."""

    def pairs(count, seed):
        generator = torch.Generator().manual_seed(seed)
        shown = torch.rand(count, 6, generator=generator)
        sounds = torch.full((count, 152), 0.5)
        sounds[:, :150] = shown.repeat(1, 25)
        place = torch.linspace(0, 1, 128)
        angle = (
            2
            * torch.pi
            * (place[None, :] * (1 + 4 * shown[:, 3:4]) + torch.rand(count, 1, generator=generator))
        )
        stripes = angle.sin()[:, None, None, :] * shown[:, 4, None, None, None]
        fade = place[None, None, :, None] * shown[:, 5, None, None, None]
        images = shown[:, :3, None, None] * (1 - 0.5 * fade) + 0.15 * stripes
        return {
            "images": (images.clamp(0, 1) * 255).to(torch.uint8).contiguous(),
            "sounds": sounds,
            "source": (torch.arange(count) % 2).to(torch.uint8),
        }

    return pairs


@pytest.fixture(scope="session")
def alignment_directory(make_pairs, tmp_path_factory):
    """A directory of the alignment model, trained for some seconds to see colours."""
    folder = tmp_path_factory.mktemp("alignment")
    save_file(make_pairs(320, seed=1), folder / "pairs.safetensors")
    words = ["--pairs", folder / "pairs.safetensors", "--out", folder / "my-alignment", "--held-out", 0.1]
    words += [
        "--build-folder",
        folder / "build",
        "--steps",
        30,
        "--batch-size",
        12,
        "--threads",
        1,
        "--float32",
    ]
    threads = torch.get_num_threads()
    try:
        assert train_alignment.main(list(map(str, words))) == 0
    finally:
        torch.set_num_threads(threads)
    return folder / "my-alignment"


@pytest.fixture(scope="session")
def aligner_model(alignment_directory):
    return AlignmentEmbedder.load(alignment_directory)
