"""Small perturbations of a clip that are hardly audible."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from chladni_evaluation.corpus.clips import RATE_HZ, Clip
from chladni_evaluation.corpus.time_stretching import stretched
from chladni_fixtures.audio import encoded

_NOISE_SEED: Final = 40
# libsndfile's scale of MP3 qualities at a constant rate; at 22.05 kHz this one is 64 kbit/s.
_MP3_64_KBPS_LEVEL: Final = 0.63


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A small perturbation.

    Attributes:
        name: Name in the figures.
        label: Short description for people.
        apply: Returns the changed clip as the bytes of a file.
    """

    name: str
    label: str
    apply: Callable[[Clip], bytes]


def louder_by_1_db(clip: Clip) -> bytes:
    """Amplify by 1 dB."""
    return _wav(clip.samples * np.float32(10.0 ** (1.0 / 20.0)))


def faster_by_1_percent(clip: Clip) -> bytes:
    """Play 1 % faster, at the same pitch."""
    return _wav(stretched(clip.samples, rate=1.01))


def with_noise_at_40_db(clip: Clip) -> bytes:
    """Add white noise 40 dB below the clip's mean power."""
    rng = np.random.default_rng(_NOISE_SEED)
    level = np.sqrt(np.square(clip.samples.astype(np.float64)).mean()) * 10.0 ** (-40.0 / 20.0)
    return _wav((clip.samples + level * rng.standard_normal(len(clip.samples))).astype(np.float32))


def as_mp3_at_64_kbps(clip: Clip) -> bytes:
    """Encode as an MP3 of 64 kbit/s."""
    output = io.BytesIO()
    soundfile.write(
        output,
        clip.samples,
        RATE_HZ,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=_MP3_64_KBPS_LEVEL,
    )
    return output.getvalue()


PERTURBATIONS: Final = (
    Perturbation("gain_1_db", "+1 dB", louder_by_1_db),
    Perturbation("tempo_1_percent", "1 % faster", faster_by_1_percent),
    Perturbation("noise_40_db", "noise at 40 dB SNR", with_noise_at_40_db),
    Perturbation("mp3_64_kbps", "MP3, 64 kbit/s", as_mp3_at_64_kbps),
)


def _wav(samples: NDArray[np.float32]) -> bytes:
    return encoded(samples.clip(-1.0, 1.0), rate_hz=RATE_HZ, subtype="PCM_16")
