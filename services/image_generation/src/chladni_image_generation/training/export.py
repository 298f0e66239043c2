"""The trained model as a diffusers directory with a manifest of how it came to be."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_SPACE
from chladni_image_generation.families.embedded.conditioning import (
    CLASS_LABEL_DIMENSION,
)
from chladni_image_generation.families.embedded.detailer import DETAILER_FOLDER, Detailer
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS
from chladni_image_generation.families.embedded.noise_grid import GRID_SIZE
from chladni_image_generation.models.files import MANIFEST_NAME, file_digests
from chladni_image_generation.training.autoencoder import DOWNSAMPLING, LATENT_CHANNELS
from chladni_image_generation.training.reports.sampling import ImageModel, SamplingDefaults

MODEL_ID = "chladni-embedded"
MODEL_VERSION = "2.3.0"
_LIBRARIES = ("torch", "diffusers", "safetensors")


def export_model(
    model: ImageModel,
    folder: Path,
    *,
    defaults: SamplingDefaults,
    training: Mapping[str, Any],
    metrics: Mapping[str, float],
    model_card: str,
) -> None:
    """Write weights (fp16 safetensors), configurations, model card and manifest into the folder.

    The folder is replaced as a whole, once everything has been written beside it.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _save_half(model.denoiser, partial / "unet")
    _save_half(model.autoencoder, partial / "vae")
    model.scheduler.save_pretrained(partial / "scheduler")
    _write_json(partial / "model_index.json", _model_index(model))
    (partial / "README.md").write_text(model_card)
    manifest = {
        "id": MODEL_ID,
        "version": MODEL_VERSION,
        "licence": "Apache-2.0",
        "conditioning": {
            "descriptor_space": DESCRIPTOR_SPACE,
            "components": list(COMPONENT_NAMES),
            "class_label_dimension": CLASS_LABEL_DIMENSION,
            "guide_channels": GUIDE_CHANNELS,
        },
        "latents": {
            "channels": LATENT_CHANNELS,
            "height": defaults.size_pixels // DOWNSAMPLING,
            "width": defaults.size_pixels // DOWNSAMPLING,
            "scaling_factor": model.autoencoder.config.scaling_factor,
            "shift": 0.0,
        },
        "sizes": _sizes(model, defaults.size_pixels),
        "defaults": {
            "scheduler": type(model.scheduler).__name__,
            "steps": defaults.steps,
            "guidance_scale": defaults.guidance_scale,
            "size_pixels": defaults.size_pixels,
        },
        "training": {"git_commit": _git_commit(), **training},
        "metrics": dict(metrics),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
        "sha256": file_digests(partial),
    }
    _write_json(partial / MANIFEST_NAME, manifest)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def add_detailer(folder: Path, detailer: Detailer, *, training: Mapping[str, Any]) -> None:
    """Add a detailer to an exported model, and note it in the manifest.

    Args:
        folder: The model's directory.
        detailer: The detailer, trained on that model.
        training: How it was trained, for the manifest.
    """
    detailer.save(folder / DETAILER_FOLDER)
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest |= {"detailer": {"training": dict(training)}, "sha256": file_digests(folder)}
    _write_json(folder / MANIFEST_NAME, manifest)


def _sizes(model: ImageModel, native_pixels: int) -> dict[str, int]:
    """Return the lengths of sides that the noise's grid divides, and each level of the denoiser."""
    levels = len(model.denoiser.config.block_out_channels)
    multiple_pixels = DOWNSAMPLING * max(GRID_SIZE, 2 ** (levels - 1))
    return {
        "minimum_pixels": max(multiple_pixels, native_pixels // 2),
        "maximum_pixels": 4 * native_pixels,
        "multiple_pixels": multiple_pixels,
    }


def _save_half(part: torch.nn.Module, folder: Path) -> None:
    """Save a diffusers model in half precision, and leave the model itself as it was."""
    half = type(part).from_config(part.config)  # type: ignore[attr-defined]
    half.load_state_dict(part.state_dict())
    half.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # safetensors writes files for their owner alone; a service runs as another


def _model_index(model: ImageModel) -> dict[str, Any]:
    return {
        "_class_name": "DiffusionPipeline",
        "_diffusers_version": metadata.version("diffusers"),
        "scheduler": ["diffusers", type(model.scheduler).__name__],
        "unet": ["diffusers", type(model.denoiser).__name__],
        "vae": ["diffusers", type(model.autoencoder).__name__],
    }


def _git_commit() -> str | None:
    """Return the commit that this code was checked out from, or None outside a checkout."""
    answer = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "HEAD"],  # noqa: S607 -- git is where PATH says
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
