"""The richness of images that are poorer or richer by construction."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from chladni_evaluation.statistics.richness import SIDE_PIXELS, entropy_bits, richness_of

SIDE = SIDE_PIXELS
AXIS = np.arange(SIDE) / SIDE


def gray(luminance: np.ndarray) -> np.ndarray:
    return np.repeat((luminance.clip(0, 1) * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def fractal_noise(exponent: float) -> np.ndarray:
    """Noise whose power falls with the frequency to the power of the exponent, within 0 to 1."""
    cycles = np.fft.fftfreq(SIDE, 1 / SIDE)
    radius = np.maximum(np.hypot(cycles[:, None], cycles[None, :]), 1)
    spectrum = np.fft.fft2(np.random.default_rng(0).standard_normal((SIDE, SIDE)))
    noise = np.fft.ifft2(spectrum * radius ** (exponent / 2)).real
    return 0.5 + 0.12 * noise / noise.std()


PLAIN = gray(np.full((SIDE, SIDE), 0.4))
RAMP = gray(np.tile(AXIS, (SIDE, 1)))
RAINBOW = np.array(
    Image.fromarray(
        np.stack(
            [np.tile((AXIS * 256).astype(np.uint8), (SIDE, 1)), *np.full((2, SIDE, SIDE), 220, np.uint8)],
            axis=2,
        ),
        "HSV",
    ).convert("RGB")
)


def test_a_plain_image_has_nothing() -> None:
    richness = richness_of(PLAIN)
    assert (
        richness.colour_entropy_bits
        == richness.edge_density
        == richness.distinct_hues
        == richness.detail_scales
        == 0
    )
    assert richness.spectrum_slope == pytest.approx(0, abs=1e-6)


def test_a_rainbow_has_every_hue_and_a_ramp_of_gray_none() -> None:
    assert richness_of(RAINBOW).distinct_hues == 24
    assert richness_of(RAMP).distinct_hues == 0
    assert richness_of(RAMP).colour_entropy_bits == pytest.approx(4, abs=1e-3)
    assert richness_of(RAINBOW).colour_entropy_bits > 4


@pytest.mark.parametrize(("red", "green", "blue"), [(200, 20, 20), (20, 200, 20), (20, 20, 200)])
def test_one_colour_is_one_hue(red: int, green: int, blue: int) -> None:
    image = np.full((SIDE, SIDE, 3), (red, green, blue), np.uint8)
    assert richness_of(image).distinct_hues == 1


def test_the_slope_of_noise_is_that_which_it_was_made_with() -> None:
    for exponent in (0.0, -1.0, -2.0, -3.0):
        assert richness_of(gray(fractal_noise(exponent))).spectrum_slope == pytest.approx(exponent, abs=0.25)


def test_blur_takes_edges_and_steepens_the_slope() -> None:
    sharp = gray(fractal_noise(-2.0))
    blurred = np.array(Image.fromarray(sharp).resize((16, 16), Image.Resampling.BOX).resize((SIDE, SIDE)))
    before, after = richness_of(sharp), richness_of(blurred)
    assert after.edge_density < 0.2 * before.edge_density
    assert after.spectrum_slope < before.spectrum_slope - 1


def test_detail_at_every_scale_counts_more_than_detail_at_one() -> None:
    board = gray(0.3 + 0.4 * ((np.arange(SIDE)[:, None] + np.arange(SIDE)[None, :]) % 2))
    assert richness_of(board).detail_scales == pytest.approx(1)
    assert 1 < richness_of(gray(fractal_noise(0.0))).detail_scales < 3
    assert richness_of(gray(fractal_noise(-2.0))).detail_scales > 4.5


def test_entropy_is_that_of_shares() -> None:
    assert entropy_bits(np.array([3.0, 3.0, 0.0, 3.0, 3.0])) == pytest.approx(2)
    assert entropy_bits(np.zeros(4)) == 0


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        richness_of(np.zeros((8, 8, 3), np.uint8))
