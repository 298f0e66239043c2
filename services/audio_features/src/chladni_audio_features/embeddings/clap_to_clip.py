"""A linear map from CLAP's space into the image space of a CLIP.

What is trained on images (StableUnCLIP, an IP-Adapter) takes CLIP image embeddings. The map makes one of a
CLAP audio embedding, so that such a model can paint a sound. `training.fit_clap_to_clip` fits it on captions
alone: both models embed text, and text is what their spaces have in common. A map is a directory::

    map.safetensors   weight, float32 (D, 512); bias, float32 (D,)
    manifest.json     clap_space, clip_space, norm, digest, and how it was fitted and how well

The result has the manifest's norm, because models that take image embeddings take them as CLIP projects them,
not normalised.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.embeddings.registry import CLAP_TO_CLIP_MODEL_ID, EmbeddingModel, ModelCard
from chladni_runtime.models.files import ModelLoadingError

MAP_FILE: Final = "map.safetensors"
MANIFEST_FILE: Final = "manifest.json"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class ClapToClipMap:
    """The map and what it joins.

    Attributes:
        weight: (D, C) float32.
        bias: (D,) float32.
        norm: Norm of what it gives.
        clap_space: Name of the space that it takes.
        clip_space: Name of the space that it gives.
        digest: SHA-256 of the weights' file, hexadecimal.
        figures: How well it fitted captions that it was not fitted on, for people.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    norm: float
    clap_space: str
    clip_space: str
    digest: str
    figures: dict[str, str]

    def apply(self, embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (D,) of the map's norm for a (C,) embedding of norm 1."""
        mapped = self.weight @ embedding + self.bias
        length = max(float(np.linalg.norm(mapped)), float(np.finfo(np.float32).tiny))
        return (mapped * np.float32(self.norm / length)).astype(np.float32)


class ClapToClipEmbedder:
    """Embeds clips in the image space of a CLIP: CLAP, then the map.

    Args:
        clap: Embeds clips in CLAP's space.
        clip_map: Maps them on.

    Raises:
        ModelLoadingError: The map was fitted for another CLAP.
    """

    def __init__(self, clap: EmbeddingModel, clip_map: ClapToClipMap) -> None:
        if clap.card.space != clip_map.clap_space or clip_map.weight.shape[1] != clap.card.dimension:
            raise ModelLoadingError(
                f"The map was fitted for {clip_map.clap_space}, but the CLAP of this server is "
                f"{clap.card.space}; fit a map for it with training.fit_clap_to_clip, or configure the CLAP "
                "that the map was fitted for."
            )
        self._clap = clap
        self._map = clip_map
        self._card = ModelCard(
            model_id=CLAP_TO_CLIP_MODEL_ID,
            family=CLAP_TO_CLIP_MODEL_ID,
            description="A CLAP audio embedding mapped into the image space of a CLIP, by a linear map that "
            "was fitted on captions.",
            space=clip_map.clip_space,
            dimension=len(clip_map.bias),
            digest=clip_map.digest,
            license=clap.card.license,
            properties={
                "norm": f"{clip_map.norm:g}",
                "clap_space": clip_map.clap_space,
                **clip_map.figures,
            },
        )

    @property
    def card(self) -> ModelCard:
        """What callers may know of it."""
        return self._card

    def embed(self, clip: ClipAnalysis) -> npt.NDArray[np.float32]:
        """Return the embedding of a clip, (D,) float32 of the map's norm."""
        return self._map.apply(self._clap.embed(clip))


def load_map(directory: Path) -> ClapToClipMap:
    """Load a map after checking it against its manifest.

    Raises:
        ModelLoadingError: A file is missing, malformed or altered.
    """
    manifest = _read_manifest(directory)
    content = _read(directory, MAP_FILE)
    if hashlib.sha256(content).hexdigest() != manifest["digest"]:
        raise ModelLoadingError(f"{MAP_FILE} is not the file that {MANIFEST_FILE} names; fit the map again.")
    try:
        tensors = load(content)
        weight, bias = tensors["weight"], tensors["bias"]
    except (SafetensorError, KeyError) as error:
        raise ModelLoadingError(f"{MAP_FILE} does not hold weight and bias; fit the map again.") from error
    has_shapes = weight.ndim == 2 and bias.shape == weight.shape[:1]
    has_types = weight.dtype == bias.dtype == np.float32
    if not (has_shapes and has_types and np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ModelLoadingError(
            f"{MAP_FILE} does not hold finite float32 (D, C) and (D,); fit the map again."
        )
    figures = manifest.get("held_out", {})
    return ClapToClipMap(
        weight=weight,
        bias=bias,
        norm=float(manifest["norm"]),
        clap_space=manifest["clap_space"],
        clip_space=manifest["clip_space"],
        digest=manifest["digest"],
        figures={f"held_out_{name}": f"{value:g}" for name, value in figures.items()},
    )


def _read_manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(_read(directory, MANIFEST_FILE))
    except ValueError as error:
        raise ModelLoadingError(f"{MANIFEST_FILE} of the map is not JSON; fit the map again.") from error
    is_valid = (
        isinstance(manifest, dict)
        and manifest.get("format") == FORMAT_VERSION
        and all(isinstance(manifest.get(key), str) for key in ("clap_space", "clip_space", "digest"))
        and _is_positive(manifest.get("norm"))
        and isinstance(manifest.get("held_out", {}), dict)
        and all(isinstance(value, int | float) for value in manifest.get("held_out", {}).values())
    )
    if not is_valid:
        raise ModelLoadingError(
            f"{MANIFEST_FILE} of the map is not of format {FORMAT_VERSION}; fit the map again."
        )
    return manifest


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < float("inf")


def _read(directory: Path, name: str) -> bytes:
    try:
        return (directory / name).read_bytes()
    except OSError as error:
        raise ModelLoadingError(
            f"{name} of the map cannot be read; fit the map, or check the volume."
        ) from error
