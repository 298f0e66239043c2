"""Models by reference: which family serves them, and where and how they compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Final, Protocol

import torch

from chladni_contract.descriptor_space import DESCRIPTOR_SPACE
from chladni_image_generation.models.files import (
    SEPARATOR,
    ModelFiles,
    ModelFilesError,
    find_model_files,
)
from chladni_image_generation.models.interface import LatentDiffusionModel
from chladni_image_generation.models.precision import capabilities_of, choose_dtype
from chladni_image_generation.models.references import PartKind, class_name_of, kind_of
from chladni_runtime.execution.memory import uncollected_imports

_FAMILIES: Final[Mapping[str, str]] = {
    "StableDiffusionPipeline": "stable_diffusion",
    "StableDiffusionImg2ImgPipeline": "stable_diffusion",
    "LatentConsistencyModelPipeline": "stable_diffusion",
    "StableDiffusionXLPipeline": "stable_diffusion_xl",
    "AudioLDMPipeline": "audioldm",
    "LDMTextToImagePipeline": "ldm_text_to_image",
    "DDPMPipeline": "ddpm",
    "DDIMPipeline": "ddpm",
    "StableUnCLIPPipeline": "stable_unclip",
    "StableUnCLIPImg2ImgPipeline": "stable_unclip",
}
"""Module of `chladni_image_generation.families` by the pipeline that a model's index names."""

_FAMILIES_WITH_IP_ADAPTER: Final[Mapping[str, str]] = {"stable_diffusion": "ip_adapter"}
"""Module that serves a family's models once an IP-Adapter is added to them, by the family's own module."""

_PUBLIC_NAMES: Final[Mapping[str, str]] = {"embedded.model": "chladni-embedded"}
"""Names of families for callers, if they are not those of the modules."""


@dataclass(frozen=True, slots=True)
class LoadingOptions:
    """Where and how models compute.

    Attributes:
        device: Where.
        dtype: Name of the numeric type, or ``auto``.
        attention_slicing: Whether attention is computed in slices.
        vae_slicing: Whether images of a batch are decoded one by one.
        vae_tiling: Whether large images are decoded in tiles.
        cpu_offload: Whether networks that do not compute are kept in main memory.
        safety_checker: Whether a model's own safety checker is asked.
        tiny_decoder_for_images: Whether a tiny decoder decodes images too, not only previews.
    """

    device: torch.device
    dtype: str = "auto"
    attention_slicing: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    cpu_offload: bool = False
    safety_checker: bool = True
    tiny_decoder_for_images: bool = False


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's files, and those of what is added to it.

    Attributes:
        files: The model itself; its `id` and `digest` include the additions.
        additions: What is added, by its kind.
        dtype: Numeric type to compute in.
    """

    files: ModelFiles
    additions: Mapping[PartKind, ModelFiles]
    dtype: torch.dtype

    def without(self, addition: PartKind) -> ModelSource:
        """Return the same source less an addition, for the family on which one with the addition builds."""
        rest = {kind: files for kind, files in self.additions.items() if kind is not addition}
        return replace(self, additions=rest)

    def refuse_additions(self, *taken: PartKind) -> None:
        """Require that nothing is added but what a family takes.

        Raises:
            ModelFilesError: Something else is.
        """
        for kind in self.additions:
            if kind not in taken:
                raise ModelFilesError(f"Model {self.files.id!r}: this family takes no {kind}.")


class Family(Protocol):
    """A module of `chladni_image_generation.families`."""

    def load(self, source: ModelSource, options: LoadingOptions) -> LatentDiffusionModel:
        """Return a loaded model.

        Raises:
            ModelFilesError: Files are missing, damaged or of another family.
        """


def load_model(reference: str, options: LoadingOptions) -> LatentDiffusionModel:
    """Load a model.

    Args:
        reference: 'embedded', a diffusers directory, or a model on the model hub; what follows a '+' is
            added to it.
        options: Where and how it computes.

    Raises:
        ModelFilesError: It cannot be had, its files are damaged, or no family knows it.
    """
    source = _find_source(reference, options)
    name = _family_name(source)
    try:
        return _family(name).load(source, options)
    except ModelFilesError as error:
        error.family = _PUBLIC_NAMES.get(name, name.replace("_", "-"))
        raise


def _find_source(reference: str, options: LoadingOptions) -> ModelSource:
    base_reference, *addition_references = reference.split(SEPARATOR)
    base = find_model_files(base_reference)
    found = [find_model_files(addition, is_addition=True) for addition in addition_references]
    additions = {kind_of(files): files for files in found}
    if len(additions) != len(found):
        raise ModelFilesError(f"Model {reference!r} has two additions of one kind.")
    files = base.joined_with(found)
    dtype = choose_dtype(options.dtype, manifest=base.manifest, capabilities=capabilities_of(options.device))
    return ModelSource(files, additions, dtype)


def _family_name(source: ModelSource) -> str:
    """Return the name of the module of a model's family."""
    files = source.files
    if files.manifest.get("conditioning", {}).get("descriptor_space"):
        return "embedded.model"
    pipeline = class_name_of(files)
    if pipeline not in _FAMILIES:
        known = ", ".join(sorted(_FAMILIES))
        raise ModelFilesError(
            f"Model {files.id!r} is of pipeline {pipeline or 'none'!r} and names no descriptor space such as "
            f"{DESCRIPTOR_SPACE!r}; known pipelines: {known}."
        )
    family = _FAMILIES[pipeline]
    if PartKind.IP_ADAPTER in source.additions:
        # Other families refuse it by themselves.
        family = _FAMILIES_WITH_IP_ADAPTER.get(family, family)
    return family


def _family(name: str) -> Family:
    """Return a family's module; only here is it imported, since most bring libraries that start slowly."""
    with uncollected_imports():
        module: Family = import_module(f"chladni_image_generation.families.{name}")
    return module
