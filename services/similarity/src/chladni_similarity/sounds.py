"""Sounds as requests bring them: embedded already, or recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chladni_runtime.execution.cancellation import CancellationToken

SOUND_SPACE: Final = "chladni-descriptors-v2"
"""Space of the embeddings of sounds that the alignment model hears."""

SOUND_DIMENSION: Final = 152

SoundVector: TypeAlias = NDArray[np.float32]
"""(152,) in `SOUND_SPACE`, each component in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedSound:
    """A sound as its embedding.

    Attributes:
        vector: The embedding.
    """

    vector: SoundVector


@dataclass(frozen=True, slots=True)
class RecordedSound:
    """A sound as the bytes of a file.

    Attributes:
        content: The file's bytes.
        name: Name to show to people.
        field: Path of the request's field that holds the recording, for error messages.
    """

    content: bytes
    name: str
    field: str


Sound: TypeAlias = EmbeddedSound | RecordedSound


class SoundAnalyzer(Protocol):
    """Knows how to embed recordings."""

    async def analyze(self, recording: RecordedSound, token: CancellationToken) -> SoundVector:
        """Returns the embedding of a recording.

        Raises:
            ChladniError: The recording cannot be used, or nobody can analyse it now.
        """
        ...
