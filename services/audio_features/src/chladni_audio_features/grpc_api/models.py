"""Embedding models and calibrations as the list that GetModels answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.model.v1 import model_pb2
from chladni_audio_features.embeddings.registry import EmbeddingModels, ModelCard
from chladni_audio_features.latents.catalog import CalibrationCatalog

_INPUTS: Final = ("audio",)


def to_models_message(
    models: EmbeddingModels, calibrations: CalibrationCatalog
) -> audio_pb2.GetModelsResponse:
    """Describe the embedding models, the default one first; it carries the calibrations as properties."""
    messages = [
        _to_model(
            model.card,
            properties=_calibration_properties(calibrations) if model is models.default else {},
            is_default=model is models.default,
        )
        for model in models
    ]
    messages += [_to_model(missing.card, unavailable_reason=missing.reason) for missing in models.unavailable]
    return audio_pb2.GetModelsResponse(models=messages)


def _to_model(
    card: ModelCard,
    *,
    properties: Mapping[str, str] | None = None,
    is_default: bool = False,
    unavailable_reason: str = "",
) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=card.model_id,
        digest=card.digest,
        description=card.description,
        license=card.license,
        is_default=is_default,
        is_ready=not unavailable_reason,
        output_space=card.space,
        properties={**card.properties, **(properties or {})},
        family=card.family,
        inputs=_INPUTS,
        required_input_count=len(_INPUTS),
        unavailable_reason=unavailable_reason,
    )


def _calibration_properties(calibrations: CalibrationCatalog) -> dict[str, str]:
    """Returns one property for each calibration, and one with all their names in the order of preference."""
    properties = {
        f"latent_calibration.{item.name}": f"basis={item.basis}; values={item.value_count}; "
        f"recordings={item.recording_count}; digest={item.digest}"
        for item in calibrations
    }
    return {"latent_calibrations": ",".join(item.name for item in calibrations), **properties}
