"""The asynchronous client: the one implementation of every call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from chladni_client._calls.anomaly import AnomalyCalls
from chladni_client._calls.audio import AudioCalls
from chladni_client._calls.films import FilmCalls
from chladni_client._calls.images import ImageCalls
from chladni_client._calls.jobs import JobCalls
from chladni_client._calls.music import MusicCalls
from chladni_client._calls.server import ServerCalls
from chladni_client._calls.similarity import SimilarityCalls
from chladni_client._messages import requests
from chladni_client._transport.channel_settings import (
    DEFAULT_KEEPALIVE_SECONDS,
    ChannelSettings,
    TlsCredentials,
    Token,
)
from chladni_client._transport.connection import Connection
from chladni_client._transport.retries import RetryPolicy
from chladni_client._transport.session_tokens import checked_session_token, new_session_token
from chladni_client.reproduction.reproduce import Reproduction, reproduce
from chladni_client.types.timeouts import Timeouts

if TYPE_CHECKING:
    import grpc

    from chladni_client.files import FileSource
    from chladni_client.types.audio import AudioInput
    from chladni_client.types.events import CreationEvent

DEFAULT_TARGET: Final = "localhost:50050"
DEFAULT_AUDIO_FEATURES_TARGET: Final = "localhost:50051"


class AsyncClient(
    ImageCalls, JobCalls, FilmCalls, SimilarityCalls, AudioCalls, MusicCalls, AnomalyCalls, ServerCalls
):
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
        session_token: Text to which images and jobs belong: 43 to 128 letters, digits, ``-`` or ``_``, and
            unguessable. Drawn for this client if absent; who keeps the attribute `session_token` can list and
            delete the same images with a later client.
        audio_features_target: Audio-feature service, which `extract_features` calls; if absent,
            ``CHLADNI_CLIENT_AUDIO_FEATURES_TARGET``, else ``localhost:50051``. If either names one,
            `render_spectrogram` and `stream_features` call it, too, in place of the gateway.
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
        session_token: str | None = None,
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
        self._session_token = new_session_token() if session_token is None else session_token
        retry_policy = retry_policy or RetryPolicy()
        settings = ChannelSettings(
            credentials=credentials,
            token=token,
            metadata=metadata,
            caller_id=caller_id,
            keepalive_seconds=keepalive_seconds,
            compression=compression,
            options=channel_options,
            retry_policy=retry_policy,
        )
        chosen = os.environ.get("CHLADNI_CLIENT_TARGET") or DEFAULT_TARGET if target is None else target
        if audio_features_target is None:
            audio_features_target = os.environ.get("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET") or None
        super().__init__(
            gateway=Connection(chosen, settings, session_token=checked_session_token(self._session_token)),
            audio_features=Connection(
                DEFAULT_AUDIO_FEATURES_TARGET if audio_features_target is None else audio_features_target,
                settings,
            ),
            asks_audio_features=audio_features_target is not None,
            timeouts=timeouts or Timeouts(),
            retry_policy=retry_policy,
        )

    @property
    def session_token(self) -> str:
        """Token to which the images and jobs of this client belong; who has it can delete them."""
        return self._session_token

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections for good; calls in progress end with `CallCancelledError`."""
        await asyncio.gather(self._gateway.close(), self._audio_features.close())

    async def reproduce_image(
        self,
        image: FileSource,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        timeout_seconds: float | None = None,
        on_event: Callable[[CreationEvent], object] | None = None,
    ) -> Reproduction:
        """Create an image again as its provenance says, and compare both bit for bit.

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
