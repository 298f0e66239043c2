"""Parts of files that come in pieces."""

from __future__ import annotations

import asyncio
import io

import grpc
import numpy as np
import pytest
import soundfile

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.loopback import LoopbackSettings, loopback_service

SETTINGS = {
    "grpc_port": 0,
    "metrics_port": 0,
    "drain_delay_seconds": 0.0,
    "worker_count": 1,
    "max_source_bytes": 3_000_000,
    "max_large_files": 1,
}


@pytest.fixture
async def stub(processes):
    composed = compose(AudioFeaturesSettings.model_validate(SETTINGS), processes=processes)
    async with loopback_service(
        composed, service_names=SERVICE_NAMES, settings=LoopbackSettings()
    ) as entered:
        yield audio_grpc.AudioFeatureServiceStub(entered[1])


def file_of(samples, rate_hz, **how):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, **how)
    return buffer.getvalue()


def requests_of(content, start=None, end=None, *, size=100_000):
    config = audio_pb2.CutConfig()
    if start is not None:
        config.start.FromNanoseconds(round(start * 1e9))
    if end is not None:
        config.end.FromNanoseconds(round(end * 1e9))
    yield audio_pb2.CutAudioRequest(config=config)
    for position in range(0, len(content), size):
        yield audio_pb2.CutAudioRequest(content=content[position : position + size])


async def cut(stub, requests):
    events = [event async for event in stub.CutAudio(iter(requests))]
    assert [event.WhichOneof("event") for event in events[:2]] == ["heartbeat", "cut"]
    return events[1].cut, b"".join(event.samples for event in events[2:])


@pytest.mark.parametrize(
    ("how", "rate_hz"),
    [
        ({"format": "WAV", "subtype": "PCM_16"}, 22050),
        ({"format": "WAV", "subtype": "FLOAT"}, 8000),
        ({"format": "FLAC"}, 22050),
        ({"format": "OGG", "subtype": "VORBIS"}, 44100),
        ({"format": "MP3"}, 44100),
    ],
    ids=lambda value: value.get("subtype", value["format"]) if isinstance(value, dict) else "",
)
async def test_the_part_gives_the_numbers_of_the_same_part_in_one_message(stub, sounds, how, rate_hz):
    samples = sounds.noise(seconds=4.0 * rate_hz / sounds.rate_hz)[: 4 * rate_hz]
    content = file_of(np.stack([samples, 0.5 * samples], axis=1), rate_hz, **how)
    found, pcm = await cut(stub, requests_of(content, 1.25, 2.5))
    message = media_pb2.AudioClip(content=content)
    message.start.FromMilliseconds(1250)
    message.end.FromMilliseconds(2500)
    expected = await stub.ExtractFeatures(audio_pb2.ExtractFeaturesRequest(audio=message))
    assert found.audio == expected.audio
    assert list(found.warnings) == list(expected.warnings)
    assert found.sample_count == len(pcm) // 4 == pytest.approx(1.25 * rate_hz, abs=1)
    clip = media_pb2.PcmAudio(
        samples=pcm, sample_rate_hz=rate_hz, channel_count=1, encoding=media_pb2.PCM_ENCODING_FLOAT32
    )
    features = await stub.ExtractFeatures(
        audio_pb2.ExtractFeaturesRequest(audio=media_pb2.AudioClip(pcm=clip))
    )
    assert list(features.descriptors) == list(expected.descriptors)
    assert features.embedding == expected.embedding


async def refused(stub, requests):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await cut(stub, requests)
    return from_rpc_error(caught.value)


async def test_what_cannot_be_cut_is_refused_with_a_reason(stub, sounds):
    content = file_of(sounds.tone(440), sounds.rate_hz, format="WAV")
    late = await refused(stub, requests_of(content, 5, 6))
    assert (late.reason, late.violations[0].field) == (Reason.INVALID_FIELD, "audio.start")
    long = await refused(stub, requests_of(b"", 0, 60))
    assert long.reason is Reason.AUDIO_TOO_LONG
    assert (await refused(stub, requests_of(b"", 0, 1))).reason is Reason.EMPTY_AUDIO
    assert (await refused(stub, requests_of(b"x" * 5000, 0, 1))).reason is Reason.UNSUPPORTED_AUDIO_FORMAT
    large = await refused(stub, requests_of(bytes(3_000_001), 0, 1))
    assert (large.reason, large.metadata["max_bytes"]) == (Reason.FILE_TOO_LARGE, "3000000")
    unordered = await refused(stub, [audio_pb2.CutAudioRequest(content=b"RIFF")])
    assert (unordered.reason, unordered.violations[0].field) == (Reason.INVALID_FIELD, "config")
    wide = await refused(stub, requests_of(bytes(1_100_000), 0, 1, size=1_100_000))
    assert (wide.reason, wide.violations[0].field) == (Reason.FILE_TOO_LARGE, "content")


async def test_a_file_that_arrives_keeps_its_place_and_gives_it_back(stub, sounds):
    content = file_of(sounds.tone(440), sounds.rate_hz, format="WAV")
    requests = requests_of(content, 0, 1)
    waiting = stub.CutAudio()
    await waiting.write(next(requests))
    await waiting.write(next(requests))
    async with asyncio.timeout(10):
        while True:
            full = await stub_error(stub, requests_of(content, 0, 1))
            if full is not None:
                break
    assert (full.reason, full.metadata["maximum"]) == (Reason.QUEUE_FULL, "1")
    waiting.cancel()
    async with asyncio.timeout(10):
        while await stub_error(stub, requests_of(content, 0, 1)) is not None:
            await asyncio.sleep(0.02)


async def stub_error(stub, requests):
    try:
        await cut(stub, requests)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None
