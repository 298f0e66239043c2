"""Audio: spectrograms, features and live audio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING

from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.gateway.v1 import audio_service_pb2
from chladni.gateway.v1 import audio_service_pb2_grpc as gateway_grpc
from chladni_client._calls.base import Calls
from chladni_client._calls.streams import PcmChunks, live_events, live_images
from chladni_client._messages import audio_results, requests
from chladni_client.types.audio import (
    AudioFeatures,
    AudioInput,
    AudioReconstruction,
    Colormap,
    Feature,
    MelOptions,
    Spectrogram,
)
from chladni_client.types.images import ImageFormat

if TYPE_CHECKING:
    from chladni_client.types.initial_latents import InitialLatentsOptions
    from chladni_client.types.live import LiveEvent, LiveImage, PcmFormat


class AudioCalls(Calls):
    """Audio as an image and in numbers.

    Spectrograms and live audio are asked of the gateway, unless an audio-feature service was named.
    """

    async def render_spectrogram(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        width_pixels: int | None = None,
        height_pixels: int | None = None,
        colormap: Colormap = Colormap.VIRIDIS,
        mel: MelOptions | None = None,
        image_format: ImageFormat | str = "",
        quality: int | None = None,
        timeout_seconds: float | None = None,
    ) -> Spectrogram:
        """Return the spectrogram of a sound as an image.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            width_pixels: 16 to 4096; 512 if absent.
            height_pixels: 16 to 4096; 512 if absent.
            colormap: Colours.
            mel: How the spectrogram is made; as for images if absent.
            image_format: How the image is encoded; PNG if absent.
            quality: Quality of JPEG and WebP, 1 to 100; 90 if absent.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = requests.to_render_spectrogram_request(
            await requests.to_audio_clip(audio, sample_rate_hz),
            width_pixels=width_pixels,
            height_pixels=height_pixels,
            colormap=colormap,
            mel=mel,
            image_format=image_format,
            quality=quality,
        )
        if self._asks_audio_features:
            response = await self._audio_features.call(
                self._audio_stub.RenderSpectrogram, request, self._call_seconds(timeout_seconds)
            )
            return audio_results.to_spectrogram(response)
        stub: gateway_grpc.AudioServiceAsyncStub = gateway_grpc.AudioServiceStub(self._gateway.channel)
        wrapped = audio_service_pb2.RenderSpectrogramRequest(render=request)
        answer = await self._call(stub.RenderSpectrogram, wrapped, timeout_seconds)
        return audio_results.to_spectrogram(answer.rendered)

    async def extract_features(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        features: Iterable[Feature] = (Feature.DESCRIPTORS, Feature.EMBEDDING),
        initial_latents: InitialLatentsOptions | None = None,
        mel: MelOptions | None = None,
        timeout_seconds: float | None = None,
    ) -> AudioFeatures:
        """Return what a sound is like in numbers; asks the audio-feature service.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            features: What to compute, at least one.
            initial_latents: How initial latents are made; only where `features` has them, and the server's
                defaults if absent.
            mel: How `Feature.LOG_MEL` is made; only if `features` has it.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = requests.to_extract_features_request(
            await requests.to_audio_clip(audio, sample_rate_hz),
            features=features,
            initial_latents=initial_latents,
            mel=mel,
        )
        response = await self._audio_features.call(
            self._audio_stub.ExtractFeatures, request, self._call_seconds(timeout_seconds)
        )
        return audio_results.to_audio_features(response)

    async def reconstruct_audio(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        model: str = "",
        with_audio: bool = True,
        with_spectrograms: bool = True,
        with_latents: bool = False,
        timeout_seconds: float | None = None,
    ) -> AudioReconstruction:
        """Return what the audio autoencoder makes of a sound, and how near that is.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            model: Autoencoder; the server's if empty.
            with_audio: Whether the reconstruction is wanted as a WAV file.
            with_spectrograms: Whether images of both spectrograms are wanted.
            with_latents: Whether the numbers are wanted that the reconstruction is made from.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        wanted = {
            reconstruction_pb2.RECONSTRUCTION_OUTPUT_AUDIO: with_audio,
            reconstruction_pb2.RECONSTRUCTION_OUTPUT_SPECTROGRAMS: with_spectrograms,
            # None at all would mean the defaults, and these are small.
            reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS: with_latents
            or not (with_audio or with_spectrograms),
        }
        request = reconstruction_pb2.ReconstructAudioRequest(
            audio=await requests.to_audio_clip(audio, sample_rate_hz),
            model=model,
            outputs=[output for output, is_wanted in wanted.items() if is_wanted],
        )
        channel = self._gateway.channel
        stub: reconstruction_grpc.ReconstructionServiceAsyncStub = (
            reconstruction_grpc.ReconstructionServiceStub(channel)
        )
        response = await self._call(stub.ReconstructAudio, request, timeout_seconds)
        return audio_results.to_audio_reconstruction(response)

    async def stream_features(
        self, chunks: PcmChunks, pcm: PcmFormat, *, timeout_seconds: float | None = None
    ) -> AsyncGenerator[LiveEvent, None]:
        """Yield the mel frames of a live sound as they become complete, and its summary last.

        Nothing is tried again, since a sound is heard only once; leaving the
        loop early ends the call.

        Args:
            chunks: The sound, whole sample frames and at most 1 MiB a chunk. A plain iterable is advanced on
                another thread, so that it may wait for the sound to happen.
            pcm: What the bytes mean.
            timeout_seconds: Time for the whole sound; no limit if absent.
        """
        is_gateway = not self._asks_audio_features
        connection = self._gateway if is_gateway else self._audio_features
        streamed = live_events(connection, chunks, pcm, timeout_seconds, is_gateway=is_gateway)
        async with aclosing(streamed) as events:
            async for event in events:
                yield event

    async def stream_images(
        self,
        chunks: PcmChunks,
        pcm: PcmFormat,
        *,
        width_pixels: int | None = None,
        height_pixels: int | None = None,
        look: str = "",
        seed: int | None = None,
        max_frame_rate: float | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[LiveImage, None]:
        """Yield images that a live sound moves, each of the newest moment.

        Who takes them slowly loses images, never time. Nothing is tried again; leaving the loop early ends
        the call.

        Args:
            chunks: The sound, as for `stream_features`.
            pcm: What the bytes mean.
            width_pixels: Width of the images; 256 if absent.
            height_pixels: Height of the images; 256 if absent.
            look: Looks by name, such as ``"plate"``; the model's first one if empty.
            seed: Seed of all images; the server draws one if absent.
            max_frame_rate: Most images in a second, up to 30; 12 if absent.
            timeout_seconds: Time for the whole sound; no limit if absent.
        """
        config = requests.to_live_images_config(
            pcm,
            width_pixels=width_pixels,
            height_pixels=height_pixels,
            look=look,
            seed=seed,
            max_frame_rate=max_frame_rate,
        )
        streamed = live_images(self._gateway, chunks, config, timeout_seconds)
        async with aclosing(streamed) as images:
            async for image in images:
                yield image

    @property
    def _audio_stub(self) -> audio_grpc.AudioFeatureServiceAsyncStub:
        return audio_grpc.AudioFeatureServiceStub(self._audio_features.channel)
