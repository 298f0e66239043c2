"""Write pairs of sounds and images, for models that learn which image belongs to which sound.

    python -m chladni_image_generation.training.write_pairs --audio-embeddings sounds.npz \
        --art 6000 --samples 600 --out pairs.safetensors

The file holds `images` (uint8, N x 3 x 128 x 128), `sounds` (float32, N x 152) and `source` (uint8, N):
0 for art as the image model was taught it, 1 for images that the model made itself. Each pair has noise
of its own, so that the same sound comes with different images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from chladni_contract.descriptor_space import DESCRIPTOR_SPACE
from chladni_image_generation.families.embedded.model import (
    EmbeddedModel,
    load_embedded_model,
)
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.models.files import EMBEDDED_MODEL_ID, find_model_files
from chladni_image_generation.training.data.art import render
from chladni_image_generation.training.data.descriptor_sampling import (
    load_recorded,
    sample_descriptors,
    vary_recorded,
)
from chladni_image_generation.training.data.single_image import denoise_alone
from chladni_image_generation.training.progress import ProgressLog

_IMAGE_PIXELS = 128
_RENDERED_PIXELS = 256
_ART, _SAMPLE = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    count = options.art + options.samples
    embeddings = _embeddings(options.audio_embeddings, count, seed=options.seed)
    seeds = [options.seed * 1_000_003 + row for row in range(count)]
    images = [*_art(embeddings[: options.art], seeds[: options.art])]
    if options.samples:
        model = load_embedded_model(
            find_model_files(options.model), device=torch.device("cpu"), dtype=getattr(torch, options.dtype)
        )
        images.extend(_samples(model, embeddings[options.art :], seeds[options.art :], options.look))
    source = torch.tensor([_ART] * options.art + [_SAMPLE] * options.samples, dtype=torch.uint8)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"images": torch.stack(images), "sounds": embeddings, "source": source}
    save_file(tensors, options.out, metadata={"sound_space": DESCRIPTOR_SPACE, "seed": str(options.seed)})
    print(f"{options.out}: {count} pairs", flush=True)
    return 0


def _embeddings(path: Path | None, count: int, *, seed: int) -> Tensor:
    """Return (count, 152) embeddings: of recorded sounds, moved a little, or made-up ones."""
    if path is None:
        return sample_descriptors(count, seed=seed)
    return vary_recorded(load_recorded(path), count, seed=seed)


def _art(embeddings: Tensor, seeds: list[int]) -> Iterator[Tensor]:
    log = ProgressLog("art", len(embeddings), every_steps=250)
    for row, (embedding, grid) in enumerate(zip(embeddings, draw_grids(seeds), strict=True) if seeds else ()):
        yield _small(render(embedding[None], grid[None], size_pixels=_RENDERED_PIXELS))
        log.report(row + 1)


@torch.inference_mode()
def _samples(model: EmbeddedModel, embeddings: Tensor, seeds: list[int], look: str) -> Iterator[Tensor]:
    """Yield images by the model's defaults, but without guidance."""
    log = ProgressLog("samples", len(embeddings), every_steps=50)
    for row, (embedding, seed) in enumerate(zip(embeddings, seeds, strict=True)):
        sampler = denoise_alone(model, embedding.numpy(), seed=seed, guidance_scale=1.0, look=look)
        pixels = sampler.finish(model.decode(sampler.latents[None])[0])
        image = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
        yield _small(image.float() / 255)
        log.report(row + 1)


def _small(image: Tensor) -> Tensor:
    """Return a (1, 3, H, W) image in [0, 1] as (3, 128, 128) uint8."""
    small = functional.interpolate(image, size=(_IMAGE_PIXELS, _IMAGE_PIXELS), mode="area")
    return (small[0] * 255).round().byte()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chladni_image_generation.training.write_pairs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--audio-embeddings",
        type=Path,
        help=(
            "embeddings of sounds, as chladni_audio_features.training.write_embeddings writes them "
            "(default: made-up ones)"
        ),
    )
    parser.add_argument("--art", type=int, default=6000, help="images to render (default: 6000)")
    parser.add_argument("--samples", type=int, default=600, help="images by the model (default: 600)")
    parser.add_argument(
        "--model", default=EMBEDDED_MODEL_ID, help="model that samples (default: the one the service ships)"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="its type (default: float32)"
    )
    parser.add_argument(
        "--look",
        default="",
        help="looks of the samples, as requests name them, such as auto (default: the model's first look)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of everything (default: 1)")
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default: 2)")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
