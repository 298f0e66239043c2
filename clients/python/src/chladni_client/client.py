"""The synchronous client: the asynchronous one, driven from ordinary code."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar

from chladni_client._transport.channel_settings import DEFAULT_KEEPALIVE_SECONDS
from chladni_client._transport.event_loop_thread import EventLoopThread
from chladni_client.async_client import AsyncClient
from chladni_client.types.timeouts import Timeouts

if TYPE_CHECKING:
    import grpc

    from chladni_client._transport.channel_settings import TlsCredentials, Token
    from chladni_client._transport.retries import RetryPolicy

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")

_LEFT_BEHIND: Final[list[object]] = []
"""Clients of the process that this one was forked from."""


def _blocking(
    method: Callable[Concatenate[AsyncClient, ParametersT], Coroutine[Any, Any, ResultT]],
) -> Callable[Concatenate[Client, ParametersT], ResultT]:
    """Return a method that waits for a coroutine method of `AsyncClient`."""

    @wraps(method)
    def call(self: Client, /, *args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
        return self._thread.run(method, self._client, *args, **kwargs)

    return call


def _iterating(
    method: Callable[Concatenate[AsyncClient, ParametersT], AsyncGenerator[ResultT, None]],
) -> Callable[Concatenate[Client, ParametersT], Generator[ResultT, None, None]]:
    """Return a generator method that waits for each item of one of `AsyncClient`."""

    @wraps(method)
    def iterate(
        self: Client, /, *args: ParametersT.args, **kwargs: ParametersT.kwargs
    ) -> Generator[ResultT, None, None]:
        items = method(self._client, *args, **kwargs)
        try:
            while (item := self._thread.run(_next_of, items)) is not None:
                yield item
        finally:
            self._thread.run(items.aclose)

    return iterate


class Client:
    """Calls Chladni from ordinary code.

        with Client() as client:
            image = client.create_image("voice.wav", seed=7)
            image.save("voice.png")

    Every method does what its namesake of `AsyncClient` does and waits for the result; `on_event` is called
    on the client's own thread, while the items of streams and lists come to the caller's. Threads may share a
    client; forked processes may not, and each call raises `RuntimeError`: start processes by ``spawn`` or
    ``forkserver``. An interruption (Ctrl-C) cancels the call that waits, and the work in every service
    behind it.

    Args:
        target: As for `AsyncClient`.
        session_token: As for `AsyncClient`.
        audio_features_target: As for `AsyncClient`.
        credentials: As for `AsyncClient`.
        token: As for `AsyncClient`.
        metadata: As for `AsyncClient`.
        timeouts: As for `AsyncClient`.
        retry_policy: As for `AsyncClient`.
        caller_id: As for `AsyncClient`.
        keepalive_seconds: As for `AsyncClient`.
        compression: As for `AsyncClient`.
        channel_options: As for `AsyncClient`.
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
        self._client = AsyncClient(
            target,
            session_token=session_token,
            audio_features_target=audio_features_target,
            credentials=credentials,
            token=token,
            metadata=metadata,
            timeouts=timeouts,
            retry_policy=retry_policy,
            caller_id=caller_id,
            keepalive_seconds=keepalive_seconds,
            compression=compression,
            channel_options=channel_options,
        )
        self._thread = EventLoopThread()
        # For callers who do not close it: at the latest when the interpreter ends.
        self._close = weakref.finalize(self, _close, self._client, self._thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections for good; calls of other threads end with `CallCancelledError`."""
        self._close()

    @property
    def session_token(self) -> str:
        """Token to which the images and jobs of this client belong; who has it can delete them."""
        return self._client.session_token

    create_image = _blocking(AsyncClient.create_image)
    stream_image = _iterating(AsyncClient.stream_image)
    reproduce_image = _blocking(AsyncClient.reproduce_image)
    get_image = _blocking(AsyncClient.get_image)
    list_images = _iterating(AsyncClient.list_images)
    pin_image = _blocking(AsyncClient.pin_image)
    delete_image = _blocking(AsyncClient.delete_image)
    compare_images = _blocking(AsyncClient.compare_images)
    compare_image_matrix = _blocking(AsyncClient.compare_image_matrix)
    search_images = _blocking(AsyncClient.search_images)
    score_alignment = _blocking(AsyncClient.score_alignment)
    create_job = _blocking(AsyncClient.create_job)
    get_job = _blocking(AsyncClient.get_job)
    list_jobs = _iterating(AsyncClient.list_jobs)
    watch_job = _iterating(AsyncClient.watch_job)
    cancel_job = _blocking(AsyncClient.cancel_job)
    delete_job = _blocking(AsyncClient.delete_job)
    create_film = _blocking(AsyncClient.create_film)
    get_film = _blocking(AsyncClient.get_film)
    list_films = _blocking(AsyncClient.list_films)
    film_limits = _blocking(AsyncClient.film_limits)
    watch_film = _iterating(AsyncClient.watch_film)
    cancel_film = _blocking(AsyncClient.cancel_film)
    resume_film = _blocking(AsyncClient.resume_film)
    delete_film = _blocking(AsyncClient.delete_film)
    download_film = _blocking(AsyncClient.download_film)
    list_recipes = _blocking(AsyncClient.list_recipes)
    server_info = _blocking(AsyncClient.server_info)
    render_spectrogram = _blocking(AsyncClient.render_spectrogram)
    extract_features = _blocking(AsyncClient.extract_features)
    reconstruct_audio = _blocking(AsyncClient.reconstruct_audio)
    stream_features = _iterating(AsyncClient.stream_features)
    stream_images = _iterating(AsyncClient.stream_images)
    analyze_music = _blocking(AsyncClient.analyze_music)
    write_prompts = _blocking(AsyncClient.write_prompts)
    score_prompts = _blocking(AsyncClient.score_prompts)
    score_anomaly = _blocking(AsyncClient.score_anomaly)
    create_normal_set = _blocking(AsyncClient.create_normal_set)
    get_normal_set = _blocking(AsyncClient.get_normal_set)
    list_normal_sets = _iterating(AsyncClient.list_normal_sets)
    delete_normal_set = _blocking(AsyncClient.delete_normal_set)
    health = _blocking(AsyncClient.health)


def _close(client: AsyncClient, thread: EventLoopThread) -> None:
    if not thread.is_here:
        # A fork copied it. Were it freed here, gRPC would take its sockets out of the epoll set that the
        # parent goes on with.
        _LEFT_BEHIND.append((client, thread))
        return
    thread.run(client.close)
    thread.stop()


async def _next_of(items: AsyncGenerator[ResultT, None]) -> ResultT | None:
    return await anext(items, None)
