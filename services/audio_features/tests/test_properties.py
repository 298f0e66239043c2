"""Properties of the original design that hold for any audio; `tests/README.md` maps them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_contract.errors import InvalidInputError, Reason
from chladni_runtime.settings import load_settings

LIMITS = load_settings(AudioFeaturesSettings, {}).decoding_limits
FOREIGN = (
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"%PDF-1.7\n",
    b"PK\x03\x04",
    b"MThd\x00\x00\x00\x06",
    b"\x7fELF\x02\x01",
    b"SQLite format 3\x00",
    b"<!DOCTYPE html>",
    b'{"audio": ',
)


@given(start=st.sampled_from(FOREIGN), rest=st.binary(min_size=32, max_size=2000))
@settings(max_examples=200, deadline=None)
def test_what_is_no_audio_is_refused_with_the_formats_that_are(start, rest):
    """Feature: voice-to-image-system, Property 2: Invalid Format Rejection.

    For any file with an unsupported format, the error says that the format is not supported.
    """
    with pytest.raises(InvalidInputError) as caught:
        AudioDecoder(LIMITS).decode(start + rest)
    assert caught.value.reason in (Reason.UNSUPPORTED_AUDIO_FORMAT, Reason.CORRUPT_AUDIO)
    if caught.value.reason is Reason.UNSUPPORTED_AUDIO_FORMAT:
        assert "WAV" in caught.value.message
    assert len(caught.value.message) > 20


@given(
    limit_seconds=st.floats(0.3, 1.0),
    share=st.floats(0.4, 1.6),
    rate_hz=st.sampled_from([8000, 16000, 44100]),
    file_format=st.sampled_from(["WAV", "FLAC"]),
)
@settings(max_examples=120, deadline=None)
def test_audio_up_to_the_limit_passes_and_longer_audio_does_not(
    files, limit_seconds, share, rate_hz, file_format
):
    """Feature: voice-to-image-system, Property 3: Duration Limit Enforcement.

    For any audio up to the limit, to the nearest sample, processing succeeds; any longer audio is refused as
    such.
    """
    decoder = AudioDecoder(replace(LIMITS, max_duration_seconds=limit_seconds))
    count = round(share * limit_seconds * rate_hz)
    samples = 0.1 * np.random.default_rng(count).standard_normal(count)
    content = files.encode(samples, rate_hz, file_format)
    if count <= round(limit_seconds * rate_hz):
        assert decoder.decode(content).duration_seconds == pytest.approx(count / rate_hz, abs=0.001)
    else:
        with pytest.raises(InvalidInputError) as caught:
            decoder.decode(content)
        assert caught.value.reason is Reason.AUDIO_TOO_LONG


@given(seed=st.integers(0, 2**32), count=st.integers(2205, 20_000), exponent=st.floats(-6.0, 2.0))
@settings(max_examples=120, deadline=None)
def test_a_spectrogram_is_the_same_each_time(transform, seed, count, exponent):
    """Feature: voice-to-image-system, Property 5: Spectrogram Determinism.

    For any audio, extracting the spectrogram again gives the same bits, wherever the samples lie in memory.
    """
    samples = (10**exponent * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)
    moved = np.empty(count + 1, np.float32)[1:]
    moved[:] = samples
    first = log_mel_spectrogram(transform.power_of_clip(samples)).decibels
    again = log_mel_spectrogram(transform.power_of_clip(moved)).decibels
    assert first.tobytes() == again.tobytes()
