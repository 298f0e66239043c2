"""From keys to frames: what lies between two keys, seen by the camera.

Between two keys some things stand and others glide by a known distance. Where standing fits better, the two
keys are mixed as they are; elsewhere each is moved to where its things are at the moment, so that nothing is
doubled.
"""

from __future__ import annotations

import io
import math
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
    change = after - before
    glide = _moved(before, share * scroll_pixels)
    change_of_glide = _moved(after, -(1 - share) * scroll_pixels)
    change_of_glide -= glide
    errors = [_error(np.abs(change)), _error(np.abs(change_of_glide))]
    weight = errors[0] ** 2 / (errors[0] ** 2 + errors[1] ** 2)
    # In place from here on: `before` becomes what stands, `glide` what glides, and at last their mixture.
    change *= np.float32(share)
    before += change
    change_of_glide *= np.float32(share)
    glide += change_of_glide
    glide -= before
    glide *= weight[:, :, None]
    glide += before
    np.rint(glide, out=glide)
    np.clip(glide, 0, 255, out=glide)
    return glide.astype(np.uint8)


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
    whole = math.floor(pixels)
    left, right = _shifted(image, whole), _shifted(image, whole + 1)
    right -= left
    right *= np.float32(pixels - whole)
    left += right
    return left


def _shifted(image: Floats, pixels: int) -> Floats:
    """Return a copy of an image that is moved to the left by whole pixels; its edges go on."""
    width = image.shape[1]
    left, right = min(max(-pixels, 0), width), min(max(pixels, 0), width)
    moved = np.empty_like(image)
    moved[:, left : width - right] = image[:, right : width - left]
    moved[:, :left] = image[:, :1]
    moved[:, width - right :] = image[:, -1:]
    return moved


def _error(difference: Floats) -> Floats:
    """Return how large differences (H, W, 3) are around each pixel, (H, W)."""
    height, width, channels = difference.shape
    mean = difference @ np.full(channels, 1 / channels, np.float32)
    small = (max(1, width // _BLUR), max(1, height // _BLUR))
    coarse = Image.fromarray(mean).resize(small, Image.Resampling.BOX)
    smooth = coarse.resize((width, height), Image.Resampling.BICUBIC)
    return np.maximum(np.asarray(smooth, dtype=np.float32), 0.0) + np.float32(_LEAST_ERROR)
