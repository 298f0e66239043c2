"""An untrained, tiny model of the embedded one's architecture: a step takes milliseconds, a picture is 64x64.

What depends on the order of requests, and not on what they cost, is measured with it, many times over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

SIZE_PIXELS: Final = 64


def save_tiny_model(directory: Path) -> None:
    """Builds the model and saves it as a diffusers directory; always with the same weights."""
    # Only in the process that builds.
    import diffusers  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from chladni_image_generation.jobs.autoencoder_training import build_autoencoder  # noqa: PLC0415
    from chladni_image_generation.jobs.denoiser_training import build_denoiser  # noqa: PLC0415
    from chladni_image_generation.jobs.export import export_model  # noqa: PLC0415
    from chladni_image_generation.jobs.presets import TINY  # noqa: PLC0415
    from chladni_image_generation.jobs.sampling import ImageModel, SamplingDefaults  # noqa: PLC0415

    diffusers.logging.set_verbosity_error()  # saving in half precision is meant
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ImageModel(
            build_denoiser(TINY.denoiser),
            build_autoencoder(TINY.autoencoder),
            diffusers.FlowMatchEulerDiscreteScheduler(),
        )
    export_model(
        model,
        directory,
        defaults=SamplingDefaults(steps=4, guidance_scale=1.0, size_pixels=SIZE_PIXELS),
        training={},
        metrics={},
        model_card="An untrained model for measurements.\n",
    )
