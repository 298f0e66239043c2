"""The network, what it learns, and how its images are drawn.

Ho et al. (2020), "Denoising diffusion probabilistic models": the network tells the noise in an image at one
of 1000 noise levels, and the mean square of its error is what training makes small. The levels follow a
cosine (Nichol & Dhariwal 2021, "Improved denoising diffusion probabilistic models"), which leaves small
images recognisable for longer than a straight line would. Images are drawn in all 1000 steps, or in fewer by
DDIM (Song et al. 2021, "Denoising diffusion implicit models").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch import Tensor, nn
from torch.nn import functional

from chladni_training.errors import DataError

TRAINING_TIMESTEPS: Final = 1000
_ATTENTION_HEAD: Final = 8


def build_network(
    image_shape: Sequence[int], channels: Sequence[int], *, layers: int, norm_groups: int = 8
) -> UNet2DModel:
    """Return a fresh UNet: a block down and a block up for each number of channels, joined by skips.

    Args:
        image_shape: (C, H, W).
        channels: Channels at each resolution, multiples of the groups; each further one halves the sides.
        layers: Residual layers of a block.
        norm_groups: Groups of the normalisations.

    Raises:
        DataError: The images' sides cannot be halved so often.
    """
    image_channels, height, width = image_shape
    halvings = 2 ** (len(channels) - 1)
    if height % halvings or width % halvings:
        raise DataError(f"images of {width} x {height} pixels cannot be halved {len(channels) - 1} times")
    network: UNet2DModel = UNet2DModel(
        sample_size=height if height == width else (height, width),
        in_channels=image_channels,
        out_channels=image_channels,
        layers_per_block=layers,
        block_out_channels=tuple(channels),
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        attention_head_dim=_ATTENTION_HEAD,
        norm_num_groups=norm_groups,
    )
    return network


def build_scheduler(*, ddim: bool) -> DDPMScheduler | DDIMScheduler:
    """Return the scheduler of all steps, or the one that takes fewer."""
    scheduler: DDPMScheduler | DDIMScheduler = (DDIMScheduler if ddim else DDPMScheduler)(
        num_train_timesteps=TRAINING_TIMESTEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="epsilon",
        clip_sample=True,
    )
    return scheduler


class NoiseObjective:
    """The mean square error of the noise that the network tells."""

    def __init__(self) -> None:
        self._scheduler = build_scheduler(ddim=False)

    def __call__(self, model: nn.Module, batch: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        """Return the loss for uint8 images (B, C, H, W) at noise levels that the generator draws."""
        clean = batch.float() / 127.5 - 1
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        timesteps = torch.randint(0, TRAINING_TIMESTEPS, (len(batch),), generator=generator).to(clean.device)
        noisy = self._scheduler.add_noise(clean, noise, timesteps)
        predicted: Tensor = model(noisy, timesteps).sample
        return {"noise": functional.mse_loss(predicted.float(), noise)}


@torch.inference_mode()
def draw_images(
    network: UNet2DModel, count: int, *, steps: int, seed: int, ddim: bool = True, batch_size: int = 64
) -> npt.NDArray[np.uint8]:
    """Return images, uint8 (N, C, H, W), that a network makes from noise.

    Args:
        network: The network.
        count: How many.
        steps: Denoising steps.
        seed: Of the noise.
        ddim: Whether by DDIM; else by DDPM, which draws noise in each step.
        batch_size: Images in a call of the network.
    """
    config: Any = network.config
    sides = config.sample_size if isinstance(config.sample_size, Sequence) else (config.sample_size,) * 2
    generator = torch.Generator().manual_seed(seed)
    was_training = network.training
    network.eval()
    images = []
    for first in range(0, count, batch_size):
        scheduler = build_scheduler(ddim=ddim)
        scheduler.set_timesteps(steps)
        rows = min(batch_size, count - first)
        image = torch.randn((rows, config.in_channels, *sides), generator=generator).to(network.device)
        for timestep in scheduler.timesteps:
            noise = network(image, timestep).sample
            image = scheduler.step(noise, timestep, image, generator=generator).prev_sample
        images.append(((image / 2 + 0.5).clamp(0, 1) * 255).round().byte().cpu().numpy())
    network.train(was_training)
    return np.concatenate(images)
