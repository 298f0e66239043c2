"""From keys to frames: what lies between two keys, seen by the camera.

Between two keys some things stand and others glide by a known distance. Where standing fits better, the two
keys are mixed as they are; elsewhere each is moved to where its things are at the moment, so that nothing is
doubled.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni_gateway.film.motion import Camera

_BLUR: Final = 16
_LEAST_ERROR: Final = 1.5

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def decode_key(content: bytes) -> Pixels:
    """Return the RGB pixels (H, W, 3) of a key's file."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def between(first: Pixels, second: Pixels, share: float, *, scroll_pixels: float) -> Pixels:
    """Return the image between two keys.

    Args:
        first: The key before, (H, W, 3).
        second: The key after.
        share: Where between them, from 0 to 1.
        scroll_pixels: How far things glide to the left from key to key.
    """
    if share <= 0:
        return first
    before, after = first.astype(np.float32), second.astype(np.float32)
    standing = before + share * (after - before)
    moved_before = _moved(before, share * scroll_pixels)
    moved_after = _moved(after, -(1 - share) * scroll_pixels)
    gliding = moved_before + share * (moved_after - moved_before)
    errors = [_error(before, after), _error(moved_before, moved_after)]
    weight = errors[0] ** 2 / (errors[0] ** 2 + errors[1] ** 2)
    mixed = standing + weight[:, :, None] * (gliding - standing)
    pixels: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return pixels


def seen_by(camera: Camera, pixels: Pixels, width: int, height: int) -> Pixels:
    """Return a frame of some size, of the pixels that the camera looks at."""
    image = Image.fromarray(pixels)
    # The part of the image that has the frame's proportions, and of it what the camera sees.
    scale = min(image.width / width, image.height / height) / camera.zoom
    seen_width, seen_height = width * scale, height * scale
    left = (image.width - seen_width) / 2 + camera.across * image.width
    top = (image.height - seen_height) / 2 + camera.down * image.height
    left = min(max(left, 0.0), image.width - seen_width)
    top = min(max(top, 0.0), image.height - seen_height)
    box = (left, top, left + seen_width, top + seen_height)
    frame = image.resize((width, height), Image.Resampling.BICUBIC, box=box)
    if camera.light != 1.0:
        frame = frame.point([min(255, round(value * camera.light)) for value in range(256)] * 3)
    return np.asarray(frame)


def _moved(image: Floats, pixels: float) -> Floats:
    """Return an image whose things are moved to the left; its edges go on."""
    width = image.shape[1]
    places = np.clip(np.arange(width) + pixels, 0, width - 1)
    lower = np.floor(places).astype(np.intp)
    upper = np.minimum(lower + 1, width - 1)
    share = (places - lower).astype(np.float32)[None, :, None]
    left = image[:, lower]
    moved: Floats = left + share * (image[:, upper] - left)
    return moved


def _error(first: Floats, second: Floats) -> Floats:
    """Return how much two images differ around each pixel, (H, W)."""
    difference = np.abs(first - second).mean(axis=2)
    height, width = difference.shape
    small = (max(1, width // _BLUR), max(1, height // _BLUR))
    coarse = Image.fromarray(difference).resize(small, Image.Resampling.BOX)
    smooth = coarse.resize((width, height), Image.Resampling.BICUBIC)
    return np.maximum(np.asarray(smooth, dtype=np.float32), 0.0) + np.float32(_LEAST_ERROR)
