"""How exactly the shipped autoencoder reproduces art that no training step saw, in float32."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures, percentile
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.training_art import autoencoder_directory

_IMAGES: Final = 16


def measure(dataset: Dataset) -> Figures:
    """Return the mean over images of the peak signal-to-noise ratio after encoding and decoding.

    Raises:
        NotMeasurableError: There is no autoencoder in the usual place.
    """
    directory = autoencoder_directory()
    if not (directory / "config.json").is_file():
        raise NotMeasurableError("the shipped model has no vae directory")
    import torch  # noqa: PLC0415 - half of the sections do without
    from diffusers import AutoencoderDC  # noqa: PLC0415

    autoencoder = AutoencoderDC.from_pretrained(directory).eval()

    def psnr_of(image: bytes) -> float:
        pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(image)))).permute(2, 0, 1)[None] / 255
        with torch.inference_mode():
            decoded = autoencoder.decode(autoencoder.encode(pixels * 2 - 1).latent).sample
        error = (decoded / 2 + 0.5).clamp(0, 1).sub(pixels).square().mean()
        return float(-10 * error.log10())

    psnr_db = dataset.progress.each("encoding and decoding art", dataset.held_out_art[:_IMAGES], psnr_of)
    return {
        "autoencoder.psnr_db": float(np.mean(psnr_db)),
        "autoencoder.psnr_db_p5": percentile(psnr_db, 5),
        "autoencoder.images": len(psnr_db),
    }
