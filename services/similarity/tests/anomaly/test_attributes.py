from __future__ import annotations

import numpy as np
import pytest

from chladni_similarity.anomaly.attributes import DEFINITIONS, describe
from chladni_similarity.anomaly.windows import Spectrogram, image_window, scored_windows


def attributes(spectrogram, shaft_hz=None):
    (window,) = scored_windows(spectrogram)
    return describe(window, shaft_hz)


def test_every_attribute_is_defined(draw):
    values = attributes(draw(1), shaft_hz=25.0).values
    assert set(values) == {definition.name for definition in DEFINITIONS}
    assert all(np.isfinite(value) for value in values.values())


def test_an_image_shows_what_does_not_need_the_envelope(draw):
    (window,) = scored_windows(draw(1))
    seen = image_window((window.image * 255).astype(np.uint8))
    whole, image = describe(window).values, describe(seen).values
    assert set(whole) - set(image) == {"roughness", "fluctuation", "impulsiveness", "periodicity"}
    assert image["brightness"] == pytest.approx(whole["brightness"], rel=0.02)


@pytest.mark.parametrize("rate_hz", [7.3, 31.0, 43.0])
def test_impacts_are_found_with_their_rate(draw, rate_hz):
    calm, struck = attributes(draw(1)), attributes(draw(1, impacts_hz=rate_hz, impact=0.01))
    assert struck.values["periodicity"] > calm.values["periodicity"] + 5
    assert min(abs(struck.impact_hz / rate_hz - multiple) for multiple in (1, 2, 3, 4, 5)) < 0.02
    assert struck.values["impulsiveness"] > calm.values["impulsiveness"]


def test_impacts_in_step_with_the_shaft_are_told_from_those_out_of_step(draw):
    once_a_turn = attributes(draw(1, impacts_hz=20.0, impact=0.01), shaft_hz=20.0).values
    bearing = attributes(draw(1, impacts_hz=71.6, impact=0.01), shaft_hz=20.0).values
    assert once_a_turn["shaft_order_1"] > bearing["shaft_order_1"] + 5
    assert bearing["off_order"] > once_a_turn["off_order"] + 5


def test_a_higher_tone_is_brighter_and_louder_in_its_band(draw):
    calm, whistling = attributes(draw(1)).values, attributes(draw(1, tone=0.5)).values
    assert whistling["brightness"] > calm["brightness"] * 1.2
    assert whistling["level_1500_to_4000_hz"] > calm["level_1500_to_4000_hz"] + 10


def test_noise_is_flatter(draw):
    assert attributes(draw(1, noise=10)).values["flatness"] > attributes(draw(1)).values["flatness"] + 3


def test_silence_has_finite_attributes(draw):
    silence = Spectrogram(np.zeros((128, 431), np.float32), np.zeros((16, 3446), np.float32))
    values = attributes(silence).values
    assert all(np.isfinite(value) for value in values.values())
