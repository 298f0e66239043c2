"""An image as shapes, which have no resolution: a ground, lines, and dots of one size.

Lengths are in pixels of the size that the image has by itself; x to the right, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour.

    Attributes:
        red: sRGB, 0 to 255, as are `green` and `blue`.
        green: See `red`.
        blue: See `red`.
        opacity: 0 to 1.
    """

    red: int
    green: int
    blue: int
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class DotLayer:
    """All dots once more, in a colour and size of their own: their shadows, bodies or lights.

    Attributes:
        colour: Of each dot.
        radius: Of each dot.
        right: How far they are moved to the right.
        down: How far they are moved downwards.
    """

    colour: Colour
    radius: float
    right: float = 0.0
    down: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class VectorImage:
    """An image as shapes.

    Attributes:
        width: Width.
        height: Height.
        ground: Colours from the centre to the corners, evenly spaced on ellipses around it; at least two.
        lines: Points (N, 2) of each line, x and y; a closed one ends where it begins.
        line_colour: Colour of the lines.
        line_width: Width of the lines.
        dots: (N, 2) centres, x and y.
        layers: How the dots are drawn, the lowest layer first.
    """

    width: int
    height: int
    ground: tuple[Colour, ...]
    lines: tuple[NDArray[np.float64], ...]
    line_colour: Colour
    line_width: float
    dots: NDArray[np.float64]
    layers: tuple[DotLayer, ...]
