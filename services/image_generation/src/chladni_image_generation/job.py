"""One generation in flight: its noise, its scheduler, its place among the timesteps."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from chladni_image_generation.model import DenoiserRow, LatentDiffusionModel
from chladni_runtime.errors import FaultError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest


class GenerationJob:
    """Advances one request, one denoising step at a time. Owned by one thread at a time.

    A step is `rows` -> the denoiser -> `advance`, so that the rows of several jobs can share a call.
    Each job has a generator and a scheduler of its own: most schedulers keep state between steps.

    Args:
        model: The model.
        request: What to generate.
    """

    def __init__(self, model: LatentDiffusionModel, request: GenerationRequest) -> None:
        self._model = model
        self.request = request
        self._scheduler = model.new_scheduler(request.scheduler)
        self._scheduler.set_timesteps(request.steps)
        self._timesteps: Tensor = self._scheduler.timesteps
        # The generator stays on the CPU, so that a seed means the same noise on every device.
        self._generator = torch.Generator("cpu").manual_seed(request.seed)
        noise = torch.randn(model.description.latent_shape, generator=self._generator)
        self._latents = noise * getattr(self._scheduler, "init_noise_sigma", 1.0)
        self._condition = model.encode(request.audio_embedding)
        self._null_condition = model.null_condition() if request.guidance_scale != 1 else None
        self._step_options = _step_options(self._scheduler, self._generator)
        self._clean_estimate = self._latents
        self.steps_done = 0

    @property
    def total_steps(self) -> int:
        """Calls of the scheduler in all; some schedulers need more than were asked for."""
        return len(self._timesteps)

    @property
    def is_denoised(self) -> bool:
        """Whether every step is done."""
        return self.steps_done == self.total_steps

    @property
    def row_count(self) -> int:
        """Rows that a step takes: one, or two with guidance."""
        return 1 if self._null_condition is None else 2

    def rows(self) -> list[DenoiserRow]:
        """Returns the denoiser's input for the next step."""
        timestep = self._timesteps[self.steps_done]
        latents = self._latents
        if hasattr(self._scheduler, "scale_model_input"):
            latents = self._scheduler.scale_model_input(latents, timestep)
        conditions = [self._condition] + ([self._null_condition] if self._null_condition else [])
        return [DenoiserRow(latents, timestep, condition) for condition in conditions]

    def advance(self, predictions: Sequence[Tensor]) -> None:
        """Takes the step for which `rows` gave the input.

        Args:
            predictions: The denoiser's output (C, H, W) for each of the rows.

        Raises:
            FaultError: The latents are no longer finite.
        """
        prediction = predictions[0].cpu()
        if len(predictions) > 1:
            # Classifier-free guidance, https://arxiv.org/abs/2207.12598, equation 6 with s = w + 1.
            unconditional = predictions[1].cpu()
            prediction = unconditional + self.request.guidance_scale * (prediction - unconditional)
        timestep = self._timesteps[self.steps_done]
        self._clean_estimate = self._model.clean_estimate(
            self._latents, prediction, timestep, self._scheduler
        )
        self._latents = self._scheduler.step(
            prediction[None], timestep, self._latents[None], **self._step_options
        ).prev_sample[0]
        if not torch.isfinite(self._latents).all():
            raise FaultError(
                Reason.NON_FINITE_OUTPUT,
                f"The model gave values that are not finite at step {self.steps_done + 1}. "
                "A lower guidance scale or another scheduler may help.",
            )
        self.steps_done += 1

    def decode(self) -> NDArray[np.uint8]:
        """Returns the finished picture's RGB pixels (H, W, 3)."""
        return self._model.decode(self._latents)

    def decode_preview(self, size_pixels: int) -> NDArray[np.uint8]:
        """Returns RGB pixels of about `size_pixels` a side: what the picture would be by now.

        Decodes the clean estimate after shrinking it, which costs as little as the preview is small.
        """
        height, width = self._latents.shape[1:]
        full_size_pixels = self._model.description.image_size_pixels[0]
        shrunk = torch.nn.functional.interpolate(
            self._clean_estimate[None],
            size=(
                max(1, round(height * size_pixels / full_size_pixels)),
                max(1, round(width * size_pixels / full_size_pixels)),
            ),
            mode="area",
        )[0]
        return self._model.decode(shrunk)


def _step_options(scheduler: Any, generator: torch.Generator) -> dict[str, Any]:
    """Returns the generator for schedulers that draw noise; others do not take one."""
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    return {"generator": generator} if takes_generator else {}
