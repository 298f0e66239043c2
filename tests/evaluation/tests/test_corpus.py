"""The clips and their small changes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from chladni_audio_features.training.synthesis.speech import has_speech
from chladni_evaluation.corpus.clips import RATE_HZ, Clip, dealt, spread
from chladni_evaluation.corpus.perturbations import PERTURBATIONS
from chladni_evaluation.corpus.selection import KINDS, counts_by_kind, plan_clips
from chladni_evaluation.corpus.time_stretching import stretched
from chladni_evaluation.dataset import evenly

needs_speech = pytest.mark.skipif(not has_speech(), reason="espeak-ng is not installed")


def clip_of(samples: np.ndarray) -> Clip:
    return Clip("test", "melody", "", samples.astype(np.float32))


def tone(seconds: float = 2.0, pitch_hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def changed(name: str, clip: Clip) -> np.ndarray:
    (change,) = [change for change in PERTURBATIONS if change.name == name]
    samples, rate_hz = soundfile.read(io.BytesIO(change.apply(clip)))
    assert rate_hz == RATE_HZ
    return samples


def strongest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(spectrum.argmax() * RATE_HZ / (8 * len(samples)))


@given(st.integers(1, 300), st.booleans())
def test_kinds_add_up_and_all_are_there_where_there_is_room(count: int, with_speech: bool) -> None:
    counts = counts_by_kind(count, with_speech=with_speech)
    assert counts.keys() == KINDS.keys()
    assert sum(counts.values()) == count
    assert counts["silence"] <= 1
    if count >= len(KINDS):
        assert all(counts[kind] for kind in KINDS if with_speech or kind != "speech")
    if not with_speech:
        assert counts["speech"] == 0


def test_the_usual_clips_are_many_of_every_kind() -> None:
    counts = counts_by_kind(120, with_speech=True)
    assert counts["silence"] == 1
    assert all(counts[kind] >= 12 for kind in KINDS if kind != "silence")


@needs_speech
def test_a_seed_decides_the_clips_and_names_tell_them_apart() -> None:
    first, again, other = (
        [(plan.name, plan.detail, plan.peak_db) for plan in plan_clips(60, seed=seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert [name for name, _, _ in set(first) & set(other)] == ["digital"]


@needs_speech
@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_of_every_kind_is_made_as_planned(kind: str) -> None:
    plan = next(plan for plan in plan_clips(8, seed=3) if plan.kind == kind)
    clip, again = (plan.make(7, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(clip.samples, again.samples)
    assert clip.name.startswith(f"{kind}-07-")
    assert set(clip.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 1.0 <= len(clip.samples) / RATE_HZ <= 20.0
    assert clip.is_silent == (kind == "silence")
    if not clip.is_silent:
        peak_db = 20 * np.log10(np.abs(clip.samples).max())
        assert peak_db == pytest.approx(plan.peak_db, abs=0.01)
    samples, rate_hz = soundfile.read(io.BytesIO(clip.wav), dtype="float32")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(samples, clip.samples)  # 16 bits hold them


def test_values_are_spread_and_options_dealt_evenly() -> None:
    rng = np.random.default_rng(0)
    values = spread(rng, 10.0, 20.0, 5)
    assert sorted(int((value - 10) / 2) for value in values) == [0, 1, 2, 3, 4]
    hand = dealt(rng, "abc", 8)
    assert sorted(hand.count(letter) for letter in "abc") == [2, 3, 3]


def test_positions_are_chosen_at_even_distances() -> None:
    assert evenly(range(5), 9) == [0, 1, 2, 3, 4]
    assert evenly([10, 11, 12, 13, 14], 3) == [10, 12, 14]
    assert len(set(evenly(range(120), 100))) == 100


def test_stretching_keeps_the_pitch_and_moves_the_strokes() -> None:
    faster = stretched(tone().astype(np.float32), rate=1.25)
    assert len(faster) == round(2 * RATE_HZ / 1.25)
    assert strongest_hz(faster) == pytest.approx(440, abs=1)
    assert np.abs(faster[2000:-2000]).max() == pytest.approx(0.5, abs=0.03)
    strokes = np.zeros(2 * RATE_HZ, np.float32)
    noise = np.random.default_rng(1).standard_normal(400)
    for second in (0.5, 1.5):
        strokes[round(second * RATE_HZ) :][:400] = noise
    moved = np.abs(stretched(strokes, rate=1.25))
    assert moved[: RATE_HZ * 8 // 10].argmax() / RATE_HZ == pytest.approx(0.4, abs=0.03)
    assert (RATE_HZ * 8 // 10 + moved[RATE_HZ * 8 // 10 :].argmax()) / RATE_HZ == pytest.approx(1.2, abs=0.03)


def test_the_same_tempo_is_the_same_sound() -> None:
    samples = np.random.default_rng(2).standard_normal(RATE_HZ).astype(np.float32)
    np.testing.assert_allclose(stretched(samples, rate=1.0), samples, atol=1e-5)


def test_small_changes_are_as_large_as_their_names_say() -> None:
    clip = clip_of(tone())
    louder = changed("gain_1_db", clip)
    assert 20 * np.log10(louder.std() / clip.samples.std()) == pytest.approx(1, abs=0.01)
    noise = changed("noise_40_db", clip) - clip.samples
    assert 20 * np.log10(clip.samples.std() / noise.std()) == pytest.approx(40, abs=0.2)
    faster = changed("tempo_1_percent", clip)
    assert len(faster) == round(len(clip.samples) / 1.01)
    assert strongest_hz(faster) == pytest.approx(440, abs=1)


def test_the_mp3_has_64_kilobits_a_second_and_sounds_the_same() -> None:
    samples = 0.2 * np.random.default_rng(3).standard_normal(8 * RATE_HZ).clip(-3, 3) + tone(8.0)
    (change,) = [change for change in PERTURBATIONS if change.name == "mp3_64_kbps"]
    content = change.apply(clip_of(samples))
    assert len(content) * 8 / 8.0 == pytest.approx(64_000, rel=0.04)
    decoded, rate_hz = soundfile.read(io.BytesIO(content))
    assert rate_hz == RATE_HZ
    assert strongest_hz(decoded) == pytest.approx(440, abs=1)
    assert decoded.std() == pytest.approx(samples.std(), rel=0.1)
