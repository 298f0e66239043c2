"""One frame of a moving sound: its scene, and the light that follows what is heard at this moment.

The scene of a still image stands for a whole sound. That of a frame is a window over a course that glides on
(`CourseWindow`), while the numbers of the whole sound change slowly: so things move over the image and keep
their forms. What happens now shows at once as light, which the denoiser need not paint: a glow around the
focus with the level, and a flash at the right edge, at which new things appear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

import torch
from torch import Tensor

from chladni_image_generation.families.embedded.correspondences import (
    ImageParameters,
    parameters_from_descriptors,
)
from chladni_image_generation.families.embedded.fields import pixel_grid
from chladni_image_generation.families.embedded.palette import srgb_from_oklab
from chladni_image_generation.families.embedded.scene import Placement
from chladni_image_generation.generation import CourseWindow

_GLOW_RADIUS: Final = 0.75
_GLOW_STRENGTH: Final = 0.22
_DIMMING: Final = 0.18
"""How much darker an image is in a pause."""

_FLASH_WIDTH: Final = 0.30
_FLASH_STRENGTH: Final = 0.40


@dataclass(frozen=True)
class MovingScene:
    """What a sound decides at the moment of a frame.

    Attributes:
        parameters: Those of the sound as a whole, with the moving course: a batch of one.
        placement: Where the segments of the course stand.
        level: How loud it is now, 0 to 1.
        flash: How strongly something begins just now, 0 to 1.
    """

    parameters: ImageParameters
    placement: Placement
    level: float
    flash: float

    @classmethod
    def of(cls, embedding: Tensor, window: CourseWindow) -> Self:
        """Return the scene of a frame.

        Args:
            embedding: (152,) floats in [0, 1], of which the whole sound's part counts.
            window: What the frame shows of the course.
        """
        parameters = parameters_from_descriptors(embedding[None])
        placement = Placement(
            centres=torch.tensor(window.centres),
            numbers=tuple(window.numbers.tolist()),
            means=torch.tensor(window.means)[None],
            growth=torch.tensor(window.growth),
            drift=window.drift,
        )
        return cls(
            replace(parameters, course=torch.tensor(window.course)[None]),
            placement,
            window.level,
            window.flash,
        )

    def lit(self, image: Tensor) -> Tensor:
        """Return an image (3, H, W) in [0, 1] in the light of this moment.

        Light is added as on a screen, so that what is light already is not burnt out.
        """
        _, height, width = image.shape
        x, y = (axis[0] for axis in pixel_grid(1, height, width))
        lights = srgb_from_oklab(
            torch.stack([self.parameters.palette[0, -1], self.parameters.accent[0]], dim=1)[None, :, None]
        )[0, :, 0]
        focus_y = 0.6 * float(self.parameters.mass_y)
        glow = torch.exp(-(x**2 + (y - focus_y) ** 2) / _GLOW_RADIUS**2) * (_GLOW_STRENGTH * self.level**2)
        edge = torch.exp((x - max(width / height, 1.0)) / _FLASH_WIDTH) * (_FLASH_STRENGTH * self.flash)
        added = lights[:, 0, None, None] * glow + lights[:, 1, None, None] * edge
        base = image * (1 - _DIMMING * (1 - self.level))
        return (1 - (1 - base) * (1 - added)).clamp(0, 1)
