"""Stable Diffusion with an IP-Adapter, which lets it paint an embedding in CLIP's image space.

Ye et al. (2023), "IP-Adapter: text compatible image prompt adapter for text-to-image diffusion models": an
embedding becomes a few tokens, to which every cross-attention attends beside those of the text. An adapter is
a directory with one file ``ip-adapter*.safetensors``, the ``image_encoder`` that it was trained with and,
if its author thinks that the embedding should count less than fully, ``ip_adapter.json`` with a ``scale``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from chladni_image_generation.families import stable_diffusion
from chladni_image_generation.families.common.clip_image_space import clip_image_space
from chladni_image_generation.families.common.conditions import with_condition
from chladni_image_generation.families.common.pipelines import licence_of
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.references import PartKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.families.stable_diffusion import StableDiffusionModel
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.files import ModelFiles
    from chladni_image_generation.models.interface import DenoiserRow, GenerationPlan, ModelDescription
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "ip-adapter"
SETTINGS_NAME: Final = "ip_adapter.json"
_WEIGHTS: Final = "ip-adapter*.safetensors"
_MAX_SCALE: Final = 2.0
_EMBEDDING: Final = "image_embedding"
"""Name of the embedding among the conditions."""


class IpAdapterModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        base: The Stable Diffusion to whose UNet the adapter was added.
        description: What the two are together.
    """

    def __init__(self, base: StableDiffusionModel, *, description: ModelDescription) -> None:
        self.description = description
        self.device = base.device
        self.dtype = base.dtype
        self._base = base

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the base model's way, each step of its UNet under the embedding too."""
        embedding = torch.tensor(request.conditioning.required_audio_embedding).to(self.device, self.dtype)
        return with_condition(self._base.plan(request, generator), _EMBEDDING, embedding)

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W)."""
        if rows[0].network:
            return self._base.denoise(rows)
        condition = {name: torch.stack([row.condition[name] for row in rows]) for name in rows[0].condition}
        # (B, images, D): one image a request, for one adapter.
        added = {"image_embeds": [condition.pop(_EMBEDDING)[:, None]]}
        prediction: Tensor = self._base.pipeline.unet(
            torch.stack([row.latents for row in rows]).to(self.device, self.dtype),
            torch.stack([row.timestep for row in rows]).to(self.device),
            added_cond_kwargs=added,
            **condition,
        ).sample
        return prediction.float()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise."""
        return self._base.decode(latents)

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show."""
        return self._base.preview(latents, size_pixels)


def load(source: ModelSource, options: LoadingOptions) -> IpAdapterModel:
    """Load a Stable Diffusion and add the source's IP-Adapter to it.

    Attention is never sliced: the sliced kind would take the place of the adapter's.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family, or the two do not fit.
    """
    adapter = source.additions[PartKind.IP_ADAPTER]
    space = clip_image_space(adapter, owner=adapter.id)
    weights = _read_weights(adapter, embedding_size=space.size)
    scale = _read_scale(adapter)
    base = stable_diffusion.load(
        source.without(PartKind.IP_ADAPTER), replace(options, attention_slicing=False)
    )
    _add(adapter, weights, scale, base.pipeline)
    description = replace(
        base.description,
        family=FAMILY,
        description="Images of what an embedding in CLIP's image space means, with or without a text, from "
        "noise or from another image.",
        license=_licences(base.description.license, licence_of(adapter)),
        inputs=base.description.inputs | {"audio_embedding"},
        required_inputs=frozenset({"audio_embedding"}),
        embedding_space=space,
    )
    return IpAdapterModel(base, description=description)


def _licences(*licences: str) -> str:
    """Return the licences of the base model and of the adapter, both of which bind; each once."""
    return ", ".join(dict.fromkeys(filter(None, licences)))


def _weights_file(adapter: ModelFiles) -> Path:
    found = sorted(adapter.directory.glob(_WEIGHTS))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ModelFilesError(
            f"IP-Adapter {adapter.id!r} must hold one file {_WEIGHTS} beside image_encoder; found: {names}."
        )
    return found[0]


def _read_weights(adapter: ModelFiles, *, embedding_size: int) -> dict[str, dict[str, Tensor]]:
    """Return the weights of the projection, ``image_proj``, and of the attention, ``ip_adapter``."""
    path = _weights_file(adapter)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFilesError(
            f"{path.name} of IP-Adapter {adapter.id!r} is damaged; install it again."
        ) from error
    weights: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part in weights:
            weights[part][rest] = tensor
    projection = weights["image_proj"].get("proj.weight")
    if projection is None:
        raise ModelFilesError(
            f"{path.name} of IP-Adapter {adapter.id!r} has no image_proj.proj.weight: kinds that take more "
            "than one embedding of an image (Plus, Face ID) cannot paint a sound."
        )
    if projection.shape[-1] != embedding_size:
        raise ModelFilesError(
            f"IP-Adapter {adapter.id!r} takes embeddings of {projection.shape[-1]} components, but its "
            f"image_encoder makes {embedding_size}. Put the image encoder there that it was trained with."
        )
    return weights


def _read_scale(adapter: ModelFiles) -> float:
    """Return how much the embedding counts; all requests have the same, since it is a part of the model.

    It is no setting of the manifest, which a model's digest leaves out.
    """
    path = adapter.directory / SETTINGS_NAME
    if not path.is_file():
        return 1.0
    try:
        settings: Any = json.loads(path.read_text(encoding="utf-8"))
        scale = float(settings["scale"])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFilesError(
            f'{SETTINGS_NAME} of IP-Adapter {adapter.id!r} must hold {{"scale": a number}}.'
        ) from error
    if not 0 < scale <= _MAX_SCALE:
        raise ModelFilesError(
            f"{SETTINGS_NAME} of IP-Adapter {adapter.id!r}: scale is {scale:g}, must be more than 0 and at "
            f"most {_MAX_SCALE:g}."
        )
    return scale


def _add(
    adapter: ModelFiles, weights: Mapping[str, Mapping[str, Tensor]], scale: float, pipeline: Any
) -> None:
    """Add an adapter to a pipeline's UNet."""
    attentions = [name for name in pipeline.unet.attn_processors if name.endswith("attn2.processor")]
    misfit = ModelFilesError(
        f"IP-Adapter {adapter.id!r} was made for another base model: its weights do not fit this one's "
        f"{len(attentions)} cross-attentions."
    )
    if len(weights["ip_adapter"]) != 2 * len(attentions):
        raise misfit
    try:
        pipeline.load_ip_adapter(
            weights, subfolder="", weight_name="", image_encoder_folder=None, low_cpu_mem_usage=False
        )
    except (KeyError, RuntimeError) as error:
        raise misfit from error
    pipeline.set_ip_adapter_scale(scale)
