"""The temporal profile of a sound, as it is in the embedding."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chladni_audio_features.training.synthesis.corpus import SHARES, draw_clip
from chladni_audio_features.training.synthesis.music import random_piece, render_piece
from chladni_audio_features.training.synthesis.speech import has_speech
from chladni_contract.descriptor_space import COMPONENT_NAMES, TEMPORAL_FEATURES

RATE_HZ = 22050
SEGMENTS = 16
ONE_ONSET_SECONDS = 0.12  # a window of 2048 samples, and a hop of 512 by which the frames miss its place
KINDS = [kind for kind in SHARES if kind != "speech" or has_speech()]
SMOOTH = ("level", "brightness", "flatness", "pitch_height", "harmonicity")  # the same when played backwards


@pytest.fixture(scope="module")
def embed(extractor):
    def embed_samples(samples):
        return extractor.embedder.embed(extractor.analyser.describe(np.asarray(samples, np.float32)))

    return embed_samples


@pytest.fixture(scope="module")
def trace(embed):
    def trace_samples(samples):
        return by_feature(embed(samples))

    return trace_samples


def by_feature(embedding):
    """The temporal profile of an embedding: the (16,) values of each feature."""
    columns = embedding[24:].reshape(SEGMENTS, len(TEMPORAL_FEATURES)).T
    return dict(zip(TEMPORAL_FEATURES, columns, strict=True))


def glide(start_hz, octaves, seconds=2.0, partials=4):
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(start_hz * 2 ** (octaves * times / seconds)) / RATE_HZ
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, partials + 1))


def clicks_at(places, seconds):
    sound = np.zeros(round(seconds * RATE_HZ))
    burst = np.exp(-np.arange(400) / 80) * np.random.default_rng(0).standard_normal(400)
    for place in places:
        start = round(place * seconds * RATE_HZ)
        sound[start : start + 400] += 0.3 * burst
    return sound


# --- Each feature ------------------------------------------------------------------------------


@given(start_hz=st.floats(80.0, 450.0), octaves=st.floats(0.4, 2.0), seconds=st.floats(1.0, 1.5))
@settings(max_examples=40, deadline=None)
def test_the_pitch_of_a_glide_is_followed(extractor, start_hz, octaves, seconds):
    for begin_hz, rise in ((start_hz, octaves), (start_hz * 2**octaves, -octaves)):
        described = extractor.analyser.describe(glide(begin_hz, rise, seconds).astype(np.float32))
        expected = np.log2(begin_hz) + rise * (np.arange(SEGMENTS) + 0.5) / SEGMENTS
        assert (
            np.abs(np.log2(described.temporal_profile.pitch_height_hz) - expected).max()
            < 0.02 + 0.12 * octaves
        )
        embedded = by_feature(extractor.embedder.embed(described))["pitch_height"]
        assert (np.diff(embedded) * rise >= 0.0).all()
        assert (embedded[-1] - embedded[0]) * rise > 0.0


def test_the_register_of_chords_rises(trace, sounds):
    low, high = sounds.chord(60, 64, 67), sounds.chord(69, 73, 76)
    height = trace(np.concatenate([low, high]))["pitch_height"]
    assert (height[:6].max() + 0.05 < height[10:]).all()


@given(rise_db=st.floats(6.0, 38.0), seconds=st.floats(0.5, 4.0), tone_hz=st.floats(100.0, 4000.0))
@settings(max_examples=40, deadline=None)
def test_crescendo_rises_in_level(trace, sounds, rise_db, seconds, tone_hz):
    tone = sounds.tone(tone_hz, seconds)
    gain_db = rise_db * (np.arange(len(tone)) / len(tone) - 1.0)
    level = trace(tone * 10 ** (gain_db / 20))["level"]
    assert (np.diff(level) > 0.0).all()
    assert level[-1] == 1.0
    assert level[-1] - level[0] == pytest.approx(rise_db / 40 * 15 / 16, abs=0.05)


@given(
    places=st.lists(st.floats(0.06, 0.9), min_size=1, max_size=4),
    seconds=st.floats(3.0, 4.0),
)
@example(places=[0.625, 0.609375], seconds=3.0)
@settings(max_examples=40, deadline=None)
def test_onsets_are_where_the_clicks_are(trace, places, seconds):
    """A click that follows another within a window of the analysis raises nothing: both are one onset."""
    onset = trace(clicks_at(places, seconds))["onset"]
    ordered = np.sort(places)
    follows = np.diff(ordered, prepend=-1.0) * seconds < ONE_ONSET_SECONDS
    segments = ordered * SEGMENTS - 0.5
    for segment in segments[~follows]:
        assert onset[np.clip(round(segment), 0, SEGMENTS - 1)] > 0.35
    far = np.abs(np.arange(SEGMENTS)[:, None] - segments).min(axis=1) > 1.7
    assert (onset[far] < 0.02).all()


def test_steady_noise_has_hardly_an_onset(trace, sounds):
    assert trace(sounds.noise(4.0))["onset"].max() < 0.1


def test_brightness_flatness_and_harmonicity_are_local(trace, embed, sounds):
    profile = trace(np.concatenate([sounds.tone(300, amplitude=0.15), sounds.noise(amplitude=0.1)]))
    for feature, is_rising in (("brightness", True), ("flatness", True), ("harmonicity", False)):
        first, second = profile[feature][:7], profile[feature][9:]
        assert (first.max() + 0.5 < second.min()) if is_rising else (second.max() + 0.5 < first.min())
    tonal_distance = np.abs(np.stack([profile["tonal_x"], profile["tonal_y"]]) - 0.5).max(axis=0)
    assert (tonal_distance[:6] > 0.2).all()
    assert (tonal_distance[10:] < 0.02).all()


@pytest.mark.parametrize("samples", ["harmonic", "noise", "chord"])
def test_the_profile_of_a_steady_sound_is_that_of_the_whole(trace, embed, sounds, samples):
    sound = {"harmonic": sounds.harmonic(220), "noise": sounds.noise(), "chord": sounds.chord(57, 60, 64)}[
        samples
    ]
    whole = dict(zip(COMPONENT_NAMES, embed(sound), strict=True))
    profile = trace(sound)
    for feature in ("brightness", "flatness", "pitch_height", "harmonicity"):
        assert np.abs(profile[feature] - whole[feature]).max() < 0.05, feature
    assert profile["level"].min() > 0.97


@pytest.mark.parametrize("fifths", range(12))
def test_notes_lie_on_the_circle_of_fifths(trace, sounds, fifths):
    note = 60 + 7 * fifths % 12
    profile = trace(sounds.tone(440 * 2 ** ((note - 69) / 12)))
    angle = 2 * np.pi * fifths / 12
    assert profile["tonal_x"] == pytest.approx(np.full(SEGMENTS, 0.5 + 0.5 * np.cos(angle)), abs=0.03)
    assert profile["tonal_y"] == pytest.approx(np.full(SEGMENTS, 0.5 + 0.5 * np.sin(angle)), abs=0.03)


@given(cents=st.floats(-600.0, 600.0))
@settings(max_examples=40, deadline=None)
def test_slight_detuning_moves_the_tonal_place_little(trace, sounds, cents):
    before, after = (trace(sounds.tone(440 * 2 ** (pitch / 1200), 1.0)) for pitch in (cents, cents + 1.0))
    for axis in ("tonal_x", "tonal_y"):
        assert np.abs(before[axis] - after[axis]).max() < 0.04


def test_a_tone_between_two_notes_has_no_tonal_place(trace, sounds):
    profile = trace(sounds.tone(440 * 2 ** (0.5 / 12)))
    for axis in ("tonal_x", "tonal_y"):
        assert np.abs(profile[axis] - 0.5).max() < 0.05


def test_quiet_segments_are_as_the_whole(trace, embed, sounds):
    sound = np.concatenate([sounds.harmonic(220), np.zeros(2 * RATE_HZ)])
    whole, profile = dict(zip(COMPONENT_NAMES, embed(sound), strict=True)), trace(sound)
    for feature in ("brightness", "flatness", "pitch_height", "harmonicity"):
        assert np.abs(profile[feature][10:] - whole[feature]).max() < 0.02, feature
    assert (profile["level"][10:] == 0.0).all()
    for axis in ("tonal_x", "tonal_y"):
        assert np.abs(profile[axis][10:] - 0.5).max() < 0.02
    assert np.abs(profile["tonal_y"][:6] - 0.5).min() > 0.4


# --- All of them -------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2205, 15_000),
    exponent=st.floats(-7.0, 4.0),
    tone_hz=st.floats(20.0, 11_000.0),
    gap=st.floats(0.0, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_any_sound_embeds_into_the_unit_cube(embed, seed, count, exponent, tone_hz, gap):
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, rng.uniform(0, 1), count)
    samples += rng.uniform(0, 3) * np.sin(2 * np.pi * tone_hz * np.arange(count) / RATE_HZ)
    samples[: round(gap * count)] = 0
    embedding = embed(10**exponent * samples)
    assert embedding.shape == (152,)
    assert ((embedding >= 0) & (embedding <= 1)).all()


@pytest.mark.parametrize("place", [0, 1100, 2100, 2204, 21_900, 22_049])
@pytest.mark.parametrize("count", [2205, 22_050])
def test_a_single_sample_embeds_into_the_unit_cube(embed, place, count):
    samples = np.zeros(count, np.float32)
    samples[place % count] = 0.5
    embedding = embed(samples)
    assert ((embedding >= 0) & (embedding <= 1)).all()


@given(start_hz=st.floats(120.0, 900.0), octaves=st.floats(-1.0, 1.0), swell_db=st.floats(-20.0, 20.0))
@settings(max_examples=40, deadline=None)
def test_reversed_sounds_have_reversed_profiles(trace, start_hz, octaves, swell_db):
    sound = glide(start_hz, octaves, seconds=1.0)
    sound *= 10 ** (swell_db * (np.arange(len(sound)) / len(sound) - 1.0) / 20)
    forwards, backwards = trace(sound), trace(sound[::-1])
    for feature in SMOOTH:
        assert np.abs(forwards[feature] - backwards[feature][::-1]).max() < 0.05, feature


# --- What changes it little --------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2205, 15_000),
    tone_hz=st.floats(20.0, 11_000.0),
    tone_amplitude=st.floats(0.0, 1.0),
    gap=st.floats(0.0, 0.9),
)
@settings(max_examples=40, deadline=None)
def test_a_decibel_more_leaves_the_profile_alone(embed, seed, count, tone_hz, tone_amplitude, gap):
    sound = np.random.default_rng(seed).normal(0, 0.1, count)
    sound += tone_amplitude * np.sin(2 * np.pi * tone_hz * np.arange(count) / RATE_HZ)
    sound[: round(gap * count)] = 0
    change = embed(louder(sound)) - embed(sound)
    assert np.abs(change[24:]).max() < 1e-3


def louder(sound):
    return 10 ** (1 / 20) * sound


def with_noise(sound):
    """40 dB below the sound."""
    noise = np.random.default_rng(1).standard_normal(len(sound))
    return sound + 0.01 * np.sqrt(np.mean(np.square(sound))) * noise


def later(sound):
    return np.concatenate([np.zeros(RATE_HZ // 100), sound])


def as_mp3(sound):
    """At 64 kbit/s, as the size of the file shows; some frames have nothing but information and padding."""
    file = io.BytesIO()
    soundfile.write(file, sound, RATE_HZ, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6)
    assert len(file.getvalue()) == pytest.approx(8_000 * len(sound) / RATE_HZ, abs=1_000)
    return soundfile.read(io.BytesIO(file.getvalue()))[0]


@pytest.fixture(scope="module")
def various_sounds():
    return [
        0.5 * draw_clip(kind, np.random.default_rng((7, number)), rate_hz=RATE_HZ)[: 3 * RATE_HZ]
        for kind in KINDS
        for number in range(4)
    ]


@pytest.fixture(scope="module")
def originals(embed, various_sounds):
    return np.stack([embed(sound) for sound in various_sounds])


@pytest.mark.parametrize("change", [louder, with_noise, later, as_mp3])
def test_changed_sounds_stay_nearest_to_themselves(embed, various_sounds, originals, change):
    changed = np.stack([embed(change(sound)) for sound in various_sounds])
    distances = np.linalg.norm(changed[:, None] - originals[None, :], axis=2)
    is_own = np.eye(len(various_sounds), dtype=bool)
    assert distances[is_own].mean() < 0.25 * distances[~is_own].mean()
    assert (distances.argmin(axis=1) == np.arange(len(various_sounds))).mean() > 0.9


def test_a_decibel_more_leaves_the_profiles_of_various_sounds_alone(embed, various_sounds, originals):
    for sound, original in zip(various_sounds, originals, strict=True):
        assert np.abs(embed(louder(sound)) - original)[24:].max() < 1e-3


def test_noise_moves_brightness_and_flatness_alone(embed, various_sounds, originals):
    """It fills the gaps between partials: a clean tone becomes brighter and flatter."""
    changed = np.stack([embed(with_noise(sound)) for sound in various_sounds])
    changes = np.abs(changed - originals)[:, 24:].reshape(len(originals), SEGMENTS, len(TEMPORAL_FEATURES))
    for feature, change in zip(TEMPORAL_FEATURES, changes.mean(axis=(0, 1)), strict=True):
        assert change < (0.3 if feature in ("brightness", "flatness") else 0.02), feature


@pytest.mark.parametrize("seed", range(8))
def test_a_hundredth_of_the_tempo_changes_little(embed, seed):
    piece = random_piece(np.random.default_rng(seed), duration_seconds=3.0)
    faster = replace(piece, tempo_bpm=1.01 * piece.tempo_bpm, duration_seconds=3.0 / 1.01)
    sounds = (render_piece(each, rate_hz=RATE_HZ, rng=np.random.default_rng(1)) for each in (piece, faster))
    assert np.abs(np.subtract(*map(embed, sounds))).mean() < 0.06
