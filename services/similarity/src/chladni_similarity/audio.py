"""The audio of requests: an audio file, samples, or their embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chladni_runtime.execution.cancellation import CancellationToken

AudioVector: TypeAlias = NDArray[np.float32]
"""(152,) in `chladni_contract.descriptor_space.DESCRIPTOR_SPACE`, each component in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioEmbedding:
    """Audio as its embedding.

    Attributes:
        vector: The embedding.
    """

    vector: AudioVector


@dataclass(frozen=True, slots=True)
class PcmAudio:
    """Samples without a file; audio-features judges them.

    Attributes:
        samples: Interleaved samples.
        sample_rate_hz: Sample rate.
        channel_count: Number of channels; 0 means 1.
        encoding: Number of the sample type in the contract.
    """

    samples: bytes
    sample_rate_hz: int
    channel_count: int
    encoding: int


@dataclass(frozen=True, slots=True)
class AudioClip:
    """Audio as the bytes of a file, or as samples.

    Attributes:
        content: The file's bytes, or the samples.
        name: Name to show to people.
        field: Path of the request's field that holds the clip, for error messages.
        start_seconds: Where the part that is meant begins; `None` for the beginning.
        end_seconds: Where it ends; `None` for the end.
    """

    content: bytes | PcmAudio
    name: str
    field: str
    start_seconds: float | None = None
    end_seconds: float | None = None


Audio: TypeAlias = AudioEmbedding | AudioClip


class AudioAnalyzer(Protocol):
    """What embeds clips."""

    async def analyze(self, clip: AudioClip, token: CancellationToken) -> AudioVector:
        """Return the embedding of a clip.

        Raises:
            ChladniError: The clip cannot be used, or cannot be analysed now.
        """
        ...
