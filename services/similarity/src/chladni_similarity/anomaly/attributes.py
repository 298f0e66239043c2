"""What a machine sounds like, in named quantities whose normal range a few clips show.

They follow the descriptors of audio-features (roughness, brightness, flatness, onset rate), and are computed
from a window's spectrogram, so that one minute gives many values and an image gives most of them. Which of
them left the normal range explains an anomaly without training, as proposed by arXiv 2410.22033.

Impacts of a worn bearing or of a damaged tooth are seen in the spectrum of the envelope: a peak at their
rate, whatever resonance they excite (R. B. Randall, J. Antoni: Rolling element bearing diagnostics, a
tutorial, Mechanical Systems and Signal Processing 25, 2011).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_similarity.anomaly.windows import (
    DYNAMIC_RANGE_DB,
    ENVELOPE_RATE_HZ,
    WINDOW_SECONDS,
    Levels,
    Window,
    envelope_frequencies_hz,
    row_frequencies_hz,
    to_power,
)

MAX_SHAFT_HZ: Final = 150.0


@dataclass(frozen=True, slots=True)
class AttributeDefinition:
    """A named quantity.

    Attributes:
        name: Stable name.
        unit: Unit of its value, "1" for a plain number.
        resolution: Change that matters, in its unit; relative to the value if `is_relative`.
        higher: What a larger value than normal means, for people.
        lower: What a smaller value means.
        is_relative: Whether `resolution` is a share of the value.
    """

    name: str
    unit: str
    resolution: float
    higher: str
    lower: str
    is_relative: bool = False


_define = AttributeDefinition

BAND_EDGES_HZ: Final = {
    "level_below_150_hz": (0.0, 150.0),
    "level_150_to_500_hz": (150.0, 500.0),
    "level_500_to_1500_hz": (500.0, 1500.0),
    "level_1500_to_4000_hz": (1500.0, 4000.0),
    "level_above_4000_hz": (4000.0, 8000.0),
}

SHAFT_ORDERS: Final = (0.5, 1.0, 2.0, 3.0)

DEFINITIONS: Final = (
    _define("brightness", "Hz", 0.02, "brighter than normal", "duller than normal", is_relative=True),
    _define(
        "bandwidth", "Hz", 0.02, "spread over more frequencies", "on fewer frequencies", is_relative=True
    ),
    _define("flatness", "dB", 0.3, "noisier, less tonal than normal", "more tonal than normal"),
    _define("tonality", "dB", 0.3, "stronger single tones than normal", "weaker single tones than normal"),
    _define("unsteadiness", "dB", 0.1, "less steady than normal", "steadier than normal"),
    _define("onset_rate", "1/s", 0.3, "more strokes a second than normal", "fewer strokes a second"),
    *(
        _define(name, "dB", 0.5, f"louder {place} than normal", f"quieter {place} than normal")
        for name, place in (
            ("level_below_150_hz", "below 150 Hz"),
            ("level_150_to_500_hz", "from 150 to 500 Hz"),
            ("level_500_to_1500_hz", "from 500 to 1500 Hz"),
            ("level_1500_to_4000_hz", "from 1500 to 4000 Hz"),
            ("level_above_4000_hz", "above 4000 Hz"),
        )
    ),
    _define("roughness", "1", 0.02, "rougher than normal", "smoother than normal"),
    _define("fluctuation", "1", 0.02, "swells and fades more than normal", "more even than normal"),
    _define("impulsiveness", "1", 0.1, "harder impacts than normal", "softer impacts than normal"),
    _define("periodicity", "dB", 1.0, "impacts that recur regularly", "less regular impacts than normal"),
    _define("shaft_order_0_5", "dB", 1.5, "impacts every second turn", "less change every second turn"),
    _define("shaft_order_1", "dB", 1.5, "impacts once a turn", "less change once a turn"),
    _define("shaft_order_2", "dB", 1.5, "impacts twice a turn", "less change twice a turn"),
    _define("shaft_order_3", "dB", 1.5, "impacts three times a turn", "less change three times a turn"),
    _define(
        "off_order",
        "dB",
        1.5,
        "impacts out of step with the shaft",
        "less out of step with the shaft",
    ),
)

_ROUGHNESS_HZ: Final = (20.0, 150.0)
_FLUCTUATION_HZ: Final = (1.0, 20.0)
_PERIODICITY_HZ: Final = (3.0, 165.0)
_ORDER_TOLERANCE: Final = 0.06
_MEDIAN_PIXELS: Final = 25
_IMPACT_BANDS_HZ: Final = 1500.0
_ONSET_THRESHOLD: Final = 2.5
_FLOOR: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a window.

    Attributes:
        values: The values by name; names that could not be measured are absent.
        impact_hz: Rate of the most regular impacts; `None` if it could not be measured.
    """

    values: Mapping[str, float]
    impact_hz: float | None = None


def describe(window: Window, shaft_hz: float | None = None) -> Attributes:
    """Return the attributes of a window.

    Args:
        window: The window.
        shaft_hz: Revolutions per second, if known.
    """
    values = _of_image(window.image)
    if window.envelopes is None:
        return Attributes(values)
    spectrum = _EnvelopeSpectrum(window.envelopes)
    values |= {
        "roughness": spectrum.depth(*_ROUGHNESS_HZ),
        "fluctuation": spectrum.depth(*_FLUCTUATION_HZ),
        "impulsiveness": _impulsiveness(window.envelopes),
    }
    impact_hz, values["periodicity"] = spectrum.strongest_peak()
    if shaft_hz is not None:
        for order in SHAFT_ORDERS:
            name = f"shaft_order_{order:g}".replace(".", "_")
            values[name] = spectrum.prominence(order * shaft_hz)
        values["off_order"] = spectrum.strongest_peak(shaft_hz)[1]
    return Attributes(values, impact_hz)


def _of_image(image: NDArray[np.float32]) -> dict[str, float]:
    frequencies = row_frequencies_hz()
    power = to_power(image).mean(axis=1)
    share = power / (power.sum() + _FLOOR)
    brightness = float(share @ frequencies)
    decibels = 10.0 * np.log10(power + _FLOOR)
    values = {
        "brightness": brightness,
        "bandwidth": float(np.sqrt(share @ np.square(frequencies - brightness))),
        "flatness": float(decibels.mean() - 10.0 * np.log10(power.mean() + _FLOOR)),
        "tonality": _tonality(decibels),
        "unsteadiness": float(image.std(axis=1).mean() * DYNAMIC_RANGE_DB),
        "onset_rate": _onset_rate(image),
    }
    for name, (low, high) in BAND_EDGES_HZ.items():
        is_inside = (frequencies >= low) & (frequencies < high)
        values[name] = float(10.0 * np.log10(share[is_inside].sum() + 1e-6))
    return values


def _tonality(decibels: NDArray[np.float64]) -> float:
    """Return how far the most prominent tenth of the rows is above its neighbourhood, in dB."""
    padded = np.pad(decibels, _MEDIAN_PIXELS // 2, mode="edge")
    neighbourhood = np.median(np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN_PIXELS), axis=1)
    prominence = np.sort(decibels - neighbourhood)
    return float(prominence[-len(prominence) // 10 :].mean())


def _onset_rate(image: NDArray[np.float32]) -> float:
    """Return how often a second the spectrum rises far more than it usually does."""
    rise = np.maximum(np.diff(image, axis=1), 0.0).mean(axis=0)
    centre = np.median(rise)
    spread = np.median(np.abs(rise - centre)) * 1.4826 + 1e-6
    is_high = rise > centre + _ONSET_THRESHOLD * spread
    starts = np.count_nonzero(is_high[1:] & ~is_high[:-1])
    return float(starts / WINDOW_SECONDS)


def _impulsiveness(envelopes: Levels) -> float:
    """Return the logarithm of the kurtosis of the bands in which impacts ring."""
    bands = to_power(envelopes[envelope_frequencies_hz() >= _IMPACT_BANDS_HZ])
    centred = bands - bands.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1) + _FLOOR**2
    kurtosis = (centred**4).mean(axis=1) / np.square(variance)
    return float(np.log(np.median(kurtosis) + 1.0))


class _EnvelopeSpectrum:
    """Strength of regular changes by their rate, over all bands."""

    def __init__(self, envelopes: Levels) -> None:
        power = to_power(envelopes)
        relative = power / (power.mean(axis=1, keepdims=True) + _FLOOR) - 1.0
        count = relative.shape[1]
        spectrum = np.abs(np.fft.rfft(relative * np.hanning(count), axis=1)) * 4.0 / count
        self._energy = np.square(spectrum).mean(axis=0) / 3.0  # a Hann window spreads a line over 1.5 bins
        self._rates_hz = np.fft.rfftfreq(count, 1.0 / ENVELOPE_RATE_HZ)
        self._decibels = 10.0 * np.log10(self._energy + _FLOOR) - self._background()

    def depth(self, low_hz: float, high_hz: float) -> float:
        """Return how deep the changes between two rates are, relative to the mean level."""
        is_inside = (self._rates_hz >= low_hz) & (self._rates_hz < high_hz)
        return float(np.sqrt(self._energy[is_inside].sum()))

    def prominence(self, rate_hz: float) -> float:
        """Return how far the changes near a rate are above their neighbourhood, in dB."""
        width_hz = max(0.25, 0.01 * rate_hz)
        is_near = np.abs(self._rates_hz - rate_hz) <= width_hz
        return float(self._decibels[is_near].max()) if is_near.any() else 0.0

    def strongest_peak(self, shaft_hz: float | None = None) -> tuple[float, float]:
        """Return rate and prominence in dB of the strongest peak, of those out of step with a shaft."""
        low, high = _PERIODICITY_HZ
        is_inside = (self._rates_hz >= low) & (self._rates_hz <= high)
        if shaft_hz is not None:
            halves = self._rates_hz / (0.5 * shaft_hz)
            is_inside &= np.abs(halves - np.round(halves)) * 0.5 > _ORDER_TOLERANCE
        if not is_inside.any():
            return 0.0, 0.0
        best = int(np.argmax(np.where(is_inside, self._decibels, -np.inf)))
        return float(self._rates_hz[best]), float(self._decibels[best])

    def _background(self) -> NDArray[np.float64]:
        """Return the median level around each rate, in dB."""
        decibels = 10.0 * np.log10(self._energy + _FLOOR)
        width = 101
        padded = np.pad(decibels, width // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, width)
        background: NDArray[np.float64] = np.median(windows, axis=1)
        return background


def attribute_names() -> tuple[str, ...]:
    """Return the names of all attributes, in their order."""
    return tuple(definition.name for definition in DEFINITIONS)
