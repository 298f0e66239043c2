"""What the stand-ins of the gateway and of audio-features answer."""

from __future__ import annotations

import hashlib
import io

import grpc
from google.protobuf import duration_pb2
from PIL import Image

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.gateway.v1 import creation_pb2, image_pb2
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2


def register(server):
    """Add the servicers to a server."""
    gateway_grpc.add_ImageServiceServicer_to_server(Gateway(), server)
    audio_grpc.add_AudioFeatureServiceServicer_to_server(AudioFeatures(), server)


def png(content, size=64):
    """Return a PNG whose colour is that of a file."""
    colour = tuple(hashlib.sha256(content).digest()[:3])
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, format="PNG")
    return media_pb2.EncodedImage(content=file.getvalue(), width_pixels=size, height_pixels=size)


class Gateway(gateway_grpc.ImageServiceServicer):
    def CreateImage(self, request, context):
        response = creation_pb2.CreateImageResponse
        if request.audio.content == b"broken":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "that is no sound")
        duration = duration_pb2.Duration(seconds=len(request.audio.content))
        audio = media_pb2.AudioProperties(duration=duration)
        descriptors = [
            audio_pb2.Descriptor(name=name, value=len(request.audio.content) * sign, maximum=100)
            for name, sign in (("onset_rate", 1), ("tempo", -1), ("chroma_c", 1))
        ]
        seed = request.options.seed
        yield response(accepted=creation_pb2.CreationAccepted(operation_id="1", seed=seed))
        yield response(analyzed=creation_pb2.AudioAnalyzed(audio=audio, descriptors=descriptors))
        yield response(started=generation_pb2.GenerationStarted(seed=seed, total_steps=1))
        yield response(progress=generation_pb2.GenerationProgress(step=1, total_steps=1))
        image = image_pb2.Image(
            image_id="1",
            provenance=generation_pb2.Provenance(seed=seed),
            audio=audio,
            descriptors=descriptors,
        )
        yield response(created=creation_pb2.ImageCreated(image=image, file=png(request.audio.content)))

    def CompareImages(self, request, context):
        is_same = request.first.file.content == request.second.file.content
        return gateway_pb2.CompareImagesResponse(score=1.0 if is_same else 0.25)


class AudioFeatures(audio_grpc.AudioFeatureServiceServicer):
    def RenderSpectrogram(self, request, context):
        return audio_pb2.RenderSpectrogramResponse(image=png(request.audio.content, request.width_pixels))
