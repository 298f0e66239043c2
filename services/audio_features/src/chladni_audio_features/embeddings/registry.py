"""The embedding models of this server, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.embeddings.descriptors import DescriptorEmbedder
from chladni_contract.descriptor_space import (
    COMPONENT_NAMES,
    DESCRIPTOR_NAMES,
    DESCRIPTOR_SPACE,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
)
from chladni_runtime.models.registry import ModelRegistry

DESCRIPTORS_FAMILY: Final = "descriptors"
CLAP_MODEL_ID: Final = "clap"
CLAP_TO_CLIP_MODEL_ID: Final = "clap-to-clip"

_FIELD: Final = "embedding_model"
_HINTS: Final = {
    CLAP_MODEL_ID: "CHLADNI_AUDIO_FEATURES_CLAP_MODEL adds it.",
    CLAP_TO_CLIP_MODEL_ID: "CHLADNI_AUDIO_FEATURES_CLAP_TO_CLIP_MAP adds it.",
}


@dataclass(frozen=True)
class ModelCard:
    """What callers may know of a model.

    Attributes:
        model_id: Name for requests.
        family: Kind of model.
        description: One sentence for people.
        space: Name of the space of its embeddings.
        dimension: Number of components of an embedding.
        digest: SHA-256 over its files, 64 hexadecimal digits.
        license: Licence of the weights.
        component_names: What the components mean; empty if they have no names.
        properties: Further facts for people.
    """

    model_id: str
    family: str
    description: str
    space: str = ""
    dimension: int = 0
    digest: str = ""
    license: str = ""
    component_names: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


class EmbeddingModel(Protocol):
    """Embeds clips. Safe to share between threads; the same clip gives the same floats."""

    @property
    def card(self) -> ModelCard:
        """What callers may know of it."""
        ...

    def embed(self, clip: ClipAnalysis) -> npt.NDArray[np.float32]:
        """Return the embedding of a clip, (D,) float32."""
        ...


@dataclass(frozen=True)
class UnavailableModel:
    """A model that is configured and cannot be used.

    Attributes:
        card: What is known of it all the same.
        reason: Why it cannot be used and what to do about it, without paths.
    """

    card: ModelCard
    reason: str


class DescriptorModel:
    """The calibrated embedding as an embedding model.

    Args:
        embedder: Maps descriptors to the embedding.
    """

    def __init__(self, embedder: DescriptorEmbedder) -> None:
        self._embedder = embedder
        self._card = ModelCard(
            model_id=DESCRIPTOR_SPACE,
            family=DESCRIPTORS_FAMILY,
            description="Descriptors of the sound as a whole, each mapped to [0, 1] by its quantiles, and "
            f"its temporal profile in {TEMPORAL_SEGMENTS} segments of {len(TEMPORAL_FEATURES)} local "
            "values each.",
            space=DESCRIPTOR_SPACE,
            dimension=len(COMPONENT_NAMES),
            digest=embedder.digest,
            license="Apache-2.0",
            component_names=COMPONENT_NAMES,
            properties={
                "whole_dimensions": str(len(DESCRIPTOR_NAMES)),
                "course_segments": str(TEMPORAL_SEGMENTS),
                "course_features": ",".join(TEMPORAL_FEATURES),
            },
        )

    @property
    def card(self) -> ModelCard:
        """What callers may know of it."""
        return self._card

    def embed(self, clip: ClipAnalysis) -> npt.NDArray[np.float32]:
        """Return the embedding of a clip, (152,) float32 in [0, 1]."""
        return self._embedder.embed(clip.descriptors)


class EmbeddingModels:
    """Finds embedding models by name.

    Args:
        models: At least one; the first is the default.
        unavailable: Models that are configured and cannot be used.
    """

    def __init__(
        self, models: Sequence[EmbeddingModel], unavailable: Sequence[UnavailableModel] = ()
    ) -> None:
        self._models = ModelRegistry(
            [(model.card.model_id, model) for model in models],
            [(model.card.model_id, model.reason) for model in unavailable],
            hints=_HINTS,
        )
        self.default = self._models.default
        self.unavailable = tuple(unavailable)

    def __iter__(self) -> Iterator[EmbeddingModel]:
        return iter(self._models)

    def find(self, model_id: str, *, field: str = _FIELD) -> EmbeddingModel:
        """Return the model of a name, the default one for the empty name.

        Args:
            model_id: The name.
            field: Field of the request that names it, for the error.

        Raises:
            NotFoundError: No model has this name.
            UnavailableError: The model is configured and cannot be used.
        """
        return self._models.find(model_id, field=field)
