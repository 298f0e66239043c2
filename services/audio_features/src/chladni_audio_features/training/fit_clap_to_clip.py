"""Fit a linear map from the space of a CLAP into the image space of a CLIP.

    python -m chladni_audio_features.training.fit_clap_to_clip --clap DIR --clip DIR --out DIR

Writes captions by a grammar, embeds them by the text branches of both models, and fits a ridge regression
between their normalised embeddings. Captions that took no part in the fit say how good it is. The same
models, seed and versions give the same map.

In either model the embeddings of one modality lie apart from those of the other (Liang et al. 2022, "Mind the
gap"). What takes image embeddings has seen those of images alone: with --images, the map's results are
moved by the difference between the mean image of a folder and the mean caption. The map will take
embeddings of sounds: with --audio, they are first moved by the difference between the mean caption and
the mean clip.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from chladni_audio_features.embeddings.clap_to_clip import FORMAT_VERSION, MANIFEST_FILE, MAP_FILE
from chladni_audio_features.training.caption_embeddings import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    ClapTexts,
    ClipSpace,
    embed_clips,
)
from chladni_audio_features.training.caption_grammar import draw_captions
from chladni_audio_features.training.ridge_regression import fit_ridge, measure_fit, unit
from chladni_training.arguments import JobParser

_HELD_OUT_SHARE = 0.1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job as the command line says."""
    run(build_parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Run the job and return the exit status."""
    parser = build_parser()
    if options.captions < 20:
        parser.error(f"--captions must be at least 20, but is {options.captions}")
    if options.ridge is not None and not options.ridge > 0.0:
        parser.error(f"--ridge must be more than 0, but is {options.ridge:g}")
    if options.norm is not None and not 0.0 < options.norm < float("inf"):
        parser.error(f"--norm must be more than 0, but is {options.norm:g}")
    images = _find_files(options.images, IMAGE_SUFFIXES)
    if options.images is not None and not images:
        parser.error(f"--images has no {', '.join(IMAGE_SUFFIXES)} file")
    clips = _find_files(options.audio, AUDIO_SUFFIXES)
    if options.audio is not None and not clips:
        parser.error(f"--audio has no {', '.join(AUDIO_SUFFIXES)} file")

    captions = draw_captions(count=options.captions, seed=options.seed)
    clap, clip = ClapTexts(options.clap), ClipSpace(options.clip)
    inputs, projections = clap.embed(captions), clip.embed_texts(captions)
    targets = unit(projections)
    held_out = round(len(captions) * _HELD_OUT_SHARE)
    fit = fit_ridge(inputs[held_out:], targets[held_out:], strength=options.ridge)
    figures = measure_fit(fit.predict(inputs[:held_out]), targets[:held_out])

    bias, norms = fit.bias, np.linalg.norm(projections, axis=1)
    if clips:
        bias = bias + fit.weight @ (inputs.mean(axis=0) - embed_clips(options.clap, clips).mean(axis=0))
    if images:
        image_projections = clip.embed_images(images)
        bias = bias + unit(image_projections).mean(axis=0) - targets.mean(axis=0)
        norms = np.linalg.norm(image_projections, axis=1)
    # safetensors writes the memory of an array as it lies, whatever the order of its axes.
    tensors = {"weight": fit.weight, "bias": bias}
    weights = save({name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()})
    manifest = {
        "format": FORMAT_VERSION,
        "clap_space": clap.space,
        "clip_space": clip.space,
        "norm": options.norm or round(float(norms.mean()), 6),
        "digest": hashlib.sha256(weights).hexdigest(),
        "captions": len(captions),
        "held_out_captions": held_out,
        "images": len(images),
        "recordings": len(clips),
        "seed": options.seed,
        "ridge": fit.strength,
        "held_out": {name: round(value, 4) for name, value in asdict(figures).items()},
        "created_by": "chladni_audio_features.training.fit_clap_to_clip",
        "versions": {name: version(name) for name in ("numpy", "torch", "transformers")},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / MAP_FILE).write_bytes(weights)
    (options.out / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    print(
        f"{len(captions) - held_out} captions fitted, ridge {fit.strength:.3g}; {held_out} held out: "
        f"R2 {figures.r_squared:.3f}, cosine {figures.cosine:.3f}, recall at 1 {figures.recall_at_1:.3f}"
    )
    return 0


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(description=__doc__)
    parser.add_argument("--clap", type=Path, required=True, help="transformers directory of a CLAP")
    parser.add_argument("--clip", type=Path, required=True, help="transformers directory of a CLIP")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the map to")
    parser.add_argument("--captions", type=int, default=8000, help="captions in all (default 8000)")
    parser.add_argument("--seed", type=int, default=1787, help="seed of the captions")
    parser.add_argument("--ridge", type=float, help="strength of the ridge; by cross-validation if absent")
    parser.add_argument("--images", type=Path, help="folder of images to move the results towards")
    parser.add_argument("--audio", type=Path, help="folder of clips like those to come")
    parser.add_argument(
        "--norm", type=float, help="norm of the results; the mean norm of CLIP's projections if absent"
    )
    return parser


def _find_files(folder: Path | None, suffixes: Sequence[str]) -> list[Path]:
    if folder is None:
        return []
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)


if __name__ == "__main__":
    main()
