"""The models of this server, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from chladni_runtime.errors import FieldViolation, NotFoundError, Reason
from chladni_similarity.embedders.interface import ImageEmbedder
from chladni_similarity.model_files import ModelLoadingError
from chladni_similarity.model_references import ModelReference

_MAX_SHOWN_LENGTH: Final = 80


class ModelCatalog:
    """Finds embedders by name; the first is the default.

    Args:
        embedders: At least one, with different names.
    """

    def __init__(self, embedders: Sequence[ImageEmbedder]) -> None:
        self._embedders = {embedder.card.model_id: embedder for embedder in embedders}
        self.default = embedders[0]

    def __iter__(self) -> Iterator[ImageEmbedder]:
        return iter(self._embedders.values())

    def find(self, model_id: str) -> ImageEmbedder:
        """Returns the embedder of a name, the default one for the empty name.

        Raises:
            NotFoundError: No model has this name.
        """
        if not model_id:
            return self.default
        if model_id in self._embedders:
            return self._embedders[model_id]
        message = (
            f"No model is named {model_id[:_MAX_SHOWN_LENGTH]!r}; this server has "
            f"{', '.join(self._embedders)}. Leave the field empty for {self.default.card.model_id}."
        )
        raise NotFoundError(Reason.UNKNOWN_MODEL, message, violations=[FieldViolation("model", message)])


def load_catalog(references: Sequence[ModelReference]) -> ModelCatalog:
    """Loads models; takes seconds.

    Raises:
        ModelLoadingError: Some model cannot be loaded.
    """
    return ModelCatalog([_load_embedder(reference) for reference in references])


def _load_embedder(reference: ModelReference) -> ImageEmbedder:
    # Imported here: torch takes a second, in which the server should already answer health checks, and
    # transformers takes two more and 100 MB, which only a CLIP is worth.
    if reference.is_embedded:
        from chladni_similarity.embedders.efficientnet_lite0 import EfficientNetLite0Embedder  # noqa: PLC0415

        return EfficientNetLite0Embedder.load()
    try:
        from chladni_similarity.embedders.clip import ClipEmbedder  # noqa: PLC0415
    except ImportError:
        raise ModelLoadingError("A CLIP needs transformers; install chladni-similarity[clip].") from None
    return ClipEmbedder.load(reference)
