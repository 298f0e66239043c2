"""The scripted gateway: its audio, and the audio features behind it."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator

import grpc
from google.protobuf import duration_pb2

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.gateway.v1 import audio_service_pb2, live_service_pb2
from chladni.gateway.v1 import audio_service_pb2_grpc as audio_service_grpc
from chladni.gateway.v1 import live_service_pb2_grpc as live_grpc
from chladni.generation.v1 import moving_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_fakes.scripted_gateway.messages import (
    audio_properties,
    descriptors,
    png_of,
    raw_latents_of,
    rich_error,
)
from chladni_fakes.scripted_gateway.reconstruction import reconstruction_of
from chladni_fakes.scripted_gateway.script import Script


class ScriptedReconstruction(reconstruction_grpc.ReconstructionServiceServicer):
    """The gateway's audio autoencoder."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def ReconstructAudio(
        self, request: reconstruction_pb2.ReconstructAudioRequest, context: grpc.ServicerContext
    ) -> reconstruction_pb2.ReconstructAudioResponse:
        with self.script.answering(request, context):
            return reconstruction_of(request)


class ScriptedAudio(audio_service_grpc.AudioServiceServicer):
    """The gateway's audio service: the audio-feature service, in messages of its own."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.features = ScriptedAudioFeatures(script)

    def RenderSpectrogram(
        self, request: audio_service_pb2.RenderSpectrogramRequest, context: grpc.ServicerContext
    ) -> audio_service_pb2.RenderSpectrogramResponse:
        self.script.gateway_audio_calls.append("RenderSpectrogram")
        rendered = self.features.RenderSpectrogram(request.render, context)
        return audio_service_pb2.RenderSpectrogramResponse(rendered=rendered)

    def StreamFeatures(
        self, requests: Iterator[audio_service_pb2.StreamFeaturesRequest], context: grpc.ServicerContext
    ) -> Iterator[audio_service_pb2.StreamFeaturesResponse]:
        self.script.gateway_audio_calls.append("StreamFeatures")
        for response in self.features.StreamFeatures((request.stream for request in requests), context):
            yield audio_service_pb2.StreamFeaturesResponse(stream=response)


class ScriptedLive(live_grpc.LiveServiceServicer):
    """Images of live audio: one for each piece of it, a tenth of a second apart."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def StreamImages(
        self, requests: Iterator[live_service_pb2.StreamImagesRequest], _context: grpc.ServicerContext
    ) -> Iterator[live_service_pb2.StreamImagesResponse]:
        config = next(requests).config
        self.script.live_images_config = config
        ready = moving_pb2.FramesReady(
            seed=config.frames.seed, window_duration=duration_pb2.Duration(seconds=4)
        )
        yield live_service_pb2.StreamImagesResponse(ready=ready)
        for index, _ in enumerate(requests):
            frame = moving_pb2.Frame(
                index=index,
                time=duration_pb2.Duration(nanos=(index + 1) * 100_000_000),
                image=media_pb2.EncodedImage(content=png_of(), width_pixels=256, height_pixels=256),
                skipped_frames=2,
                late_frames=1,
            )
            yield live_service_pb2.StreamImagesResponse(frame=frame)


class ScriptedAudioFeatures(audio_grpc.AudioFeatureServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def CutAudio(
        self, request_iterator: Iterator[audio_pb2.CutAudioRequest], context: grpc.ServicerContext
    ) -> Iterator[audio_pb2.CutAudioResponse]:
        """Answer with the file itself, as if it were samples."""
        next(request_iterator)
        content = b"".join(request.content for request in request_iterator)
        yield audio_pb2.CutAudioResponse(cut=audio_pb2.AudioCut(sample_count=len(content) // 4))
        yield audio_pb2.CutAudioResponse(samples=content)

    def RenderSpectrogram(
        self, request: audio_pb2.RenderSpectrogramRequest, context: grpc.ServicerContext
    ) -> audio_pb2.RenderSpectrogramResponse:
        with self.script.answering(request, context):
            return audio_pb2.RenderSpectrogramResponse(
                image=media_pb2.EncodedImage(
                    content=png_of(),
                    width_pixels=request.width_pixels or 512,
                    height_pixels=request.height_pixels or 512,
                ),
                audio=audio_properties(),
            )

    def ExtractFeatures(
        self, request: audio_pb2.ExtractFeaturesRequest, context: grpc.ServicerContext
    ) -> audio_pb2.ExtractFeaturesResponse:
        with self.script.answering(request, context):
            response = audio_pb2.ExtractFeaturesResponse(
                audio=audio_properties(), processing_time=duration_pb2.Duration(nanos=20_000_000)
            )
            if audio_pb2.FEATURE_DESCRIPTORS in request.features:
                response.descriptors.extend(descriptors())
            if audio_pb2.FEATURE_EMBEDDING in request.features:
                response.embedding.space = "chladni-descriptors-v2"
                response.embedding.values.CopyFrom(
                    tensor_pb2.Tensor(
                        dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[2], data=struct.pack("<2f", 0.25, 0.75)
                    )
                )
                response.embedding.component_names.extend(["loudness", "dynamics"])
            if audio_pb2.FEATURE_LOG_MEL in request.features:
                response.log_mel.CopyFrom(
                    tensor_pb2.Tensor(
                        dtype=tensor_pb2.DATA_TYPE_FLOAT32,
                        shape=[2, 2],
                        data=struct.pack("<4f", 0, 0.5, 1, 0),
                    )
                )
            if audio_pb2.FEATURE_INITIAL_LATENTS in request.features:
                self._add_latents(request, response, context)
            return response

    def _add_latents(
        self,
        request: audio_pb2.ExtractFeaturesRequest,
        response: audio_pb2.ExtractFeaturesResponse,
        context: grpc.ServicerContext,
    ) -> None:
        """Add latents that follow from the clip; clips that begin with "broken" cannot be read."""
        options, content = request.initial_latents, request.audio.content
        if content.startswith(b"broken"):
            self.script.fail(
                rich_error(grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE_AUDIO", "This is no sound."),
                context,
            )
        shape = list(options.shape) or [4, 32, 32]
        values = raw_latents_of(content, math.prod(shape))
        if not options.unscaled:
            response.latent_calibration.name = options.calibration or "default"
            response.latent_calibration.clip_count = 3
        response.audio.sha256 = hashlib.sha256(content).hexdigest()
        response.initial_latents.CopyFrom(
            tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=shape, data=values.tobytes())
        )

    def StreamFeatures(
        self, requests: Iterator[audio_pb2.StreamFeaturesRequest], context: grpc.ServicerContext
    ) -> Iterator[audio_pb2.StreamFeaturesResponse]:
        """Answer each chunk with one frame of four mel bins, and the end with the summary."""
        first = next(requests)
        with self.script.answering(first, context):
            self.script.pcm_config = first.config
            frame_count = 0
            for request in requests:
                self.script.pcm += request.pcm
                powers = struct.pack("<4f", -80, -40, -20, -20 - frame_count)
                yield audio_pb2.StreamFeaturesResponse(
                    frames=audio_pb2.MelFrames(
                        first_frame=frame_count,
                        power_db=tensor_pb2.Tensor(
                            dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[4, 1], data=powers
                        ),
                        level=audio_pb2.Level(rms_dbfs=-20, peak_dbfs=-10),
                    )
                )
                frame_count += 1
            duration = duration_pb2.Duration()
            duration.FromNanoseconds(len(self.script.pcm) * 10**9 // 2 // first.config.sample_rate_hz)
            yield audio_pb2.StreamFeaturesResponse(
                summary=audio_pb2.StreamSummary(
                    frame_count=frame_count, duration=duration, descriptors=descriptors()
                )
            )

    def ListModels(
        self, request: audio_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> audio_pb2.ListModelsResponse:
        with self.script.answering(request, context):
            return audio_pb2.ListModelsResponse()
