"""Strips of a large image, computed one after the other, so that memory need not grow with the image.

A pixel depends on what is near it alone: as far as the convolutions of a network see. So a strip is computed
together with so many rows above and below it, which are cut off afterwards, and is what it would be in the
whole image. Nothing is blended, and there are no seams.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LOCAL_BLOCK = "ResBlock"
"""Kind of block of an ``AutoencoderDC`` that has convolutions alone; others look at the whole image."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Some rows of an image.

    Attributes:
        rows: The rows, from 0 at the top.
        around: The rows, and those above and below that they depend on, as far as the image goes.
    """

    rows: slice
    around: slice

    @property
    def inner(self) -> slice:
        """Where the rows are among those around."""
        return slice(self.rows.start - self.around.start, self.rows.stop - self.around.start)


def strips_of(height: int, width: int, *, max_area: int, margin: int, multiple: int = 1) -> list[Strip]:
    """Return strips of about equal height that together are an image; one if the image is small.

    Args:
        height: Height of the image.
        width: Its width.
        max_area: Area of a strip at most, with the rows around it, as long as that is higher than these.
        margin: How many rows above and below a strip it depends on; a multiple of `multiple`.
        multiple: Strips begin at multiples of this.
    """
    if height * width <= max_area:
        return [Strip(slice(0, height), slice(0, height))]
    largest = max(max_area // width - 2 * margin, margin, 1)
    count = math.ceil(height / largest)
    step = math.ceil(height / count / multiple) * multiple
    return [
        Strip(
            slice(start, min(start + step, height)),
            slice(max(start - margin, 0), min(start + step + margin, height)),
        )
        for start in range(0, height, step)
    ]


def decoder_reach(config: Mapping[str, Any]) -> int | None:
    """Return how many latents away an ``AutoencoderDC`` looks for a pixel; `None` if at all of them.

    Args:
        config: Its configuration.
    """
    kinds = config["decoder_block_types"]
    if {kinds} != {LOCAL_BLOCK} if isinstance(kinds, str) else set(kinds) != {LOCAL_BLOCK}:
        return None
    layers = config["decoder_layers_per_block"]
    reach, latent = 1.0, 1.0  # the first convolution; the side of a latent, in those of the present level
    for level, count in reversed(list(enumerate(layers))):
        if level < len(layers) - 1:
            reach += latent
            latent /= 2
        reach += 2 * count * latent
    return math.ceil(reach + latent)
