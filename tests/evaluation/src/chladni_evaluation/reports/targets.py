"""Targets of the figures. An absent figure misses its target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from chladni_benchmarks.reports.targets import Target

# Targets hold at their bounds; these lie next to bounds that must not be reached.
_BELOW_A_THOUSANDTH: Final = math.nextafter(0.001, 0.0)
_BELOW_ONE: Final = math.nextafter(1.0, 0.0)
_ABOVE_ONE_AND_A_HALF: Final = math.nextafter(1.5, 2.0)

TARGETS: Final[Mapping[str, Mapping[str, Target]]] = {
    "clips": {
        "clips.count": Target("at least", 100),
        "clips.speech": Target("at least", 1),
    },
    "speed": {
        "decode.milliseconds_over_step": Target("at most", 3.5),
        "seconds_per_image": Target("at most", 1.0),
        "weights.bytes": Target("at most", 40_000_000),
    },
    "autoencoder": {"autoencoder.psnr_db": Target("at least", 26.0)},
    "retrieval": {
        "retrieval.clips": Target("at least", 100),
        "retrieval.image_to_clip.r1": Target("at least", 0.8),
        "retrieval.image_to_clip.r5": Target("at least", 0.95),
        "retrieval.clip_to_image.r1": Target("at least", 0.8),
        "retrieval.clip_to_image.r5": Target("at least", 0.95),
    },
    "effect": {
        "audio_effect_ratio": Target("at least", _ABOVE_ONE_AND_A_HALF),
        "audio_effect_ratio.p": Target("at most", _BELOW_A_THOUSANDTH),
        "mantel.correlation": Target("at least", 0.5),
        "mantel.p": Target("at most", _BELOW_A_THOUSANDTH),
        "mantel.librosa": Target("at least", 0.45),
    },
    "smoothness": {"smoothness.worst_ratio": Target("at most", _BELOW_ONE)},
    "compare": {
        "compare.auc": Target("at least", 0.97),
        "compare.efficientnet-lite0.score_of_equal": Target("at least", 1.0),
        "compare.chladni-alignment.auc": Target("at least", 0.97),
        "scores.unlike_zero_share": Target("at most", 0.05),
    },
    "composition": {
        "looks.count": Target("at least", 5),
        "composition.correlation": Target("at most", 0.5),
        "doubles.share": Target("at most", 0.2),
    },
    "transposition": {"transposition.path_over_direct": Target("at most", 3)},
    "classes": {"classes.knn5_over_spectrogram": Target("at least", 1)},
    "richness": {"richness.coherent_gain": Target("at least", 0.6)},
    "distribution": {"distribution.copies": Target("at most", 0)},
}
"""Bounds by section and name of the figure; those of ``clips`` are always measured."""


def targets_of(sections: list[str]) -> dict[str, Target]:
    """Return the targets of some sections, those of the clips among them."""
    return {
        name: target for section in ("clips", *sections) for name, target in TARGETS.get(section, {}).items()
    }


def missed(figures: Mapping[str, float], targets: Mapping[str, Target]) -> list[str]:
    """Return the names of the targets that are missed, those of absent figures among them."""
    return [name for name, target in targets.items() if not target.is_met(figures.get(name, math.nan))]
