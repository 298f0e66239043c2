"""The calibrated embedding "chladni-descriptors-v2": what a sound is like, then how it changes.

Descriptors have units and odd distributions; the embedding brings each to [0, 1]. The first eleven
go through monotone quantile maps, fitted on a corpus that `training.calibrate_embedding` synthesises,
so that each component is spread evenly over everyday sounds. Mode goes through two, one for minor
(below 0.5) and one for major (above). Chroma is in [0, 1] by itself.

The temporal profile follows, sixteen segments of eight local values each. Those that are local values of a
descriptor go through its map; level and onset are linear in decibels; the place on the circle of
fifths is in the square around (0.5, 0.5).

What is absent has a fixed place: no onsets, no tempo and no pitch range are 0; no pitch, no mode and
no tonal content are 0.5. Digital silence is 0 everywhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.analysis.temporal_profile import MAX_ONSET_DB, MIN_LEVEL_DB, TemporalProfile
from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_SEGMENTS, UNDECIDED

CALIBRATED = DESCRIPTOR_NAMES[: DESCRIPTOR_NAMES.index("mode")]
MINOR_MODE, MAJOR_MODE = "minor_mode", "major_mode"
MAP_NAMES = (*CALIBRATED, MINOR_MODE, MAJOR_MODE)

MODEL_DIRECTORY = Path(str(files("chladni_audio_features") / "models" / "descriptors"))
CALIBRATION_FILE = "calibration.json"
MANIFEST_FILE = "manifest.json"


class ModelFileError(RuntimeError):
    """A file of the model is missing, malformed, or not the one that its manifest names."""


@dataclass(frozen=True, eq=False)
class QuantileMap:
    """A monotone, piecewise linear map from a descriptor's value to [0, 1].

    Attributes:
        values: (k,) float64, increasing, at least two.
        positions: (k,) float64, increasing from 0 to 1: the share of the corpus below each value.
    """

    values: npt.NDArray[np.float64]
    positions: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        is_valid = (
            self.values.shape == self.positions.shape
            and self.values.ndim == 1
            and len(self.values) > 1
            and bool((np.diff(self.values) > 0.0).all() and (np.diff(self.positions) > 0.0).all())
            and self.positions[0] == 0.0
            and self.positions[-1] == 1.0
        )
        if not is_valid:
            raise ModelFileError("a quantile map must increase strictly, in positions from 0 to 1")

    def position(self, value: float) -> float:
        """Return the place of `value` in the corpus; beyond its ends, 0 or 1."""
        return float(np.interp(value, self.values, self.positions))

    def all_positions(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the places of several values, (n,)."""
        return np.interp(values, self.values, self.positions)


class DescriptorEmbedder:
    """Maps descriptors to the embedding.

    Immutable, hence safe to share between threads.
    """

    def __init__(self, maps: Mapping[str, QuantileMap], *, digest: str) -> None:
        """Create an embedder.

        Args:
            maps: one quantile map for each of `MAP_NAMES`.
            digest: SHA-256 of the calibration, hexadecimal.
        """
        missing = [name for name in MAP_NAMES if name not in maps]
        if missing:
            raise ModelFileError(f"the calibration lacks {', '.join(missing)}")
        self._maps = dict(maps)
        self.digest = digest

    def embed(self, descriptors: Descriptors) -> npt.NDArray[np.float32]:
        """Embed the descriptors of a sound.

        Returns:
            (152,) float32 in [0, 1], in the order of `COMPONENT_NAMES`.
        """
        return np.concatenate(
            [
                self._embed_whole(descriptors),
                self._embed_temporal_profile(descriptors.temporal_profile).reshape(-1),
            ],
            dtype=np.float32,
        )

    def _embed_whole(self, descriptors: Descriptors) -> npt.NDArray[np.float64]:
        """Embed the descriptors proper, (24,)."""
        if descriptors.is_silent:
            scalars = [UNDECIDED if name == "pitch_height" else 0.0 for name in CALIBRATED]
        else:
            scalars = [self._component(name, descriptors) for name in CALIBRATED]
        mode = self._mode_component(descriptors.mode)
        return np.array([*scalars, mode, *descriptors.chroma])

    def _embed_temporal_profile(self, profile: TemporalProfile | None) -> npt.NDArray[np.float64]:
        """Embed the profile, (16, 8), segments by features; `None` is silence."""
        absent, undecided = np.zeros(TEMPORAL_SEGMENTS), np.full(TEMPORAL_SEGMENTS, UNDECIDED)
        if profile is None:
            columns = [absent, absent, absent, absent, undecided, absent, undecided, undecided]
        else:
            height_hz = profile.pitch_height_hz
            columns = [
                1.0 - profile.level_decibels / MIN_LEVEL_DB,
                self._maps["brightness"].all_positions(profile.brightness_hz),
                self._maps["flatness"].all_positions(profile.flatness_decibels),
                profile.onset_decibels / MAX_ONSET_DB,
                undecided if height_hz is None else self._maps["pitch_height"].all_positions(height_hz),
                self._maps["harmonicity"].all_positions(profile.harmonicity),
                UNDECIDED + UNDECIDED * profile.tonal_x,
                UNDECIDED + UNDECIDED * profile.tonal_y,
            ]
        stacked: npt.NDArray[np.float64] = np.clip(np.stack(columns, axis=1), 0.0, 1.0)
        return stacked

    def _component(self, name: str, descriptors: Descriptors) -> float:
        value: float | None = getattr(descriptors, name)
        if value is None:
            return UNDECIDED if name == "pitch_height" else 0.0
        return self._maps[name].position(value)

    def _mode_component(self, mode: float | None) -> float:
        if mode is None or mode == 0.0:
            return UNDECIDED
        if mode > 0.0:
            return UNDECIDED + UNDECIDED * self._maps[MAJOR_MODE].position(mode)
        return UNDECIDED - UNDECIDED * self._maps[MINOR_MODE].position(-mode)


def load_embedder(directory: Path = MODEL_DIRECTORY) -> DescriptorEmbedder:
    """Load a calibration after checking it against its manifest.

    Raises:
        ModelFileError: a file is missing, malformed or altered.
    """
    calibration = _read(directory / CALIBRATION_FILE)
    digest = hashlib.sha256(calibration).hexdigest()
    manifest = _parse(_read(directory / MANIFEST_FILE), MANIFEST_FILE)
    if manifest.get("files", {}).get(CALIBRATION_FILE) != digest:
        raise ModelFileError(
            f"{CALIBRATION_FILE} is not the file that {MANIFEST_FILE} names; install it again"
        )
    maps = _parse(calibration, CALIBRATION_FILE).get("maps", {})
    try:
        quantile_maps = {
            name: QuantileMap(
                values=np.array(entry["values"], dtype=np.float64),
                positions=np.array(entry["positions"], dtype=np.float64),
            )
            for name, entry in maps.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{CALIBRATION_FILE} is malformed: {error}") from error
    return DescriptorEmbedder(quantile_maps, digest=digest)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error


def _parse(content: bytes, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise ModelFileError(f"{name} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise ModelFileError(f"{name} does not hold an object")
    return parsed
