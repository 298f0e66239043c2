"""Measure machine listening on simulated machines.

    make quality-anomaly                                three machines, four faults, about ten minutes
    make quality-anomaly ARGUMENTS="--clips 2"          only to see that it works; the figures mean little

Each machine is learnt from recordings of its normal operation, most of one domain and a few of another; then
normal and faulty clips of both are judged. Figures of a simulator prove the plumbing only: real machines are
harder, and say nothing by these numbers. It writes build/quality-anomaly.json, one flat object of numbers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from chladni_evaluation.anomaly.machines import MACHINES, NAMED_BY, SEVERITIES, recorded, with_fault
from chladni_similarity.anomaly.calibration import NEEDS_MAINTENANCE_SCORE
from chladni_similarity.anomaly.detector import fit_normal_set, judge_windows
from chladni_similarity.anomaly.encoders import MEL_STATISTICS, EncoderLoader
from chladni_similarity.anomaly.explanation import deviating_attributes
from chladni_similarity.anomaly.normal_set import NormalSet, NormalSetInfo
from chladni_similarity.anomaly.windows import Spectrogram, scored_windows
from chladni_similarity.training.anomaly.figures import alarm_after, detection_figures, false_alarms_per_day

TARGETS: Final = {
    "auc_severe": (0.95, True),
    "auc_mild": (0.85, True),
    "false_alarms_per_machine_day": (0.1, False),
    "detected_within_10_minutes": (0.9, True),
    "named_change_right": (0.8, True),
}
CLIPS_PER_DAY: Final = 24 * 60
"""A clip of ten seconds each minute."""
ALARM_CLIPS: Final = 4
ALARM_WINDOW: Final = 6
SHOWN_ATTRIBUTES: Final = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--clips", type=int, default=10, help="clips of each fault; three times as many normal"
    )
    parser.add_argument("--training-clips", type=int, default=30)
    parser.add_argument("--encoder", default=MEL_STATISTICS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/quality-anomaly.json"))
    options = parser.parse_args(arguments)
    figures = measure(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        target, is_minimum = TARGETS.get(name, (None, True))
        mark = ""
        if target is not None:
            is_met = value >= target if is_minimum else value <= target
            mark = f"  target {'>=' if is_minimum else '<='} {target}: {'met' if is_met else 'MISSED'}"
        print(f"{name:<32} {value:8.4f}{mark}")
    print("Figures of a simulator prove the plumbing only.")
    return 0


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return the figures by name, the means over machines."""
    by_machine = [_measure_machine(name, index, options) for index, name in enumerate(MACHINES)]
    figures = {
        key: float(np.mean([item[key] for item in by_machine]))
        for key in by_machine[0]
        if not key.startswith("count_")
    }
    false, normal = (sum(item[f"count_{key}"] for item in by_machine) for key in ("false", "normal"))
    # Laplace's rule: no false alarm among a few clips does not prove that there will be none.
    rate = (false + 1) / (normal + 2)
    figures["false_rate_of_clips"] = rate
    figures["false_alarms_per_machine_day"] = false_alarms_per_day(
        rate, ALARM_CLIPS, ALARM_WINDOW, CLIPS_PER_DAY
    )
    return figures


def _measure_machine(name: str, index: int, options: argparse.Namespace) -> dict[str, Any]:
    machine = MACHINES[name]
    rng = np.random.default_rng((options.seed, index))
    target_count = max(1, options.training_clips // 5)
    learnt, speeds = zip(
        *(
            recorded(machine, rng, is_target=number < target_count)
            for number in range(options.training_clips)
        ),
        strict=True,
    )
    info = NormalSetInfo(
        name=name, clip_count=0, window_count=0, encoder=options.encoder, shaft_hz=machine.shaft_hz
    )
    encoder = EncoderLoader()(options.encoder, {})
    normal_set = fit_normal_set(info, learnt, encoder, shaft_speeds_hz=speeds)
    scores: dict[str, list[float]] = {"normal": [], "mild": [], "severe": []}
    domains = []
    for number in range(3 * options.clips):
        is_target = number % 2 == 1
        clip, shaft_hz = recorded(machine, rng, is_target=is_target)
        scores["normal"].append(_judge(normal_set, clip, shaft_hz)[0])
        domains.append("target" if is_target else "source")
    detected, delays, named = [], [], []
    for fault, names in NAMED_BY.items():
        for severity in SEVERITIES:
            faulty = with_fault(machine, fault, severity)
            judged = [
                _judge(normal_set, *recorded(faulty, rng, is_target=number % 2 == 1))
                for number in range(options.clips)
            ]
            scores[severity] += [score for score, _ in judged]
            if severity == "severe":
                after = alarm_after(
                    [score >= NEEDS_MAINTENANCE_SCORE for score, _ in judged],
                    min(ALARM_CLIPS, options.clips),
                    ALARM_WINDOW,
                )
                detected.append(after is not None)
                delays += [after] if after else []
                named += [bool(names & set(found)) for _, found in judged]
    normal = np.array(scores["normal"])
    figures: dict[str, Any] = {
        "detected_within_10_minutes": float(np.mean(detected)),
        "detection_delay_minutes": float(np.mean(delays)) if delays else float("nan"),
        "named_change_right": float(np.mean(named)),
        "count_false": int((normal >= NEEDS_MAINTENANCE_SCORE).sum()),
        "count_normal": len(normal),
    }
    for severity in SEVERITIES:
        faulty_scores = np.array(scores[severity])
        found = detection_figures(
            np.concatenate([normal, faulty_scores]),
            np.repeat([False, True], [len(normal), len(faulty_scores)]),
            [*domains, *["source"] * len(faulty_scores)],
        )
        figures |= {f"{key}_{severity}": value for key, value in found.items()}
    return figures


def _judge(normal_set: NormalSet, clip: Spectrogram, shaft_hz: float) -> tuple[float, list[str]]:
    score, attributes = judge_windows(normal_set, scored_windows(clip), shaft_hz=shaft_hz)
    deviating = deviating_attributes(normal_set.model.ranges, attributes)
    return score.score, [item.name for item in deviating[:SHOWN_ATTRIBUTES]]


if __name__ == "__main__":
    raise SystemExit(main())
