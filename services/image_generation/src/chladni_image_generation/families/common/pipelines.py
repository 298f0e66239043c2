"""Diffusers pipelines as holders of a model's networks: loaded, placed and configured; and their licences."""

from __future__ import annotations

from collections.abc import Container, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, TypeVar

import diffusers
import torch
import transformers
from safetensors import safe_open

from chladni_image_generation.models.files import ModelFiles, ModelFilesError
from chladni_image_generation.models.interface import TextReader
from chladni_image_generation.models.loading import LoadingOptions, ModelSource
from chladni_image_generation.models.references import json_object

_VOCABULARIES: Final = ("tokenizer.json", "vocab.json", "vocab.txt")
_FENCE: Final = "---"
_MAX_LICENCE_LENGTH: Final = 100
PipelineT = TypeVar("PipelineT")
NetworkT = TypeVar("NetworkT")


def load_pipeline(
    pipeline_class: type[PipelineT], source: ModelSource, options: LoadingOptions, **components: object
) -> PipelineT:
    """Return a pipeline with its networks loaded, in evaluation mode, where and how the options say.

    Args:
        pipeline_class: Class of the pipeline.
        source: The model's files.
        options: Where and how it computes.
        components: Components that take the place of those in the directory, such as ``safety_checker=None``.

    Raises:
        ModelFilesError: Files are missing or damaged, or of another pipeline; or memory is too short.
    """
    pipeline = load_pipeline_files(pipeline_class, source.files, source, **components)
    place(pipeline, options)
    return pipeline


def load_pipeline_files(
    pipeline_class: type[PipelineT], files: ModelFiles, source: ModelSource, **components: object
) -> PipelineT:
    """Return a pipeline of some of a source's files, not yet placed; see `load_pipeline`."""
    quiet_libraries()
    _require_vocabularies(files, without=components)
    loader: Any = pipeline_class
    try:
        pipeline: PipelineT = loader.from_pretrained(
            files.directory,
            dtype=source.dtype,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            **components,
        )
    except Exception as error:
        # What a damaged file makes the libraries raise is anything from OSError to AttributeError.
        raise ModelFilesError(
            f"Model {files.id!r} cannot be loaded: {first_line(error, files.directory)}"
        ) from error
    for name, component in vars(pipeline).items():
        if isinstance(component, torch.nn.Module) and name not in components:
            _require_weights(component, files.directory / name, owner=files.id)
    return pipeline


def load_network(network_class: type[NetworkT], directory: Path, dtype: torch.dtype) -> NetworkT:
    """Return one network of a directory of its own, in evaluation mode, on the CPU.

    Args:
        network_class: A class of diffusers.
        directory: Its directory.
        dtype: Numeric type of its weights.

    Raises:
        ModelFilesError: Files are missing or damaged.
    """
    quiet_libraries()
    loader: Any = network_class
    try:
        network: Any = loader.from_pretrained(
            directory,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
        )
    except Exception as error:
        raise ModelFilesError(
            f"{directory.name!r} cannot be loaded: {first_line(error, directory)}"
        ) from error
    _require_weights(network, directory, owner=directory.name)
    loaded: NetworkT = network.eval()
    return loaded


def place(pipeline: Any, options: LoadingOptions) -> None:
    """Move a pipeline's networks to the device, and save memory as the options say.

    Raises:
        ModelFilesError: Networks cannot be kept in main memory without a GPU, or the GPU's is too
            short for them.
    """
    pipeline.set_progress_bar_config(disable=True)
    if options.cpu_offload and options.device.type == "cpu":
        raise ModelFilesError("cpu_offload needs a GPU; leave it out on a CPU.")
    try:
        if options.cpu_offload:
            pipeline.enable_model_cpu_offload(device=options.device)
        else:
            pipeline.to(options.device)
    except torch.OutOfMemoryError as error:
        raise ModelFilesError(
            "The device has too little memory for the model; turn cpu_offload on, or take a smaller dtype."
        ) from error
    if options.attention_slicing:
        pipeline.enable_attention_slicing()
    autoencoder = getattr(pipeline, "vae", None)
    if autoencoder is not None:
        save_decoding_memory(autoencoder, options)


def save_decoding_memory(autoencoder: Any, options: LoadingOptions) -> None:
    """Make an autoencoder decode one image, or one part of one, at a time, if the options say so."""
    if options.vae_slicing:
        autoencoder.enable_slicing()
    if options.vae_tiling:
        autoencoder.enable_tiling()


def quiet_libraries() -> None:
    """Keep the libraries' warnings and progress bars, made for a terminal, out of a server's log."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()


def _require_vocabularies(files: ModelFiles, *, without: Container[str]) -> None:
    """Require the files of tokenizers; without them transformers makes ones that know no words.

    Raises:
        ModelFilesError: A tokenizer that the index names has no vocabulary.
    """
    index = json_object(files, "model_index.json")
    for name in index:
        if not name.startswith("tokenizer") or name in without or not any(index[name]):
            continue
        if not any((files.directory / name / vocabulary).is_file() for vocabulary in _VOCABULARIES):
            raise ModelFilesError(
                f"Model {files.id!r} cannot be loaded: {name} has none of {', '.join(_VOCABULARIES)}."
            )


def _require_weights(network: torch.nn.Module, directory: Path, *, owner: str) -> None:
    """Require as many tensors as a network of diffusers has; it makes up those that its files lack.

    Only their number is compared, since tensors of older checkpoints have other names.

    Raises:
        ModelFilesError: There are fewer.
    """
    if not isinstance(network, diffusers.ModelMixin):
        return
    found = 0
    for path in directory.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found += len(file.keys())
    needed = len(network.state_dict())
    if found < needed:
        raise ModelFilesError(
            f"Model {owner!r} cannot be loaded: {directory.name} has {found} tensors, must have {needed}. "
            "Install the model again."
        )


def first_line(error: Exception, directory: Path) -> str:
    """Return what an error says first; what follows in diffusers' errors is a list of files.

    Only the directory's name is shown: callers must not see where a model lies.
    """
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.replace(str(directory), directory.name)


def licence_of(files: ModelFiles) -> str:
    """Return what the manifest says, else what the front matter of the model card says; empty for neither.

    A card that says ``other`` names the licence in a field of its own.
    """
    licence = files.manifest.get("licence")
    if licence:
        return str(licence)[:_MAX_LICENCE_LENGTH]
    front_matter = dict(_front_matter(files.directory / "README.md"))
    name = front_matter.get("license", "")
    return front_matter.get("license_name", name) if name == "other" else name


def _front_matter(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the fields of one line each that a model card begins with, between two fences."""
    if not path.is_file():
        return
    lines = iter(path.read_text(encoding="utf-8", errors="replace").splitlines())
    if next(lines, "").strip() != _FENCE:
        return
    for line in lines:
        if line.strip() == _FENCE:
            return
        name, _, value = line.partition(":")
        yield name.strip(), value.strip().strip("'\"")[:_MAX_LICENCE_LENGTH]


def text_reader(*tokenizers: Any, max_tokens: int | None = None) -> TextReader:
    """Return how much of a text a model reads that takes it by these tokenizers.

    Args:
        tokenizers: Its tokenizers; `None` for one that it does without.
        max_tokens: Tokens at most; as the tokenizers say if absent.
    """
    # Copies: counting switches truncation off, and the engine's thread may be reading at the same time.
    own = [deepcopy(tokenizer) for tokenizer in tokenizers if tokenizer is not None]
    limit = min(tokenizer.model_max_length for tokenizer in own) if max_tokens is None else max_tokens

    def count(text: str) -> int:
        return max(len(tokenizer(text, truncation=False, verbose=False).input_ids) for tokenizer in own)

    return TextReader(limit, count)
