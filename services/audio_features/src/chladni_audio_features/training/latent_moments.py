"""Mean and standard deviation of many vectors, of which one at a time is in memory.

Welford 1962, "Note on a method for calculating corrected sums of squares and products"; shards are merged as
in Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chladni_audio_features.latents.calibration import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    MEAN_FILE,
    MOMENTS_FILE,
    STANDARD_DEVIATION_FILE,
    combined_digest,
)
from chladni_audio_features.latents.initial_latents import LatentBasis


class LatentMoments:
    """Count, mean and sum of squared deviations of vectors.

    Attributes:
        count: Vectors so far.
        mean: (N,) float64.
        squares: (N,) float64, sums of squared deviations from the mean.
    """

    def __init__(self, value_count: int) -> None:
        self.count = 0
        self.mean = np.zeros(value_count)
        self.squares = np.zeros(value_count)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Takes one more vector, (N,)."""
        self.count += 1
        deviation = values - self.mean
        self.mean += deviation / self.count
        self.squares += deviation * (values - self.mean)

    def merge(self, other: LatentMoments) -> None:
        """Takes the vectors that another one took."""
        total = self.count + other.count
        if total == 0:
            return
        difference = other.mean - self.mean
        self.squares += other.squares + np.square(difference) * (self.count * other.count / total)
        self.mean += difference * (other.count / total)
        self.count = total

    @property
    def deviation(self) -> npt.NDArray[np.float64]:
        """The population standard deviation, (N,); at least one vector was taken."""
        return np.sqrt(self.squares / self.count)


def write_calibration(
    directory: Path,
    moments: LatentMoments,
    *,
    name: str,
    basis: LatentBasis,
    created_by: str,
    with_moments: bool = True,
    facts: dict[str, Any] | None = None,
) -> None:
    """Writes a calibration; see `latent_calibration` for the format.

    Args:
        directory: Where to; made if need be.
        moments: What it holds.
        name: Its name for requests.
        basis: In which numbers the vectors are.
        created_by: Which program made it.
        with_moments: Whether to write what merging needs.
        facts: Further entries of the manifest, for people.
    """
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        MEAN_FILE: _npy(moments.mean.astype(np.float32)),
        STANDARD_DEVIATION_FILE: _npy(moments.deviation.astype(np.float32)),
    }
    if with_moments:
        archive = io.BytesIO()
        np.savez(archive, count=np.int64(moments.count), mean=moments.mean, m2=moments.squares)
        contents[MOMENTS_FILE] = archive.getvalue()
    for file_name, content in contents.items():
        (directory / file_name).write_bytes(content)
    digests = {file_name: hashlib.sha256(content).hexdigest() for file_name, content in contents.items()}
    manifest = {
        "format": FORMAT_VERSION,
        "name": name,
        "basis": basis.value,
        "value_count": len(moments.mean),
        "recording_count": moments.count,
        "created_by": created_by,
        "sha256": digests,
        "digest": combined_digest(digests),
        **(facts or {}),
    }
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
