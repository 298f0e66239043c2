"""The provenance of a picture: what decided its pixels."""

import hashlib
import platform
from importlib.metadata import version
from typing import Final

import numpy as np
import torch

from chladni_image_generation.generation import GenerationRequest, Provenance
from chladni_image_generation.model import LatentDiffusionModel

_LIBRARIES: Final = ("diffusers", "numpy", "pillow", "torch")


class ProvenanceRecorder:
    """Writes provenance for the pictures of one engine.

    Args:
        model: The model.
        batch_size: Rows in every call of the denoiser.
    """

    def __init__(self, model: LatentDiffusionModel, *, batch_size: int) -> None:
        self._model = model
        self._batch_size = batch_size
        self._library_versions = {name: version(name) for name in _LIBRARIES} | {
            "python": platform.python_version()
        }

    def record(self, request: GenerationRequest) -> Provenance:
        """Returns the provenance of a request's picture."""
        description = self._model.description
        is_cpu = self._model.device.type == "cpu"
        width_pixels, height_pixels = description.image_size_pixels
        embedding = np.ascontiguousarray(request.audio_embedding, dtype="<f4")
        return Provenance(
            model=description.id,
            model_digest=description.digest,
            recipe=request.recipe,
            seed=request.seed,
            steps=request.steps,
            guidance_scale=request.guidance_scale,
            scheduler=request.scheduler,
            width_pixels=width_pixels,
            height_pixels=height_pixels,
            audio_sha256=request.audio_sha256,
            conditioning_sha256=hashlib.sha256(embedding.tobytes()).hexdigest(),
            dtype=str(self._model.dtype).removeprefix("torch."),
            device=self._model.device.type,
            batch_size=self._batch_size,
            thread_count=torch.get_num_threads() if is_cpu else 0,
            library_versions=self._library_versions,
        )
