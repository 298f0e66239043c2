"""Measure how much the images of a model change with the numeric type, and how much faster they come.

    python -m chladni_image_generation.tools.measure_precision
    python -m chladni_image_generation.tools.measure_precision --model DIRECTORY --dry-run

Renders the same images in float32 and in each other type, one after the other so that whatever else
the machine does slows all of them alike, and writes the section "precision" of the model's manifest. The
service takes a type by itself (dtype=auto) only if the worst of these images reaches --min-psnr-db. At
the default, 45 dB, the type adds a smaller error than the shipped model's autoencoder makes (39 dB).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chladni_image_generation.families.embedded.model import (
    EmbeddedModel,
    load_embedded_model,
)
from chladni_image_generation.models.files import EMBEDDED_MODEL_ID, MANIFEST_NAME, find_model_files
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.data.single_image import denoise_alone

_REFERENCE: Final = "float32"
_DESCRIPTOR_SEED: Final = 77_000_000
_IDENTICAL_DB: Final = 99.0  # reported instead of infinity, which JSON lacks

Pixels = NDArray[np.uint8]


@dataclass
class Agreement:
    """How near images come to those of the reference.

    Attributes:
        psnr_db: One figure for each image.
        largest_difference: Of any channel of any pixel so far, in steps of 1 / 255.
    """

    psnr_db: list[float] = field(default_factory=list)
    largest_difference: int = 0

    def add(self, image: Pixels, reference: Pixels) -> None:
        """Compare two images (H, W, 3)."""
        difference = image.astype(np.int16) - reference.astype(np.int16)
        self.psnr_db.append(psnr_db(difference))
        self.largest_difference = max(self.largest_difference, int(np.abs(difference).max()))


@dataclass
class Measurement:
    """What was found for one type.

    Attributes:
        both: With denoiser and decoder in that type, as the service has them.
        denoiser_alone: With the decoder in the reference's.
        decoder_alone: With the denoiser in the reference's.
        seconds: Time of each image.
    """

    both: Agreement = field(default_factory=Agreement)
    denoiser_alone: Agreement = field(default_factory=Agreement)
    decoder_alone: Agreement = field(default_factory=Agreement)
    seconds: list[float] = field(default_factory=list)

    def summary(self, reference_seconds: Sequence[float]) -> Mapping[str, float]:
        """Return the figures for the manifest."""
        return {
            "psnr_db_mean": round(statistics.mean(self.both.psnr_db), 2),
            "psnr_db_min": round(min(self.both.psnr_db), 2),
            "largest_difference": self.both.largest_difference,
            "denoiser_alone_psnr_db_min": round(min(self.denoiser_alone.psnr_db), 2),
            "decoder_alone_psnr_db_min": round(min(self.decoder_alone.psnr_db), 2),
            "seconds_per_image": round(statistics.median(self.seconds), 3),
            "reference_seconds_per_image": round(statistics.median(reference_seconds), 3),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    files = find_model_files(options.model)
    device = torch.device(options.device)
    models = {
        name: load_embedded_model(files, device=device, dtype=getattr(torch, name))
        for name in (_REFERENCE, *options.dtypes)
    }
    embeddings = sample_descriptors(options.embeddings, seed=_DESCRIPTOR_SEED).numpy()
    summaries = measure(models, embeddings, seeds=range(options.seeds))
    precision = {
        "reference": _REFERENCE,
        "min_psnr_db": options.min_psnr_db,
        "images": options.embeddings * options.seeds,
        "machine": f"{_name_of(device)}, {options.threads} torch threads",
        "dtypes": summaries,
    }
    print(json.dumps(precision, indent=2))
    if not options.dry_run:
        path = files.directory / MANIFEST_NAME
        path.write_text(json.dumps({**files.manifest, "precision": precision}, indent=2) + "\n")
    return 0


def measure(
    models: Mapping[str, EmbeddedModel], embeddings: NDArray[np.float32], *, seeds: Sequence[int]
) -> Mapping[str, Mapping[str, float]]:
    """Render every embedding with every seed in every type.

    Args:
        models: One model by the names of its types, float32 among them.
        embeddings: (N, 152) float32 in [0, 1].
        seeds: Seeds of the noise.

    Returns:
        The figures of each type but float32.
    """
    measurements = {name: Measurement() for name in models}
    reference_model = models[_REFERENCE]
    with torch.inference_mode():
        for model in models.values():
            _render(model, embeddings[0], seed=0)  # the first image of a process is slow
        for embedding in embeddings:
            for seed in seeds:
                rendered: dict[str, tuple[Tensor, Pixels]] = {}
                for name, model in models.items():
                    started = time.perf_counter()
                    rendered[name] = _render(model, embedding, seed=seed)
                    measurements[name].seconds.append(time.perf_counter() - started)
                reference_latents, reference = rendered[_REFERENCE]
                for name, (latents, image) in rendered.items():
                    found = measurements[name]
                    found.both.add(image, reference)
                    found.denoiser_alone.add(_decode(reference_model, latents), reference)
                    found.decoder_alone.add(_decode(models[name], reference_latents), reference)
    reference_seconds = measurements[_REFERENCE].seconds
    return {
        name: found.summary(reference_seconds) for name, found in measurements.items() if name != _REFERENCE
    }


def psnr_db(difference: NDArray[np.int16]) -> float:
    """Return the peak signal-to-noise ratio of 8-bit images by their difference, 99 dB at most."""
    mean_square = float(np.square(difference.astype(np.float64)).mean())
    return min(_IDENTICAL_DB, 10.0 * float(np.log10(255.0**2 / max(mean_square, 1e-12))))


def _render(model: EmbeddedModel, embedding: NDArray[np.float32], *, seed: int) -> tuple[Tensor, Pixels]:
    """Return the clean latents (C, H, W) and the image with the model's defaults."""
    scale = model.description.default_guidance_scale
    sampler = denoise_alone(model, embedding, seed=seed, guidance_scale=scale)
    return sampler.latents, _decode(model, sampler.latents)


def _decode(model: EmbeddedModel, latents: Tensor) -> Pixels:
    image: Pixels = model.decode(latents[None])[0]
    return image


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} CPU cores with {capability}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chladni_image_generation.tools.measure_precision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", default=EMBEDDED_MODEL_ID, help="model to measure (default: the one the service ships)"
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default: 2)")
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=("bfloat16", "float16"),
        default=["bfloat16", "float16"],
        metavar="TYPE",
        help="types to compare with float32 (default: bfloat16 float16)",
    )
    parser.add_argument("--embeddings", type=int, default=6, help="embeddings to render (default: 6)")
    parser.add_argument("--seeds", type=int, default=4, help="seeds for each of them (default: 4)")
    parser.add_argument(
        "--min-psnr-db", type=float, default=45.0, help="what a type must reach to be taken (default: 45)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the figures and write nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
