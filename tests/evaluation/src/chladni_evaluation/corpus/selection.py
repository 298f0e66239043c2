"""The selection of clips: a number of each kind, all drawn from one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from chladni_audio_features.training.synthesis.speech import has_speech
from chladni_evaluation.corpus.clips import ClipPlan
from chladni_evaluation.corpus.music import plan_melodies, plan_polyphony
from chladni_evaluation.corpus.speech import plan_speech
from chladni_evaluation.corpus.unpitched import plan_machines, plan_noises, plan_percussion, plan_silence

KINDS: Final[Mapping[str, Callable[[int, np.random.Generator], list[ClipPlan]]]] = {
    "speech": plan_speech,
    "melody": plan_melodies,
    "polyphony": plan_polyphony,
    "percussion": plan_percussion,
    "noise": plan_noises,
    "machine": plan_machines,
    "silence": plan_silence,
}
"""The function that plans the clips of each kind."""

_SHARES: Final = {
    "speech": 36,
    "melody": 18,
    "polyphony": 26,
    "percussion": 13,
    "noise": 14,
    "machine": 12,
}


def plan_clips(count: int, *, seed: int) -> list[ClipPlan]:
    """Plan clips of all kinds, kind by kind; other seeds give other clips.

    Without espeak-ng the other kinds replace speech. One clip is silent if there are enough for all kinds.
    """
    return [
        plan
        for position, kind in enumerate(KINDS)
        for plan in KINDS[kind](
            counts_by_kind(count, with_speech=has_speech())[kind], np.random.default_rng((seed, position))
        )
    ]


def counts_by_kind(count: int, *, with_speech: bool) -> dict[str, int]:
    """Return how many clips of each kind there are, in proportion to the kinds' shares; they add up."""
    shares = {kind: share for kind, share in _SHARES.items() if with_speech or kind != "speech"}
    silence = int(count > len(shares))
    wanted = {kind: (count - silence) * share / sum(shares.values()) for kind, share in shares.items()}
    counts = dict.fromkeys(KINDS, 0) | {kind: int(number) for kind, number in wanted.items()}
    by_remainder = sorted(wanted, key=lambda kind: (counts[kind] > 0, counts[kind] - wanted[kind]))
    for kind in by_remainder[: count - silence - sum(counts.values())]:
        counts[kind] += 1
    return counts | {"silence": silence}
