"""Images of AudioLDM's spectrograms: where things are, and how bright."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_image_generation.families.common.mel_images import mel_image, mel_levels

FRAMES, BINS = 1024, 64
SILENCE = math.log(1e-5)
DARKEST, BRIGHTEST = (68, 1, 84), (253, 231, 37)  # viridis' ends


def nepers(decibels):
    return decibels * math.log(10) / 20


@pytest.mark.parametrize(
    ("frames", "bins", "column", "row"),
    [
        (slice(0, 100), slice(0, 8), 25, 480),  # early and low: left and at the bottom
        (slice(900, 1000), slice(56, 64), 475, 32),  # late and high: right and at the top
    ],
)
def test_time_runs_to_the_right_and_frequency_upwards(frames, bins, column, row):
    mel = np.full((FRAMES, BINS), SILENCE, np.float32)
    mel[frames, bins] = 0.0
    image = mel_image(mel, size_pixels=512)
    assert image.shape == (512, 512, 3)
    assert image.dtype == np.uint8
    assert tuple(image[row, column]) == BRIGHTEST
    assert tuple(image[511 - row, 511 - column]) == DARKEST


@given(
    loudest=st.floats(-19, 40),
    below=st.lists(st.floats(0, 120), min_size=1, max_size=20),
)
def test_brightness_is_the_distance_to_the_loudest_cell_in_decibels(loudest, below):
    decibels = np.array([loudest, *(loudest - distance for distance in below)])
    levels = mel_levels(nepers(decibels).astype(np.float32))
    np.testing.assert_allclose(levels, np.clip(1 - np.array([0.0, *below]) / 80, 0, 1), atol=1e-5)


@given(gain=st.floats(0, 60))
def test_a_louder_sound_has_the_same_image(gain):
    mel = nepers(np.random.default_rng(0).uniform(-100, -15, (32, 16))).astype(np.float32)
    assert np.allclose(mel_levels(mel), mel_levels((mel + nepers(gain)).astype(np.float32)), atol=1e-4)


@given(loudest=st.floats(-100, -20))
def test_what_is_hardly_above_the_models_floor_is_dark(loudest):
    levels = mel_levels(np.array([nepers(loudest), SILENCE, SILENCE - 5], np.float32))
    assert levels[0] == pytest.approx((loudest + 100) / 80, abs=1e-5)
    assert levels[1] == pytest.approx(0, abs=1e-5)
    assert levels[2] == 0


def test_silence_is_all_dark():
    image = mel_image(np.full((FRAMES, BINS), SILENCE, np.float32), size_pixels=32)
    assert {tuple(pixel) for pixel in image.reshape(-1, 3)} == {DARKEST}
