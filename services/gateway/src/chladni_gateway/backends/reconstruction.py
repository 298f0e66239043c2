"""The client of the audio autoencoder, which audio-features serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni_contract.warnings import to_warning
from chladni_gateway.backends.messages import to_clip_message
from chladni_gateway.domain.audio import AudioReconstruction, ReconstructionOptions
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from chladni.tensor.v1 import tensor_pb2
    from chladni_gateway.domain.audio import AudioClip
    from chladni_runtime.execution.deadlines import Deadline

_SERVICE: Final = reconstruction_pb2.DESCRIPTOR.services_by_name["ReconstructionService"]


class ReconstructionClient(BackendClient["reconstruction_grpc.ReconstructionServiceAsyncStub"]):
    """Reconstructs audio; an `AudioReconstructor`.

    Args:
        target: gRPC target of audio-features.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="audio-features",
            service=_SERVICE,
            target=target,
            make_stub=reconstruction_grpc.ReconstructionServiceStub,
            security=security,
        )

    async def forward(
        self, request: reconstruction_pb2.ReconstructAudioRequest, deadline: Deadline
    ) -> reconstruction_pb2.ReconstructAudioResponse:
        """Return the service's answer to a request.

        Raises:
            ChladniError: The clip cannot be used, there is no autoencoder, or the service failed.
        """
        return await self.ask(lambda stub: stub.ReconstructAudio, request, deadline)

    async def reconstruct(
        self, clip: AudioClip, options: ReconstructionOptions, deadline: Deadline
    ) -> AudioReconstruction:
        """Return a clip after the autoencoder.

        Raises:
            ChladniError: The clip cannot be used, there is no autoencoder, or the service failed.
        """
        outputs = []
        if options.with_audio:
            outputs.append(reconstruction_pb2.RECONSTRUCTION_OUTPUT_AUDIO)
        if options.with_spectrograms:
            outputs.append(reconstruction_pb2.RECONSTRUCTION_OUTPUT_SPECTROGRAMS)
        if options.with_latents or not outputs:  # none would mean the defaults; latents are small
            outputs.append(reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS)
        request = reconstruction_pb2.ReconstructAudioRequest(
            audio=to_clip_message(clip),
            model=options.model,
            outputs=outputs,
            colormap=audio_pb2.COLORMAP_VIRIDIS,
        )
        response = await self.forward(request, deadline)
        figures = response.figures
        return AudioReconstruction(
            model=response.model,
            model_digest=response.model_digest,
            mean_squared_error=figures.mean_squared_error,
            mean_absolute_error=figures.mean_absolute_error,
            cosine=figures.cosine,
            perceptual_similarity=figures.perceptual_similarity,
            window_seconds=response.window.ToNanoseconds() / 1e9,
            processing_seconds=response.processing_time.ToNanoseconds() / 1e9,
            audio=response.reconstruction.content,
            original_spectrogram=response.original_spectrogram.content,
            reconstructed_spectrogram=response.reconstructed_spectrogram.content,
            latents=_rows(response.latents) if options.with_latents else None,
            warnings=tuple(map(to_warning, response.warnings)),
        )


def _rows(tensor: tensor_pb2.Tensor) -> list[list[float]]:
    import numpy as np  # noqa: PLC0415 - for latents alone, which few ask for

    from chladni_contract.tensors import to_array  # noqa: PLC0415

    values = to_array(tensor, field="latents", dtype=np.float32, shape=(None, None))
    rows: list[list[float]] = values.tolist()
    return rows
