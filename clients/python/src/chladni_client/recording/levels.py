"""How loud a stretch of sound is."""

import math
import sys
from array import array
from typing import Final

from chladni_client.types.live import SoundLevel

SILENCE_DBFS: Final = -120.0

_FULL_SCALE: Final = 32768


def level_of(chunk: bytes) -> SoundLevel:
    """Returns the level of 16-bit little-endian samples, all channels together."""
    samples = array("h", chunk)
    if sys.byteorder == "big":
        samples.byteswap()
    if not samples:
        return SoundLevel(SILENCE_DBFS, SILENCE_DBFS)
    mean_square = sum(sample * sample for sample in samples) / len(samples)
    peak = max(abs(max(samples)), abs(min(samples)))
    return SoundLevel(_to_dbfs(math.sqrt(mean_square)), _to_dbfs(peak))


def _to_dbfs(magnitude: float) -> float:
    return max(SILENCE_DBFS, 20 * math.log10(magnitude / _FULL_SCALE)) if magnitude else SILENCE_DBFS
