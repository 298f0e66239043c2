"""What prepares images for CLIP's vision tower in untrained checkpoints."""

from __future__ import annotations

from transformers import CLIPImageProcessorPil


def clip_image_processor(size_pixels: int) -> CLIPImageProcessorPil:
    """Return the processor that scales and crops images to squares of some size, and normalises them."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": size_pixels}, crop_size={"height": size_pixels, "width": size_pixels}
    )
