"""Figures of anomaly detection as DCASE's task 2 reports them, and as an operator feels them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from chladni_similarity.anomaly.calibration import AnomalyLabel, label_of

PARTIAL_RATE: Final = 0.1
"""False-positive rate up to which the partial AUC counts, as in the challenge."""


def detection_figures(
    scores: NDArray[np.float64], is_anomaly: NDArray[np.bool_], domains: Sequence[str]
) -> dict[str, float]:
    """Return source AUC, target AUC, pAUC and their harmonic mean.

    The AUC of a domain compares its normal clips with the anomalies of both domains; the partial AUC compares
    all. A figure for which clips are missing is absent.

    Args:
        scores: (N,) scores.
        is_anomaly: (N,) whether each clip shows a fault.
        domains: N domains.
    """
    in_source = np.array([domain == "source" for domain in domains])
    figures: dict[str, float] = {}
    for name, is_inside in (("auc_source", in_source), ("auc_target", ~in_source)):
        chosen = is_inside | is_anomaly
        if (is_inside & ~is_anomaly).any() and is_anomaly.any():
            figures[name] = float(roc_auc_score(is_anomaly[chosen], scores[chosen]))
    if is_anomaly.any() and not is_anomaly.all():
        figures["auc"] = float(roc_auc_score(is_anomaly, scores))
        figures["pauc"] = float(roc_auc_score(is_anomaly, scores, max_fpr=PARTIAL_RATE))
        counted = [figures[name] for name in ("auc_source", "auc_target", "pauc") if name in figures]
        figures["harmonic_mean"] = len(counted) / sum(1.0 / max(value, 1e-9) for value in counted)
    return figures


def confusion(scores: NDArray[np.float64], is_anomaly: NDArray[np.bool_]) -> Mapping[str, Mapping[str, int]]:
    """Return how many normal and how many faulty clips got each label."""
    labels = [label_of(float(score)) for score in scores]
    return {
        name: {
            label.value: sum(found is label for found, kept in zip(labels, chosen, strict=True) if kept)
            for label in AnomalyLabel
        }
        for name, chosen in (("normal", ~is_anomaly), ("anomaly", is_anomaly))
    }


def alarm_after(is_high: Sequence[bool] | NDArray[np.bool_], needed: int, window: int) -> int | None:
    """Return after how many clips `needed` of the last `window` were high; `None` for never."""
    high = np.asarray(is_high, dtype=bool)
    for end in range(1, len(high) + 1):
        if high[max(0, end - window) : end].sum() >= needed:
            return end
    return None


def false_alarms_per_day(false_rate: float, needed: int, window: int, clips_per_day: float) -> float:
    """Return how many false alarms a day are expected if clips are independent.

    The chain of the last `window` clips is solved exactly. An alarm ends when fewer than `needed` are high.

    Args:
        false_rate: Share of normal clips that are high.
        needed: High clips that make an alarm.
        window: Last clips that are looked at.
        clips_per_day: Clips judged a day.
    """
    states = 1 << window
    high_counts = np.array([state.bit_count() for state in range(states)])
    probability = np.where(np.arange(states) == 0, 1.0, 0.0)
    for _ in range(4 * window):
        following = np.zeros(states)
        for bit, share in ((0, 1.0 - false_rate), (1, false_rate)):
            np.add.at(following, (np.arange(states) << 1 | bit) & (states - 1), share * probability)
        probability = following
    begins = np.zeros(states, dtype=bool)
    shifted = (np.arange(states) << 1 | 1) & (states - 1)
    begins = (high_counts < needed) & (high_counts[shifted] >= needed)
    return float(probability[begins].sum() * false_rate * clips_per_day)
