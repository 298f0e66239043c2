"""One generation in flight: its noise, its schedulers, its place among the timesteps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from chladni_contract.errors import FaultError, Reason
from chladni_image_generation.engine.batching import BatchGroup
from chladni_image_generation.engine.checkpoints.sampler_state import (
    SamplerState,
    StageEntry,
    scheduler_state,
    set_scheduler_state,
)
from chladni_image_generation.models.interface import DenoiserRow
from chladni_image_generation.models.schedulers import clean_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoisingStage, LatentDiffusionModel


class Sampler:
    """One request's way through the model, a denoising step at a time. Owned by one thread at a time.

    A step is `rows` -> the denoiser -> `advance`, so that the rows of several samplers can share a call.
    Each sampler has a generator and schedulers of its own: most schedulers keep state between steps.

    Args:
        model: The model.
        request: What to generate.

    Raises:
        InvalidInputError: The scheduler cannot take so few steps.
    """

    def __init__(self, model: LatentDiffusionModel, request: GenerationRequest) -> None:
        self.request = request
        # The generator stays on the CPU, so that a seed means the same noise on every device.
        self._generator = torch.Generator("cpu").manual_seed(request.seed)
        plan = model.plan(request, self._generator)
        self._stages = plan.stages
        self._entries: list[StageEntry] = []
        self._steps_of_stage = 0
        self.finish = plan.finish
        self.draw = plan.draw
        self.latents = plan.latents
        self.clean_estimate = plan.latents
        self.total_steps = sum(len(stage.timesteps) for stage in plan.stages)
        self.steps_done = 0

    @property
    def is_denoised(self) -> bool:
        """Whether every step is done."""
        return self.steps_done == self.total_steps

    @property
    def group(self) -> BatchGroup:
        """Whose calls the next step shares."""
        channels, height, width = self.latents.shape
        return self._group_of(self._stage, (channels, height, width))

    @property
    def remaining(self) -> list[tuple[BatchGroup, int]]:
        """Whose calls the steps to the end share, and how many steps of each there are, in order."""
        stretches = [(self.group, len(self._stage.timesteps) - self._steps_of_stage)]
        channels, height, width = self.latents.shape
        for stage in self._stages[len(self._entries) + 1 :]:
            height, width = height * stage.enlargement, width * stage.enlargement
            stretches.append((self._group_of(stage, (channels, height, width)), len(stage.timesteps)))
        return stretches

    def rows(self) -> list[DenoiserRow]:
        """Return the denoiser's input for the next step: one row, or two with guidance.

        The row without the condition comes first, as in diffusers' pipelines: even if the last bit of
        a row depends on its place in a call, the images are theirs.
        """
        stage, timestep = self._stage, self._timestep
        latents = self.latents
        if hasattr(stage.scheduler, "scale_model_input"):
            latents = stage.scheduler.scale_model_input(latents, timestep)
        conditions = (
            [stage.condition] if stage.null_condition is None else [stage.null_condition, stage.condition]
        )
        return [DenoiserRow(latents, timestep, condition, stage.network) for condition in conditions]

    def advance(self, predictions: Sequence[Tensor]) -> None:
        """Take the step for which `rows` gave the input.

        Args:
            predictions: The denoiser's output (C, H, W) for each of the rows.

        Raises:
            FaultError: The latents are no longer finite.
        """
        prediction = predictions[-1].cpu()
        if len(predictions) > 1:
            # Classifier-free guidance, https://arxiv.org/abs/2207.12598, equation 6 with s = w + 1.
            unconditional = predictions[0].cpu()
            prediction = unconditional + self.request.guidance_scale * (prediction - unconditional)
        stage, timestep = self._stage, self._timestep
        outcome = stage.scheduler.step(prediction[None], timestep, self.latents[None], **stage.step_options)
        self.clean_estimate = clean_estimate(
            stage.scheduler, outcome, latents=self.latents, prediction=prediction, timestep=timestep
        )
        self.latents = outcome.prev_sample[0]
        if not torch.isfinite(self.latents).all():
            raise FaultError(
                Reason.NON_FINITE_OUTPUT,
                f"The model gave values that are not finite at step {self.steps_done + 1}. "
                "A lower guidance scale or another scheduler may help.",
                metadata={"step": self.steps_done + 1},
            )
        self.steps_done += 1
        self._steps_of_stage += 1
        if self._steps_of_stage == len(stage.timesteps) and not self.is_denoised:
            self._steps_of_stage = 0
            self._enter(StageEntry(self.latents, self._generator.get_state()))

    def state(self) -> SamplerState:
        """Return what `resume` needs to go on from here.

        Raises:
            UnknownStateError: The scheduler keeps something that cannot be written down.
        """
        return SamplerState(
            latents=self.latents,
            steps_done=self.steps_done,
            steps_of_stage=self._steps_of_stage,
            generator_state=self._generator.get_state(),
            entries=tuple(self._entries),
            scheduler=scheduler_state(self._stage.scheduler),
        )

    def resume(self, state: SamplerState) -> None:
        """Go on from a state of an identical request's sampler; this one must not have taken a step."""
        for entry in state.entries:
            self._generator.set_state(entry.generator_state)
            self._enter(entry)
        set_scheduler_state(self._stage.scheduler, state.scheduler)
        self._generator.set_state(state.generator_state)
        self.latents = state.latents
        self.steps_done = state.steps_done
        self._steps_of_stage = state.steps_of_stage

    def _enter(self, entry: StageEntry) -> None:
        """Enter the next stage."""
        self._entries.append(entry)
        self.latents = self._stage.enter(entry.latents)

    def _group_of(self, stage: DenoisingStage, latent_shape: tuple[int, int, int]) -> BatchGroup:
        rows_per_request = 1 if stage.null_condition is None else 2
        return BatchGroup(latent_shape, rows_per_request, self.request.reproducible, stage.network)

    @property
    def _stage(self) -> DenoisingStage:
        return self._stages[len(self._entries)]

    @property
    def _timestep(self) -> Tensor:
        return self._stage.timesteps[self._steps_of_stage]
