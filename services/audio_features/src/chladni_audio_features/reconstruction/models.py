"""The autoencoder of this server, or why there is none."""

from __future__ import annotations

import logging
from typing import Final

from chladni_audio_features.reconstruction.autoencoder import (
    MANIFEST_FILE,
    MODEL_DIRECTORY,
    MODEL_ID,
    WEIGHTS_FILE,
    Autoencoder,
    load_autoencoder,
)
from chladni_contract.errors import FieldViolation, Reason, UnavailableError
from chladni_runtime.models.files import ModelLoadingError, find_model_directory, require_digest
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.models.registry import ModelRegistry

_FIELD: Final = "model"

_log = logging.getLogger(__name__)


class AutoencoderModels:
    """Finds the autoencoder by its name.

    Args:
        model: It; `None` if it cannot be used.
        reason: Why it cannot be used and what to do about it, without paths.
    """

    def __init__(self, model: Autoencoder | None, reason: str = "") -> None:
        self.default = model
        self._registry = ModelRegistry([(model.model_id, model)]) if model else None
        self._reason = reason

    def find(self, name: str) -> Autoencoder:
        """Return the autoencoder of a name, the default one for the empty name.

        Raises:
            NotFoundError: No model has this name.
            UnavailableError: The autoencoder cannot be used.
        """
        if self._registry is not None:
            return self._registry.find(name, field=_FIELD)
        message = f"Audio cannot be reconstructed: {self._reason}"
        raise UnavailableError(
            Reason.MODEL_UNAVAILABLE,
            message,
            violations=[FieldViolation(_FIELD, message)] if name else (),
            metadata={"model": name or MODEL_ID},
        )


def load_autoencoder_models(reference: ModelReference | None = None) -> AutoencoderModels:
    """Return the autoencoder that the settings name; what cannot be loaded does not stop the service.

    Args:
        reference: Which one; `None` for the one that ships.
    """
    try:
        if reference is None:
            model = load_autoencoder(MODEL_DIRECTORY)
        else:
            patterns = (MANIFEST_FILE, WEIGHTS_FILE)
            model = load_autoencoder(find_model_directory(reference, patterns=patterns))
            require_digest(reference, model.digest)
    except ModelLoadingError as error:
        _log.warning("autoencoder unavailable: %s", error)
        return AutoencoderModels(None, str(error))
    return AutoencoderModels(model)
