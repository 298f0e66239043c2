"""An autoencoder of audio: its files, and what it makes of clips.

A model is a directory::

    model.safetensors   the network's weights, float16 or float32; see `network`
    manifest.json       name, digest of the weights, licence, how it was trained and how well it does
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load
from scipy.io import wavfile

from chladni_audio_features.analysis.spectrogram import MelSettings
from chladni_audio_features.reconstruction.figures import ReconstructionFigures, compare
from chladni_audio_features.reconstruction.griffin_lim import samples_of_mel
from chladni_audio_features.reconstruction.network import LATENT_FRAMES, AutoencoderNetwork
from chladni_audio_features.reconstruction.windows import (
    SAMPLE_RATE_HZ,
    MelWindows,
    mel_windows,
    transform_of,
)
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.models.files import ModelLoadingError

WEIGHTS_FILE: Final = "model.safetensors"
MANIFEST_FILE: Final = "manifest.json"
FORMAT_VERSION: Final = 1
MODEL_ID: Final = "chladni-audio-autoencoder"
MODEL_DIRECTORY: Final = Path(__file__).parents[1] / "models" / "autoencoder"
"""The one that ships."""

_FULL_SCALE: Final = 32767.0
_MAX_WEIGHTS_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A clip after the autoencoder.

    Attributes:
        original: Spectrogram of the clip, (mel bins, frames) float32 in [0, 1], where 1 is its loudest cell.
        reconstructed: That of the reconstruction, in the same scale.
        power: Mel power of the reconstruction, (mel bins, frames).
        latents: (T, D) float32, one row for each 16 frames of the clip.
        figures: How near the two are, each window in its own scale.
    """

    original: npt.NDArray[np.float32]
    reconstructed: npt.NDArray[np.float32]
    power: npt.NDArray[np.float32]
    latents: npt.NDArray[np.float32]
    figures: ReconstructionFigures


class Autoencoder:
    """Reconstructs clips. Safe to share between threads; the same clip gives the same floats.

    Args:
        network: The network.
        model_id: Its name.
        digest: SHA-256 of its weights' file, hexadecimal.
        license_name: Licence of the weights.
        figures: How well it did on clips that it was not trained on, for people.
    """

    def __init__(
        self,
        network: AutoencoderNetwork,
        *,
        model_id: str = MODEL_ID,
        digest: str = "",
        license_name: str = "",
        figures: Mapping[str, float] | None = None,
    ) -> None:
        self.model_id = model_id
        self.digest = digest
        self.license_name = license_name
        self.figures = dict(figures or {})
        self._network = network

    @property
    def latent_dimension(self) -> int:
        """Number of components of a latent vector."""
        return self._network.latent_dimension

    @property
    def mel_settings(self) -> MelSettings:
        """How the spectrograms are made."""
        return transform_of(self._network.mel_bins).settings

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the latents (T, D) of a clip, (n,) float32 at 16 kHz: one row for each 16 frames."""
        windows = mel_windows(samples, self._network.mel_bins)
        return _rows(self._network.encode(windows.scaled), windows)

    def embed(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the mean (D,) of a clip's latents; each counts by the frames of the clip in it."""
        windows = mel_windows(samples, self._network.mel_bins)
        latents = _rows(self._network.encode(windows.scaled), windows)
        weights = windows.frames_in_runs(LATENT_FRAMES)
        mean: npt.NDArray[np.float32] = np.average(latents, axis=0, weights=weights)
        return mean.astype(np.float32)

    def reconstruct(self, samples: npt.NDArray[np.float32]) -> Reconstruction:
        """Encode a clip and decode it again.

        Args:
            samples: (n,) float32 at 16 kHz.
        """
        windows = mel_windows(samples, self._network.mel_bins)
        latents = self._network.encode(windows.scaled)
        return reconstruction_of(windows, latents, self._network.decode(latents))

    def decoded(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return windows (W, mel bins, 256) in [0, 1] after encoding and decoding."""
        return self._network.decode(self._network.encode(windows))

    def samples_of(
        self, reconstruction: Reconstruction, sample_count: int, *, token: CancellationToken | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the reconstruction as audio, (sample_count,) float32 at 16 kHz.

        Raises:
            ChladniError: The token says that it is no longer wanted.
        """
        return samples_of_mel(reconstruction.power, self.mel_settings, sample_count, token=token)


def wav_file(samples: npt.NDArray[np.float32]) -> bytes:
    """Return samples at 16 kHz as the bytes of a WAV file of 16 bits; what exceeds full scale is clipped."""
    buffer = io.BytesIO()
    rounded = np.round(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)
    wavfile.write(buffer, SAMPLE_RATE_HZ, rounded)
    return buffer.getvalue()


def reconstruction_of(
    windows: MelWindows, latents: npt.NDArray[np.float32], decoded: npt.NDArray[np.float32]
) -> Reconstruction:
    """Return what became of a clip.

    Args:
        windows: The clip.
        latents: (W, 16, D).
        decoded: (W, mel bins, 256) in [0, 1]; of silent windows nothing is taken.
    """
    kept = np.where(windows.is_silent[:, None, None], np.float32(0.0), decoded)
    return Reconstruction(
        original=windows.levels(windows.scaled),
        reconstructed=windows.levels(kept),
        power=windows.power(kept),
        latents=_rows(latents, windows),
        figures=compare(windows.cells(windows.scaled), windows.cells(kept)),
    )


def _rows(latents: npt.NDArray[np.float32], windows: MelWindows) -> npt.NDArray[np.float32]:
    """Return (T, D) of (W, 16, D), without those of frames after the end of the clip."""
    count = len(windows.frames_in_runs(LATENT_FRAMES))
    return latents.reshape(-1, latents.shape[-1])[:count]


def load_autoencoder(directory: Path = MODEL_DIRECTORY) -> Autoencoder:
    """Load an autoencoder after checking it against its manifest.

    Raises:
        ModelLoadingError: A file is missing, malformed or altered.
    """
    manifest = _read_manifest(directory)
    content = _read(directory, WEIGHTS_FILE)
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest["sha256"]:
        raise ModelLoadingError(
            f"{WEIGHTS_FILE} is not the file that {MANIFEST_FILE} names; train the autoencoder again, or "
            "copy its files again."
        )
    try:
        network = AutoencoderNetwork(load(content))
    except KeyError as error:  # a type that NumPy has not
        raise ModelLoadingError(
            f"{WEIGHTS_FILE} has numbers of the type {error}; only float16 and float32 are read."
        ) from error
    except (SafetensorError, ValueError) as error:
        raise ModelLoadingError(f"{WEIGHTS_FILE} holds no autoencoder: {error}.") from error
    return Autoencoder(
        network,
        model_id=manifest["id"],
        digest=digest,
        license_name=manifest["license"],
        figures=manifest["figures"],
    )


def _read_manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(_read(directory, MANIFEST_FILE))
    except ValueError as error:
        raise ModelLoadingError(f"{MANIFEST_FILE} of the autoencoder is not JSON.") from error
    is_valid = (
        isinstance(manifest, dict)
        and manifest.get("format") == FORMAT_VERSION
        and all(isinstance(manifest.get(key), str) for key in ("id", "sha256", "license"))
        and isinstance(manifest.get("figures"), dict)
        and all(isinstance(value, int | float) for value in manifest["figures"].values())
    )
    if not is_valid:
        raise ModelLoadingError(
            f"{MANIFEST_FILE} of the autoencoder is not of format {FORMAT_VERSION}; train it again."
        )
    return manifest


def _read(directory: Path, name: str) -> bytes:
    path = directory / name
    try:
        if path.stat().st_size > _MAX_WEIGHTS_BYTES:
            raise ModelLoadingError(f"{name} of the autoencoder is too large to be one.")
        return path.read_bytes()
    except OSError as error:
        raise ModelLoadingError(
            f"{name} of the autoencoder cannot be read; train one with `chladni-train autoencoder`, or check "
            "the volume."
        ) from error
