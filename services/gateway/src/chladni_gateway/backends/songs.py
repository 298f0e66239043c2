"""The client of the analysis of songs, which audio-features serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from chladni.audio.v1alpha1 import song_service_pb2 as song_pb2
from chladni.audio.v1alpha1 import song_service_pb2_grpc as song_grpc
from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES
from chladni_contract.tensors import to_array
from chladni_gateway.backends.audio_features import send_all
from chladni_gateway.domain.films.song import MAX_SONG_SECONDS, Section, Song, SongProgress
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from google.protobuf.duration_pb2 import Duration

    from chladni_runtime.execution.deadlines import Deadline

_SERVICE: Final = song_pb2.DESCRIPTOR.services_by_name["SongService"]


class SongClient(BackendClient["song_grpc.SongServiceAsyncStub"]):
    """Analyses songs; a `SongAnalyzer`.

    Args:
        target: gRPC target of audio-features.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="audio-features",
            service=_SERVICE,
            target=target,
            make_stub=song_grpc.SongServiceStub,
            security=security,
        )

    async def analyze_song(
        self, pieces: AsyncIterator[bytes], deadline: Deadline
    ) -> AsyncGenerator[SongProgress | Song, None]:
        """Yield how far the analysis of a file is, and the song last; closing the generator stops it.

        Raises:
            ChladniError: The song cannot be used, or the service failed.
        """
        async with self.call(deadline) as (stub, options):
            call = stub.AnalyzeSong(None, timeout=options.timeout, metadata=options.metadata)
            sending = asyncio.create_task(send_all(_requests(pieces), call))
            try:
                async for response in call:
                    if response.WhichOneof("event") == "progress":
                        yield SongProgress(min(1.0, _seconds(response.progress.analyzed) / MAX_SONG_SECONDS))
                    elif response.WhichOneof("event") == "analysis":
                        yield to_song(response.analysis)
            finally:
                call.cancel()  # Does nothing if the call has ended.
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


def to_song(analysis: song_pb2.SongAnalysis) -> Song:
    """Return the song that a message describes.

    Raises:
        InvalidInputError: A tensor is malformed.
    """
    return Song(
        sha256=analysis.audio.sha256,
        duration_seconds=_seconds(analysis.audio.duration),
        segment_seconds=_seconds(analysis.segment_duration),
        course=to_array(
            analysis.course, field="course", dtype=np.float32, shape=(None, len(TEMPORAL_FEATURES))
        ),
        interval_seconds=_seconds(analysis.descriptor_interval),
        descriptors=to_array(
            analysis.descriptors, field="descriptors", dtype=np.float32, shape=(None, len(DESCRIPTOR_NAMES))
        ),
        beats=_all_seconds(analysis.beats),
        downbeats=_all_seconds(analysis.downbeats),
        onsets=_all_seconds(analysis.onsets),
        sections=tuple(
            Section(_seconds(section.start), _seconds(section.end), section.kind)
            for section in analysis.sections
        ),
    )


async def _requests(pieces: AsyncIterator[bytes]) -> AsyncGenerator[song_pb2.AnalyzeSongRequest, None]:
    yield song_pb2.AnalyzeSongRequest(config=song_pb2.SongConfig())
    async for piece in pieces:
        yield song_pb2.AnalyzeSongRequest(content=piece)


def _all_seconds(durations: Iterable[Duration]) -> tuple[float, ...]:
    return tuple(map(_seconds, durations))


def _seconds(duration: Duration) -> float:
    return duration.ToNanoseconds() / 1e9
