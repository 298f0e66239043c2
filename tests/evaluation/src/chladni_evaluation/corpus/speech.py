"""Spoken clips: many languages and voices, and several moods of delivery."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from chladni_audio_features.training.synthesis.speech import SENTENCES, Utterance, speak
from chladni_audio_features.training.synthesis.timbres import Samples
from chladni_evaluation.corpus.clips import RATE_HZ, ClipPlan, dealt

_MORE_SENTENCES: Final = (
    ("en-us", "Call me when the kettle sings, and please, do not be late again."),
    ("fi", "Hiljaa hyvä tulee, ja ajatellen aivan kaunis."),
    ("hu", "Lassan járj, tovább érsz."),
    ("el", "Όποιος βιάζεται σκοντάφτει."),
    ("ru", "Тише едешь, дальше будешь."),
    ("cs", "Ranní ptáče dál doskáče."),
    ("cmn", "一步一个脚印"),
)


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A mood of speaking: ranges of pace, pitch and level, and the voices that suit it."""

    name: str
    words_per_minute: tuple[int, int]
    pitch: tuple[int, int]
    peak_db: tuple[float, float]
    variants: tuple[str, ...]


_DELIVERIES: Final = (
    _Delivery("calm", (120, 145), (40, 55), (-10.0, -5.0), ("", "+f2", "+m3", "+f4")),
    _Delivery("excited", (195, 235), (70, 95), (-4.0, -1.5), ("+f3", "+m2", "+f5")),
    _Delivery("grave", (90, 120), (5, 25), (-9.0, -4.0), ("", "+m3", "+m7")),
    _Delivery("whispered", (120, 150), (40, 60), (-26.0, -16.0), ("+whisper", "+whisperf")),
    _Delivery("hurried", (240, 300), (45, 65), (-6.0, -2.0), ("", "+m1", "+f2")),
    _Delivery("shouted", (140, 175), (80, 99), (-1.6, -1.5), ("+f5", "+m4", "+m6")),
    _Delivery("weary", (80, 105), (25, 40), (-20.0, -12.0), ("+croak", "+m5", "+f1")),
)


def plan_speech(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan spoken clips; as many deliveries and languages as possible."""
    deliveries = dealt(rng, _DELIVERIES, count)
    sentences = dealt(rng, (*SENTENCES, *_MORE_SENTENCES), count)
    return [
        _plan(delivery, voice, text, rng)
        for delivery, (voice, text) in zip(deliveries, sentences, strict=True)
    ]


def _plan(delivery: _Delivery, voice: str, text: str, rng: np.random.Generator) -> ClipPlan:
    utterance = Utterance(
        text=text,
        voice=voice + str(rng.choice(delivery.variants)),
        words_per_minute=int(rng.integers(*delivery.words_per_minute)),
        pitch=int(rng.integers(*delivery.pitch)),
    )
    return ClipPlan(
        kind="speech",
        name=f"{voice}-{delivery.name}",
        detail=f"{utterance.voice}, {utterance.words_per_minute} words/min, pitch {utterance.pitch}",
        peak_db=float(rng.uniform(*delivery.peak_db)),
        render=partial(_render, utterance),
    )


def _render(utterance: Utterance, rng: np.random.Generator) -> Samples:
    del rng  # espeak-ng is deterministic
    return speak(utterance, rate_hz=RATE_HZ)
