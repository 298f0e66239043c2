from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from chladni_similarity.anomaly.windows import (
    MEL_BIN_COUNT,
    Spectrogram,
    fitted_windows,
    hz_to_mel,
    image_window,
    mel_to_hz,
    row_frequencies_hz,
    scored_windows,
    to_power,
)

TEN_SECONDS = 431


def levels(frames):
    return np.random.default_rng(1).uniform(0.2, 1.0, (MEL_BIN_COUNT, frames)).astype(np.float32)


@pytest.mark.parametrize(
    ("frames", "count"), [(20, 1), (TEN_SECONDS, 1), (TEN_SECONDS + 1, 2), (861, 2), (1292, 4)]
)
def test_a_clip_gives_as_few_windows_as_cover_it(frames, count):
    windows = scored_windows(Spectrogram(levels(frames)))
    assert len(windows) == count
    assert all(window.image.shape == (224, 224) for window in windows)


def test_ten_seconds_become_the_image_that_the_spectrogram_is_drawn_as():
    clip = levels(TEN_SECONDS)
    (window,) = scored_windows(Spectrogram(clip))
    drawn = Image.fromarray((np.flipud(clip) * 255).round().astype(np.uint8)).resize(
        (224, 224), Image.Resampling.BICUBIC
    )
    np.testing.assert_allclose(window.image, image_window(np.asarray(drawn)).image, atol=1e-6)
    np.testing.assert_allclose(
        window.image, np.asarray(drawn) / 255 + 1 - np.asarray(drawn).max() / 255, atol=1e-6
    )


def test_frequency_goes_up_and_time_to_the_right():
    clip = np.zeros((MEL_BIN_COUNT, TEN_SECONDS), np.float32)
    clip[100:, :100] = 1.0
    (window,) = scored_windows(Spectrogram(clip))
    assert window.image[:40, :45].min() > 0.9
    assert window.image[60:].max() < 0.1
    assert window.image[:, 60:].max() < 0.1


def test_short_audio_is_repeated():
    clip = levels(100)
    whole = np.tile(clip, 5)[:, :TEN_SECONDS]
    (short,), (long,) = scored_windows(Spectrogram(clip)), scored_windows(Spectrogram(whole))
    np.testing.assert_array_equal(short.image, long.image)


def test_envelopes_are_cut_with_the_image(draw):
    windows = scored_windows(draw(1, seconds=25))
    assert {window.envelopes.shape for window in windows} == {(16, 3446)}


def test_fitting_sees_overlapping_windows_and_parts_of_short_clips():
    assert len(fitted_windows(Spectrogram(levels(1292)))) == 11
    assert len(fitted_windows(Spectrogram(levels(TEN_SECONDS)))) == 1
    assert len(fitted_windows(Spectrogram(levels(TEN_SECONDS)), wanted_count=8)) > 8
    assert len(fitted_windows(Spectrogram(levels(30)), wanted_count=8)) == 1


def test_silence_stays_silent():
    (window,) = scored_windows(Spectrogram(np.zeros((MEL_BIN_COUNT, 50), np.float32)))
    assert window.image.max() == 0


def test_frequencies_of_rows_fall_from_8_khz():
    rows = row_frequencies_hz()
    assert (np.diff(rows) < 0).all()
    assert 7800 < rows[0] < 8000
    assert 0 < rows[-1] < 40


@pytest.mark.parametrize("frequency", [100.0, 999.0, 1000.0, 4000.0])
def test_the_mel_scale_can_be_inverted(frequency):
    assert float(mel_to_hz(np.array(hz_to_mel(frequency)))) == pytest.approx(frequency)


def test_levels_are_decibels():
    np.testing.assert_allclose(to_power(np.array([1.0, 0.875, 0.0], np.float32)), [1.0, 0.1, 1e-8])


def test_a_long_clip_gives_no_more_windows_than_are_allowed(draw):
    clip = draw(1, seconds=60)
    every = fitted_windows(clip)
    few = fitted_windows(clip, max_count=4)
    assert len(every) == 26
    assert len(few) == 4
    np.testing.assert_array_equal(few[1].image, every[7].image)
