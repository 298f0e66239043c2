"""One generation in flight: its noise, its scheduler, its place among the timesteps."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from chladni_image_generation.model import DenoiserRow, LatentDiffusionModel
from chladni_runtime.errors import FaultError, InvalidInputError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest


class GenerationJob:
    """Advances one request, one denoising step at a time. Owned by one thread at a time.

    A step is `rows` -> the denoiser -> `advance`, so that the rows of several jobs can share a call.
    Each job has a generator and a scheduler of its own: most schedulers keep state between steps.

    Args:
        model: The model.
        request: What to generate.

    Raises:
        InvalidInputError: The scheduler cannot take so few steps.
    """

    def __init__(self, model: LatentDiffusionModel, request: GenerationRequest) -> None:
        self._model = model
        self.request = request
        self._scheduler = model.new_scheduler(request.scheduler)
        try:
            self._scheduler.set_timesteps(request.steps)
        except (ValueError, IndexError) as error:
            raise InvalidInputError(
                Reason.INVALID_FIELD,
                f"steps is {request.steps}, which {request.scheduler} cannot take; ask for more.",
                field="steps",
            ) from error
        self._timesteps: Tensor = self._scheduler.timesteps
        # The generator stays on the CPU, so that a seed means the same noise on every device.
        self._generator = torch.Generator("cpu").manual_seed(request.seed)
        shape = model.description.latent_shape_of(request.width_pixels, request.height_pixels)
        noise = torch.randn(shape, generator=self._generator)
        self.latents = noise * getattr(self._scheduler, "init_noise_sigma", 1.0)
        self._condition = model.encode(request.audio_embedding, noise)
        self._null_condition = model.null_condition(shape) if request.is_guided else None
        self._step_options = _step_options(self._scheduler, self._generator)
        self._clean_estimate = self.latents
        self.steps_done = 0

    @property
    def total_steps(self) -> int:
        """Calls of the scheduler in all; some schedulers need more than were asked for."""
        return len(self._timesteps)

    @property
    def is_denoised(self) -> bool:
        """Whether every step is done."""
        return self.steps_done == self.total_steps

    def rows(self) -> list[DenoiserRow]:
        """Returns the denoiser's input for the next step: one row, or two with guidance."""
        timestep = self._timesteps[self.steps_done]
        latents = self.latents
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
        self._clean_estimate = self._model.clean_estimate(self.latents, prediction, timestep, self._scheduler)
        self.latents = self._scheduler.step(
            prediction[None], timestep, self.latents[None], **self._step_options
        ).prev_sample[0]
        if not torch.isfinite(self.latents).all():
            raise FaultError(
                Reason.NON_FINITE_OUTPUT,
                f"The model gave values that are not finite at step {self.steps_done + 1}. "
                "A lower guidance scale or another scheduler may help.",
            )
        self.steps_done += 1

    def shrunk_estimate(self, size_pixels: int) -> Tensor:
        """Returns latents (1, C, h, w) of a small picture of what the result would be by now.

        Decoding the clean estimate after shrinking it costs as little as the preview is small.

        Args:
            size_pixels: Length of the preview's longer side.
        """
        shrinkage = size_pixels / max(self.request.width_pixels, self.request.height_pixels)
        return torch.nn.functional.interpolate(
            self._clean_estimate[None],
            size=[max(1, round(side * shrinkage)) for side in self.latents.shape[1:]],
            mode="area",
        )


def _step_options(scheduler: Any, generator: torch.Generator) -> dict[str, Any]:
    """Returns the generator for schedulers that draw noise; others do not take one."""
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    return {"generator": generator} if takes_generator else {}
