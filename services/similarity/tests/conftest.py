"""Pictures to try things on: synthetic ones, and scikit-image's photographs."""

from importlib import resources
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from chladni_similarity.embedders.efficientnet_lite0 import EfficientNetLite0Embedder


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

    def encoded(picture, image_format="PNG", **options):
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        file = BytesIO()
        image.save(file, image_format, **options)
        return file.getvalue()

    return encoded


@pytest.fixture(scope="session")
def random_picture():
    """Gives (H, W, 3) pixels that are smooth in places and busy in others; each seed another."""

    def picture(seed, height=48, width=64):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noise = rng.integers(-30, 31, (height, width, 3)) * rng.integers(0, 2, (height, 1, 1))
        return np.clip(smooth + noise, 0, 255).astype(np.uint8)

    return picture
