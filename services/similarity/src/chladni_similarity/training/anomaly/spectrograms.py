"""The spectrograms of recordings, by audio-features: the one preprocessing of training and serving."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import numpy as np

from chladni_contract.errors import ChladniError
from chladni_contract.printable import printable
from chladni_runtime.client.health import HealthState
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_similarity.anomaly.windows import Spectrogram, Window, image_window
from chladni_similarity.audio import AudioClip
from chladni_similarity.audio_features import AudioFeaturesClient
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.images.sources import EncodedImage
from chladni_similarity.training.anomaly.clips import MachineClip
from chladni_training.errors import DataError, TrainingError

_START_SECONDS: Final = 60.0
_CLIP_SECONDS: Final = 60.0
_CLIPS_AT_A_TIME: Final = 2


async def spectrograms_of(clips: Sequence[MachineClip], target: str) -> AsyncIterator[Spectrogram | Window]:
    """Yield what is seen of each clip, in their order.

    Args:
        clips: The clips.
        target: Address of audio-features; empty starts one if there is audio.

    Raises:
        DataError: A clip cannot be used.
        TrainingError: audio-features is not there.
    """
    if all(clip.is_image for clip in clips):
        for clip in clips:
            yield _image(clip)
        return
    async with _client(target) as client:
        places = asyncio.Semaphore(_CLIPS_AT_A_TIME)

        async def seen(clip: MachineClip) -> Spectrogram | Window:
            async with places:
                return _image(clip) if clip.is_image else await _audio(clip, client)

        for start in range(0, len(clips), 64):
            for item in await asyncio.gather(*map(seen, clips[start : start + 64])):
                yield item


@asynccontextmanager
async def _client(target: str) -> AsyncIterator[AudioFeaturesClient]:
    with _service(target) as address:
        client = AudioFeaturesClient(address)
        try:
            until = time.monotonic() + _START_SECONDS
            while await client.health(Deadline.after(2)) is not HealthState.SERVING:
                if time.monotonic() > until:
                    raise TrainingError(f"audio-features at {address} does not answer; start it first")
                await asyncio.sleep(0.2)
            yield client
        finally:
            await client.close()


@contextmanager
def _service(target: str) -> Iterator[str]:
    if target:
        yield target
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"CHLADNI_AUDIO_FEATURES_GRPC_PORT": str(port), "CHLADNI_AUDIO_FEATURES_METRICS_PORT": "0"}
    with subprocess.Popen(
        [sys.executable, "-m", "chladni_audio_features"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


async def _audio(clip: MachineClip, client: AudioFeaturesClient) -> Spectrogram:
    content = await asyncio.to_thread(clip.path.read_bytes)
    token = CancellationToken(Deadline.after(_CLIP_SECONDS))
    try:
        return await client.mel_spectrogram(AudioClip(content, printable(clip.path.name), "audio"), token)
    except ChladniError as error:
        raise DataError(f"{clip.path}: {error.message}") from error


def _image(clip: MachineClip) -> Window:
    try:
        pixels = EncodedImage(clip.path.read_bytes(), "image", ImageLimits()).pixels()
    except ChladniError as error:
        raise DataError(f"{clip.path}: {error.message}") from error
    return image_window(pixels.mean(axis=0).round().astype(np.uint8))
