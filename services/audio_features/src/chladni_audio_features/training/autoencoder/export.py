"""The trained autoencoder as the directory that the service loads, with a card."""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from chladni_audio_features.reconstruction.autoencoder import FORMAT_VERSION, MANIFEST_FILE, WEIGHTS_FILE
from chladni_audio_features.reconstruction.network import LATENT_FRAMES
from chladni_training.files import write_json, write_whole

CARD_FILE: Final = "README.md"
_LIBRARIES: Final = ("torch", "safetensors", "accelerate", "numpy")


def export_model(
    weights: Mapping[str, npt.NDArray[np.float32]],
    directory: Path,
    *,
    model_id: str,
    training: Mapping[str, Any],
    figures: Mapping[str, float],
) -> None:
    """Write weights (float16), manifest and card into a directory, which is replaced as a whole.

    Args:
        weights: As `network.exported_weights` gives them.
        directory: Destination.
        model_id: The model's name.
        training: How it was trained.
        figures: How well it does on clips that it was not trained on.
    """
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    content = save({name: value.astype(np.float16) for name, value in weights.items()})
    write_whole(partial / WEIGHTS_FILE, content)
    manifest = {
        "format": FORMAT_VERSION,
        "id": model_id,
        "license": "Apache-2.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "training": dict(training),
        "figures": dict(figures),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES}
        | {"python": platform.python_version()},
    }
    write_json(partial / MANIFEST_FILE, manifest)
    parameters = sum(value.size for value in weights.values())
    write_whole(partial / CARD_FILE, _card(model_id, weights, parameters, training, figures).encode())
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def _card(
    name: str,
    weights: Mapping[str, npt.NDArray[np.float32]],
    parameters: int,
    training: Mapping[str, Any],
    figures: Mapping[str, float],
) -> str:
    rows = "\n".join(f"| `{figure}` | {value:.4g} |" for figure, value in figures.items())
    bins = weights["encoder.0.down.weight"].shape[1]
    dimension = weights["to_latent.weight"].shape[0]
    data = training["data"]
    return f"""---
license: apache-2.0
---

# {name}

An autoencoder of audio, trained by `chladni-train autoencoder` on {data["name"]}.

- **Takes** mel spectrograms of {bins} bands x 256 frames: 5 s at 16 kHz, each window in decibels below its
  loudest cell, 80 dB as [0, 1].
- **Parts**: the {dimension} largest principal components of each {LATENT_FRAMES} frames, beside which four
  residual Conv1d layers that halve the frames add to the numbers, and a decoder that mirrors both;
  {parameters:,} weights, float16.
- **Learned**: to reproduce spectrograms, by mean squared error and mean absolute error (`mel_l1`).
- **Not for** high fidelity: {bins * LATENT_FRAMES // dimension} cells share a number. Fine detail is
  smoothed, and what the training clips do not hold comes out as something that they do.
- **Licence**: Apache-2.0 for the weights; the clips that it learned from have licences of their own.

## Recipe

```
{training["command"]}
```

{data["clips"]} clips, digest `{data["digest"][:16]}`; {training["steps"]} steps,
{training["seconds"]} seconds on {training["machine"]}. `manifest.json` has the full record.

## Figures

Means over {data["held_out"]} held-out clips, each in its own scale [0, 1]. `perceptual_similarity` is NSIM
(Hines and Harte 2012), at most 1. `pesq` (ITU-T P.862.2) and `stoi` are of the held-out clips of speech; with
`griffin_lim_` before them, what the same clips have whose phases alone were lost.

| figure | value |
|---|---|
{rows}
"""
