"""The gRPC service of the analysis of whole songs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1alpha1 import song_service_pb2 as song_pb2
from chladni.audio.v1alpha1 import song_service_pb2_grpc
from chladni.generation.v1 import generation_pb2
from chladni_audio_features.extraction import FeatureExtractor, SourceProperties
from chladni_audio_features.grpc_api.cutting import receive_file
from chladni_audio_features.grpc_api.responses import to_duration, to_properties_message
from chladni_audio_features.metrics import AudioMetrics
from chladni_audio_features.song.analysis import (
    INTERVAL_SECONDS,
    MAX_SONG_SECONDS,
    SEGMENT_SECONDS,
    SongAnalysis,
    analyse_song,
)
from chladni_contract.tensors import to_tensor
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.heartbeats import HEARTBEAT_SECONDS, with_heartbeats
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.request_context import cancellation_of
from chladni_runtime.server.validation import RequestValidator, read_first
from chladni_runtime.spool import Spool, SpooledFile, draining

Context = grpc.aio.ServicerContext[Any, Any]

_FIELD: Final = "content"
_PROGRESS_SECONDS: Final = 1.0


class SongServicer(song_service_pb2_grpc.SongServiceServicer):
    """Serves the analysis of songs.

    Args:
        extractor: Decodes and describes.
        workers: Threads that it runs on.
        spool: Where the songs wait.
        metrics: What is counted.
        with_music: Whether the analysis of music may find the tempo.
        heartbeat_seconds: Silence after which a heartbeat is sent.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        workers: WorkerPool,
        spool: Spool,
        metrics: AudioMetrics,
        with_music: bool = True,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._extractor = extractor
        self._workers = workers
        self._spool = spool
        self._metrics = metrics
        self._with_music = with_music
        self._heartbeat_seconds = heartbeat_seconds

    async def AnalyzeSong(
        self, request_iterator: AsyncIterator[song_pb2.AnalyzeSongRequest], context: Context
    ) -> AsyncIterator[song_pb2.AnalyzeSongResponse]:
        """Analyse a song that comes in pieces.

        Raises:
            ChladniError: The song cannot be used, it came too slowly, or the disk is full.
        """
        with cancellation_of(context) as token:
            analysing = self._analyse(request_iterator, token)
            async with aclosing(with_heartbeats(analysing, self._heartbeat_seconds)) as responses:
                async for response in responses:
                    yield response or song_pb2.AnalyzeSongResponse(heartbeat=generation_pb2.Heartbeat())

    async def _analyse(
        self, requests: AsyncIterator[song_pb2.AnalyzeSongRequest], token: CancellationToken
    ) -> AsyncGenerator[song_pb2.AnalyzeSongResponse, None]:
        max_seconds = _read_config(await anext(requests, None))
        async with draining(requests), self._spool.hold(field=_FIELD) as file:
            yield song_pb2.AnalyzeSongResponse(heartbeat=generation_pb2.Heartbeat())
            await receive_file(requests, file)
            progress = _Progress()
            working = asyncio.create_task(
                self._workers.run(token, self._work, file, max_seconds, progress, token)
            )
            try:
                while not working.done():
                    await asyncio.wait({working}, timeout=_PROGRESS_SECONDS)
                    if progress.has_changed():
                        message = song_pb2.SongProgress(analyzed=to_duration(progress.share * max_seconds))
                        yield song_pb2.AnalyzeSongResponse(progress=message)
                analysis = await working
            finally:
                token.cancel()
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
            properties = SourceProperties(analysis.source, file.sha256)
        self._metrics.count_analysed(analysis.source.container, analysis.source.duration_seconds)
        yield song_pb2.AnalyzeSongResponse(analysis=to_song_message(properties, analysis))

    def _work(
        self, file: SpooledFile, max_seconds: float, progress: _Progress, token: CancellationToken
    ) -> SongAnalysis:
        return analyse_song(
            self._extractor,
            file.path,
            token=token,
            report=progress.note,
            max_seconds=max_seconds,
            with_music=self._with_music,
        )


class _Progress:
    """How much of the work is done; written by the thread that works, read by the event loop."""

    def __init__(self) -> None:
        self.share = 0.0
        self._seen = 0.0

    def note(self, share: float) -> None:
        self.share = share

    def has_changed(self) -> bool:
        share = self.share
        has_changed, self._seen = share > self._seen, share
        return has_changed


def to_song_message(properties: SourceProperties, analysis: SongAnalysis) -> song_pb2.SongAnalysis:
    """Convert what was found in a song."""
    return song_pb2.SongAnalysis(
        audio=to_properties_message(properties),
        segment_duration=to_duration(SEGMENT_SECONDS),
        course=to_tensor(analysis.course),
        descriptor_interval=to_duration(INTERVAL_SECONDS),
        descriptors=to_tensor(analysis.descriptors),
        beats=_durations(analysis.beats.beats),
        downbeats=_durations(analysis.beats.downbeats),
        onsets=_durations(analysis.beats.onsets),
        sections=[
            song_pb2.SongSection(
                start=to_duration(section.start_seconds),
                end=to_duration(section.end_seconds),
                kind=section.kind,
            )
            for section in analysis.sections
        ],
        tempo_by_music=analysis.tempo is not None and analysis.tempo.by_music,
    )


def _read_config(message: song_pb2.AnalyzeSongRequest | None) -> float:
    """Return the longest song that a request takes, in seconds."""
    config: song_pb2.SongConfig = read_first(message, field="config")
    if not config.HasField("max_duration"):
        return MAX_SONG_SECONDS
    seconds = config.max_duration.ToNanoseconds() / 1e9
    validator = RequestValidator()
    validator.check(
        "config.max_duration",
        valid=0 < seconds <= MAX_SONG_SECONDS,
        description=f"is {seconds:g} s, must be above 0 and at most {MAX_SONG_SECONDS:g} s.",
        metadata={"value": seconds, "maximum": MAX_SONG_SECONDS},
    )
    validator.raise_if_invalid()
    return seconds


def _durations(times: Iterable[float]) -> list[Duration]:
    return [to_duration(time) for time in times]
