"""A client of the audio-features service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np
from numpy.typing import NDArray

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.tensors import to_array
from chladni_evaluation.clients.errors import CALL_TIMEOUT_SECONDS, answered

GLOBAL_COMPONENTS: Final = 24
"""The first components of an embedding, which describe the clip as a whole."""


@dataclass(frozen=True, eq=False)
class AudioEmbedding:
    """The embedding of a clip.

    Attributes:
        embedding: The message as it came, to be passed on unchanged.
        vector: (D,) float32, its values.
    """

    embedding: tensor_pb2.Embedding
    vector: NDArray[np.float32]

    @property
    def global_vector(self) -> NDArray[np.float32]:
        """(24,), the components that describe the clip as a whole."""
        return self.vector[:GLOBAL_COMPONENTS]


class AudioFeaturesClient:
    """Extracts features of clips and renders their spectrograms.

    Args:
        channel: Channel to the service.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = audio_grpc.AudioFeatureServiceStub(channel)

    def extract(self, audio: bytes) -> AudioEmbedding:
        """Return the embedding of a clip, given as the bytes of a file.

        Raises:
            MeasurementError: The service refuses it.
        """
        request = audio_pb2.ExtractFeaturesRequest(audio=media_pb2.AudioClip(content=audio))
        with answered("ExtractFeatures"):
            embedding = self._stub.ExtractFeatures(request, timeout=CALL_TIMEOUT_SECONDS).embedding
        values = to_array(embedding.values, field="embedding.values", dtype=np.float32, shape=(None,))
        return AudioEmbedding(embedding, values)

    def render_spectrogram(self, audio: bytes) -> bytes:
        """Return the viridis spectrogram of a clip, a PNG of 512x512 pixels.

        Raises:
            MeasurementError: The service refuses it.
        """
        request = audio_pb2.RenderSpectrogramRequest(
            audio=media_pb2.AudioClip(content=audio), colormap=audio_pb2.COLORMAP_VIRIDIS
        )
        with answered("RenderSpectrogram"):
            response = self._stub.RenderSpectrogram(request, timeout=CALL_TIMEOUT_SECONDS)
        content: bytes = response.image.content
        return content
