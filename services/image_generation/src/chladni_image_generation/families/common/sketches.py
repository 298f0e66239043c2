"""Small latents that show what large ones are, for previews."""

import torch
from torch import Tensor


def shrunk_latents(latents: Tensor, size_pixels: int, *, full_size_pixels: int) -> Tensor:
    """Returns latents (C, h, w) of a small image of what latents (C, H, W) show.

    Decoding latents after shrinking them costs as little as the preview is small.

    Args:
        latents: Latents without noise.
        size_pixels: Length of the preview's longer side.
        full_size_pixels: Length of the longer side of the image that the latents decode to.
    """
    shrinkage = min(1.0, size_pixels / full_size_pixels)
    return torch.nn.functional.interpolate(
        latents[None], size=[max(1, round(side * shrinkage)) for side in latents.shape[1:]], mode="area"
    )[0]
