"""How long an image takes, one at a time, from the call to the last byte; and how large the weights are."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.figures import Figures, median
from chladni_evaluation.dataset import Dataset, evenly

_RUNS: Final = 7
_PACKAGES: Final = {"image_model": "chladni_image_generation", "alignment": "chladni_similarity"}


def measure(dataset: Dataset) -> Figures:
    """Return the median time of an image, and the size of all weights in the repository."""
    embeddings = dataset.audio_embeddings
    runs = [embeddings[position] for position in evenly(range(len(embeddings)), _RUNS)]
    dataset.image_generation.generate(runs[0].embedding, seed=0, bypass_cache=True)

    def seconds_of(seed: int) -> float:
        started_at = time.perf_counter()
        dataset.image_generation.generate(runs[seed].embedding, seed=seed, bypass_cache=True)
        return time.perf_counter() - started_at

    seconds = dataset.progress.each("timing images", range(len(runs)), seconds_of)
    sizes = {part: weights_bytes(Path(str(files(package)))) for part, package in _PACKAGES.items()}
    return {
        "seconds_per_image": median(seconds),
        "seconds_per_image.max": max(seconds),
        **_stages(dataset.audio_embeddings[0].vector),
        "weights.bytes": sum(sizes.values()),
        **{f"weights.{part}_bytes": size for part, size in sizes.items()},
    }


def _stages(embedding: NDArray[np.float32]) -> Figures:
    """Return the median times of a denoising step and of decoding in this process, and their ratio."""
    import torch  # noqa: PLC0415 - half of the sections do without

    from chladni_image_generation.engine.sampler import Sampler  # noqa: PLC0415
    from chladni_image_generation.families.embedded.model import load_embedded_model  # noqa: PLC0415
    from chladni_image_generation.generation import Conditioning, GenerationRequest  # noqa: PLC0415
    from chladni_image_generation.models.files import find_model_files  # noqa: PLC0415

    directory = Path(str(files("chladni_image_generation"))) / "models" / "embedded"
    model = load_embedded_model(
        find_model_files(str(directory)), device=torch.device("cpu"), dtype=torch.float32
    )
    width_pixels, height_pixels = model.description.image_size_pixels
    request = GenerationRequest(
        conditioning=Conditioning(audio_embedding=embedding),
        seed=1,
        steps=1,
        guidance_scale=1.0,
        scheduler=model.description.scheduler_names[0],
        width_pixels=width_pixels,
        height_pixels=height_pixels,
    )
    steps: list[float] = []
    decodings: list[float] = []
    finishes: list[float] = []
    with torch.inference_mode():
        for _ in range(_RUNS):
            sampler = Sampler(model, request)
            moments = [time.perf_counter()]
            sampler.advance(list(model.denoise(sampler.rows())))
            moments.append(time.perf_counter())
            pixels = model.decode(sampler.latents[None])[0]
            moments.append(time.perf_counter())
            sampler.finish(pixels)
            moments.append(time.perf_counter())
            for kept, begun, ended in zip((steps, decodings, finishes), moments, moments[1:], strict=False):
                kept.append(1000 * (ended - begun))
    step, decoding = median(steps[1:]), median(decodings[1:])
    return {
        "step.milliseconds": step,
        "decode.milliseconds": decoding,
        "finish.milliseconds": median(finishes[1:]),
        "decode.milliseconds_over_step": decoding / step,
    }


def weights_bytes(folder: Path) -> int:
    """Return the size of all weights in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
