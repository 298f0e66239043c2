"""Training of the denoiser: flow matching in the autoencoder's latents.

A noisy latent is x = (1 - s) z + s e, of a clean latent z and white noise e at noise level s (Lipman et al.
2023, "Flow matching for generative modeling"; Liu et al. 2023, "Flow straight and fast"). The UNet learns
to tell z, not the velocity e - z that follows from it: a small network cannot pass all of the noise
through and paint as well (Li & He 2025, "Back to basics: let denoising generative models denoise"). Noise
levels are uniform, moved towards noise (Esser et al. 2024, "Scaling rectified flow transformers"). The
noise of an image holds the grid that its composition was made from (``noise_grid``). In some rows the
condition is dropped, so that classifier-free guidance is possible.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from chladni_image_generation.families.embedded.conditioning import (
    CLASS_LABEL_DIMENSION,
    encode_condition,
)
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS
from chladni_image_generation.families.embedded.noise_grid import couple_noise
from chladni_image_generation.training.autoencoder import DOWNSAMPLING, LATENT_CHANNELS
from chladni_image_generation.training.checkpoints import load_checkpoint, save_checkpoint
from chladni_image_generation.training.data.latent_dataset import LatentDataset
from chladni_image_generation.training.presets import DenoiserPhase, DenoiserPreset
from chladni_image_generation.training.progress import ProgressLog
from chladni_image_generation.training.replicas import Replicas

TRAINING_TIMESTEPS = 1000


def build_denoiser(preset: DenoiserPreset) -> UNet2DConditionModel:
    """Return a fresh UNet that takes the conditions of ``conditioning``, the guide under its latents."""
    denoiser: UNet2DConditionModel = UNet2DConditionModel(
        sample_size=preset.phases[-1].size_pixels // DOWNSAMPLING,
        in_channels=LATENT_CHANNELS + GUIDE_CHANNELS,
        out_channels=LATENT_CHANNELS,
        layers_per_block=preset.layers_per_block,
        block_out_channels=preset.channels,
        down_block_types=("DownBlock2D",) * len(preset.channels),
        mid_block_type=None,
        up_block_types=("UpBlock2D",) * len(preset.channels),
        norm_num_groups=preset.norm_groups,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=CLASS_LABEL_DIMENSION,
        resnet_time_scale_shift="scale_shift",
    )
    return denoiser


def train_phase(
    preset: DenoiserPreset,
    phase_index: int,
    dataset: LatentDataset,
    *,
    checkpoint: Path,
    seed: int,
    checkpoint_every_steps: int,
    replicas: Replicas,
) -> UNet2DConditionModel:
    """Train one phase to its last step, going on from the checkpoint of this or an earlier phase.

    Returns:
        The denoiser with the moving average of its weights, in evaluation mode.
    """
    phase = preset.phases[phase_index]
    state = _DenoiserState.begin(preset, seed=seed)
    state.resume(checkpoint)
    if state.phase > phase_index:
        return state.average
    first_step = state.step if state.phase == phase_index else 0

    log = ProgressLog(f"denoiser at {phase.size_pixels} px", phase.steps, first_step, state.seconds)
    for step in range(first_step, phase.steps):
        generator = torch.Generator().manual_seed((seed * 101 + phase_index) * 1_000_003 + step)
        loss = _loss(state.denoiser, dataset, preset, phase, generator, replicas)
        state.optimizer.zero_grad()
        torch.autograd.backward(loss)
        replicas.average_gradients(state.denoiser)
        state.update(
            learning_rate=phase.learning_rate * _schedule(step, phase.steps),
            average_decay=min(preset.average_decay, (step + 1) / (step + 10)),
        )
        if replicas.leads:
            log.report(step + 1, loss=float(loss.detach()))
            if (step + 1) % checkpoint_every_steps == 0 or step + 1 == phase.steps:
                state.save(checkpoint, phase=phase_index, step=step + 1, seconds=log.seconds)
    return state.average


@dataclass
class _DenoiserState:
    """What a checkpoint keeps: the weights, their moving average, the optimizer, and how far it is."""

    denoiser: UNet2DConditionModel
    average: UNet2DConditionModel
    optimizer: torch.optim.Optimizer
    phase: int = -1
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def begin(cls, preset: DenoiserPreset, *, seed: int) -> Self:
        torch.manual_seed(seed)
        denoiser = build_denoiser(preset).to(memory_format=torch.channels_last)
        average = copy.deepcopy(denoiser).requires_grad_(False).eval()
        optimizer = torch.optim.AdamW(denoiser.parameters(), betas=(0.9, 0.99), weight_decay=1e-2, fused=True)
        return cls(denoiser, average, optimizer)

    def resume(self, checkpoint: Path) -> None:
        """Take up what the checkpoint holds, if there is one."""
        if saved := load_checkpoint(checkpoint):
            self.denoiser.load_state_dict(saved["denoiser"])
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.phase, self.step, self.seconds = saved["phase"], saved["step"], saved["seconds"]

    def save(self, checkpoint: Path, *, phase: int, step: int, seconds: float) -> None:
        save_checkpoint(
            checkpoint,
            {
                "denoiser": self.denoiser.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "phase": phase,
                "step": step,
                "seconds": seconds,
            },
        )

    @torch.no_grad()
    def update(self, *, learning_rate: float, average_decay: float) -> None:
        """Take a step along the gradients, and draw the moving average after it."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimizer.step()
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.denoiser.parameters()), weight=1 - average_decay
        )


def draw_noise_levels(count: int, shift: float, generator: torch.Generator) -> Tensor:
    """Return (count,) noise levels in (0, 1): uniform ones, moved towards noise.

    Half-way latents show what stands where; only where noise hides it must the denoiser take it from the
    condition (for the shift: Esser et al. 2024, equation 23).
    """
    levels = torch.rand(count, generator=generator)
    return shift * levels / (1 + (shift - 1) * levels)


def _loss(
    denoiser: UNet2DConditionModel,
    dataset: LatentDataset,
    preset: DenoiserPreset,
    phase: DenoiserPhase,
    generator: torch.Generator,
    replicas: Replicas,
) -> Tensor:
    rows = torch.randint(len(dataset.latents), (phase.batch_size,), generator=generator)
    clean = dataset.latents[rows].float()
    noise = couple_noise(torch.randn(clean.shape, generator=generator), dataset.grids[rows])
    level = draw_noise_levels(phase.batch_size, preset.noise_shift, generator)
    present = torch.rand(phase.batch_size, generator=generator) >= preset.condition_dropout

    # Every replica draws the whole batch and keeps its share, so their number changes no draw.
    rows, clean, noise, level, present = map(replicas.own_share, (rows, clean, noise, level, present))
    mix = level[:, None, None, None]
    height, width = clean.shape[2:]
    condition = encode_condition(
        dataset.embedding[rows], dataset.grids[rows], height=height, width=width, present=present
    )
    noisy = torch.cat([(1 - mix) * clean + mix * noise, condition.guide], dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        estimate = denoiser(
            noisy.to(memory_format=torch.channels_last),
            level * TRAINING_TIMESTEPS,
            encoder_hidden_states=None,
            class_labels=condition.class_labels,
        ).sample
    return functional.mse_loss(estimate.float(), clean)


def _schedule(step: int, steps: int) -> float:
    """Return the share of the peak learning rate: warm-up over 100 steps, then a cosine to 5 %."""
    return min((step + 1) / 100, 0.525 + 0.475 * math.cos(math.pi * step / steps))
