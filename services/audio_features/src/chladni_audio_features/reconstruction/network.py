"""The autoencoder in NumPy: the convolutions of its weights, without the library that trained it.

Principal components of each 16 frames give a latent vector. Beside them four layers add to it: their channels
begin as the mel bands, and a layer is a convolution that halves the frames and a residual block. The decoder
mirrors both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Weights = Mapping[str, npt.NDArray[np.floating[Any]]]
FloatArray = npt.NDArray[np.float32]

LAYERS: Final = 4
LATENT_FRAMES: Final = 1 << LAYERS
"""Frames of a spectrogram that a latent vector stands for."""
LEAK: Final = 0.1
"""Slope of the activation below zero."""


class AutoencoderNetwork:
    """The autoencoder; immutable, hence safe to share between threads.

    Args:
        weights: The weights by name, as training exports them: ``encoder.0.down.weight`` and so on.

    Raises:
        ValueError: One is missing, superfluous, of another shape, or not finite.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        _check(self._weights)
        self.mel_bins = int(self._weights["encoder.0.down.weight"].shape[1])
        self.latent_dimension = int(self._weights["to_latent.weight"].shape[0])

    def encode(self, windows: FloatArray) -> FloatArray:
        """Return latents (W, frames / 16, D) of windows (W, mel bins, frames)."""
        hidden = windows
        for layer in range(LAYERS):
            name = f"encoder.{layer}"
            hidden = _activated(_convolved(hidden, *self._pair(f"{name}.down"), stride=2))
            hidden = self._residual(hidden, name)
        weight, bias = self._pair("to_latent")
        latents: FloatArray = hidden.swapaxes(1, 2) @ weight.T + bias
        return latents + self._principal_latents(windows)

    def decode(self, latents: FloatArray) -> FloatArray:
        """Return windows (W, mel bins, frames) in [0, 1] of latents (W, frames / 16, D)."""
        weight, bias = self._pair("from_latent")
        hidden = _activated(latents @ weight.T + bias).swapaxes(1, 2)
        for layer in range(LAYERS):
            name = f"decoder.{layer}"
            hidden = self._residual(hidden, name)
            hidden = _convolved_up(hidden, *self._pair(f"{name}.up"))
            if layer + 1 < LAYERS:
                hidden = _activated(hidden)
        windows: FloatArray = np.clip(hidden + self._principal_windows(latents), 0.0, 1.0)
        return windows

    def _principal_latents(self, windows: FloatArray) -> FloatArray:
        weight, bias = self._pair("principal.analysis")
        blocks = windows.reshape(*windows.shape[:2], -1, LATENT_FRAMES).swapaxes(1, 2)
        latents: FloatArray = blocks.reshape(*blocks.shape[:2], -1) @ weight.reshape(len(weight), -1).T + bias
        return latents

    def _principal_windows(self, latents: FloatArray) -> FloatArray:
        weight, bias = self._pair("principal.synthesis")
        blocks = latents @ weight.reshape(len(weight), -1) + bias.ravel()
        blocks = blocks.reshape(*latents.shape[:2], *bias.shape).swapaxes(1, 2)
        return blocks.reshape(*blocks.shape[:2], -1)

    def _residual(self, hidden: FloatArray, name: str) -> FloatArray:
        inner = _activated(_convolved(hidden, *self._pair(f"{name}.first"), stride=1))
        return _activated(hidden + _convolved(inner, *self._pair(f"{name}.second"), stride=1))

    def _pair(self, name: str) -> tuple[FloatArray, FloatArray]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]


def _activated(values: FloatArray) -> FloatArray:
    activated: FloatArray = np.maximum(values, np.float32(LEAK) * values)
    return activated


def _convolved(values: FloatArray, weight: FloatArray, bias: FloatArray, *, stride: int) -> FloatArray:
    """Return (W, O, T / stride) of (W, I, T), with (O, I, K) weights and zeros around."""
    taps = weight.shape[2]
    frames = values.shape[2] // stride
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1)))
    total = np.zeros((len(values), weight.shape[0], frames), np.float32)
    for tap in range(taps):
        total += weight[:, :, tap] @ padded[:, :, tap : tap + stride * (frames - 1) + 1 : stride]
    return total + bias[:, None]


def _convolved_up(values: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """Return (W, O, 2 T) of (W, I, T): the transposed convolution of (I, O, 4) weights by a stride of 2."""
    frames = values.shape[2]
    total = np.zeros((len(values), weight.shape[1], 2 * frames + 2), np.float32)
    for tap in range(weight.shape[2]):
        total[:, :, tap : tap + 2 * frames - 1 : 2] += weight[:, :, tap].T @ values
    return total[:, :, 1:-1] + bias[:, None]


def weight_shapes(
    mel_bins: int, channels: Sequence[int], latent_dimension: int
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an autoencoder's weights by name.

    Args:
        mel_bins: Mel bands.
        channels: Channels of the layers.
        latent_dimension: Components of a latent vector.
    """
    widths = (mel_bins, *channels)
    linear = (latent_dimension, mel_bins, LATENT_FRAMES)
    shapes: dict[str, tuple[int, ...]] = {
        "principal.analysis.weight": linear,
        "principal.analysis.bias": (latent_dimension,),
        "principal.synthesis.weight": linear,
        "principal.synthesis.bias": (mel_bins, LATENT_FRAMES),
        "to_latent.weight": (latent_dimension, widths[-1]),
        "to_latent.bias": (latent_dimension,),
        "from_latent.weight": (widths[-1], latent_dimension),
        "from_latent.bias": (widths[-1],),
    }
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        mirrored = LAYERS - 1 - layer
        shapes |= _convolution(f"encoder.{layer}.down", (outputs, inputs, 4), outputs)
        shapes |= _convolution(f"decoder.{mirrored}.up", (outputs, inputs, 4), inputs)
        for part in ("first", "second"):
            shapes |= _convolution(f"encoder.{layer}.{part}", (outputs, outputs, 3), outputs)
            shapes |= _convolution(f"decoder.{mirrored}.{part}", (outputs, outputs, 3), outputs)
    return shapes


def _convolution(name: str, shape: tuple[int, ...], outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": (outputs,)}


def _check(weights: Weights) -> None:
    names = weight_shapes(1, (1,) * LAYERS, 1)
    if wrong := sorted(names.keys() ^ weights.keys()):
        raise ValueError(f"the weights are not those of an autoencoder: {', '.join(wrong[:4])}")
    first = weights["encoder.0.down.weight"].shape
    channels = [weights[f"encoder.{layer}.down.bias"].size for layer in range(LAYERS)]
    wanted = weight_shapes(first[1] if len(first) > 1 else 0, channels, weights["to_latent.bias"].size)
    for name, value in weights.items():
        if value.shape != wanted[name]:
            raise ValueError(f"the weights {name} have the shape {value.shape}, must be {wanted[name]}")
        if not np.isfinite(value).all():
            raise ValueError(f"the weights {name} are not finite")
