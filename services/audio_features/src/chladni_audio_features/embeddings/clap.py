"""CLAP's audio branch as an embedding model.

CLAP: Wu et al. 2023, "Large-scale contrastive language-audio pretraining with feature fusion and
keyword-to-caption augmentation". Any CLAP in the format of transformers serves. Importing this module imports
torch and transformers.

The model hears a window of ten seconds at 48 kHz. The processor of transformers cuts a longer sound at
random; here its middle is cut out first, so that the same clip gives the same embedding. A shorter sound
is repeated as often as it fits as a whole and padded with silence, as the processor does by default
("repeatpad").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from transformers import ClapFeatureExtractor, ClapModel

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.embeddings.registry import CLAP_MODEL_ID, ModelCard
from chladni_contract.errors import FaultError, Reason, UnavailableError
from chladni_contract.weight_fingerprint import fingerprint
from chladni_runtime.models.devices import choose_device
from chladni_runtime.models.files import (
    WEIGHT_PATTERN,
    ModelLoadingError,
    directory_digest,
    find_model_directory,
    require_safetensors,
)
from chladni_runtime.models.reference import ModelReference

ModelT = TypeVar("ModelT")
CLAP_FILE_PATTERNS: Final = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "*.safetensors.index.json",
    WEIGHT_PATTERN,
)

_DEVICE_VARIABLE: Final = "CHLADNI_AUDIO_FEATURES_CLAP_DEVICE"
_TEXT_BRANCH: Final = ("text_model.", "text_projection.")
_CPU_ALLOCATOR: Final = "DefaultCPUAllocator"
"""Begins the only sign that distinguishes torch's RuntimeError for lack of main memory from others."""


class ClapEmbedder:
    """Embeds clips in CLAP's space.

    Args:
        card: What callers may know of it.
        model: The model, ready for inference; its text branch is not used.
        processor: Makes the model's input of samples.
    """

    def __init__(self, card: ModelCard, model: ClapModel, processor: ClapFeatureExtractor) -> None:
        self._card = card
        self._model = model
        self._processor = processor

    @classmethod
    def load(
        cls, reference: ModelReference, *, device: str = "cpu", thread_count: int | None = None
    ) -> ClapEmbedder:
        """Load a CLAP and runs it once.

        Only safetensors are loaded, and no code that comes with a model runs.

        Args:
            reference: Which CLAP.
            device: "cpu", "cuda" or "cuda:1".
            thread_count: Threads that torch uses for one run, in the whole process; `None` leaves them.

        Raises:
            ConfigurationError: There is no such device.
            ModelLoadingError: There is no such model, it has no safetensors, or it is no CLAP.
        """
        choose_device(device, variable=_DEVICE_VARIABLE, gpu_count=torch.cuda.device_count())
        if thread_count is not None:
            torch.set_num_threads(thread_count)
        directory = find_model_directory(reference, patterns=CLAP_FILE_PATTERNS)
        require_safetensors(directory, reference)
        model = load_clap(directory)
        processor: ClapFeatureExtractor = ClapFeatureExtractor.from_pretrained(
            directory, local_files_only=True
        )
        space = text_space(model)
        del model.text_model, model.text_projection  # four fifths of the memory
        model.to(device)
        card = ModelCard(
            model_id=CLAP_MODEL_ID,
            family=CLAP_MODEL_ID,
            description="The audio branch of a CLAP: what a sound is of, as one would say it in words.",
            space=space,
            dimension=int(model.config.projection_dim),
            digest=directory_digest(directory, CLAP_FILE_PATTERNS),
            license="see the model's own card",
            properties={
                "checkpoint": reference.name,
                "sample_rate_hz": str(processor.sampling_rate),
                "window_seconds": f"{processor.nb_max_samples / processor.sampling_rate:g}",
                "window": "middle",
                "device": device,
            },
        )
        embedder = cls(card, model, processor)
        embedder.embed_samples(np.zeros(processor.sampling_rate, dtype=np.float32))
        return embedder

    @property
    def card(self) -> ModelCard:
        """What callers may know of it."""
        return self._card

    def embed(self, clip: ClipAnalysis) -> npt.NDArray[np.float32]:
        """Return the embedding of a clip, (512,) float32 of norm 1.

        Raises:
            FaultError: The model produced values that are not numbers.
            UnavailableError: The device is out of memory.
        """
        return self.embed_samples(clip.samples_at(self._processor.sampling_rate))

    def embed_samples(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the embedding of (n,) samples at the model's rate; see `embed`."""
        window = middle_window(samples, self._processor.nb_max_samples)
        features = self._processor(window, sampling_rate=self._processor.sampling_rate, return_tensors="pt")
        with torch.inference_mode(), _memory_errors():
            embedding: npt.NDArray[np.float32] = (
                self._model.get_audio_features(
                    input_features=features["input_features"].to(self._model.device, torch.float32),
                    is_longer=features["is_longer"].to(self._model.device),
                )
                .pooler_output[0]
                .cpu()
                .numpy()
            )
        if not np.isfinite(embedding).all():
            raise FaultError(
                Reason.NON_FINITE_OUTPUT,
                "CLAP produced values that are not numbers; its weights may be damaged.",
            )
        return embedding


def middle_window(samples: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    """Return the middle `count` samples of a sound, all of it if it has no more."""
    start = max(0, len(samples) - count) // 2
    return samples[start : start + count]


def load_clap(directory: Path) -> ClapModel:
    """Return a CLAP, with every weight from its files.

    Raises:
        ModelLoadingError: It is no CLAP, or its files lack weights.
    """
    return load_whole(ClapModel, directory, model_type="clap")


def load_whole(model_class: type[ModelT], directory: Path, *, model_type: str) -> ModelT:
    """Return a model for inference, with every weight from its files: transformers makes missing ones up.

    Args:
        model_class: Its class.
        directory: Its files.
        model_type: What its configuration must name.

    Raises:
        ModelLoadingError: It is of another type, or its files lack weights.
    """
    configuration = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    found = configuration.get("model_type") if isinstance(configuration, dict) else None
    if found != model_type:
        raise ModelLoadingError(
            f"{directory.name} is no {model_type.upper()}: its model_type is {str(found)[:40]}."
        )
    loader: Any = model_class
    model, loading = loader.from_pretrained(
        directory,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if missing := sorted(loading["missing_keys"]):
        raise ModelLoadingError(
            f"The files of {directory.name} lack {len(missing)} weights, the first of them {missing[0]}."
        )
    model.eval().requires_grad_(requires_grad=False)
    whole: ModelT = model
    return whole


def text_space(model: ClapModel) -> str:
    """Return the name of a CLAP's space: the fingerprint of its text branch, which all who share it know."""
    weights = {
        name: tensor.numpy()
        for name, tensor in model.state_dict().items()
        if name.startswith(_TEXT_BRANCH) and tensor.is_floating_point()
    }
    return f"clap-{fingerprint(weights)}"


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or _CPU_ALLOCATOR in str(error):
            raise UnavailableError(
                Reason.OUT_OF_MEMORY,
                "CLAP ran out of memory on its device; try again later.",
                retry_after_seconds=5,
            ) from None
        raise
