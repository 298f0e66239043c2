"""The audio-features service, as a caller sees it."""

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
"""The first components of an embedding, which describe the sound as a whole."""


@dataclass(frozen=True, eq=False)
class Hearing:
    """What the service says of a sound.

    Attributes:
        embedding: The embedding as it came, to be passed on unchanged.
        vector: (D,) float32, its values.
    """

    embedding: tensor_pb2.Embedding
    vector: NDArray[np.float32]

    @property
    def global_vector(self) -> NDArray[np.float32]:
        """(24,), the components that describe the sound as a whole."""
        return self.vector[:GLOBAL_COMPONENTS]


class Listener:
    """Has recordings heard and drawn.

    Args:
        channel: Channel to the service.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = audio_grpc.AudioFeatureServiceStub(channel)

    def hear(self, recording: bytes) -> Hearing:
        """Returns the embedding of a recording.

        Raises:
            MeasurementError: The service refuses it.
        """
        request = audio_pb2.ExtractFeaturesRequest(audio=media_pb2.AudioClip(content=recording))
        with answered("ExtractFeatures"):
            embedding = self._stub.ExtractFeatures(request, timeout=CALL_TIMEOUT_SECONDS).embedding
        values = to_array(embedding.values, field="embedding.values", dtype=np.float32, shape=(None,))
        return Hearing(embedding, values)

    def draw_spectrogram(self, recording: bytes) -> bytes:
        """Returns the viridis spectrogram of a recording, a PNG of 512x512 pixels.

        Raises:
            MeasurementError: The service refuses it.
        """
        request = audio_pb2.RenderSpectrogramRequest(
            audio=media_pb2.AudioClip(content=recording), colormap=audio_pb2.COLORMAP_VIRIDIS
        )
        with answered("RenderSpectrogram"):
            response = self._stub.RenderSpectrogram(request, timeout=CALL_TIMEOUT_SECONDS)
        content: bytes = response.image.content
        return content
