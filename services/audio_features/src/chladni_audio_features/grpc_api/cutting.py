"""Parts of files that are larger than a message: they arrive in pieces, wait on disk, and are cut there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1alpha1 import song_service_pb2 as song_pb2
from chladni.generation.v1 import generation_pb2
from chladni_audio_features.audio.clip import AudioClip, ClipPart
from chladni_audio_features.audio.limits import DecodingLimits, check_part
from chladni_audio_features.extraction import FeatureExtractor, SourceProperties
from chladni_audio_features.grpc_api.requests import MAX_CHUNK_BYTES, read_cut_part, read_file_chunk
from chladni_audio_features.grpc_api.responses import to_cut_message
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.spool import Spool, SpooledFile, draining

_FIELD: Final = "content"


class AudioCutter:
    """Cuts parts out of files that arrive in pieces.

    Args:
        extractor: Decodes them.
        workers: Threads that wait for the decoding.
        spool: Where the files wait.
        limits: What a part may be.
    """

    def __init__(
        self, extractor: FeatureExtractor, *, workers: WorkerPool, spool: Spool, limits: DecodingLimits
    ) -> None:
        self._extractor = extractor
        self._workers = workers
        self._spool = spool
        self._limits = limits

    async def cut(
        self, requests: AsyncIterator[audio_pb2.CutAudioRequest], token: CancellationToken
    ) -> AsyncGenerator[audio_pb2.CutAudioResponse, None]:
        """Yield a heartbeat once the file may come, and then what was cut out, and its samples.

        Raises:
            ChladniError: The file or the part cannot be used, it came too slowly, or the disk is full.
        """
        part = read_cut_part(await anext(requests, audio_pb2.CutAudioRequest()))
        check_part(part, limits=self._limits)
        async with draining(requests), self._spool.hold(field=_FIELD) as file:
            yield audio_pb2.CutAudioResponse(heartbeat=generation_pb2.Heartbeat())
            await receive_file(requests, file)
            clip = await self._workers.run(token, self._decode, file, part, token)
            properties = SourceProperties(clip.source, file.sha256, clip.warnings)
        yield to_cut_message(properties, sample_count=len(clip.samples))
        content = clip.samples.astype("<f4").tobytes()
        for start in range(0, len(content), MAX_CHUNK_BYTES):
            yield audio_pb2.CutAudioResponse(samples=content[start : start + MAX_CHUNK_BYTES])

    def _decode(self, file: SpooledFile, part: ClipPart, token: CancellationToken) -> AudioClip:
        return self._extractor.cut(file.path, part, token=token)


async def receive_file(
    requests: AsyncIterator[audio_pb2.CutAudioRequest | song_pb2.AnalyzeSongRequest], file: SpooledFile
) -> None:
    """Write what messages after the first hold to a file.

    Raises:
        ChladniError: A message holds no content, the file came too slowly, or the disk is full.
    """
    while True:
        try:
            async with asyncio.timeout(max(0.0, file.due_in_seconds)):
                request = await anext(requests, None)
        except TimeoutError:
            raise file.too_slow() from None
        if request is None:
            await file.flush()
            return
        await file.write(read_file_chunk(request))
