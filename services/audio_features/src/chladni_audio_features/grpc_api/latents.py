"""Requests for initial latents, and what calibrations are on the wire."""

from __future__ import annotations

import math
from typing import Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni_audio_features.latents.calibration import LatentCalibration
from chladni_audio_features.latents.catalog import LatentsRequest
from chladni_audio_features.latents.initial_latents import DEFAULT_LATENT_SHAPE, MAX_IMAGE_SIDE, LatentBasis
from chladni_runtime.server.validation import RequestValidator

_BASES: Final = {
    audio_pb2.LATENT_BASIS_UNSPECIFIED: LatentBasis.MEL,
    audio_pb2.LATENT_BASIS_MEL: LatentBasis.MEL,
    audio_pb2.LATENT_BASIS_DCT: LatentBasis.DCT,
}
_SHAPE_FIELD: Final = "initial_latents.shape"
_MAX_SIZES_SHOWN: Final = 8


def read_latents_request(options: audio_pb2.InitialLatentsOptions) -> LatentsRequest:
    """Return what a request wants of initial latents.

    Raises:
        InvalidFieldsError: the shape is none of latents, the basis is unknown, or a calibration is named and
            not wanted.
    """
    shape = tuple(options.shape) or DEFAULT_LATENT_SHAPE
    validator = RequestValidator()
    validator.check(_SHAPE_FIELD, valid=_is_usable(shape), description=_describe_shape(shape))
    validator.check(
        "initial_latents.basis",
        valid=options.basis in _BASES,
        description=f"is {options.basis}, must be LATENT_BASIS_MEL or LATENT_BASIS_DCT.",
    )
    validator.check(
        "initial_latents.calibration",
        valid=not (options.is_unscaled and options.calibration),
        description="is set, but is_unscaled does without one; leave out either.",
    )
    validator.raise_if_invalid()
    channels, height, width = shape
    return LatentsRequest(
        shape=(channels, height, width),
        basis=_BASES[options.basis],
        calibration_name=options.calibration,
        is_unscaled=options.is_unscaled,
    )


def to_calibration_message(calibration: LatentCalibration) -> audio_pb2.LatentCalibration:
    """Convert what scaled initial latents."""
    return audio_pb2.LatentCalibration(
        name=calibration.name, digest=calibration.digest, recording_count=calibration.recording_count
    )


def _is_usable(shape: tuple[int, ...]) -> bool:
    if len(shape) != 3 or not all(shape):
        return False
    count = math.prod(shape)
    return math.isqrt(count) ** 2 == count and count <= MAX_IMAGE_SIDE**2


def _describe_shape(shape: tuple[int, ...]) -> str:
    sizes = ", ".join(map(str, shape[:_MAX_SIZES_SHOWN]))
    shown = f"{sizes}, ..." if len(shape) > _MAX_SIZES_SHOWN else sizes
    return (
        f"is ({shown}), must be (C, H, W) with C x H x W a square number of at most {MAX_IMAGE_SIDE**2}, "
        "such as (4, 32, 32) or (4, 64, 64)."
    )
