"""The latents of the audio autoencoder as an embedding."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.embeddings.registry import ModelCard
from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_audio_features.reconstruction.windows import SAMPLE_RATE_HZ, WINDOW_SECONDS

AUTOENCODER_FAMILY: Final = "autoencoder"
_DIGEST_DIGITS: Final = 12


class AutoencoderEmbedder:
    """Embeds clips by the weighted mean of their windows' latents; an `EmbeddingModel`.

    Args:
        autoencoder: Encodes the windows.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        self._autoencoder = autoencoder
        self._card = ModelCard(
            model_id=autoencoder.model_id,
            family=AUTOENCODER_FAMILY,
            description="Latents of the audio autoencoder: what it reconstructs a mel spectrogram from, as "
            f"the mean over windows of {WINDOW_SECONDS:g} s, each by how much of the clip is in it.",
            space=f"{autoencoder.model_id}@{autoencoder.digest[:_DIGEST_DIGITS]}",
            dimension=autoencoder.latent_dimension,
            digest=autoencoder.digest,
            license=autoencoder.license_name,
            properties={f"held_out_{name}": f"{value:.4g}" for name, value in autoencoder.figures.items()},
        )

    @property
    def card(self) -> ModelCard:
        """What callers may know of it."""
        return self._card

    def embed(self, clip: ClipAnalysis) -> npt.NDArray[np.float32]:
        """Return the embedding of a clip, (D,) float32."""
        return self._autoencoder.embed(clip.samples_at(SAMPLE_RATE_HZ))
