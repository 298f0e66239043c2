"""From bytes to mono samples, within limits."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chladni_audio_features.audio.clip import ClipPart
from chladni_audio_features.audio.containers.recognition import Container
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import (
    AudioError,
    AudioTooLargeError,
    AudioTooLongError,
    AudioTooShortError,
    ChannelCountError,
    CorruptAudioError,
    EmptyAudioError,
    SampleRateError,
    SampleValueError,
    TruncatedAudioError,
)
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_contract.errors import InvalidInputError, Reason

LIMITS = DecodingLimits()
DECODER = AudioDecoder(LIMITS)
ENCODED = (Container.WAV, Container.MP3, Container.FLAC, Container.OGG)
"""Kinds of file that the tests' encoder writes; `test_formats` has the others."""
NOISE = np.random.default_rng(0).normal(0, 0.1, 2 * 44100).astype(np.float32)


@given(
    container=st.sampled_from(ENCODED),
    rate_hz=st.sampled_from([8000, 16000, 22050, 32000, 44100, 48000]),
    channels=st.integers(1, 2),
    seconds=st.floats(0.11, 1.5),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=120, deadline=None)
def test_every_valid_file_is_decoded(files, container, rate_hz, channels, seconds, seed):
    """Feature: voice-to-image-system, Property 1: Valid Audio Processing."""
    count = round(seconds * rate_hz)
    samples = 0.1 * np.random.default_rng(seed).standard_normal((count, channels))
    content = files.encode(samples, rate_hz, container.value)
    clip = DECODER.decode(content)
    assert clip.samples.dtype == np.float32
    assert clip.samples.ndim == 1
    assert clip.sample_rate_hz == 22050
    assert np.isfinite(clip.samples).all()
    assert clip.source.container is container
    assert (clip.source.sample_rate_hz, clip.source.channels) == (rate_hz, channels)
    assert abs(clip.duration_seconds - seconds) < 3 * 1152 / rate_hz
    assert np.array_equal(clip.samples, DECODER.decode(content).samples)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_samples_come_back(files, sounds, subtype):
    samples = sounds.tone(440, seconds=0.5)
    decoded = DECODER.decode(files.encode(samples, subtype=subtype)).samples
    assert np.abs(decoded - samples).max() < 2 / 32768


def test_channels_are_averaged_and_then_resampled(files):
    left, right = NOISE[:44100], NOISE[44100:]
    decoded = DECODER.decode(files.encode(np.stack([left, right], 1), 44100, subtype="FLOAT")).samples
    assert np.array_equal(decoded, soxr.resample((left + right) / 2, 44100, 22050, quality="HQ"))


def test_silence_is_audio(files):
    assert not DECODER.decode(files.encode(np.zeros(22050), file_format="FLAC")).samples.any()


@pytest.mark.parametrize("container", ENCODED)
def test_exactly_thirty_seconds_pass_and_more_does_not(files, container):
    rate_hz = 16000
    sound = np.random.default_rng(1).normal(0, 0.05, 31 * rate_hz)
    clip = DECODER.decode(files.encode(sound[: 30 * rate_hz], rate_hz, container.value))
    assert clip.source.duration_seconds == pytest.approx(30.0, abs=0.001)
    with pytest.raises(AudioTooLongError, match="limit is 30 s"):
        DECODER.decode(files.encode(sound, rate_hz, container.value))


def test_an_mp3_without_a_tag_is_decoded_to_its_end(files):
    tagged = files.encode(NOISE, 44100, "MP3")
    second = next(place for place in range(4, len(tagged)) if tagged[place : place + 2] == b"\xff\xfb")
    bare = tagged[second:]
    assert DECODER.decode(bare).duration_seconds == pytest.approx(2.0, abs=0.08)


WRONG = {
    "no bytes": (lambda f: b"", EmptyAudioError, Reason.EMPTY_AUDIO, "0 bytes"),
    "no samples": (lambda f: f.wav(b""), EmptyAudioError, Reason.EMPTY_AUDIO, "no samples"),
    "too large": (
        lambda f: f.wav(bytes(10 * 2**20)),
        AudioTooLargeError,
        Reason.FILE_TOO_LARGE,
        "limit is 10485760",
    ),
    "too short": (
        lambda f: f.encode(np.zeros(2000)),
        AudioTooShortError,
        Reason.AUDIO_TOO_SHORT,
        "at least 0.1 s",
    ),
    "too long": (
        lambda f: f.encode(np.zeros(31 * 8000), 8000),
        AudioTooLongError,
        Reason.AUDIO_TOO_LONG,
        "31.00 s long, the limit is 30 s",
    ),
    "renamed text": (
        lambda f: b"this is not music.wav",
        AudioError,
        Reason.UNSUPPORTED_AUDIO_FORMAT,
        "text",
    ),
    "zero channels": (
        lambda f: f.wav(channels=0),
        ChannelCountError,
        Reason.UNSUPPORTED_AUDIO_LAYOUT,
        "no channels",
    ),
    "zero channels in an otherwise valid header": (
        lambda f: f.wav(channels=0, block_bytes=2),
        ChannelCountError,
        Reason.UNSUPPORTED_AUDIO_LAYOUT,
        "no channels",
    ),
    "nine channels": (
        lambda f: f.wav(bytes(18 * 4410), channels=9),
        ChannelCountError,
        Reason.UNSUPPORTED_AUDIO_LAYOUT,
        "9 channels, the limit is 8",
    ),
    "1 Hz": (lambda f: f.wav(rate_hz=1), SampleRateError, Reason.UNSUPPORTED_AUDIO_LAYOUT, "is 1 Hz"),
    "0 Hz": (lambda f: f.wav(rate_hz=0), SampleRateError, Reason.UNSUPPORTED_AUDIO_LAYOUT, "is 0 Hz"),
    "400 kHz": (
        lambda f: f.wav(rate_hz=400_000),
        SampleRateError,
        Reason.UNSUPPORTED_AUDIO_LAYOUT,
        "400000 Hz, allowed are 8000 to 192000 Hz",
    ),
    "NaN": (
        lambda f: f.float_wav([0.1, np.nan] * 3000),
        SampleValueError,
        Reason.NON_FINITE_AUDIO,
        "3000 samples that are NaN",
    ),
    "infinity": (
        lambda f: f.float_wav([0.1, -np.inf] * 3000),
        SampleValueError,
        Reason.NON_FINITE_AUDIO,
        "infinite",
    ),
    "absurdly loud": (
        lambda f: f.float_wav([0.1, 1e30] * 3000),
        SampleValueError,
        Reason.NON_FINITE_AUDIO,
        "limit is 65536",
    ),
    "cut wav": (
        lambda f: f.encode(NOISE, 44100)[:9999],
        TruncatedAudioError,
        Reason.CORRUPT_AUDIO,
        "complete file",
    ),
    "cut flac": (
        lambda f: f.encode(NOISE, 44100, "FLAC")[:-9999],
        TruncatedAudioError,
        Reason.CORRUPT_AUDIO,
        "complete file",
    ),
    "cut mp3": (
        lambda f: f.encode(NOISE, 44100, "MP3")[:-9999],
        TruncatedAudioError,
        Reason.CORRUPT_AUDIO,
        "complete file",
    ),
    "cut ogg": (
        lambda f: f.encode(NOISE, 44100, "OGG")[:-9999],
        TruncatedAudioError,
        Reason.CORRUPT_AUDIO,
        "complete file",
    ),
    "flac that lies": (
        lambda f: f.flac_with_length(f.encode(NOISE, 44100, "FLAC"), 4 * len(NOISE)),
        TruncatedAudioError,
        Reason.CORRUPT_AUDIO,
        "damaged",
    ),
    "flac that lies boldly": (
        lambda f: f.flac_with_length(f.encode(NOISE, 44100, "FLAC"), 2**35),
        AudioTooLongError,
        Reason.AUDIO_TOO_LONG,
        "limit is 30 s",
    ),
    "header alone": (
        lambda f: f.encode(NOISE, 44100, "FLAC")[:42],
        CorruptAudioError,
        Reason.CORRUPT_AUDIO,
        "damaged",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_fault_has_its_own_error(files, name):
    make, error_type, reason, words = WRONG[name]
    with pytest.raises(error_type) as caught:
        DECODER.decode(make(files))
    error = caught.value
    assert isinstance(error, InvalidInputError)
    assert error.reason is reason
    assert words in error.message
    assert error.violations[0].field == "audio.content"
    assert len(error.message) < 300


def test_limits_are_configuration(files):
    decoder = AudioDecoder(DecodingLimits(max_duration_seconds=1.0, min_duration_seconds=0.5, max_channels=1))
    assert decoder.decode(files.encode(np.zeros(22050))).duration_seconds == 1.0
    for samples, error in (
        (np.zeros(22051), AudioTooLongError),
        (np.zeros(10000), AudioTooShortError),
        (np.zeros((20000, 2)), ChannelCountError),
    ):
        with pytest.raises(error):
            decoder.decode(files.encode(samples))


def test_a_file_that_unpacks_to_hours_takes_little_memory(files):
    hours = files.encode(np.zeros(8000 * 7200, np.float32), 8000, "FLAC")
    assert len(hours) < 200_000
    bombs = [hours, files.flac_with_length(hours, 29 * 8000), files.flac_with_length(hours, 0)]
    tracemalloc.start()
    try:
        for bomb, words in zip(
            bombs, ("7200.00 s long", "longer than its header says", "longer than 30 s"), strict=True
        ):
            with pytest.raises(AudioTooLongError, match=words):
                DECODER.decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


@given(cut=st.integers(0, 10**6), container=st.sampled_from(ENCODED))
@example(cut=-1, container=Container.MP3)
@example(cut=-25, container=Container.MP3)
@example(cut=-128, container=Container.MP3)
@settings(max_examples=120, deadline=None)
def test_a_file_cut_anywhere_is_an_error_of_the_caller(files, cut, container):
    content = files.encode(NOISE[:22050], 22050, container.value)
    expected = pytest.raises(AudioError)
    if container is Container.MP3 and (cut % len(content)) - len(content) in range(-128, 0):
        # Its last frame may be whole but for its padding, and the last 128 bytes may have been an ID3v1 tag.
        expected = suppress(AudioError)
    with expected:
        decoded = DECODER.decode(content[: cut % len(content)])
        assert len(decoded.samples) == 22050 or decoded.warnings  # nothing is lost in silence


@given(
    places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20),
    container=st.sampled_from(ENCODED),
)
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_decoded_or_an_error_of_the_caller(files, places, container):
    content = bytearray(files.encode(NOISE[:22050], 22050, container.value))
    for place, value in places:
        content[place % len(content)] = value
    with suppress(AudioError):
        assert np.isfinite(DECODER.decode(bytes(content)).samples).all()


def test_a_late_part_of_vorbis_lies_where_the_whole_has_it():
    """Blocks of Vorbis vary where strokes are, and the durations of its packets do not add up."""
    rate_hz, seconds = 22050, 16
    samples = 0.05 * np.random.default_rng(3).standard_normal(rate_hz * seconds)
    for start in range(0, len(samples) - 4000, rate_hz // 7):
        samples[start : start + 300] += np.linspace(0.9, 0.0, 300) * (-1.0) ** np.arange(300)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format="OGG", subtype="VORBIS")
    whole = DECODER.read(buffer.getvalue())
    part = DECODER.read(buffer.getvalue(), ClipPart(14.0, 15.0))
    expected = whole.samples[14 * rate_hz : 15 * rate_hz]
    assert np.abs(part.samples - expected).max() < 1e-3
