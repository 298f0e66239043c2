"""The models of this server, by name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from chladni_contract.errors import InvalidInputError, NotOfferedError, Reason
from chladni_runtime.models.files import ModelLoadingError, require_digest
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.models.registry import ModelRegistry
from chladni_similarity.embedders.interface import AudioEmbedder, ImageEmbedder
from chladni_similarity.models.files import ModelAbsentError, model_type_of, shipped_model_directory
from chladni_similarity.models.references import ALIGNMENT_MODEL_ID, EFFICIENTNET_MODEL_ID, EMBEDDED_MODEL_IDS

_log = logging.getLogger(__name__)


class ModelCatalog:
    """Finds embedders by name; the first is the default.

    Args:
        embedders: At least one, with different names.
        unavailable: Names of models that are configured and could not be loaded, with the reasons.

    Attributes:
        default: The model of requests that name none.
        unavailable: As given.
    """

    def __init__(
        self, embedders: Sequence[ImageEmbedder], unavailable: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._embedders = ModelRegistry(
            [(embedder.card.model_id, embedder) for embedder in embedders], unavailable
        )
        self.default = self._embedders.default
        self.unavailable = tuple(unavailable)

    def __iter__(self) -> Iterator[ImageEmbedder]:
        return iter(self._embedders)

    def find(self, model_id: str) -> ImageEmbedder:
        """Return the embedder of a name, the default one for the empty name.

        Raises:
            NotFoundError: No model has this name.
            UnavailableError: The model of this name could not be loaded.
        """
        return self._embedders.find(model_id, field="model")

    def find_audio_embedder(self, model_id: str) -> AudioEmbedder:
        """Return the model of a name that takes audio, the first such model for the empty name.

        Raises:
            NotFoundError: No model has this name.
            InvalidInputError: The model of this name takes only images.
            NotOfferedError: So do all models of this server.
        """
        audio_embedders = [embedder for embedder in self if isinstance(embedder, AudioEmbedder)]
        if not audio_embedders:
            raise NotOfferedError(
                f"This server has no model that takes audio; its operator may add {ALIGNMENT_MODEL_ID}."
            )
        embedder = self.find(model_id) if model_id else audio_embedders[0]
        if isinstance(embedder, AudioEmbedder):
            return embedder
        names = ", ".join(item.card.model_id for item in audio_embedders)
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"{model_id} takes no audio; use {names}, or leave the field empty.",
            field="model",
            metadata={"value": model_id, "allowed": names},
        )


def load_catalog(
    references: Sequence[ModelReference], *, device: str = "cpu", dtype: str = "auto"
) -> ModelCatalog:
    """Load models; takes seconds.

    A model that cannot be loaded is listed as unavailable, and the others serve. An embedded model that has
    not been trained yet is left out, so that what paints images to train it on can use the others.

    Args:
        references: The models, the default one first.
        device: Device that they run on, as torch names it.
        dtype: Numbers that they compute in; ``auto`` chooses.

    Raises:
        ModelLoadingError: No model can be loaded.
    """
    embedders: list[ImageEmbedder] = []
    failures: list[tuple[str, ModelLoadingError]] = []
    for reference in references:
        try:
            embedder = _load_embedder(reference, device=device, dtype=dtype)
            require_digest(reference, embedder.card.digest)
            embedders.append(embedder)
        except ModelAbsentError as error:
            if reference.source not in EMBEDDED_MODEL_IDS:
                failures.append((reference.name, error))
                continue
            _log.warning(
                "model left out: %s Train it with `make train-alignment-model`.",
                error,
                extra={"model": reference.name},
            )
        except ModelLoadingError as error:
            failures.append((reference.name, error))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others are served
            _log.exception("model %s failed to load", reference.name)
            failures.append((reference.name, _unexpected(error)))
    if not embedders and failures:
        raise failures[0][1]
    for name, failure in failures:
        _log.error("model unavailable: %s", failure, extra={"model": name})
    if not embedders:
        names = ", ".join(reference.name for reference in references)
        raise ModelLoadingError(f"None of the configured models is there: {names}.")
    return ModelCatalog(embedders, [(name, str(failure)) for name, failure in failures])


def _unexpected(error: Exception) -> ModelLoadingError:
    failure = ModelLoadingError(
        "It failed in an unexpected way when it was loaded; the server's log says how."
    )
    failure.__cause__ = error
    return failure


def _load_embedder(reference: ModelReference, *, device: str, dtype: str) -> ImageEmbedder:
    # Imported here: torch takes a second and transformers two more, in which the server should already answer
    # health checks; and a server of EfficientNet-Lite0 alone saves the 100 MB that transformers takes.
    from chladni_similarity.embedders.inference import place  # noqa: PLC0415

    placement = place(device, dtype)
    if reference.source == EFFICIENTNET_MODEL_ID:
        from chladni_similarity.embedders.efficientnet_lite0 import EfficientNetLite0Embedder  # noqa: PLC0415

        return EfficientNetLite0Embedder.load(placement)
    if reference.source == ALIGNMENT_MODEL_ID or _holds_alignment_model(reference):
        from chladni_similarity.embedders.alignment import AlignmentEmbedder  # noqa: PLC0415

        is_shipped = reference.source == ALIGNMENT_MODEL_ID
        return AlignmentEmbedder.load(
            shipped_model_directory(ALIGNMENT_MODEL_ID) if is_shipped else reference.directory, placement
        )
    from chladni_similarity.embedders.clip import ClipEmbedder  # noqa: PLC0415

    return ClipEmbedder.load(reference, placement)


def _holds_alignment_model(reference: ModelReference) -> bool:
    return reference.is_directory and model_type_of(reference.directory) == ALIGNMENT_MODEL_ID
