"""The asynchronous client: the one implementation of every call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final, Self, Unpack

from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni.gateway.v1 import server_service_pb2
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni_client._calls.streams import PcmChunks, created_events, live_events
from chladni_client._messages import audio_results, image_results, requests
from chladni_client._transport.channel_settings import (
    DEFAULT_KEEPALIVE_SECONDS,
    ChannelSettings,
    TlsCredentials,
    Token,
)
from chladni_client._transport.connection import Connection
from chladni_client._transport.retries import Attempts, RetryPolicy
from chladni_client.errors import DeadlineExceededError, TemporaryError
from chladni_client.reproduction.reproduce import Reproduction, reproduce
from chladni_client.types.audio import AudioFeatures, AudioInput, Colormap, Feature, Spectrogram
from chladni_client.types.events import CreationEvent, ImageCreated
from chladni_client.types.services import Recipe, ServiceHealth, ServiceState
from chladni_client.types.timeouts import Timeouts

if TYPE_CHECKING:
    import grpc

    from chladni_client._messages.requests import ImageSource
    from chladni_client.files import FileSource
    from chladni_client.types.images import Comparison, CreatedImage, StoredImage
    from chladni_client.types.initial_latents import InitialLatentsOptions
    from chladni_client.types.live import LiveEvent, PcmFormat
    from chladni_client.types.options import CreationOptions

DEFAULT_TARGET: Final = "localhost:50050"
DEFAULT_AUDIO_FEATURES_TARGET: Final = "localhost:50051"


class AsyncClient:
    """Calls Chladni from an event loop.

        async with AsyncClient() as client:
            image = await client.create_image("voice.wav", seed=7)
            image.save("voice.png")

    One client serves any number of concurrent calls on one event loop. Cancelling the task that awaits a
    call cancels the work in every service behind it.

    Every method may raise a `ChladniError`; `chladni_client.errors` draws the tree. A call that the server
    refuses for the moment (`TemporaryError`) is tried again as the retry policy says; nothing is tried
    again once the denoising of an image has started. Calls go to all replicas that the target resolves to and
    that say of themselves that they serve (``protos/service_config.json``).

    Args:
        target: Gateway, ``host:port``; if absent, the environment variable ``CHLADNI_CLIENT_TARGET``, else
            ``localhost:50050``.
        audio_features_target: Audio-feature service, which `render_spectrogram`, `extract_features` and
            `stream_features` call; if absent, ``CHLADNI_CLIENT_AUDIO_FEATURES_TARGET``, else
            ``localhost:50051``.
        credentials: `TlsCredentials`, or what `grpc.ssl_channel_credentials` returns; `None` connects in
            clear text.
        token: Token that goes with each call (``authorization: Bearer``), or a function that returns the one
            of the moment, called on the event loop. Leaves this machine only with TLS.
        metadata: Further metadata of each call, by name.
        timeouts: How long calls may take.
        retry_policy: How often and how patiently to try again.
        caller_id: Who calls, up to 128 printable ASCII characters: callers share the model fairly. If absent,
            the server tells callers apart by their host.
        keepalive_seconds: Time of silence after which the connection is probed, at least 5, so that no proxy
            drops it; `None` for never.
        compression: How requests are compressed; not at all if absent.
        channel_options: Further options of gRPC channels, each a name and a value, in place of the client's.

    Raises:
        ValueError: A target is none of gRPC's, such as ``http://...``, a value is out of range, or a token
            would travel in clear text.
        OSError: A file of the credentials cannot be read.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        audio_features_target: str | None = None,
        credentials: grpc.ChannelCredentials | TlsCredentials | None = None,
        token: Token | None = None,
        metadata: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        timeouts: Timeouts | None = None,
        retry_policy: RetryPolicy | None = None,
        caller_id: str = "",
        keepalive_seconds: float | None = DEFAULT_KEEPALIVE_SECONDS,
        compression: grpc.Compression | None = None,
        channel_options: Iterable[tuple[str, str | int]] = (),
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._retry_policy = retry_policy or RetryPolicy()
        settings = ChannelSettings(
            credentials=credentials,
            token=token,
            metadata=metadata,
            caller_id=caller_id,
            keepalive_seconds=keepalive_seconds,
            compression=compression,
            options=channel_options,
            retry_policy=self._retry_policy,
        )
        self._gateway = Connection(_chosen(target, "CHLADNI_CLIENT_TARGET", DEFAULT_TARGET), settings)
        self._audio_features = Connection(
            _chosen(
                audio_features_target, "CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", DEFAULT_AUDIO_FEATURES_TARGET
            ),
            settings,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections for good; calls in progress end with `CallCancelledError`."""
        await asyncio.gather(self._gateway.close(), self._audio_features.close())

    async def create_image(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        timeout_seconds: float | None = None,
        on_event: Callable[[CreationEvent], object] | None = None,
        **options: Unpack[CreationOptions],
    ) -> CreatedImage:
        """Return the image of a sound.

        Args:
            audio: A recording (WAV, MP3, FLAC or OGG/Vorbis): its path, its bytes or an open binary file. Or
                an array of samples, (n,) or (n, channels): floats in [-1, 1], or uint8, int16 or int32.
            sample_rate_hz: Sample rate of an array of samples; absent for a file.
            timeout_seconds: Time for the call; `Timeouts.creation_seconds` if absent.
            on_event: Called on the event loop with each event on the way; what it raises ends the call. To
                get previews, or to do more than report, use `stream_image`.
            **options: What is chosen for the image: recipe, seed, steps, prompt and more; see
                `CreationOptions`.
        """
        requests.check_option_names("create_image", options)
        events = self.stream_image(
            audio, sample_rate_hz=sample_rate_hz, timeout_seconds=timeout_seconds, **options
        )
        async with aclosing(events):
            async for event in events:
                last = event
                if on_event is not None:
                    on_event(event)
        assert isinstance(last, ImageCreated), "stream_image ends with an image or raises"  # noqa: S101
        return last.image

    async def stream_image(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        preview_interval_steps: int = 0,
        preview_size_pixels: int | None = None,
        timeout_seconds: float | None = None,
        **options: Unpack[CreationOptions],
    ) -> AsyncGenerator[CreationEvent, None]:
        """Yield what happens on the way from a sound to its image, and the image last.

        Leaving the loop early stops the work in every service; `contextlib.aclosing` does so at once.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            preview_interval_steps: Steps between previews in `Progress`; 0 for none.
            preview_size_pixels: Longer side of a preview, 16 to 512; the server's default if absent.
            timeout_seconds: Time for the call; `Timeouts.creation_seconds` if absent.
            **options: As for `create_image`.
        """
        requests.check_option_names("stream_image", options)
        request = requests.to_create_image_request(
            await requests.to_audio_clip(audio, sample_rate_hz),
            preview_interval_steps=preview_interval_steps,
            preview_size_pixels=preview_size_pixels,
            **options,
        )
        attempts = Attempts(
            self._retry_policy,
            self._timeouts.creation_seconds if timeout_seconds is None else timeout_seconds,
        )
        async with aclosing(created_events(self._gateway, request, attempts)) as events:
            async for event in events:
                yield event

    async def reproduce_image(
        self,
        image: FileSource,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        timeout_seconds: float | None = None,
        on_event: Callable[[CreationEvent], object] | None = None,
    ) -> Reproduction:
        """Create an image again as its provenance says, and compares both bit for bit.

        Args:
            image: A PNG that Chladni made: its path, its bytes or an open binary file.
            audio: The recording, or the samples, that it was made of.
            sample_rate_hz: As for `create_image`.
            timeout_seconds: Time for the call; `Timeouts.creation_seconds` if absent.
            on_event: As for `create_image`.

        Raises:
            ProvenanceError: The image does not say all that is needed to make it again.
            InvalidInputError: The recording is another one, or the image was changed since it was made.
            FaultError: The server gave an image that it had kept, although it was asked to compute it again.
        """
        create = partial(self.create_image, timeout_seconds=timeout_seconds, on_event=on_event)
        file = await requests.to_audio_file(audio, sample_rate_hz)
        return await reproduce(image, file, create, self.list_recipes)

    async def compare_images(
        self, first: ImageSource, second: ImageSource, *, timeout_seconds: float | None = None
    ) -> Comparison:
        """Return how alike two images are.

        Args:
            first: A `CreatedImage` or `StoredImage`, the identifier of one, or an image file: its path,
                its bytes or an open binary file. A text in the form of a UUID is an identifier, any
                other text a path.
            second: Likewise.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.CompareImagesRequest(
            first=await requests.to_image_reference(first),
            second=await requests.to_image_reference(second),
        )
        response = await self._gateway.call(
            self._gateway_stub.CompareImages, request, self._call_seconds(timeout_seconds)
        )
        return image_results.to_comparison(response)

    async def get_image(self, image_id: str, *, timeout_seconds: float | None = None) -> StoredImage:
        """Return an image that the server keeps.

        Args:
            image_id: Identifier from `CreatedImage.image_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.GetImageRequest(image_id=image_id)
        response = await self._gateway.call(
            self._gateway_stub.GetImage, request, self._call_seconds(timeout_seconds)
        )
        return image_results.to_stored_image(image_id, response)

    async def list_recipes(self, *, timeout_seconds: float | None = None) -> tuple[Recipe, ...]:
        """Return the ways from sound to image that the server knows, its default first."""
        request = server_service_pb2.ListRecipesRequest()
        stub: server_grpc.ServerServiceAsyncStub = server_grpc.ServerServiceStub(self._gateway.channel)
        response = await self._gateway.call(stub.ListRecipes, request, self._call_seconds(timeout_seconds))
        return tuple(
            image_results.to_recipe(recipe, is_default=recipe.name == response.default_recipe)
            for recipe in response.recipes
        )

    async def render_spectrogram(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        width_pixels: int | None = None,
        height_pixels: int | None = None,
        colormap: Colormap = Colormap.VIRIDIS,
        timeout_seconds: float | None = None,
    ) -> Spectrogram:
        """Return the spectrogram of a sound as an image; asks the audio-feature service.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            width_pixels: 16 to 4096; 512 if absent.
            height_pixels: 16 to 4096; 512 if absent.
            colormap: Colours.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = requests.to_render_spectrogram_request(
            await requests.to_audio_clip(audio, sample_rate_hz),
            width_pixels=width_pixels,
            height_pixels=height_pixels,
            colormap=colormap,
        )
        response = await self._audio_features.call(
            self._audio_stub.RenderSpectrogram, request, self._call_seconds(timeout_seconds)
        )
        return audio_results.to_spectrogram(response)

    async def extract_features(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        features: Iterable[Feature] = (Feature.DESCRIPTORS, Feature.EMBEDDING),
        initial_latents: InitialLatentsOptions | None = None,
        timeout_seconds: float | None = None,
    ) -> AudioFeatures:
        """Return what a sound is like in numbers; asks the audio-feature service.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            features: What to compute, at least one.
            initial_latents: How initial latents are made; only where `features` has them, and the server's
                defaults if absent.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = requests.to_extract_features_request(
            await requests.to_audio_clip(audio, sample_rate_hz),
            features=features,
            initial_latents=initial_latents,
        )
        response = await self._audio_features.call(
            self._audio_stub.ExtractFeatures, request, self._call_seconds(timeout_seconds)
        )
        return audio_results.to_audio_features(response)

    async def stream_features(
        self, chunks: PcmChunks, pcm: PcmFormat, *, timeout_seconds: float | None = None
    ) -> AsyncGenerator[LiveEvent, None]:
        """Yield the mel frames of a live sound as they become complete, and its summary last.

        Asks the audio-feature service. Nothing is tried again, since a sound is heard only once; leaving the
        loop early ends the call.

        Args:
            chunks: The sound, whole sample frames and at most 1 MiB a chunk. A plain iterable is advanced on
                another thread, so that it may wait for the sound to happen.
            pcm: What the bytes mean.
            timeout_seconds: Time for the whole sound; no limit if absent.
        """
        async with aclosing(live_events(self._audio_features, chunks, pcm, timeout_seconds)) as events:
            async for event in events:
                yield event

    async def health(self, *, timeout_seconds: float = 5.0) -> tuple[ServiceHealth, ...]:
        """Return what the gateway and the audio-feature service say of themselves; asks once.

        Only the methods of sounds themselves need to reach the audio-feature service.
        """
        return tuple(
            await asyncio.gather(
                _health_of("gateway", self._gateway, timeout_seconds),
                _health_of("audio-features", self._audio_features, timeout_seconds),
            )
        )

    @property
    def _gateway_stub(self) -> gateway_grpc.ImageServiceAsyncStub:
        return gateway_grpc.ImageServiceStub(self._gateway.channel)

    @property
    def _audio_stub(self) -> audio_grpc.AudioFeatureServiceAsyncStub:
        return audio_grpc.AudioFeatureServiceStub(self._audio_features.channel)

    def _call_seconds(self, timeout_seconds: float | None) -> float:
        return self._timeouts.call_seconds if timeout_seconds is None else timeout_seconds


def _chosen(target: str | None, variable: str, default: str) -> str:
    return os.environ.get(variable) or default if target is None else target


async def _health_of(name: str, connection: Connection, timeout_seconds: float) -> ServiceHealth:
    """Return the health of the server at the other end of a connection; asks once.

    Raises:
        ChladniError: It answered, but not what a server of health answers.
    """
    try:
        async with connection.open_probe() as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            with connection.calling() as metadata:
                response = await stub.Check(request, timeout=timeout_seconds, metadata=metadata)
    except (TemporaryError, DeadlineExceededError):
        return ServiceHealth(name, connection.target, ServiceState.UNREACHABLE)
    is_serving = response.status == health_pb2.HealthCheckResponse.SERVING
    return ServiceHealth(
        name, connection.target, ServiceState.SERVING if is_serving else ServiceState.NOT_SERVING
    )
