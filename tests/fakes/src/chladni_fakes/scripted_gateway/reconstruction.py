"""The audio autoencoder, scripted; plain attributes decide what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.errors.v1 import warning_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.tensors import to_tensor

if TYPE_CHECKING:
    from chladni_contract.errors import ChladniError

PNG = b"\x89PNG\r\n\x1a\n"
WAV = b"RIFF\x04\x00\x00\x00WAVE"


class ScriptedReconstruction(reconstruction_grpc.ReconstructionServiceServicer):
    """The same reconstruction of any bytes, with the outputs that are asked for.

    Attributes:
        error: Raised instead, if set.
        warnings: What it says about the audio.
        requests: Every request so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.error: ChladniError | None = None
        self.warnings: list[warning_pb2.Warning] = []
        self.requests: list[reconstruction_pb2.ReconstructAudioRequest] = []

    async def ReconstructAudio(
        self, request: reconstruction_pb2.ReconstructAudioRequest, context: Any
    ) -> reconstruction_pb2.ReconstructAudioResponse:
        """Answer with two windows."""
        self.requests.append(request)
        if self.error:
            raise self.error
        response = reconstruction_of(request)
        response.warnings.extend(self.warnings)
        return response


def reconstruction_of(
    request: reconstruction_pb2.ReconstructAudioRequest,
) -> reconstruction_pb2.ReconstructAudioResponse:
    """Return the answer to a request."""
    audio, spectrograms = (
        reconstruction_pb2.RECONSTRUCTION_OUTPUT_AUDIO,
        reconstruction_pb2.RECONSTRUCTION_OUTPUT_SPECTROGRAMS,
    )
    outputs = request.outputs or (audio, spectrograms)
    image = media_pb2.EncodedImage(content=PNG, format=media_pb2.IMAGE_FORMAT_PNG)
    latents = np.array([[0.5, -1.0], [0.25, 2.0]], np.float32)
    return reconstruction_pb2.ReconstructAudioResponse(
        reconstruction=media_pb2.AudioClip(content=WAV) if audio in outputs else None,
        original_spectrogram=image if spectrograms in outputs else None,
        reconstructed_spectrogram=image if spectrograms in outputs else None,
        figures=reconstruction_pb2.ReconstructionFigures(
            mean_squared_error=0.25, mean_absolute_error=0.5, cosine=0.75, perceptual_similarity=0.625
        ),
        latents=to_tensor(latents) if reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS in outputs else None,
        model="scripted-autoencoder",
        model_digest="0" * 64,
        window=Duration(seconds=5),
        processing_time=Duration(nanos=250_000_000),
    )
