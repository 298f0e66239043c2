"""Between the contract's `Conditioning` and the domain's."""

from __future__ import annotations

from typing import Final

import numpy as np

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_contract.descriptor_space import DESCRIPTOR_SPACE, TEMPORAL_FEATURES
from chladni_contract.tensors import to_array
from chladni_image_generation.generation import Conditioning, CourseWindow
from chladni_image_generation.image_codec import decode_initial_image
from chladni_image_generation.models.interface import ModelDescription
from chladni_runtime.server.validation import RequestValidator

MAX_PROMPT_LENGTH: Final = 2000
DEFAULT_STRENGTH: Final = 0.7
_MAX_LATENT: Final = 1e6
"""Noise reaches 6, and latents by a calibration of a few clips, some cells of which hardly vary, tens of
thousands; far beyond, a network's arithmetic overflows, as if the service was at fault."""
_WINDOW: Final = "conditioning.course_window"
_MAX_SEGMENTS: Final = 32
_MAX_DRIFT: Final = 10_000.0
_MESSAGES: Final = ("audio_embedding", "initial_latents", "initial_image")
_TEXTS: Final = ("prompt", "negative_prompt")
_EMBEDDING: Final = "conditioning.audio_embedding"
_HINTS: Final = {
    "prompt": "say in words what the image should show",
    "initial_image": "send a PNG, JPEG or WebP",
    "initial_latents": "send latents, as ExtractFeatures of audio-features returns them",
}


def check_conditioning(
    validator: RequestValidator,
    message: image_pb2.Conditioning,
    model: ModelDescription,
    *,
    steps: int,
) -> None:
    """Report to the validator which parts of a conditioning are missing, not taken or out of range."""
    given = {name for name in _MESSAGES if message.HasField(name)}
    given |= {name for name in _TEXTS if getattr(message, name)}
    for name in sorted(given - model.inputs):
        validator.check(
            f"conditioning.{name}",
            valid=False,
            description=f"is not taken by model {model.id!r}; leave it out.",
        )
    for name in sorted(model.required_inputs):
        hint = _HINTS.get(name, "")
        if name == "audio_embedding" and model.embedding_space:
            hint = f"send an embedding in space {model.embedding_space.name!r}, as ExtractFeatures returns it"
        validator.require(f"conditioning.{name}", present=name in given, hint=hint)
    if "audio_embedding" in given and model.embedding_space:
        validator.check(
            f"{_EMBEDDING}.space",
            valid=message.audio_embedding.space == model.embedding_space.name,
            description=f"must be {model.embedding_space.name!r}, the space that model {model.id!r} takes.",
        )
    for name in _TEXTS:
        validator.check_length(f"conditioning.{name}", getattr(message, name), maximum=MAX_PROMPT_LENGTH)
    _check_weight(validator, message, given)
    _check_strength(validator, message, given, steps=steps)


def to_conditioning(
    message: image_pb2.Conditioning, model: ModelDescription, *, latent_shape: tuple[int, int, int]
) -> Conditioning:
    """Return the conditioning that a checked message holds.

    Args:
        message: The message.
        model: The model that it is for.
        latent_shape: (C, H, W) of the image's latents.

    Raises:
        InvalidFieldsError: Values are out of range.
        InvalidInputError: A tensor is malformed or the initial image cannot be used.
    """
    validator = RequestValidator()
    embedding = latents = image = None
    if message.HasField("audio_embedding") and model.embedding_space:
        space = model.embedding_space
        field = f"{_EMBEDDING}.values"
        embedding = to_array(
            message.audio_embedding.values, field=field, dtype=np.float32, shape=(space.size,)
        )
        if space.limits:
            lowest, highest = space.limits
            validator.check(
                field,
                valid=bool(embedding.min() >= lowest and embedding.max() <= highest),
                description=f"must hold values from {lowest:g} to {highest:g}.",
                metadata={"minimum": lowest, "maximum": highest},
            )
    if message.HasField("initial_latents"):
        latents = to_array(
            message.initial_latents,
            field="conditioning.initial_latents",
            dtype=np.float32,
            shape=latent_shape,
        )
        validator.check(
            "conditioning.initial_latents.data",
            valid=bool(np.abs(latents).max() <= _MAX_LATENT),
            description=f"must hold values from -{_MAX_LATENT:.0f} to {_MAX_LATENT:.0f}; noise is within 6.",
            metadata={"minimum": -_MAX_LATENT, "maximum": _MAX_LATENT},
        )
    validator.raise_if_invalid()
    if message.HasField("initial_image"):
        image = decode_initial_image(message.initial_image.content, field="conditioning.initial_image")
    return Conditioning(
        audio_embedding=embedding,
        prompt=message.prompt,
        negative_prompt=message.negative_prompt,
        initial_latents=latents,
        initial_latents_weight=(
            message.initial_latents_weight if message.HasField("initial_latents_weight") else 1.0
        ),
        initial_image=image,
        strength=message.strength if message.HasField("strength") else DEFAULT_STRENGTH,
        course_window=(
            _to_course_window(message.course_window, model) if message.HasField("course_window") else None
        ),
    )


def _to_course_window(message: image_pb2.CourseWindow, model: ModelDescription) -> CourseWindow:
    """Return the window over a moving course that a message holds.

    Raises:
        InvalidFieldsError: The model takes none, or values are out of range.
        InvalidInputError: A tensor is malformed.
    """
    validator = RequestValidator()
    space = model.embedding_space
    validator.check(
        _WINDOW,
        valid=space is not None and space.name == DESCRIPTOR_SPACE,
        description=f"is not taken by model {model.id!r}; leave it out.",
    )
    validator.raise_if_invalid()
    centres = to_array(message.centers, field=f"{_WINDOW}.centers", dtype=np.float32, shape=(None,))
    count = len(centres)
    numbers = to_array(message.numbers, field=f"{_WINDOW}.numbers", dtype=np.int64, shape=(count,))
    growth = to_array(message.growth, field=f"{_WINDOW}.growth", dtype=np.float32, shape=(count,))
    features = len(TEMPORAL_FEATURES)
    course = to_array(message.course, field=f"{_WINDOW}.course", dtype=np.float32, shape=(count, features))
    means = to_array(message.means, field=f"{_WINDOW}.means", dtype=np.float32, shape=(features,))
    validator.check_range(f"{_WINDOW}.centers.shape", count, minimum=1, maximum=_MAX_SEGMENTS)
    validator.check(
        f"{_WINDOW}.centers",
        valid=bool(count and (np.diff(centres) > 0).all() and centres[0] >= -1 and centres[-1] <= 2),
        description="must increase, from -1 to 2.",
        metadata={"minimum": -1, "maximum": 2},
    )
    for name, values in (("course", course), ("means", means), ("growth", growth)):
        validator.check(
            f"{_WINDOW}.{name}",
            valid=bool(((values >= 0) & (values <= 1)).all()),
            description="must hold values from 0 to 1.",
            metadata={"minimum": 0, "maximum": 1},
        )
    validator.check_range(f"{_WINDOW}.drift", message.drift, minimum=0, maximum=_MAX_DRIFT)
    validator.check_range(f"{_WINDOW}.level", message.level, minimum=0, maximum=1)
    validator.check_range(f"{_WINDOW}.flash", message.flash, minimum=0, maximum=1)
    validator.raise_if_invalid()
    return CourseWindow(
        centres=centres,
        numbers=numbers,
        course=course,
        means=means,
        growth=growth,
        drift=message.drift,
        level=message.level,
        flash=message.flash,
    )


def _check_weight(validator: RequestValidator, message: image_pb2.Conditioning, given: set[str]) -> None:
    if not message.HasField("initial_latents_weight"):
        return
    field = "conditioning.initial_latents_weight"
    validator.check(
        field,
        valid="initial_latents" in given,
        description="needs initial_latents; leave it out.",
    )
    validator.check_range(field, message.initial_latents_weight, minimum=0, maximum=1)


def _check_strength(
    validator: RequestValidator, message: image_pb2.Conditioning, given: set[str], *, steps: int
) -> None:
    field = "conditioning.strength"
    if message.HasField("strength"):
        validator.check(
            field,
            valid="initial_image" in given,
            description="needs initial_image; leave it out.",
        )
    if "initial_image" not in given:
        return
    strength = message.strength if message.HasField("strength") else DEFAULT_STRENGTH
    is_in_range = 0 < strength <= 1
    validator.check(
        field,
        valid=is_in_range,
        description="must be more than 0 and at most 1.",
        metadata={"value": strength, "minimum": 0, "maximum": 1},
    )
    validator.check(
        field,
        valid=not is_in_range or int(steps * strength) >= 1,
        description=f"is {strength:g}: of {steps} steps that leaves none; raise strength or steps.",
        metadata={"value": strength, "steps": steps},
    )
