"""An autoencoder with random weights, as small as may be: for tests, which need shapes and not quality."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from chladni_audio_features.reconstruction.autoencoder import FORMAT_VERSION, MANIFEST_FILE, WEIGHTS_FILE
from chladni_audio_features.reconstruction.network import LAYERS, weight_shapes


def untrained_weights(
    *, mel_bins: int = 128, latent_dimension: int = 128, seed: int = 0
) -> dict[str, npt.NDArray[np.float32]]:
    """Return weights of an autoencoder of which nothing is to be expected.

    Args:
        mel_bins: Mel bands.
        latent_dimension: Components of a latent vector.
        seed: Decides the weights.
    """
    generator = np.random.default_rng(seed)
    shapes = weight_shapes(mel_bins, (8,) * LAYERS, latent_dimension)
    return {
        name: np.full(shape, 0.1, np.float32)
        if name.endswith(".bias")
        else generator.normal(0.0, 1.0 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_untrained_autoencoder(directory: Path) -> None:
    """Write an autoencoder with random weights into a directory."""
    content = save(untrained_weights())
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS_FILE).write_bytes(content)
    manifest = {
        "format": FORMAT_VERSION,
        "id": "untrained-autoencoder",
        "license": "Apache-2.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "figures": {"cosine": 0.5},
    }
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest))
