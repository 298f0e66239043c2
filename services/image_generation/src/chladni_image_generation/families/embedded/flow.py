"""The straight path between noise and an image."""

from typing import Final

from torch import Tensor

_LEAST_NOISE_LEVEL: Final = 1e-3


def velocity_of(latents: Tensor, clean: Tensor, noise_level: Tensor) -> Tensor:
    """The velocity e - z of a flow x = (1 - s) z + s e, from where it leads to.

    Args:
        latents: x.
        clean: z, by the denoiser's estimate.
        noise_level: s; below a thousandth, where a flow is at its end, it counts as one.
    """
    return (latents - clean) / noise_level.clamp(min=_LEAST_NOISE_LEVEL)
