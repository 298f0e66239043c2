from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from chladni_gateway.film.compositing import between, seen_by
from chladni_gateway.film.motion import Camera

REST = Camera(zoom=1.0, across=0.0, down=0.0, light=1.0)


def scene(offset):
    """A scene whose lower half glides, over a sky that stands."""
    x = np.arange(128)
    rows = np.zeros((64, 128))
    rows[:32] = 120 + 80 * np.sin(x / 9)
    rows[32:] = 120 + 80 * np.sin((x + offset) / 5)
    return np.repeat(np.rint(rows)[:, :, None], 3, axis=2).astype(np.uint8)


def test_between_two_keys_some_things_stand_and_others_glide():
    middle = between(scene(0), scene(8), 0.5, scroll_pixels=8.0).astype(float)
    wanted = scene(4).astype(float)
    inner = (slice(None), slice(10, -10))
    assert np.abs(middle - wanted)[:24][inner].mean() < 3
    assert np.abs(middle - wanted)[40:][inner].mean() < 8
    mixed = (scene(0).astype(float) + scene(8)) / 2
    assert np.abs(mixed - wanted)[40:][inner].mean() > 15


def moved(image, pixels):
    places = np.arange(image.shape[1])
    rows = [
        np.interp(places + pixels, places, row) for row in image.transpose(0, 2, 1).reshape(-1, len(places))
    ]
    return np.reshape(rows, (len(image), 3, -1)).transpose(0, 2, 1)


def error(first, second):
    mean = Image.fromarray(np.abs(first - second).mean(axis=2).astype(np.float32))
    size = (mean.width // 16, mean.height // 16)
    smooth = mean.resize(size, Image.Resampling.BOX).resize(mean.size, Image.Resampling.BICUBIC)
    return np.maximum(np.asarray(smooth, float), 0) + 1.5


@pytest.mark.parametrize("scroll_pixels", [0.0, 7.3, 21.0, 400.0])
def test_a_mixture_is_that_of_its_definition(scroll_pixels):
    first, second = scene(0), scene(11)[:, ::-1]
    share = 1 / 3
    one, other = first.astype(float), second.astype(float)
    standing = one + share * (other - one)
    before, after = moved(one, share * scroll_pixels), moved(other, -(1 - share) * scroll_pixels)
    gliding = before + share * (after - before)
    errors = error(one, other) ** 2, error(before, after) ** 2
    weight = (errors[0] / (errors[0] + errors[1]))[:, :, None]
    wanted = standing + weight * (gliding - standing)
    found = between(first, second, share, scroll_pixels=scroll_pixels)
    assert found.dtype == np.uint8
    assert np.abs(found - wanted).max() < 0.51


def test_a_key_is_shown_as_it_is():
    first = scene(0)
    assert between(first, scene(8), 0.0, scroll_pixels=8.0) is first


def test_a_frame_has_its_size_and_its_light():
    frame = seen_by(REST, scene(0), 72, 128)
    assert frame.shape == (128, 72, 3)
    lit = seen_by(Camera(1.05, 0.01, -0.01, 1.1), scene(0), 72, 128)
    assert lit.mean() == pytest.approx(frame.mean() * 1.1, rel=0.05)
