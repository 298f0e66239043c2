"""Tries a model out as the service loads it: how fast it is, in how much memory, and whether it is right.

    make models-check MODEL=owner/name ARGUMENTS="--dtype float32"

The model is a directory or a hub id, with additions after '+', as in the service's settings; a hub id is
downloaded. It makes an image of each kind that it offers. The first is compared with that of its family's
own diffusers pipeline for the same seed. Figures go to ``build/models-check/<id>.json``, images beside it.

Exit status: 0 if all is well, 1 if the model cannot be had or used, 3 if the images differ by more
than rounding explains.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from chladni_contract.errors import ChladniError
from chladni_image_generation.generation import GenerationRequest
from chladni_image_generation.models.files import SEPARATOR, ModelFilesError, find_model_files
from chladni_image_generation.models.interface import ModelDescription
from chladni_image_generation.models.loading import LoadingOptions
from chladni_image_generation.tools.model_measurement import measure_image, measure_loading
from chladni_image_generation.tools.published_pipelines import COMPARABLE_FAMILIES, published_image
from chladni_image_generation.tools.trial_requests import FIRST, trial_requests

_CANNOT_BE_USED, _DIFFERS = 1, 3
_ALLOWED_DIFFERENCE: Final = 1
_ALLOWED_DIFFERENCE_OF_HALF_PRECISION: Final = 32
"""Of 255. The two rows of a guided step have other places in a pipeline's call, and may round differently."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        report = check(options)
    except (ModelFilesError, ChladniError) as error:
        print(f"{options.model} cannot be used: {error}", file=sys.stderr)
        return _CANNOT_BE_USED
    print(table_of(report))
    comparison = report["comparison"]
    return 0 if comparison.get("is_equal", True) else _DIFFERS


def check(options: argparse.Namespace) -> Mapping[str, Any]:
    """Try a model out, write what was found and return it.

    Args:
        options: As from the command line.

    Raises:
        ModelFilesError: The model cannot be had or loaded.
        ChladniError: It makes no image.
    """
    device = torch.device(options.device.replace("auto", "cuda" if torch.cuda.is_available() else "cpu"))
    loading_options = LoadingOptions(device, dtype=options.dtype, safety_checker=False)
    model, loading_seconds = measure_loading(options.model, loading_options)
    description, dtype = model.description, model.dtype
    path = Path(options.output) / re.sub(r"[^\w.-]+", "_", description.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    requests = trial_requests(description, seed=options.seed, steps=options.steps)
    figures, images = {}, {}
    for kind, request in requests.items():
        images[kind], measurement = measure_image(model, request)
        figures[kind] = measurement.figures()
        Image.fromarray(images[kind]).save(f"{path}-{kind}.png")
    del model
    _free_memory()
    report = {
        "model": description.id,
        "family": description.family,
        "digest": description.digest,
        "license": description.license,
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "loading_seconds": round(loading_seconds, 2),
        "images": figures,
        "comparison": _comparison(
            options.model, description, requests[FIRST], images[FIRST], device=device, dtype=dtype
        ),
    }
    Path(f"{path}.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def table_of(report: Mapping[str, Any]) -> str:
    """Return a report for people."""
    place = f"on {report['device']} in {report['dtype']}"
    lines = [
        f"{report['model']} ({report['family']}) {place}, loaded in {report['loading_seconds']:.1f} s",
        f"{'image':<16}{'steps':>6}{'s/step':>9}{'prepare s':>11}{'decode s':>10}{'peak GB':>9}",
    ]
    for kind, found in report["images"].items():
        lines.append(
            f"{kind:<16}{found['steps']:>6}{found['seconds_per_step']:>9.3f}{found['plan_seconds']:>11.3f}"
            f"{found['decode_seconds']:>10.3f}{found['peak_memory_bytes'] / 1e9:>9.2f}"
        )
    comparison = report["comparison"]
    if "is_equal" in comparison:
        verdict = "as" if comparison["is_equal"] else "NOT as"
        lines.append(
            f"The first image is {verdict} that of the family's own pipeline: the largest difference is "
            f"{comparison['largest_difference']} of 255, {comparison['allowed_difference']} may be."
        )
    else:
        lines.append(f"Not compared with a pipeline: {comparison['left_out']}.")
    return "\n".join(lines)


def _comparison(
    reference: str,
    description: ModelDescription,
    request: GenerationRequest,
    image: NDArray[np.uint8],
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> Mapping[str, Any]:
    if description.family not in COMPARABLE_FAMILIES:
        return {"left_out": "none makes this family's images by itself"}
    if SEPARATOR in reference:
        return {"left_out": "none takes additions; check the model without them"}
    expected = published_image(find_model_files(reference), request, device=device, dtype=dtype)
    difference = int(np.abs(image.astype(np.int16) - expected.astype(np.int16)).max())
    allowed = _ALLOWED_DIFFERENCE if dtype == torch.float32 else _ALLOWED_DIFFERENCE_OF_HALF_PRECISION
    return {
        "largest_difference": difference,
        "allowed_difference": allowed,
        "is_equal": difference <= allowed,
    }


def _free_memory() -> None:
    """Free what a model of gigabytes held, which need not fit into memory twice."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chladni_image_generation.tools.check_model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="directory or hub id, with additions after '+'")
    parser.add_argument("--device", default="auto", help="torch device (auto: a GPU if there is one)")
    parser.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="(auto)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    parser.add_argument("--steps", type=int, help="denoising steps (the model's default)")
    parser.add_argument("--output", default="build/models-check", help="directory (build/models-check)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
