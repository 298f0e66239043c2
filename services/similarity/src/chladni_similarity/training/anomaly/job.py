"""Learn the normal operation of machines from a folder of recordings, and measure how well faults are found.

    chladni-train anomaly gearbox                             an autoencoder, and its encoder frozen
    chladni-train anomaly gearbox --encoder mel-statistics    nothing is trained: seconds
    chladni-train anomaly gearbox --backend mahalanobis       distance by one backend

The folder is read as DCASE's task 2 names its files (section_00_source_train_normal_0001.wav), or by its
folders train, test, normal and anomaly. Each section is a machine of its own. Written into the output folder:
NAME.safetensors for each machine, which the similarity service serves from the folder of its setting
NORMAL_SETS, and report.json: source AUC, target AUC, pAUC, their harmonic mean, and labels at the cut-points.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from chladni_contract.errors import InvalidInputError
from chladni_contract.printable import printable
from chladni_similarity.anomaly.autoencoder import AutoencoderEncoder, SpectrogramDecoder, SpectrogramEncoder
from chladni_similarity.anomaly.backends import BACKENDS, FUSION
from chladni_similarity.anomaly.detector import fit_normal_set, judge_windows
from chladni_similarity.anomaly.encoders import (
    AUTOENCODER,
    EFFICIENTNET,
    MEL_STATISTICS,
    Encoder,
    EncoderLoader,
)
from chladni_similarity.anomaly.normal_set import NAME_PATTERN, NormalSet, NormalSetInfo, to_bytes
from chladni_similarity.anomaly.windows import Spectrogram, Window, fitted_windows, scored_windows
from chladni_similarity.training.anomaly.clips import MachineClip, find_clips
from chladni_similarity.training.anomaly.figures import confusion, detection_figures
from chladni_similarity.training.anomaly.spectrograms import spectrograms_of
from chladni_training.arguments import JobParser, positive_count, positive_number, seed_number
from chladni_training.errors import DataError
from chladni_training.files import digest_of_arrays, write_json, write_whole
from chladni_training.trainer import CHECKPOINT_NAME, Trainer, TrainingPlan

_SHOWN: Final = ("auc_source", "auc_target", "pauc", "harmonic_mean")


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="recordings, or their spectrogram images")
    parser.add_argument(
        "--out", "--output", type=Path, default=Path("build/anomaly"), help="folder for the results"
    )
    # Not by the variable NAME, which some systems set to the host's name.
    parser.add_argument(
        "--name",
        dest="normal_set",
        default="",
        metavar="NAME",
        help="name of the normal set; the folder's by default",
    )
    parser.add_argument("--encoder", choices=(AUTOENCODER, MEL_STATISTICS, EFFICIENTNET), default=AUTOENCODER)
    parser.add_argument("--backend", choices=(FUSION, *BACKENDS), default=FUSION)
    parser.add_argument("--shaft-speed", type=positive_number, metavar="HZ", help="revolutions per second")
    parser.add_argument("--epochs", type=positive_count, default=20)
    parser.add_argument("--batch-size", type=positive_count, default=16)
    parser.add_argument("--learning-rate", type=positive_number, default=1e-3)
    parser.add_argument("--seed", type=seed_number, default=0)
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint and start again")
    parser.add_argument(
        "--audio-features", default="", metavar="HOST:PORT", help="a running service; else one is started"
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the job and return the exit status."""
    name = options.normal_set or re.sub("[^a-z0-9_-]+", "-", options.folder.resolve().name.lower()).strip(
        "-_"
    )
    if not re.fullmatch(NAME_PATTERN, name):
        raise DataError(f"{name!r} is no name of a normal set; choose one with --name")
    clips = find_clips(options.folder)
    seen = asyncio.run(_see(clips, options.audio_features))
    by_section: dict[str, list[int]] = defaultdict(list)
    for index, clip in enumerate(clips):
        by_section[clip.section].append(index)
    encoder, weights = _encoder(options, clips, seen)
    report: dict[str, Any] = {"encoder": options.encoder, "backend": options.backend, "sections": {}}
    for section, indices in by_section.items():
        full_name = name if len(by_section) == 1 else f"{name}-section-{section or 'none'}"
        learnt = [seen[i] for i in indices if clips[i].is_training]
        normal_set = _fit(full_name, options, learnt, encoder, weights)
        write_whole(options.out / f"{full_name}.safetensors", to_bytes(normal_set))
        tested = [i for i in indices if not clips[i].is_training]
        figures = evaluate(normal_set, [clips[i] for i in tested], [seen[i] for i in tested])
        report["sections"][full_name] = figures
        print(
            f"{full_name}: {normal_set.info.clip_count} normal clips, {len(tested)} tested. {_line(figures)}"
        )
    write_json(options.out / "report.json", report)
    return 0


def evaluate(
    normal_set: NormalSet, clips: Sequence[MachineClip], seen: Sequence[Spectrogram | Window]
) -> dict[str, Any]:
    """Return the figures of a normal set on clips that it was not fitted to."""
    scores = np.array([score_of(normal_set, item) for item in seen])
    is_anomaly = np.array([clip.is_anomaly for clip in clips], dtype=bool)
    figures: dict[str, Any] = dict(detection_figures(scores, is_anomaly, [clip.domain for clip in clips]))
    if len(scores):
        figures["confusion"] = confusion(scores, is_anomaly)
    return figures


def score_of(normal_set: NormalSet, item: Spectrogram | Window) -> float:
    """Return the score of a clip."""
    windows = [item] if isinstance(item, Window) else scored_windows(item)
    return judge_windows(normal_set, windows)[0].score


def train_autoencoder(images: Tensor, plan: TrainingPlan, folder: Path) -> AutoencoderEncoder:
    """Train an autoencoder on images and return its encoder.

    Args:
        images: (N, 1, 224, 224) in [0, 1].
        plan: How.
        folder: Where the checkpoint and the figures are kept.
    """
    torch.manual_seed(plan.seed)
    encoder = SpectrogramEncoder()
    model = nn.Sequential(encoder, SpectrogramDecoder())
    identity = {"job": "anomaly", "data": digest_of_arrays(images.numpy())}
    trainer = Trainer(
        model=model, data=images, objective=_reproduction, plan=plan, folder=folder, identity=identity
    )
    trainer.run()
    return AutoencoderEncoder(encoder)


def _reproduction(model: nn.Module, batch: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    del generator
    return {"mse": nn.functional.mse_loss(model(batch), batch)}


async def _see(clips: Sequence[MachineClip], target: str) -> list[Spectrogram | Window]:
    return [item async for item in spectrograms_of(clips, target)]


def _encoder(
    options: argparse.Namespace, clips: Sequence[MachineClip], seen: Sequence[Spectrogram | Window]
) -> tuple[Encoder, dict[str, Any]]:
    if options.encoder != AUTOENCODER:
        return EncoderLoader()(options.encoder, {}), {}
    windows = [
        window
        for clip, item in zip(clips, seen, strict=True)
        if clip.is_training
        for window in ([item] if isinstance(item, Window) else fitted_windows(item))
    ]
    images = torch.from_numpy(np.stack([window.image for window in windows]))[:, None]
    plan = TrainingPlan(
        epochs=options.epochs,
        batch_size=min(options.batch_size, len(images)),
        learning_rate=options.learning_rate,
        seed=options.seed,
        warmup_steps=10,
    )
    if options.fresh:
        (options.out / CHECKPOINT_NAME).unlink(missing_ok=True)
    encoder = train_autoencoder(images, plan, options.out)
    return encoder, encoder.weights()


def _fit(
    name: str,
    options: argparse.Namespace,
    seen: Sequence[Spectrogram | Window],
    encoder: Encoder,
    weights: dict[str, Any],
) -> NormalSet:
    if not seen:
        raise DataError(f"{name} has no normal recordings to learn from")
    info = NormalSetInfo(
        name=name,
        description=f"Trained on {printable(options.folder.resolve().name)}",
        clip_count=0,
        window_count=0,
        encoder=options.encoder,
        backend=options.backend,
        shaft_hz=options.shaft_speed,
    )
    try:
        return fit_normal_set(info, seen, encoder, weights)
    except InvalidInputError as error:
        raise DataError(f"{name}: {error.message}") from error


def _line(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {figures[name]:.3f}" for name in _SHOWN if name in figures) or "No test clips."
