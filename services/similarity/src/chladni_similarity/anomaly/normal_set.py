"""Sets of normal operation: what they are, and their files."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.anomaly.backends import BACKENDS, FUSION
from chladni_similarity.anomaly.calibration import Calibration
from chladni_similarity.anomaly.encoders import Encoder
from chladni_similarity.anomaly.normal_model import FittedBackend, NormalModel, NormalRange
from chladni_similarity.anomaly.windows import SIDE_PIXELS

NAME_PATTERN: Final = "[a-z0-9][a-z0-9_-]{0,62}"
NAME_MEANING: Final = "1 to 63 lower-case letters, digits, '-' or '_', the first a letter or a digit"

_FORMAT: Final = "chladni-normal-set-1"
_ENCODER_PREFIX: Final = "encoder."
_MAX_FACT: Final = 1e9
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    safetensors.SafetensorError,
)
"""What reading a file that is no normal set raises."""

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]
LoadEncoder: TypeAlias = Callable[[str, Weights], Encoder]
"""Returns the encoder of a name with its weights, if it has any of its own."""


class NormalSetFileError(Exception):
    """A file holds no normal set, or one of another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalSetInfo:
    """What callers may know of a normal set.

    Attributes:
        name: Its name.
        description: One sentence for people.
        clip_count: Clips and images that it was fitted to.
        window_count: Windows that were taken from them.
        encoder: Name of the encoder.
        backend: Name of the backend that is used unless a request names another.
        shaft_hz: Revolutions per second; `None` if unknown.
        audio_seconds: Audio that it was fitted to; `None` for images.
        created: When it was made.
    """

    name: str
    description: str = ""
    clip_count: int
    window_count: int
    encoder: str
    backend: str = FUSION
    shaft_hz: float | None = None
    audio_seconds: float | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True, eq=False)
class NormalSet:
    """A model of normal operation with its encoder.

    Attributes:
        info: What callers may know of it.
        model: Judges embeddings.
        encoder: Makes them.
        weights: Weights of the encoder, if it was trained with this set.
    """

    info: NormalSetInfo
    model: NormalModel
    encoder: Encoder
    weights: Weights = field(default_factory=dict)


def to_bytes(normal_set: NormalSet) -> bytes:
    """Return a normal set as a file: safetensors, with its facts as metadata."""
    model = normal_set.model
    tensors: dict[str, NDArray[Any]] = {
        "row_means": model.row_means,
        "row_deviations": model.row_deviations,
        "fusion": _calibration_values(model.fusion),
    }
    for name, fitted in model.backends.items():
        tensors[f"{name}.calibration"] = _calibration_values(fitted.calibration)
        tensors[f"{name}.moments"] = np.array([fitted.mean, fitted.deviation])
        tensors |= {f"{name}.state.{key}": value for key, value in fitted.backend.state().items()}
    tensors |= {f"{_ENCODER_PREFIX}{key}": value for key, value in normal_set.weights.items()}
    info = normal_set.info
    facts = {
        "name": info.name,
        "description": info.description,
        "clip_count": info.clip_count,
        "window_count": info.window_count,
        "encoder": info.encoder,
        "backend": info.backend,
        "shaft_hz": info.shaft_hz,
        "audio_seconds": info.audio_seconds,
        "created": info.created.isoformat(),
        "ranges": {name: [item.mean, item.deviation] for name, item in model.ranges.items()},
    }
    contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    return safetensors.numpy.save(contiguous, metadata={"format": _FORMAT, "normal_set": json.dumps(facts)})


def from_bytes(content: bytes, load_encoder: LoadEncoder) -> NormalSet:
    """Return the normal set in a file.

    Raises:
        NormalSetFileError: There is none.
    """
    try:
        (length,) = struct.unpack_from("<Q", content)
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        if metadata["format"] != _FORMAT:
            raise NormalSetFileError(f"it has the format {metadata['format']!r}, not {_FORMAT!r}")
        facts = json.loads(metadata["normal_set"])
        tensors = safetensors.numpy.load(content)
        weights = {
            name.removeprefix(_ENCODER_PREFIX): value
            for name, value in tensors.items()
            if name.startswith(_ENCODER_PREFIX)
        }
        ranges = {name: NormalRange(*values) for name, values in facts.pop("ranges").items()}
        facts["created"] = datetime.fromisoformat(facts["created"])
        model = NormalModel(
            backends={name: _fitted_backend(name, tensors) for name in BACKENDS},
            fusion=_to_calibration(tensors["fusion"]),
            ranges=ranges,
            row_means=tensors["row_means"],
            row_deviations=tensors["row_deviations"],
        )
        info = NormalSetInfo(**facts)
        _check_facts(info)
        read = NormalSet(info, model, load_encoder(info.encoder, weights), weights)
        _try_out(read)
    except ModelLoadingError as error:
        raise NormalSetFileError(f"its encoder cannot be loaded: {error}") from error
    except _DAMAGE as error:
        raise NormalSetFileError(f"it is no normal set: {error}") from error
    return read


def _try_out(normal_set: NormalSet) -> None:
    """Judge a black image, so that arrays that do not fit together are found now and not by callers.

    Raises:
        ValueError: They do not fit together, or are not finite.
    """
    black = np.zeros((1, SIDE_PIXELS, SIDE_PIXELS), np.float32)
    embeddings = normal_set.encoder.encode(black)
    score = normal_set.model.score(embeddings, normal_set.info.backend)
    rows = np.stack([normal_set.model.row_means, normal_set.model.row_deviations])
    ranges = [(item.mean, item.deviation) for item in normal_set.model.ranges.values()]
    figures = [score.distance, score.score, score.percentile]
    if rows.shape != (2, SIDE_PIXELS) or not all(
        np.isfinite(np.asarray(values, np.float64)).all() for values in (rows, ranges, figures)
    ):
        raise ValueError("its arrays do not fit together, or are not finite")


def _check_facts(info: NormalSetInfo) -> None:
    """Check that what a file says of itself can be told to callers.

    Raises:
        ValueError: It cannot.
    """
    info.description.encode()
    counts = (info.clip_count, info.window_count)
    numbers = [value for value in (info.shaft_hz, info.audio_seconds) if value is not None]
    if not all(isinstance(count, int) and 0 <= count < 2**31 for count in counts) or not all(
        isinstance(value, int | float) and 0 < value < _MAX_FACT for value in numbers
    ):
        raise ValueError("its counts or durations are none")


def _fitted_backend(name: str, tensors: Mapping[str, NDArray[Any]]) -> FittedBackend:
    prefix = f"{name}.state."
    state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    mean, deviation = tensors[f"{name}.moments"].tolist()
    return FittedBackend(
        BACKENDS[name].from_state(state), mean, deviation, _to_calibration(tensors[f"{name}.calibration"])
    )


def _calibration_values(calibration: Calibration) -> NDArray[np.float64]:
    return np.concatenate([[calibration.origin, calibration.limit], calibration.quantiles])


def _to_calibration(values: NDArray[np.float64]) -> Calibration:
    return Calibration(float(values[0]), float(values[1]), values[2:])
