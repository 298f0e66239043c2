"""Live sound in chunks against the same sound at once."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.audio.clip import SourceFormat
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import (
    ChannelCountError,
    CorruptAudioError,
    SampleRateError,
    SampleValueError,
)
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.audio.pcm import PcmClip, PcmEncoding, PcmFormat, PcmReader, read_pcm_clip
from chladni_audio_features.live import LiveAnalysis, LiveLimits, MelStream, measure_level

LIMITS = DecodingLimits()


def cut(samples, sizes):
    """Cut into chunks of the given sizes, over and over; a size of 0 gives an empty chunk."""
    chunks, start, turn = [], 0, 0
    while start < len(samples):
        size = sizes[turn % len(sizes)]
        chunks.append(samples[start : start + size])
        start += size
        turn += 1
    return chunks


WAV_SUBTYPES = {
    PcmEncoding.INT16: "PCM_16",
    PcmEncoding.FLOAT32: "FLOAT",
    PcmEncoding.UINT8: "PCM_U8",
    PcmEncoding.INT24: "PCM_24",
    PcmEncoding.INT32: "PCM_32",
    PcmEncoding.FLOAT64: "DOUBLE",
}
INTEGER_BITS = {PcmEncoding.INT16: 16, PcmEncoding.INT24: 24, PcmEncoding.INT32: 32}


def encoded(frames, encoding):
    """Return (n, channels) samples in an encoding, frame by frame, and the values that they stand for."""
    if encoding is PcmEncoding.UINT8:
        raw = (frames * 127 + 128).astype("u1")
        return raw, (raw.astype(float) - 128) / 128
    if encoding not in INTEGER_BITS:
        raw = frames.astype(encoding.value)
        return raw, raw
    scale = 2 ** (INTEGER_BITS[encoding] - 1)
    values = (frames * (scale - 1)).astype("<i4")
    exact = values / scale
    if encoding is PcmEncoding.INT24:
        return values[..., None].view("u1")[..., :3], exact
    return values.astype(encoding.value), exact


def streamed(transform, chunks, rate_hz):
    stream = MelStream(transform, sample_rate_hz=rate_hz)
    pushed = [stream.push(chunk) for chunk in chunks]
    pushed.append(stream.finish())
    expected = 0
    for frames in pushed:
        assert frames.first_frame == expected
        expected += frames.mel_power.shape[1]
    assert stream.frame_count == expected
    return np.concatenate([frames.mel_power for frames in pushed], axis=1), stream


@given(
    rate_hz=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    count=st.integers(1, 20_000),
    sizes=st.lists(st.integers(0, 6000), min_size=1, max_size=6).filter(any),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_chunks_give_the_same_bits_as_the_whole(transform, rate_hz, count, sizes, seed):
    samples = np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)
    mel_power, stream = streamed(transform, cut(samples, sizes), rate_hz)
    whole = samples if rate_hz == 22050 else soxr.resample(samples, rate_hz, 22050, quality="HQ")
    assert np.array_equal(stream.samples(), whole)
    assert np.array_equal(mel_power, transform.power_of_clip(whole))
    assert stream.duration_seconds == count / rate_hz


@pytest.mark.parametrize("rate_hz", [22050, 16000])
def test_single_samples_give_the_same_bits_as_the_whole(sounds, transform, rate_hz):
    samples = sounds.chord(60, 64, 67, seconds=0.3)
    by_one, _ = streamed(transform, [samples[i : i + 1] for i in range(len(samples))], rate_hz)
    at_once, _ = streamed(transform, [samples], rate_hz)
    assert np.array_equal(by_one, at_once)


def test_the_finished_stream_equals_the_batch_in_decibels(sounds, transform):
    samples = sounds.clicks(120, 3.0)
    mel_power, _ = streamed(transform, cut(samples, [441, 0, 5000]), 22050)
    batch = log_mel_spectrogram(transform.power_of_clip(samples))
    assert np.array_equal(log_mel_spectrogram(mel_power).decibels, batch.decibels)


def test_a_stream_without_sound_has_no_frames(transform):
    mel_power, stream = streamed(transform, [np.zeros(0, np.float32)], 16000)
    assert mel_power.shape == (128, 0)
    assert stream.duration_seconds == 0


def test_frames_come_as_soon_as_their_window_is_complete(transform):
    stream = MelStream(transform, sample_rate_hz=22050)
    assert stream.push(np.zeros(1023, np.float32)).mel_power.shape[1] == 0
    assert stream.push(np.zeros(1, np.float32)).mel_power.shape[1] == 1
    assert stream.push(np.zeros(512, np.float32)).mel_power.shape[1] == 1


def test_levels(sounds, transform):
    level = measure_level(sounds.tone(1000, amplitude=1.0))
    assert level.peak_dbfs == pytest.approx(0.0, abs=0.1)
    assert level.rms_dbfs == pytest.approx(-3.01, abs=0.01)
    assert measure_level(np.zeros(10, np.float32)).rms_dbfs == -120.0
    assert measure_level(np.zeros(0, np.float32)).peak_dbfs == -120.0
    stream = MelStream(transform, sample_rate_hz=22050)
    assert stream.push(np.zeros(0, np.float32)).level is None
    assert stream.push(sounds.tone(1000, amplitude=0.5)).level.peak_dbfs == pytest.approx(-6.02, abs=0.1)


@given(
    channels=st.integers(1, 8),
    encoding=st.sampled_from(list(PcmEncoding)),
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=5).filter(any),
)
@settings(max_examples=100, deadline=None)
def test_pcm_is_mixed_sample_by_sample(channels, encoding, sizes):
    rng = np.random.default_rng(channels)
    frames = rng.uniform(-1, 1, (1000, channels))
    raw, exact = encoded(frames, encoding)
    reader = PcmReader(PcmFormat(16000, channels, encoding), limits=LIMITS)
    whole = reader.read(raw.tobytes())
    assert np.abs(whole - exact.mean(axis=1)).max() < 1e-6
    parts = [reader.read(chunk.tobytes()) for chunk in cut(raw, sizes)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(
    ("pcm_format", "error", "field"),
    [
        (PcmFormat(1, 1, PcmEncoding.INT16), SampleRateError, "config.sample_rate_hz"),
        (PcmFormat(400_000, 1, PcmEncoding.INT16), SampleRateError, "config.sample_rate_hz"),
        (PcmFormat(16000, 9, PcmEncoding.INT16), ChannelCountError, "config.channel_count"),
    ],
)
def test_impossible_pcm_is_refused(pcm_format, error, field):
    with pytest.raises(error) as caught:
        PcmReader(pcm_format, limits=LIMITS)
    assert caught.value.violations[0].field == field


def test_faulty_chunks_are_refused():
    reader = PcmReader(PcmFormat(16000, 2, PcmEncoding.FLOAT32), limits=LIMITS)
    with pytest.raises(CorruptAudioError, match="multiple of 8"):
        reader.read(bytes(12))
    with pytest.raises(SampleValueError) as caught:
        reader.read(np.array([0, np.nan], "<f4").tobytes())
    assert caught.value.violations[0].field == "pcm"


def make_analysis(extractor, max_seconds=30.0):
    reader = PcmReader(PcmFormat(22050, 1, PcmEncoding.FLOAT32), limits=LIMITS)
    return LiveAnalysis(
        extractor, reader, limits=LiveLimits(min_summary_seconds=0.1, max_seconds=max_seconds)
    )


def test_the_summary_describes_the_whole_sound(extractor, sounds):
    samples = sounds.chord(60, 64, 67)
    analysis = make_analysis(extractor)
    for chunk in cut(samples, [777]):
        analysis.push(chunk.tobytes())
    _, summary = analysis.finish()
    assert summary.frame_count == 1 + len(samples) // 512
    assert summary.duration_seconds == pytest.approx(2.0)
    descriptors = extractor.analyser.describe(samples)
    assert summary.descriptors.values() == descriptors.values()
    assert np.array_equal(summary.embedding, extractor.embedder.embed(descriptors))


def test_a_short_sound_has_no_descriptors(extractor, sounds):
    analysis = make_analysis(extractor)
    analysis.push(sounds.tone(440, 0.05).tobytes())
    _, summary = analysis.finish()
    assert summary.descriptors is None
    assert summary.embedding is None
    assert summary.frame_count == 3


@pytest.mark.parametrize("size", [700, 22050, 60_000])
def test_a_long_sound_ends_at_the_limit(extractor, sounds, transform, size):
    samples = sounds.chord(60, 64, 67, seconds=2.0)
    allowed = samples[: int(1.3 * 22050)]
    analysis = make_analysis(extractor, max_seconds=1.3)
    parts = []
    for chunk in cut(samples, [size]):
        parts.append(analysis.push(chunk.tobytes()).mel_power)
        if analysis.is_full:
            break
    frames, summary = analysis.finish()
    mel_power = np.concatenate([*parts, frames.mel_power], axis=1)
    assert np.array_equal(mel_power, transform.power_of_clip(allowed))
    assert summary.duration_seconds == len(allowed) / 22050
    assert summary.frame_count == mel_power.shape[1]
    assert summary.descriptors.values() == extractor.analyser.describe(allowed).values()


@pytest.mark.parametrize("rate_hz", [22050, 8000, 48000])
def test_a_summary_of_the_sound_so_far_changes_nothing(extractor, sounds, rate_hz):
    samples = sounds.tone(440, 2.0, rate_hz=rate_hz)
    reader_format = PcmFormat(rate_hz, 1, PcmEncoding.FLOAT32)
    limits = LiveLimits(min_summary_seconds=0.1, max_seconds=30.0)
    with_summaries, without = (
        LiveAnalysis(extractor, PcmReader(reader_format, limits=LIMITS), limits=limits) for _ in range(2)
    )
    assert with_summaries.summarise().descriptors is None
    for count, chunk in enumerate(cut(samples, [rate_hz // 10]), start=1):
        pushed = [analysis.push(chunk.tobytes()).mel_power for analysis in (with_summaries, without)]
        assert np.array_equal(*pushed)
        so_far = with_summaries.summarise()
        assert so_far.duration_seconds == pytest.approx(count / 10)
        if count > 2:
            expected = extractor.analyser.describe(
                soxr.resample(samples[: count * rate_hz // 10], rate_hz, 22050, quality="HQ")
            )
            assert so_far.descriptors.loudness == pytest.approx(expected.loudness, abs=0.5)
    (_, first), (_, second) = with_summaries.finish(), without.finish()
    assert first.descriptors.values() == second.descriptors.values()
    assert np.array_equal(first.embedding, second.embedding)


@pytest.mark.parametrize("encoding", list(PcmEncoding))
def test_a_clip_of_samples_is_read_like_its_file(files, sounds, encoding):
    stereo = np.stack([sounds.chord(60, 64, 67), sounds.noise(2.0)], axis=1)
    raw, exact = encoded(stereo, encoding)
    clip = read_pcm_clip(PcmClip(raw.tobytes(), PcmFormat(44100, 2, encoding)), LIMITS)
    content = files.encode(exact, 44100, subtype=WAV_SUBTYPES[encoding])
    file = AudioDecoder(LIMITS).read(content)
    assert np.array_equal(clip.samples, file.samples)
    assert clip.sample_rate_hz == file.sample_rate_hz == 44100
    assert clip.source == SourceFormat(None, encoding.name, 44100, 2, len(raw) / 44100)
