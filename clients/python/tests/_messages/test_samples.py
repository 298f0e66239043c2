"""Arrays of samples: what they become, and which are refused."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import chladni_client as chladni
from chladni_client._messages.samples import to_wav

VOICE = np.sin(np.arange(800) / 5).astype(np.float32)


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.int32, np.uint8]),
        arrays.array_shapes(min_dims=1, max_dims=2, max_side=7),
        elements={"allow_nan": False, "allow_infinity": False, "min_value": 0, "max_value": 1},
    ),
    st.integers(8000, 192_000),
)
def test_other_programs_read_what_is_written(samples, sample_rate_hz):
    file = soundfile.SoundFile(io.BytesIO(to_wav(samples, sample_rate_hz)))
    assert (file.samplerate, file.channels) == (sample_rate_hz, samples.shape[1] if samples.ndim == 2 else 1)
    floats = file.read(dtype="float64")
    scale = {"f": 1.0, "u": 2.0**7, "i": 2.0 ** (8 * samples.itemsize - 1)}[samples.dtype.kind]
    offset = 128.0 if samples.dtype.kind == "u" else 0.0
    expected = (samples.astype(np.float32).astype(np.float64) - offset) / scale
    assert np.array_equal(floats, expected.reshape(floats.shape))


@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
def test_integers_keep_every_bit(dtype):
    samples = np.array([[-32768, 32767], [0, 1], [-1, 256]], dtype)
    with wave.open(io.BytesIO(to_wav(samples, 44100))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44100)
        assert file.readframes(9) == samples.astype("<i2").tobytes()


def test_views_and_odd_lengths_are_written_whole():
    samples = np.arange(11, dtype=np.uint8)[::-2]
    content = to_wav(samples, 8000)
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    assert len(content) % 2 == 0
    assert np.array_equal(soundfile.read(io.BytesIO(content), dtype="int16")[0] // 256 + 128, samples)


@pytest.mark.parametrize(
    ("samples", "reason", "text"),
    [
        (np.array([0.0, np.nan]), "NON_FINITE_AUDIO", "NaN or infinite"),
        (np.array([0.0, np.inf], np.float32), "NON_FINITE_AUDIO", "NaN or infinite"),
        (np.array([0.0, 1e300]), "NON_FINITE_AUDIO", "NaN or infinite"),
        (np.zeros((2, 3, 4)), "UNSUPPORTED_AUDIO_LAYOUT", r"has shape \(2, 3, 4\), must be \(n,\)"),
        (np.array(1.0), "UNSUPPORTED_AUDIO_LAYOUT", r"has shape \(\)"),
        (np.zeros((2, 44100)), "UNSUPPORTED_AUDIO_LAYOUT", "44100 channels.*pass samples.T"),
        (np.zeros((100, 9)), "UNSUPPORTED_AUDIO_LAYOUT", "9 channels, at most 8 are allowed.$"),
        (np.zeros(0), "EMPTY_AUDIO", "no samples"),
        (np.zeros((5, 0)), "EMPTY_AUDIO", "no samples"),
        (np.zeros(4, np.int64), "UNSUPPORTED_AUDIO_FORMAT", "int64; pass floats"),
        (np.zeros(4, bool), "UNSUPPORTED_AUDIO_FORMAT", "bool; pass floats"),
        (np.zeros(4, complex), "UNSUPPORTED_AUDIO_FORMAT", "complex128; pass floats"),
        (np.array(["a"]), "UNSUPPORTED_AUDIO_FORMAT", "pass floats"),
    ],
)
async def test_what_is_not_audio_is_refused_before_the_call(async_client, script, samples, reason, text):
    with pytest.raises(chladni.InvalidInputError, match=text) as caught:
        await async_client.create_image(samples, sample_rate_hz=44100)
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == "audio"
    assert not script.requests


async def test_a_rate_belongs_to_an_array_and_to_nothing_else(async_client, client, script):
    for call in (async_client.create_image, async_client.extract_features, async_client.render_spectrogram):
        with pytest.raises(TypeError, match="needs its sample rate: sample_rate_hz"):
            await call(VOICE)
        with pytest.raises(TypeError, match="a file has its own"):
            await call(b"RIFF, or so", sample_rate_hz=44100)
    with pytest.raises(TypeError, match="integer"):
        client.create_image(VOICE, sample_rate_hz=44100.5)
    with pytest.raises(chladni.InvalidInputError, match="sample_rate_hz is 0, must be at least 1"):
        client.create_image(VOICE, sample_rate_hz=0)
    assert not script.requests


async def test_samples_travel_as_a_file(async_client, script):
    image = await async_client.create_image(VOICE, sample_rate_hz=np.int64(16000), seed=7)
    await async_client.extract_features(VOICE, sample_rate_hz=16000)
    await async_client.render_spectrogram(VOICE, sample_rate_hz=16000)
    contents = {request.audio.content for request in script.requests}
    assert contents == {to_wav(VOICE, 16000)}
    assert image.seed


class Tensor:
    """What torch's tensors look like to NumPy."""

    def __array__(self, dtype=None, copy=None):
        return VOICE


async def test_whatever_numpy_understands_is_an_array(async_client, script):
    await async_client.create_image(Tensor(), sample_rate_hz=16000)
    assert script.requests[0].audio.content == to_wav(VOICE, 16000)


async def test_a_long_array_is_refused_before_the_call(async_client, script):
    with pytest.raises(chladni.InvalidInputError) as caught:
        await async_client.create_image(np.zeros(9 * 1024 * 1024, np.float32), sample_rate_hz=48000)
    assert caught.value.reason == "FILE_TOO_LARGE"
    assert not script.requests
