"""Train the alignment model on pairs of images and sounds, and export it for the service.

The model has two towers, one for images and one for embeddings of sounds. It learns to bring each
image near its own sound and away from the other sounds of a batch. Some of the sounds are held out;
every checkpoint is measured by how often the right image, or the right sound, is the first (R@1) or
among the first five (R@5) of a hundred.

    chladni-train alignment --pairs build/alignment/pairs.safetensors
    chladni-train alignment --pairs one.safetensors --pairs two.safetensors
    chladni-train alignment --pairs one.safetensors --steps 9 --out build/trial

A file of pairs is a safetensors file with the tensors images (uint8, N x 3 x 128 x 128, RGB), sounds
(float32, N x 152, chladni-descriptors-v2) and source (uint8, N; 0 for rendered art, 1 for samples of the
image model). More pairs beat more steps: from a few thousand on the model separates most pairs of a
hundred, below a thousand it learns the images by heart.

A training that was stopped goes on from its checkpoint when the same command runs again; --fresh starts
afresh. Nothing but the model's own directory is written outside the build folder. Scores are calibrated
afterwards by chladni_similarity.training.calibrate_scores.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from chladni_similarity.embedders.alignment_network import AlignmentConfig
from chladni_similarity.models.files import shipped_model_directory
from chladni_similarity.models.references import ALIGNMENT_MODEL_ID
from chladni_similarity.training.alignment_export import export_model
from chladni_similarity.training.alignment_training import CheckpointError, Recipe, Training, Watch, train
from chladni_similarity.training.pairs import SOURCE_NAMES, Pairs, PairsError, read_pairs, split_pairs
from chladni_training.arguments import JobParser, open_share, positive_count

_FEWEST_PAIRS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and export as the command line says; return the exit status."""
    return run(build_parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Train and export as the options say; return the exit status."""
    torch.set_num_threads(options.threads)
    try:
        pairs, held_out = _load(options.pairs, share=options.held_out, seed=options.seed)
        training = _training(options)
    except (PairsError, CheckpointError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    counts = f"{len(pairs)} pairs to train on, {len(held_out)} held out"
    print(f"{counts}; {training.recipe.steps - training.step} steps to go", flush=True)
    watch = Watch(options.build_folder / "checkpoint.pt", checkpoint_every=options.checkpoint_every)
    train(training, pairs, held_out, watch)
    figures = export_model(
        training.average.cpu(),
        options.out,
        held_out=held_out,
        training={
            "command": _command(options),
            "recipe": asdict(training.recipe),
            "data": {
                "training_pairs": len(pairs),
                "held_out_pairs": len(held_out),
                "sources": {
                    name: int((pairs.source == number).sum()) for number, name in enumerate(SOURCE_NAMES)
                },
            },
            "seconds": round(training.seconds),
            "machine": f"{os.cpu_count()} CPU cores, {options.threads} torch threads, {options.device}",
        },
    )
    for name, value in figures.items():
        print(f"{name}: {value:g}", flush=True)
    print(f"exported: {options.out}", flush=True)
    return 0


def _load(paths: Sequence[Path], *, share: float, seed: int) -> tuple[Pairs, Pairs]:
    pairs = read_pairs(paths)
    if len(pairs) < _FEWEST_PAIRS:
        raise PairsError(f"there are {len(pairs)} pairs, must be at least {_FEWEST_PAIRS}")
    return split_pairs(pairs, share=share, seed=seed)


def _training(options: argparse.Namespace) -> Training:
    recipe = Recipe(
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        learning_rate=options.learning_rate,
        use_bfloat16=not options.float32,
    )
    training = Training.begin(recipe, AlignmentConfig(), options.device)
    checkpoint = options.build_folder / "checkpoint.pt"
    if options.fresh:
        checkpoint.unlink(missing_ok=True)
    if checkpoint.exists():
        try:
            training.resume(checkpoint)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; repeat that command, or start afresh with --fresh") from None
    return training


def _command(options: argparse.Namespace) -> str:
    """Return what to type for the same again; folders are the reader's own matter."""
    files = [word for path in options.pairs for word in ("--pairs", path.name)]
    numbers = [
        word
        for name in ("steps", "batch_size", "learning_rate", "seed", "held_out")
        for word in (f"--{name.replace('_', '-')}", str(getattr(options, name)))
    ]
    return shlex.join(["python", "-m", "chladni_similarity.training.train_alignment", *files, *numbers])


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(prog="python -m chladni_similarity.training.train_alignment", description=__doc__)
    parser.add_argument(
        "--pairs", type=Path, action="append", required=True, metavar="FILE", help="file of pairs; repeatable"
    )
    parser.add_argument(
        "--steps",
        type=positive_count,
        default=2000,
        help="optimizer steps (default: 2000, which takes about ten minutes on two cores)",
    )
    parser.add_argument(
        "--batch-size", type=positive_count, default=128, help="pairs in a step (default: 128)"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=1.5e-3, help="at its highest (default: 0.0015)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of everything (default: 1)")
    parser.add_argument(
        "--held-out", type=open_share, default=0.05, help="share of the sounds to judge by (default: 0.05)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=shipped_model_directory(ALIGNMENT_MODEL_ID),
        metavar="DIR",
        help="model directory to write (default: the one that the service ships)",
    )
    parser.add_argument(
        "--build-folder",
        type=Path,
        default=Path("build/alignment_model"),
        metavar="DIR",
        help="where the checkpoint is kept (default: build/alignment_model)",
    )
    parser.add_argument(
        "--checkpoint-every",
        type=positive_count,
        default=250,
        help="steps between checkpoints (default: 250)",
    )
    parser.add_argument("--fresh", action="store_true", help="start afresh, even if there is a checkpoint")
    parser.add_argument("--threads", type=positive_count, default=2, help="torch threads (default: 2)")
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda (default: cpu)")
    parser.add_argument(
        "--float32",
        action="store_true",
        help="compute in float32: for processors without arithmetic in bfloat16",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
