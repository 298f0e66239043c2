"""What an image is made from."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """What an image is made from; every model takes some of these.

    Attributes:
        audio_embedding: float32 (D,), in the model's embedding space.
        prompt: Text to follow.
        negative_prompt: Text to avoid.
        initial_latents: float32 (C, H, W), to start from in place of noise, or with it.
        initial_latents_weight: How much of them, w in [0, 1]: x_T = sqrt(1 - w^2) noise + w latents.
        initial_image: uint8 RGB (height, width, 3), of any size, to start from.
        strength: How far to go from it, in (0, 1].
    """

    audio_embedding: NDArray[np.float32] | None = None
    prompt: str = ""
    negative_prompt: str = ""
    initial_latents: NDArray[np.float32] | None = None
    initial_latents_weight: float = 1.0
    initial_image: NDArray[np.uint8] | None = None
    strength: float = 0.7

    @property
    def required_audio_embedding(self) -> NDArray[np.float32]:
        """The embedding, for models that cannot do without.

        Raises:
            ValueError: There is none; requests for such models are refused before they come so far.
        """
        if self.audio_embedding is None:
            raise ValueError("this model needs an audio embedding")
        return self.audio_embedding

    def digest(self) -> str:
        """Returns the SHA-256 over all values in hexadecimal."""
        digest = hashlib.sha256()
        for name, values in (
            ("audio_embedding", self.audio_embedding),
            ("initial_latents", self.initial_latents),
            ("initial_image", self.initial_image),
        ):
            if values is not None:
                digest.update(f"{name} {values.shape}\n".encode())
                digest.update(_little_endian(values))
        digest.update(f"{self.prompt!r} {self.negative_prompt!r}\n".encode())
        if self.initial_latents is not None:
            digest.update(f"weight {self.initial_latents_weight!r}\n".encode())
        if self.initial_image is not None:
            digest.update(f"strength {self.strength!r}\n".encode())
        return digest.hexdigest()


def _little_endian(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
