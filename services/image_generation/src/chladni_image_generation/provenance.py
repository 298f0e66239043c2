"""The provenance of a picture: what decided its pixels."""

import hashlib
import platform
from importlib.metadata import version
from typing import Final

import numpy as np
import torch

from chladni_image_generation.generation import Provenance
from chladni_image_generation.model import LatentDiffusionModel
from chladni_image_generation.stepping import Flight

_LIBRARIES: Final = ("diffusers", "numpy", "pillow", "torch")


class ProvenanceRecorder:
    """Writes provenance for the pictures of one engine.

    Args:
        model: The model.
        thread_count: Threads of a computation on the CPU.
    """

    def __init__(self, model: LatentDiffusionModel, *, thread_count: int) -> None:
        self._model = model
        self._device_capability = _capability_of(model.device)
        self._thread_count = thread_count if model.device.type == "cpu" else 0
        self._library_versions = {name: version(name) for name in _LIBRARIES} | {
            "python": platform.python_version()
        }

    def record(self, flight: Flight) -> Provenance:
        """Returns the provenance of a request's picture."""
        request = flight.request
        description = self._model.description
        embedding = np.ascontiguousarray(request.audio_embedding, dtype="<f4")
        return Provenance(
            model=description.id,
            model_digest=description.digest,
            recipe=request.recipe,
            seed=request.seed,
            steps=request.steps,
            guidance_scale=request.guidance_scale,
            scheduler=request.scheduler,
            width_pixels=request.width_pixels,
            height_pixels=request.height_pixels,
            audio_sha256=request.audio_sha256,
            conditioning_sha256=hashlib.sha256(embedding.tobytes()).hexdigest(),
            dtype=str(self._model.dtype).removeprefix("torch."),
            device=self._model.device.type,
            batch_size=flight.batch_size,
            thread_count=self._thread_count,
            library_versions=self._library_versions,
            exact=request.exact,
            device_capability=self._device_capability,
            decode_batch_size=flight.decode_batch_size,
        )


def _capability_of(device: torch.device) -> str:
    """Returns what a device's kernels are chosen by."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"sm_{major}{minor}"
    return str(torch.backends.cpu.get_cpu_capability())
