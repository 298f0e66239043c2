"""Descriptors of sounds whose properties are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from chladni_audio_features.analysis.definitions import define_descriptors
from chladni_audio_features.analysis.loudness import integrated_loudness, k_weighted
from chladni_audio_features.analysis.pitch import summarise_pitch, track_pitch
from chladni_audio_features.analysis.rhythm import analyse_rhythm
from chladni_audio_features.analysis.roughness import measure_roughness
from chladni_audio_features.analysis.spectral_peaks import SpectralPeaks, find_spectral_peaks
from chladni_audio_features.analysis.spectral_shape import (
    spectral_bandwidths,
    spectral_centroids,
    spectral_flatness_decibels,
)
from chladni_audio_features.analysis.spectrogram import bin_frequencies
from chladni_audio_features.analysis.tonality import analyse_tonality, estimate_keys

RATE_HZ = 22050
C, E, G, A = 0, 4, 7, 9


# --- Loudness and dynamics ---------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.5, 8.0])
def test_k_weighting_is_the_filter_of_bs_1770(seconds):
    # The recommendation's coefficients for 48 kHz, run as recursive filters.
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * 48000)).astype(np.float32)
    shelf = signal.lfilter(
        [1.53512485958697, -2.69169619940638, 1.19839281085285],
        [1.0, -1.69065929318241, 0.73248077421585],
        noise.astype(float),
    )
    expected = signal.lfilter([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621], shelf)
    weighted = k_weighted(noise, 48000)
    assert weighted.shape == noise.shape
    assert np.abs(weighted - expected).max() < 1e-5


def test_a_full_scale_sine_has_minus_three_lufs(sounds):
    for rate_hz in (22050, 48000):
        tone = sounds.tone(997, 3.0, amplitude=1.0, rate_hz=rate_hz)
        loudness = integrated_loudness(k_weighted(tone, rate_hz), rate_hz)
        assert loudness == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 6.0])
def test_gain_moves_loudness_and_nothing_else(analyser, sounds, gain_db):
    samples = sounds.chord(60, 64, 67) * np.float32(0.3)
    plain = analyser.describe(samples)
    changed = analyser.describe(samples * np.float32(10 ** (gain_db / 20)))
    assert changed.loudness - plain.loudness == pytest.approx(gain_db, abs=0.01)
    assert changed.values()[1:] == pytest.approx(plain.values()[1:], rel=1e-3, abs=1e-3)


def test_pauses_do_not_count_for_loudness(analyser, sounds):
    tone = sounds.tone(997, 2.0)
    with_pause = np.concatenate([tone, np.zeros(44100, np.float32)])
    assert analyser.describe(with_pause).loudness == pytest.approx(analyser.describe(tone).loudness, abs=0.5)


def test_dynamics_is_the_distance_to_the_pauses(analyser, sounds):
    loud, soft = sounds.tone(440, 1.0, 0.5), sounds.tone(440, 1.0, 0.05)
    assert analyser.describe(np.concatenate([loud, soft])).dynamics == pytest.approx(20.0, abs=0.5)
    assert analyser.describe(loud).dynamics < 0.5
    assert analyser.describe(np.concatenate([loud, np.zeros(22050, np.float32)])).dynamics > 50


# --- Timbre ------------------------------------------------------------------------------------


def test_frames_of_timbre_equal_librosas(transform, sounds):
    samples = sounds.noise(1.0, slope=1.0) + sounds.harmonic(220, 1.0)
    power = np.concatenate(list(transform.spectra_of_clip(samples)))
    magnitudes = np.sqrt(power)
    frequencies_hz = bin_frequencies(2048, RATE_HZ)
    centroids = spectral_centroids(magnitudes, frequencies_hz)
    shared = {"S": magnitudes.T, "sr": RATE_HZ}
    assert centroids == pytest.approx(librosa.feature.spectral_centroid(**shared)[0], rel=1e-4)
    bandwidths = spectral_bandwidths(magnitudes, frequencies_hz, centroids)
    assert bandwidths == pytest.approx(librosa.feature.spectral_bandwidth(**shared)[0], rel=1e-4)
    flatness = 10 ** (spectral_flatness_decibels(power) / 10)
    assert flatness == pytest.approx(librosa.feature.spectral_flatness(S=magnitudes.T)[0], rel=5e-3)


def test_brightness_of_a_tone_is_its_frequency(analyser, sounds):
    for frequency_hz in (500, 2000, 8000):
        described = analyser.describe(sounds.tone(frequency_hz))
        assert described.brightness == pytest.approx(frequency_hz, rel=0.02)
        assert described.bandwidth < 100


def test_white_noise_is_bright_broad_and_flat(analyser, sounds):
    white = analyser.describe(sounds.noise())
    assert white.brightness == pytest.approx(RATE_HZ / 4, rel=0.03)
    assert white.bandwidth == pytest.approx(RATE_HZ / 2 / np.sqrt(12), rel=0.03)
    assert white.flatness == pytest.approx(10 * np.log10(np.exp(-np.euler_gamma)), abs=0.2)


def test_noise_darkens_from_white_to_pink_to_brown(analyser, sounds):
    white, pink, brown = (analyser.describe(sounds.noise(slope=slope)) for slope in (0, 1, 2))
    assert white.brightness > pink.brightness > brown.brightness
    assert white.flatness > pink.flatness > brown.flatness


# --- Roughness ---------------------------------------------------------------------------------


def test_one_asper_is_full_modulation_at_seventy_hertz(sounds):
    assert measure_roughness(sounds.modulated(70), RATE_HZ) == pytest.approx(1.0, abs=0.03)


def test_roughness_is_largest_near_seventy_hertz(sounds):
    values = [measure_roughness(sounds.modulated(f), RATE_HZ) for f in (4, 20, 70, 150)]
    assert values[0] < 0.05 < values[1] < values[2] > values[3]


def test_roughness_grows_with_the_depth_of_modulation(sounds):
    values = [measure_roughness(sounds.modulated(70, depth=d), RATE_HZ) for d in (0.0, 0.25, 0.5, 1.0)]
    assert values == sorted(values)
    assert values[0] < 0.01


def test_beating_partials_are_rough_and_lone_clicks_and_noise_are_not(sounds):
    beating = sounds.tone(500) + sounds.tone(540)
    click = np.zeros(44100, np.float32)
    click[20000] = 1.0
    rough = measure_roughness(beating, RATE_HZ)
    assert rough > 0.25
    assert measure_roughness(sounds.tone(500) + sounds.tone(502), RATE_HZ) < rough / 10
    assert measure_roughness(click, RATE_HZ) < rough / 2
    assert measure_roughness(sounds.noise(), RATE_HZ) < rough
    assert measure_roughness(sounds.tone(55), RATE_HZ) < rough / 10


# --- Rhythm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tempo_bpm", [60, 90, 120, 150, 180])
def test_tempo_and_onsets_of_clicks(analyser, sounds, tempo_bpm):
    described = analyser.describe(sounds.clicks(tempo_bpm))
    assert described.tempo == pytest.approx(tempo_bpm, rel=0.015)
    assert described.onset_rate == pytest.approx(tempo_bpm / 60, abs=0.15)


def test_onsets_are_where_the_clicks_are(transform, sounds):
    rhythm = analyse_rhythm(
        transform.power_of_clip(sounds.clicks(100, 5.0)),
        frames_per_second=RATE_HZ / 512,
        duration_seconds=5.0,
    )
    expected = np.arange(0.25, 4.95, 0.6)
    assert len(rhythm.onset_times_seconds) == len(expected)
    assert np.abs(np.array(rhythm.onset_times_seconds) - expected).max() < 0.06


def test_notes_at_constant_level_are_onsets(analyser, sounds):
    scale = [sounds.tone(f, 0.25) for f in (440, 494, 523, 587, 659, 698, 784, 880)]
    described = analyser.describe(np.concatenate(scale))
    assert described.onset_rate == pytest.approx(7 / 2.0, rel=1e-3)  # the first begins with the sound itself
    assert described.tempo == pytest.approx(120, rel=0.03)


def test_steady_sounds_have_no_onsets_and_no_tempo(analyser, sounds):
    for samples in (
        sounds.tone(440, 4.0),
        sounds.noise(4.0),
        sounds.noise(4.0, slope=2),
        sounds.chord(60, 64, 67),
    ):
        described = analyser.describe(samples)
        assert described.onset_rate == 0
        assert described.tempo is None
        assert described.tempo_candidates == ()


def test_confidences_of_tempi_sum_to_at_most_one(analyser, sounds):
    candidates = analyser.describe(sounds.clicks(90)).tempo_candidates
    confidences = [candidate.confidence for candidate in candidates]
    assert confidences == sorted(confidences, reverse=True)
    assert 0.5 < sum(confidences) <= 1 + 1e-9


# --- Pitch -------------------------------------------------------------------------------------


@given(frequency_hz=st.floats(60.0, 2000.0), partials=st.integers(1, 10))
@settings(max_examples=100, deadline=None)
def test_pitch_of_harmonic_tones(analyser, sounds, frequency_hz, partials):
    described = analyser.describe(sounds.harmonic(frequency_hz, 0.5, partials))
    cents = 1200 * np.log2(described.pitch_height / frequency_hz)
    assert abs(cents) < 15
    assert described.pitch_range < 0.5
    assert described.harmonicity > 0.9


def test_concert_a(analyser, sounds):
    described = analyser.describe(sounds.tone(440))
    assert described.pitch_height == pytest.approx(440, abs=0.2)
    assert described.chroma.tolist() == [float(index == A) for index in range(12)]


def test_pitch_range_of_a_glide(analyser):
    sweep_hz = np.geomspace(200, 400, 2 * RATE_HZ)
    glide = (0.5 * np.sin(2 * np.pi * np.cumsum(sweep_hz) / RATE_HZ)).astype(np.float32)
    described = analyser.describe(glide)
    assert described.pitch_range == pytest.approx(0.9 * 12, abs=0.7)
    assert described.pitch_height == pytest.approx(np.sqrt(200 * 400), rel=0.02)


def test_a_missing_fundamental_is_heard(analyser, sounds):
    partials = [sounds.tone(150 * k, 1.0, 0.3 / k) for k in range(2, 8)]
    assert analyser.describe(np.sum(partials, axis=0)).pitch_height == pytest.approx(150, rel=0.01)


def test_noise_has_no_pitch(analyser, sounds):
    described = analyser.describe(sounds.noise())
    assert described.pitch_height is None
    assert described.pitch_range == 0
    assert described.harmonicity < 0.3


def test_chords_lie_where_their_notes_are(analyser, sounds):
    # The triad repeats with the period of C2, two octaves below its lowest note.
    described = analyser.describe(sounds.chord(60, 64, 67))
    assert 261 < described.pitch_height < 393
    assert described.pitch_range == 0


def test_pitch_tracks_have_one_frame_a_hop(sounds):
    track = track_pitch(sounds.tone(440, 1.0), RATE_HZ)
    assert len(track.frequencies_hz) == len(track.aperiodicity) == len(track.amplitudes)
    assert track.voiced.all()


# --- Tonality ----------------------------------------------------------------------------------


@pytest.mark.parametrize("root", range(12))
@pytest.mark.parametrize(("third", "is_major"), [(4, True), (3, False)])
def test_triads_have_their_mode_and_pitch_classes(analyser, sounds, root, third, is_major):
    described = analyser.describe(sounds.chord(60 + root, 60 + root + third, 60 + root + 7))
    assert (described.mode > 0) == is_major
    strongest = set(np.argsort(described.chroma)[-3:].tolist())
    assert strongest == {root, (root + third) % 12, (root + 7) % 12}
    best = described.keys[0]
    if is_major:
        assert (best.tonic, best.is_major) == (root, True)


def test_a_detuned_chord_keeps_its_pitch_classes(sounds):
    detuned = sounds.chord(60.3, 64.3, 67.3)
    chroma = analyse_tonality(find_spectral_peaks(detuned, RATE_HZ)).chroma
    assert set(np.argsort(chroma)[-3:].tolist()) == {C, E, G}


def test_noise_and_silence_have_no_tonality(analyser, sounds):
    for slope in (0, 1, 2):
        described = analyser.describe(sounds.noise(slope=slope))
        assert described.mode is None
        assert described.keys == ()
        assert not described.chroma.any()


def test_a_profile_fits_its_own_key_best():
    profile = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
    keys = estimate_keys(np.square(np.roll(profile, 2)))
    assert (keys[0].tonic, keys[0].is_major) == (2, True)
    assert keys[0].correlation == pytest.approx(1.0)
    assert len(keys) == 24
    assert {key.correlation for key in estimate_keys(np.ones(12))} == {0.0}


def test_the_register_of_high_peaks_and_of_none():
    def peaks(*frequencies_hz):
        return SpectralPeaks(
            frequencies_hz=np.array(frequencies_hz),
            amplitudes=np.ones(len(frequencies_hz)),
            frames=np.zeros(len(frequencies_hz), np.intp),
            frame_times_seconds=np.array([0.2]),
            frame_energies=np.array([2.0]),
            frame_tonal_energies=np.array([1.0]),
        )

    high = peaks(2000.0, 3000.0)
    assert high.register_hz() == 2000.0
    assert high.share == 0.5
    with pytest.raises(ValueError, match="no register"):
        peaks().register_hz()


# --- All of them -------------------------------------------------------------------------------


def test_definitions_are_complete_and_distinct():
    definitions = define_descriptors(11025)
    assert len({definition.name for definition in definitions}) == len(definitions) == 24
    for definition in definitions:
        assert definition.minimum < definition.maximum
        assert definition.description.endswith(".")
        assert definition.unit


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.0])
def test_silence_and_constants_are_silent(analyser, offset):
    described = analyser.describe(np.full(22050, offset, np.float32))
    assert described.is_silent
    assert described.loudness == -70
    assert not any(described.values()[5:])


def test_each_family_knows_silence():
    silence = np.zeros(22050, np.float32)
    peaks = find_spectral_peaks(silence, RATE_HZ)
    assert not peaks.is_tonal
    assert measure_roughness(silence, RATE_HZ) == 0
    summary = summarise_pitch(track_pitch(silence, RATE_HZ), peaks)
    assert (summary.height_hz, summary.range_semitones, summary.harmonicity) == (None, 0, 0)
    assert integrated_loudness(k_weighted(silence, RATE_HZ), RATE_HZ) == -70


def check_ranges(analyser, described):
    for definition, value in zip(analyser.definitions, described.values(), strict=True):
        assert np.isfinite(value), definition.name
        assert definition.minimum <= value <= definition.maximum, definition.name


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.5, 3.0])
def test_a_click_at_either_end(analyser, seconds):
    for place in (0, -1):
        click = np.zeros(round(seconds * RATE_HZ), np.float32)
        click[place] = 1.0
        check_ranges(analyser, analyser.describe(click))


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.5, 3.0])
def test_short_and_odd_sounds_stay_in_range(analyser, sounds, seconds):
    count = round(seconds * RATE_HZ)
    click = np.zeros(count, np.float32)
    click[count // 3] = 1.0
    square = np.sign(sounds.tone(100, seconds))
    for samples in (
        click,
        square,
        sounds.noise(seconds),
        sounds.tone(20, seconds),
        sounds.tone(11_000, seconds),
        sounds.noise(seconds, amplitude=20_000),
        sounds.noise(seconds, amplitude=3e-6),
        np.float32(65_536) * square,
        np.linspace(-1, 1, count, dtype=np.float32),
    ):
        check_ranges(analyser, analyser.describe(samples))


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2205, 15_000),
    exponent=st.floats(-7.0, 4.0),
    tone_hz=st.floats(20.0, 11_000.0),
    gap=st.floats(0.0, 1.0),
)
@settings(max_examples=150, deadline=None)
def test_any_sound_stays_in_range_and_repeats(analyser, seed, count, exponent, tone_hz, gap):
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, rng.uniform(0, 1), count)
    samples += rng.uniform(0, 3) * np.sin(2 * np.pi * tone_hz * np.arange(count) / RATE_HZ)
    samples[: round(gap * count)] = 0
    samples = (10**exponent * samples).astype(np.float32)
    described = analyser.describe(samples)
    check_ranges(analyser, described)
    assert described.values() == analyser.describe(samples.copy()).values()
