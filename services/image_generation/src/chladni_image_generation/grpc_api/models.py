"""Descriptions of models as messages."""

from __future__ import annotations

from chladni.model.v1 import model_pb2
from chladni_image_generation.engine.registry import UnavailableModel
from chladni_image_generation.models.interface import ModelDescription


def to_model_info(model: ModelDescription) -> model_pb2.ModelInfo:
    """Return the message that describes a model."""
    return model_pb2.ModelInfo(
        id=model.id,
        digest=model.digest,
        description=model.description,
        license=model.license,
        state=model_pb2.MODEL_STATE_READY,
        family=model.family,
        inputs=_inputs_of(model),
        image_generation=_capabilities_of(model),
        properties={
            "latent_shape": "x".join(map(str, model.latent_shape)),
            "image_size_pixels": "x".join(map(str, model.image_size_pixels)),
            "side_pixels": f"{model.sizes.minimum_pixels} to {model.sizes.maximum_pixels} by "
            f"{model.sizes.multiple_pixels}",
            "default_steps": str(model.default_steps),
            "default_guidance_scale": f"{model.default_guidance_scale:g}",
            "schedulers": " ".join(model.scheduler_names),
        },
    )


def to_unavailable_model_info(model: UnavailableModel) -> model_pb2.ModelInfo:
    """Return the message that describes a model which could not be loaded."""
    return model_pb2.ModelInfo(
        id=model.id,
        state=model_pb2.MODEL_STATE_UNAVAILABLE,
        unavailable_reason=model.reason,
        family=model.family,
    )


def _inputs_of(model: ModelDescription) -> list[model_pb2.ModelInput]:
    optional = set(model.inputs - model.required_inputs)
    if _enlarges(model):
        optional.add("upscale")
    if model.default_refiner_start is not None:
        optional.add("refiner_start")
    if model.looks:
        optional.add("look")
    return [
        *(model_pb2.ModelInput(name=name, required=True) for name in sorted(model.required_inputs)),
        *(model_pb2.ModelInput(name=name) for name in sorted(optional)),
    ]


def _capabilities_of(model: ModelDescription) -> model_pb2.ImageGenerationCapabilities:
    native_width, native_height = model.image_size_pixels
    return model_pb2.ImageGenerationCapabilities(
        sizes=model_pb2.ImageSizes(
            native_width_pixels=native_width,
            native_height_pixels=native_height,
            min_side_pixels=model.sizes.minimum_pixels,
            max_side_pixels=model.sizes.maximum_pixels,
            side_multiple_pixels=model.sizes.multiple_pixels,
        ),
        latent_shape=model.latent_shape,
        schedulers=model.scheduler_names,
        default_steps=model.default_steps,
        default_guidance_scale=model.default_guidance_scale,
        input_spaces=[model.embedding_space.name] if model.embedding_space else [],
        upscale_factors=model.upscales,
        upscaling_method=_upscaling_method_of(model),
        default_refiner_start=model.default_refiner_start,
        looks=model.looks,
    )


def _upscaling_method_of(model: ModelDescription) -> model_pb2.UpscalingMethod:
    if not _enlarges(model):
        return model_pb2.UPSCALING_METHOD_UNSPECIFIED
    if model.has_upscaler:
        return model_pb2.UPSCALING_METHOD_NETWORK
    return model_pb2.UPSCALING_METHOD_LATENTS


def _enlarges(model: ModelDescription) -> bool:
    return len(model.upscales) > 1
