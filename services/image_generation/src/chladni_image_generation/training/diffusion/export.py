"""The trained model as a diffusers directory, with a card and a manifest of how it came to be."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import DDIMPipeline, UNet2DModel

from chladni_image_generation.models.files import MANIFEST_NAME, file_digests
from chladni_image_generation.training.diffusion.network import TRAINING_TIMESTEPS, build_scheduler

_LIBRARIES: Final = ("torch", "diffusers", "safetensors", "accelerate")
_VERSION: Final = "1.0.0"


def export_model(
    network: UNet2DModel,
    directory: Path,
    *,
    steps: int,
    training: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> None:
    """Write weights (fp16 safetensors), configurations, model card and manifest into a directory.

    The directory is replaced as a whole, once everything has been written beside it.

    Args:
        network: The network.
        directory: Destination; its name is the model's.
        steps: Denoising steps of requests that name none.
        training: How it was trained.
        metrics: How good its images are.
    """
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    half: UNet2DModel = UNet2DModel.from_config(network.config)
    half.load_state_dict(network.state_dict())
    pipeline: Any = DDIMPipeline(unet=half.to(torch.float16), scheduler=build_scheduler(ddim=True))
    pipeline.save_pretrained(partial, safe_serialization=True)
    for weights in partial.glob("*/*.safetensors"):
        weights.chmod(0o644)  # safetensors writes files for their owner alone; a service runs as another
    (partial / "README.md").write_text(_card(directory.name, network, steps, training, metrics))
    manifest = {
        "id": directory.name,
        "version": _VERSION,
        "licence": "Apache-2.0",
        "defaults": {"scheduler": "DDIMScheduler", "steps": steps, "guidance_scale": 1.0},
        "training": dict(training),
        "metrics": dict(metrics),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
        "sha256": file_digests(partial),
    }
    (partial / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n")
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def _card(
    name: str, network: UNet2DModel, steps: int, training: Mapping[str, Any], metrics: Mapping[str, float]
) -> str:
    config: Any = network.config
    parameters = sum(parameter.numel() for parameter in network.parameters())
    figures = "\n".join(f"| `{figure}` | {value:.4g} |" for figure, value in metrics.items())
    channels = ", ".join(map(str, config.block_out_channels))
    data = training["data"]
    shape = "x".join(map(str, data["shape"]))
    return f"""---
license: apache-2.0
---

# {name}

An unconditional diffusion model of small images, trained by `chladni-train diffusion` on {data["name"]}.

- **Parts**: a `UNet2DModel` with {parameters:,} parameters ({len(config.block_out_channels)} blocks down and
  up, channels {channels}), and a `DDIMScheduler` of {TRAINING_TIMESTEPS} training steps whose noise levels
  follow a cosine. It computes on pixels; there is no autoencoder.
- **Learned**: to tell the noise in an image, by the mean square of its error; the weights are a moving
  average over the steps of training.
- **Defaults**: {steps} steps of DDIM. A request may name `DDPMScheduler` and all {TRAINING_TIMESTEPS} steps.
- **Licence**: Apache-2.0 for the weights; the images that it learned from have licences of their own.

## Recipe

```
{training["command"]}
```

{data["images"]} images of {shape} (channels, height, width), digest `{data["digest"][:16]}`;
{training["steps"]} steps, {training["seconds"]} seconds on {training["machine"]}. `manifest.json` has the
full record.

## Figures

`recognised` is the share of images that a classifier, trained on the same data but no part of the training,
takes for one class with a probability of at least 0.9. `frechet_distance` is that between features of drawn
images and of the test set, by the extractor `{training["extractor"]}`; `frechet_floor` is the same for as
many images of the training set. Distances by one extractor compare with each other only; they are FIDs only
by `inception`.

| figure | value |
|---|---|
{figures}
"""
