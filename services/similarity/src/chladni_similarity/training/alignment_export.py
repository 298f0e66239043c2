"""The trained towers as a directory that the service loads."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from chladni_similarity.embedders.alignment import CONFIG_NAME, WEIGHTS_NAME
from chladni_similarity.embedders.alignment_network import AlignmentModel
from chladni_similarity.models.calibration import (
    CALIBRATION_NAME,
    CalibrationError,
    ModelCalibrations,
    format_calibrations,
)
from chladni_similarity.models.files import sha256_of
from chladni_similarity.models.references import ALIGNMENT_MODEL_ID
from chladni_similarity.training.alignment_card import write_model_card
from chladni_similarity.training.cosine_calibration import calibrate
from chladni_similarity.training.model_directory import git_commit, write_manifest
from chladni_similarity.training.pairs import Pairs
from chladni_similarity.training.retrieval import embed_pairs, measure_retrieval

_WRONG_PAIRS_A_ROW: Final = 10
_LIBRARIES: Final = ("torch", "transformers", "safetensors", "numpy", "pillow")


def export_model(
    average: AlignmentModel, directory: Path, *, held_out: Pairs, training: Mapping[str, Any]
) -> Mapping[str, float]:
    """Write configuration, weights, calibration, model card and manifest; return the figures in it.

    Weights are stored in half precision, and all figures measured with weights so rounded. The directory is
    replaced as a whole, once everything has been written beside it.

    Args:
        average: What to write.
        directory: Where to.
        held_out: Pairs to measure by.
        training: How it came to be, for the manifest.
    """
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    half = AlignmentModel(average.config)
    half.load_state_dict(average.state_dict())
    half.half().save_pretrained(partial)
    (partial / WEIGHTS_NAME).chmod(0o644)  # safetensors writes for the owner alone; a service runs as another
    model = half.float().to(memory_format=torch.channels_last).eval()
    figures = measure_retrieval(model, held_out)
    calibrations = _calibrations(model, held_out)
    (partial / CALIBRATION_NAME).write_bytes(format_calibrations(calibrations))
    digests = {
        name: sha256_of((partial / name).read_bytes())
        for name in (CONFIG_NAME, WEIGHTS_NAME, CALIBRATION_NAME)
    }
    manifest = _manifest(model, digests) | {
        "training": {"git_commit": git_commit(), **training},
        "metrics": figures,
        "libraries": {name: metadata.version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
    }
    (partial / "README.md").write_text(write_model_card(model, manifest, calibrations), encoding="utf-8")
    write_manifest(partial, manifest)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)
    return figures


def _manifest(model: AlignmentModel, digests: Mapping[str, str]) -> dict[str, Any]:
    side = model.config.image_side_pixels
    return {
        "model_id": ALIGNMENT_MODEL_ID,
        "description": "Two towers that bring sounds and the images painted of them into one space.",
        "license": "Apache-2.0",
        "space": f"{ALIGNMENT_MODEL_ID}-{digests[WEIGHTS_NAME][:8]}",
        "dimension": model.config.projection_dimension,
        "input_side_pixels": side,
        "sha256": dict(digests),
        "architecture": "contrastive towers: a residual network for images, a residual MLP for sounds",
        "preparation": f"whole image resized to {side} x {side} pixels (bicubic, antialiased); sounds as "
        "embeddings in chladni-descriptors-v2",
    }


def _calibrations(model: AlignmentModel, held_out: Pairs) -> ModelCalibrations:
    """Return what held-out pairs say of cosines: nothing if the model cannot separate them."""
    audio_vectors, image_vectors = embed_pairs(model, held_out)
    right = (audio_vectors * image_vectors).sum(dim=1)
    wrong: list[Tensor] = []
    for shift in _shifts(len(held_out)):
        is_wrong = held_out.clip != held_out.clip.roll(-shift)
        wrong.append((audio_vectors * image_vectors.roll(-shift, dims=0)).sum(dim=1)[is_wrong])
    try:
        alignment = calibrate(
            right.clamp(-1, 1).tolist(),
            torch.cat(wrong).clamp(-1, 1).tolist(),
            data="held-out pairs of the training's images, each sound also with images of other sounds",
        )
    except CalibrationError as error:
        print(f"not calibrated: {error}", flush=True)
        return ModelCalibrations()
    return ModelCalibrations(alignment=alignment)


def _shifts(count: int) -> Sequence[int]:
    """Return by how many rows images are shifted against sounds to make wrong pairs."""
    return range(1, min(_WRONG_PAIRS_A_ROW, count - 1) + 1)
