"""Images of spectrograms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.rendering import Colormap, ImageEncoding, ImageFormat, render_spectrogram


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    frames=st.integers(1, 50),
    colormap=st.sampled_from(list(Colormap)),
)
@settings(max_examples=100, deadline=None)
def test_images_have_the_size_asked_for(width, height, frames, colormap):
    scaled = np.random.default_rng(frames).random((128, frames), dtype=np.float32)
    arguments = {"width_pixels": width, "height_pixels": height, "colormap": colormap}
    png = render_spectrogram(scaled, **arguments)
    assert pixels(png).shape == (height, width, 3)
    assert render_spectrogram(scaled, **arguments) == png


@pytest.mark.parametrize(
    ("image_format", "smallest_error"),
    [(ImageFormat.JPEG, 4.0), (ImageFormat.WEBP, 14.0)],  # WebP's lossy coding halves the colours' resolution
)
def test_lossy_formats_have_a_quality(sounds, transform, image_format, smallest_error):
    scaled = log_mel_spectrogram(transform.power_of_clip(sounds.chord(60, 64, 67))).scaled
    exact = pixels(render_spectrogram(scaled, width_pixels=200, height_pixels=120)).astype(int)
    sizes, errors = [], []
    for quality in (1, 50, 90, 100):
        encoding = ImageEncoding(image_format, quality)
        content = render_spectrogram(scaled, width_pixels=200, height_pixels=120, encoding=encoding)
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.mode) == (image_format.value, "RGB")
            errors.append(np.abs(np.asarray(image).astype(int) - exact).mean())
        sizes.append(len(content))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < smallest_error < errors[0]


def test_time_runs_to_the_right_and_frequency_upwards():
    scaled = np.zeros((128, 128), np.float32)
    scaled[:32, :32] = 1.0  # low and early
    image = pixels(render_spectrogram(scaled, width_pixels=128, height_pixels=128))
    yellow, purple = (253, 231, 37), (68, 1, 84)
    assert tuple(image[-10, 10]) == yellow
    for row, column in ((10, 10), (-10, -10), (10, -10)):
        assert tuple(image[row, column]) == purple


def test_a_tone_is_a_line(sounds, transform):
    scaled = log_mel_spectrogram(transform.power_of_clip(sounds.tone(1000))).scaled
    gray = pixels(render_spectrogram(scaled, width_pixels=256, height_pixels=512, colormap=Colormap.GRAY))
    brightest = gray[:, 60:200, 0].argmax(axis=0)
    assert np.ptp(brightest) <= 2


def test_colour_maps():
    viridis = Colormap.VIRIDIS.table()
    assert viridis.shape == (256, 3)
    assert viridis[0].tolist() == [68, 1, 84]
    assert viridis[255].tolist() == [253, 231, 37]
    # Published colours of the full table, at places between the anchors.
    for place, colour in {64: (59, 82, 139), 128: (33, 145, 140), 192: (94, 201, 98)}.items():
        assert np.abs(viridis[place].astype(int) - colour).max() <= 2
    luminance = viridis @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -0.5).all()
    assert Colormap.GRAY.table().tolist() == [[level] * 3 for level in range(256)]


def test_images_of_silence_are_dark():
    image = pixels(render_spectrogram(np.zeros((128, 5), np.float32), width_pixels=32, height_pixels=16))
    assert (image == [68, 1, 84]).all()


@pytest.mark.parametrize("size", [16, 4096])
def test_extreme_sizes(size):
    png = render_spectrogram(np.ones((128, 10), np.float32), width_pixels=size, height_pixels=16)
    assert pixels(png).shape == (16, size, 3)
