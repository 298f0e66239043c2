"""Channels to mono, and channels that cancel each other there."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chladni_contract.warnings import ServiceWarning, WarningReason, new_warning

_CANCELLING_DB: Final = 15.0
"""Attenuation that means opposite channels; eight unlike ones lose 9 dB, and so does one of eight alone."""


def channels_last(values: npt.NDArray[Any], frame_count: int, *, is_planar: bool) -> npt.NDArray[Any]:
    """Turn planar (channels, frames) or interleaved (1, frames * channels) into (frames, channels)."""
    return values.T if is_planar else values.reshape(frame_count, -1)


def mix_channels(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Average the channels of (frames, channels): (frames,) float32.

    One channel after the other: NumPy's mean along so short an axis takes many times as long.
    """
    total = samples[:, 0].copy()
    for channel in range(1, samples.shape[1]):
        total += samples[:, channel]
    total /= np.float32(samples.shape[1])
    return total


def to_float(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scale samples of any type to full scale 1."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    if values.dtype.kind == "i":
        return values.astype(np.float32) * np.float32(2.0 ** (1 - 8 * values.dtype.itemsize))
    with np.errstate(over="ignore"):  # too large for float32: infinite, which is checked
        return values.astype(np.float32)


def mix_or_choose_channel(
    samples: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], tuple[ServiceWarning, ...]]:
    """Average the channels of (frames, channels); if they cancel each other, take one and warn."""
    mix = mix_channels(samples)
    meter = CancellationMeter()
    meter.add(samples, mix)
    channel = meter.loudest_channel
    if channel is None:
        return mix, ()
    return np.ascontiguousarray(samples[:, channel]), (meter.warning(),)


class CancellationMeter:
    """Measures how much is lost when channels are mixed to mono."""

    def __init__(self) -> None:
        self._channel_energies = np.zeros(0)
        self._mix_energy = 0.0

    def add(self, samples: npt.NDArray[np.float32], mix: npt.NDArray[np.float32]) -> None:
        """Add (frames, channels), and what they were mixed to."""
        if samples.shape[1] < 2:
            return
        energies = np.array([_energy(samples[:, channel]) for channel in range(samples.shape[1])])
        if len(self._channel_energies) != len(energies):  # another file begins within a chain of them
            self._channel_energies = np.zeros(len(energies))
            self._mix_energy = 0.0
        self._channel_energies += energies
        self._mix_energy += _energy(mix)

    @property
    def loudest_channel(self) -> int | None:
        """Index of the loudest channel if the channels cancel each other, `None` if they do not."""
        return int(np.argmax(self._channel_energies)) if self._attenuation_db > _CANCELLING_DB else None

    def warning(self) -> ServiceWarning:
        """Return what the sender of channels that cancel each other should know."""
        channel = int(np.argmax(self._channel_energies)) + 1
        attenuation_db = round(min(self._attenuation_db, 200.0), 1)
        return new_warning(
            WarningReason.CHANNELS_CANCEL,
            f"The channels cancel each other when they are mixed to mono (by {attenuation_db:g} dB), so "
            f"channel {channel} alone was used. If that is not meant, invert one channel, or send a mono "
            "file.",
            attenuation_db=attenuation_db,
            channel=channel,
        )

    @property
    def _attenuation_db(self) -> float:
        mean_energy = float(self._channel_energies.mean()) if len(self._channel_energies) else 0.0
        if not mean_energy:
            return 0.0
        return 10 * math.log10(mean_energy / max(self._mix_energy, 1e-30 * mean_energy))


def _energy(samples: npt.NDArray[np.float32]) -> float:
    # Scaled, because samples of 65,536 would overflow, and silence at 1e-30 vanish, when squared in float32.
    peak = float(np.abs(samples).max(initial=0.0))
    return peak * peak * float(np.dot(scaled := samples / np.float32(peak), scaled)) if peak > 0 else 0.0
