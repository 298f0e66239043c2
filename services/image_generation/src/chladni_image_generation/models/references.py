"""References to models that are put together from several directories.

A reference is one or more parts joined by ``+``: the model, and what is added to it. What an addition is,
its files say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from chladni_image_generation.models.files import ModelFiles, ModelFilesError


class PartKind(StrEnum):
    """What can be added to a model."""

    REFINER = "refiner"
    UPSCALER = "upscaler"
    TINY_DECODER = "tiny decoder"
    IP_ADAPTER = "IP-Adapter"


_PIPELINES: Final = {
    "StableDiffusionXLImg2ImgPipeline": PartKind.REFINER,
    "StableDiffusionLatentUpscalePipeline": PartKind.UPSCALER,
}


def class_name_of(files: ModelFiles, name: str = "model_index.json") -> str:
    """Return the diffusers class that a model's index, or another of its files, names; empty for none.

    Raises:
        ModelFilesError: The file is damaged.
    """
    return str(json_object(files, name).get("_class_name", ""))


def json_object(files: ModelFiles, name: str) -> Mapping[str, Any]:
    """Return the JSON object that one of a model's files holds; an empty one if there is no such file.

    Raises:
        ModelFilesError: The file holds something else.
    """
    path = files.directory / name
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ModelFilesError(f"{name} of {files.id!r} is damaged; install the model again.")
    return content


def kind_of(files: ModelFiles) -> PartKind:
    """Return what an addition is.

    Raises:
        ModelFilesError: It is nothing that can be added to a model.
    """
    pipeline = class_name_of(files)
    if pipeline in _PIPELINES:
        return _PIPELINES[pipeline]
    if class_name_of(files, "config.json") == "AutoencoderTiny":
        return PartKind.TINY_DECODER
    if any("adapter" in path.name for path in files.directory.rglob("*.safetensors")):
        return PartKind.IP_ADAPTER
    raise ModelFilesError(
        f"{files.id!r} cannot be added to a model: it is no {', '.join(PartKind)} "
        f"(its pipeline: {pipeline or 'none'})."
    )
