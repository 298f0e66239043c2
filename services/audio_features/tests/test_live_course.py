"""The course of live audio: segments on a grid, what begins when it begins, levels as loud as they are."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.audio.errors import AudioTooLongError, CorruptAudioError
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.audio.pcm import PcmEncoding, PcmFormat, PcmReader
from chladni_audio_features.live_course import MAX_COURSE_SECONDS, CourseAnalysis
from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES

LEVEL, ONSET, PITCH = (TEMPORAL_FEATURES.index(name) for name in ("level", "onset", "pitch_height"))
RATE_HZ = 22050


def analysis_of(extractor, rate_hz=RATE_HZ, **options):
    reader = PcmReader(PcmFormat(rate_hz, 1, PcmEncoding.FLOAT32), limits=DecodingLimits())
    return CourseAnalysis(extractor, reader, **options)


def segments_of(extractor, samples, *, chunk_seconds=0.05, rate_hz=RATE_HZ, **options):
    analysis = analysis_of(extractor, rate_hz, **options)
    length = int(chunk_seconds * rate_hz)
    return [
        segment
        for start in range(0, len(samples), length)
        for segment in analysis.push(samples[start : start + length].astype("<f4").tobytes())
    ]


def test_segments_lie_on_a_grid_and_are_renewed_while_they_last(extractor, sounds):
    segments = segments_of(extractor, sounds.tone(440, 1.0))
    assert [segment.number for segment in segments] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    heard = [segment.heard_seconds for segment in segments]
    assert np.allclose(heard, (np.arange(12) + 1) / 12, atol=1e-4)
    for segment in segments:
        assert segment.course.shape == (len(TEMPORAL_FEATURES),)
        assert segment.overall.shape == (len(DESCRIPTOR_NAMES),)
        for values in (segment.course, segment.overall):
            assert 0 <= values.min() <= values.max() <= 1


def test_chunks_do_not_change_the_last_report_of_a_segment(extractor, sounds):
    samples = sounds.chord(60, 64, 67, seconds=1.5) + sounds.noise(1.5, 0.05)
    small = {segment.number: segment for segment in segments_of(extractor, samples, chunk_seconds=0.031)}
    large = {segment.number: segment for segment in segments_of(extractor, samples, chunk_seconds=1.5)}
    assert small.keys() == large.keys()
    for number, segment in small.items():
        assert np.array_equal(segment.course, large[number].course)
        assert np.array_equal(segment.overall, large[number].overall)


def test_a_stroke_is_an_onset_in_its_segment_at_its_time_and_in_no_other(extractor):
    random = np.random.default_rng(0)
    samples = 0.003 * random.standard_normal(2 * RATE_HZ)
    start = int(1.1 * RATE_HZ)
    samples[start : start + 4000] += 0.4 * random.standard_normal(4000) * np.exp(-np.arange(4000) / 900)
    last = {segment.number: segment for segment in segments_of(extractor, samples)}
    onsets = {number: float(segment.course[ONSET]) for number, segment in last.items()}
    assert onsets[4] > 0.5
    assert max(value for number, value in onsets.items() if number not in {0, 4}) < 0.25
    assert last[4].onset_seconds == pytest.approx(1.1, abs=0.08)


def test_the_level_follows_the_sound_at_once_and_noise_of_a_room_is_not_loud(extractor, sounds):
    loud, quiet = sounds.tone(440, 0.5, 0.5), sounds.tone(440, 0.5, 0.005)
    segments = segments_of(extractor, np.concatenate([loud, quiet]))
    assert segments[5].level > 0.95
    assert segments[6].level < 0.2
    room = segments_of(extractor, sounds.noise(0.5, 0.0005))
    assert max(segment.level for segment in room) < 0.5


def test_higher_tones_have_a_higher_pitch(extractor, sounds):
    low, high = (segments_of(extractor, sounds.harmonic(hz, 0.75))[-1] for hz in (150, 600))
    assert high.course[PITCH] > low.course[PITCH] + 0.2


def test_other_rates_and_lengths_of_segments(extractor, sounds):
    samples = sounds.tone(440, 1.0, rate_hz=48000)
    segments = segments_of(extractor, samples, rate_hz=48000, segment_seconds=0.5, update_seconds=0.25)
    assert [segment.number for segment in segments][:3] == [0, 0, 1]


def test_memory_does_not_grow_with_the_stream(extractor, sounds):
    analysis = analysis_of(extractor, segment_seconds=2.0, update_seconds=2.0)
    for _ in range(4):
        analysis.push(sounds.noise(2.0).astype("<f4").tobytes())
    assert len(analysis._kept) <= 3 * RATE_HZ
    assert len(analysis._pending) < RATE_HZ


def test_what_is_no_pcm_or_too_long_is_refused(extractor, monkeypatch):
    analysis = analysis_of(extractor)
    with pytest.raises(CorruptAudioError):
        analysis.push(b"\0" * 7)
    analysis._update_count = int(12 * MAX_COURSE_SECONDS)
    with pytest.raises(AudioTooLongError, match="3600 s"):
        analysis.push(np.zeros(RATE_HZ, "<f4").tobytes())
