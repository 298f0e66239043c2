"""Image generation without a server: a loop over diffusers' UNet, scheduler and autoencoder.

    python -m chladni_benchmarks.workers.bare_generation DTYPE THREAD_COUNT DEVICE

It loads the files of the embedded model as a user of diffusers would, computes in the given type on as many
threads, and encodes PNG at the service's compression. Guidance is computed in either of two ways: both rows
in one call of the UNet, as diffusers' pipelines do, or one after the other.
"""

from __future__ import annotations

import base64
import io
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from diffusers.utils.logging import disable_progress_bar
from PIL import Image
from torch import Tensor

from chladni_benchmarks.services.image_requests import random_embedding
from chladni_benchmarks.workers.commands import answer_commands
from chladni_image_generation.families.embedded.conditioning import (
    Condition,
    encode_condition,
    null_condition,
)
from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.detail_planes import draw_detail_planes
from chladni_image_generation.families.embedded.detailer import DETAILER_FOLDER, Detailer
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.models.schedulers import velocity_of
from chladni_image_generation.training.denoiser import TRAINING_TIMESTEPS as _TRAINING_TIMESTEPS

_PNG_COMPRESSION_LEVEL: Final = 3  # the service's; the measurement compares the sizes of files
_LATENT_SHAPE: Final = (1, 4, 64, 64)
STAGES: Final = ("denoise", "decode", "encode")
"""What an image is made in, by the names of the service's stages."""


class BareLoop:
    """Makes images with the embedded model, one at a time.

    Args:
        directory: The model's files.
        dtype: Numeric type.
        device: Where it computes.
    """

    def __init__(self, directory: Path, *, dtype: torch.dtype, device: torch.device) -> None:
        options = {"torch_dtype": dtype, "use_safetensors": True, "low_cpu_mem_usage": False}
        layout = {"device": device, "memory_format": torch.channels_last}
        self._dtype, self._device = dtype, device
        self._denoiser = (
            UNet2DConditionModel.from_pretrained(directory / "unet", **options).to(**layout).eval()
        )
        self._autoencoder = AutoencoderDC.from_pretrained(directory / "vae", **options).to(**layout).eval()
        self._scheduler_directory = directory / "scheduler"
        self._laps: list[float] = []
        self._detailer: Detailer | None = None
        if (directory / DETAILER_FOLDER).is_dir():
            self._detailer = Detailer.load(directory / DETAILER_FOLDER, dtype=torch.float32).to(device)

    def generate(self, seed: int, steps: int, guidance_scale: float, is_batched: bool) -> dict[str, Any]:
        """Make an image and return it with the time it took.

        Args:
            seed: Seed of the noise and of the embedding.
            steps: Denoising steps.
            guidance_scale: 1 for none.
            is_batched: Whether the rows of guidance share a call.
        """
        started_at, cpu_started_at = time.perf_counter(), time.process_time()
        self._laps = [started_at]
        with torch.inference_mode():
            png = self._generate(seed, steps, guidance_scale, is_batched=is_batched)
        seconds, cpu_seconds = time.perf_counter() - started_at, time.process_time() - cpu_started_at
        return {
            "wall_seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "stage_seconds": dict(zip(STAGES, map(float, np.diff(self._laps)), strict=True)),
            "png": base64.b64encode(png).decode(),
        }

    def _generate(self, seed: int, steps: int, guidance_scale: float, *, is_batched: bool) -> bytes:
        scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(self._scheduler_directory)
        scheduler.set_timesteps(steps)
        noise = torch.randn(_LATENT_SHAPE, generator=torch.Generator().manual_seed(seed))
        latents = noise
        height, width = latents.shape[2:]
        embedding = torch.from_numpy(random_embedding(seed))[None]
        condition = encode_condition(embedding, grids_of_noise(latents), height=height, width=width)
        nothing = null_condition(1, height=height, width=width)
        both = Condition(
            torch.cat([condition.class_labels, nothing.class_labels]),
            torch.cat([condition.guide, nothing.guide]),
        )
        for timestep in scheduler.timesteps:
            if guidance_scale == 1:
                velocity = self._velocity(latents, timestep, condition)
            else:
                if is_batched:
                    rows = self._velocity(latents.expand(2, -1, -1, -1), timestep, both)
                    guided, unguided = rows[:1], rows[1:]
                else:
                    guided = self._velocity(latents, timestep, condition)
                    unguided = self._velocity(latents, timestep, nothing)
                velocity = unguided + guidance_scale * (guided - unguided)
            latents = scheduler.step(velocity, timestep, latents).prev_sample
        return self._encoded(latents, noise, embedding)

    def _velocity(self, latents: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        clean: Tensor = self._denoiser(
            torch.cat([latents, condition.guide], dim=1).to(self._device, self._dtype),
            timestep.to(self._device),
            encoder_hidden_states=None,
            class_labels=condition.class_labels.to(self._device, self._dtype),
        ).sample
        return velocity_of(latents, clean.float().cpu(), timestep / _TRAINING_TIMESTEPS)

    def _encoded(self, latents: Tensor, noise: Tensor, embedding: Tensor) -> bytes:
        self._laps.append(time.perf_counter())
        scaled = latents.to(self._device, self._dtype) / self._autoencoder.config.scaling_factor
        decoded = self._autoencoder.decode(scaled).sample[0].float()
        pixels = (decoded * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).cpu()
        pixels = self._detailed(pixels, noise, embedding).permute(1, 2, 0)
        self._laps.append(time.perf_counter())
        output = io.BytesIO()
        Image.fromarray(np.asarray(pixels)).save(output, format="PNG", compress_level=_PNG_COMPRESSION_LEVEL)
        self._laps.append(time.perf_counter())
        return output.getvalue()

    def _detailed(self, pixels: Tensor, noise: Tensor, embedding: Tensor) -> Tensor:
        """Return (3, H, W) pixels with the details of the scene, which the noise bends."""
        if self._detailer is None:
            return pixels
        planes = draw_detail_planes(
            parameters_from_descriptors(embedding),
            grids_of_noise(noise),
            height=pixels.shape[1],
            width=pixels.shape[2],
        )
        images = (pixels[None].float() / 255) * 2 - 1
        drawn = self._detailer(images.to(self._device), planes.to(self._device))[0]
        detailed: Tensor = ((drawn / 2 + 0.5).cpu().clamp(0, 1) * 255).round().byte()
        return detailed


def main() -> None:
    """Load the model and answer commands."""
    disable_progress_bar()
    dtype, thread_count, device = sys.argv[1:]
    if int(thread_count):
        torch.set_num_threads(int(thread_count))
    directory = Path(str(files("chladni_image_generation") / "models" / "embedded"))
    loop = BareLoop(directory, dtype=getattr(torch, dtype), device=torch.device(device))
    answer_commands({"generate": loop.generate})


if __name__ == "__main__":
    main()
