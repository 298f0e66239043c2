"""The provenance of an image: what decided its pixels."""

from __future__ import annotations

import json
import platform
from functools import cache
from importlib.metadata import version
from typing import Final

import torch

from chladni_contract.provenance import Provenance
from chladni_image_generation.engine.executor import ExecutionState
from chladni_image_generation.models.interface import LatentDiffusionModel

_LIBRARIES: Final = ("chladni-image-generation", "diffusers", "numpy", "pillow", "torch", "transformers")
"""This service among them: the digest of a model covers its files, not the program that renders its looks."""


class ProvenanceRecorder:
    """A writer of provenance for the images of one engine.

    Args:
        model: The model.
        thread_count: Threads of a computation on the CPU.
    """

    def __init__(self, model: LatentDiffusionModel, *, thread_count: int) -> None:
        self._model = model
        self._device_capability = _capability_of(model.device)
        self._thread_count = thread_count if model.device.type == "cpu" else 0
        self._library_versions = dict(_library_versions())

    @property
    def environment(self) -> str:
        """What decides the bits of an image beside its request and the sizes of calls, as JSON."""
        description = self._model.description
        return json.dumps(
            [
                description.id,
                description.digest,
                str(self._model.dtype),
                self._model.device.type,
                self._device_capability,
                self._thread_count,
                self._library_versions,
            ],
            sort_keys=True,
        )

    def record(self, execution: ExecutionState) -> Provenance:
        """Return the provenance of a request's image."""
        request = execution.request
        description = self._model.description
        conditioning, origin = request.conditioning, request.origin
        return Provenance(
            model=description.id,
            model_digest=description.digest,
            recipe=origin.recipe,
            seed=request.seed,
            steps=request.steps,
            guidance_scale=request.guidance_scale,
            scheduler=request.scheduler,
            width_pixels=request.width_pixels,
            height_pixels=request.height_pixels,
            audio_sha256=origin.audio_sha256,
            conditioning_sha256=conditioning.digest(),
            dtype=str(self._model.dtype).removeprefix("torch."),
            device=self._model.device.type,
            batch_size=execution.batch_size,
            thread_count=self._thread_count,
            library_versions=self._library_versions,
            reproducible=request.reproducible,
            device_capability=self._device_capability,
            decode_batch_size=execution.decode_batch_size,
            part=origin.part,
            earlier=origin.earlier,
            fallback=origin.fallback,
            prompt=conditioning.prompt,
            negative_prompt=conditioning.negative_prompt,
            strength=None if conditioning.initial_image is None else conditioning.strength,
            initial_latents_weight=(
                None if conditioning.initial_latents is None else conditioning.initial_latents_weight
            ),
            upscale=request.upscale,
            refiner_start=request.refiner_start,
            recipe_options=dict(origin.options),
            audio_start_seconds=origin.audio_start_seconds,
            audio_end_seconds=origin.audio_end_seconds,
            look=request.look,
        )


@cache
def _library_versions() -> dict[str, str]:
    """Return the versions of what computes; looking each up means reading a file."""
    return {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()}


def _capability_of(device: torch.device) -> str:
    """Return what a device's kernels are chosen by."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"sm_{major}{minor}"
    return str(torch.backends.cpu.get_cpu_capability())
