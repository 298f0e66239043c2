"""How long a model takes to load and to make an image, and in how much memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import GenerationRequest
from chladni_image_generation.models.interface import LatentDiffusionModel
from chladni_image_generation.models.loading import LoadingOptions, load_model

_BYTES_OF_MAXRSS: Final = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class ImageMeasurement:
    """What an image took.

    Attributes:
        plan_seconds: Encoding of text and initial image.
        seconds_per_step: Mean of the denoising steps.
        steps: Denoising steps.
        decode_seconds: Decoding.
        peak_memory_bytes: Largest memory of the device so far; of the process on a CPU.
    """

    plan_seconds: float
    seconds_per_step: float
    steps: int
    decode_seconds: float
    peak_memory_bytes: int

    def figures(self) -> Mapping[str, Any]:
        """Return the figures by name, rounded."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def measure_loading(reference: str, options: LoadingOptions) -> tuple[LatentDiffusionModel, float]:
    """Return a loaded model and the seconds that it took, downloads included.

    Raises:
        ModelFilesError: It cannot be had or loaded.
    """
    started = time.perf_counter()
    model = load_model(reference, options)
    return model, time.perf_counter() - started


@torch.inference_mode()
def measure_image(
    model: LatentDiffusionModel, request: GenerationRequest
) -> tuple[NDArray[np.uint8], ImageMeasurement]:
    """Return an image's RGB pixels (height, width, 3) and what it took, computed alone.

    Raises:
        ChladniError: The model cannot make it.
    """
    times = [_now(model.device)]
    job = Sampler(model, request)
    times.append(_now(model.device))
    while not job.is_denoised:
        job.advance(list(model.denoise(job.rows())))
    times.append(_now(model.device))
    pixels = job.finish(model.decode(job.latents[None])[0])
    times.append(_now(model.device))
    plan_seconds, denoising_seconds, decode_seconds = np.diff(times).tolist()
    measurement = ImageMeasurement(
        plan_seconds=plan_seconds,
        seconds_per_step=denoising_seconds / job.total_steps,
        steps=job.total_steps,
        decode_seconds=decode_seconds,
        peak_memory_bytes=_peak_memory_bytes(model.device),
    )
    return pixels, measurement


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _peak_memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_OF_MAXRSS
