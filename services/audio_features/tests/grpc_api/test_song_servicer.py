"""Songs that come in pieces."""

from __future__ import annotations

import io

import grpc
import numpy as np
import pytest
import soundfile
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1alpha1 import song_service_pb2 as song_pb2
from chladni.audio.v1alpha1 import song_service_pb2_grpc as song_grpc
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import LoopbackSettings, loopback_service

SETTINGS = {
    "grpc_port": 0,
    "metrics_port": 0,
    "drain_delay_seconds": 0.0,
    "worker_count": 1,
    "music": False,
}


@pytest.fixture
async def stub(processes):
    composed = compose(AudioFeaturesSettings.model_validate(SETTINGS), processes=processes)
    async with loopback_service(
        composed, service_names=SERVICE_NAMES, settings=LoopbackSettings()
    ) as entered:
        yield song_grpc.SongServiceStub(entered[1])


def requests_of(content, **config):
    yield song_pb2.AnalyzeSongRequest(config=song_pb2.SongConfig(**config))
    for start in range(0, len(content), 50_000):
        yield song_pb2.AnalyzeSongRequest(content=content[start : start + 50_000])


def song_file(seconds=6.0, rate_hz=16000):
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * np.sin(2 * np.pi * 330 * times), rate_hz, format="WAV")
    return buffer.getvalue()


async def test_a_song_is_analysed_once_it_has_come(stub):
    events = [event async for event in stub.AnalyzeSong(requests_of(song_file()))]
    assert events[0].WhichOneof("event") == "heartbeat"
    analysis = events[-1].analysis
    assert analysis.audio.duration.ToTimedelta().total_seconds() == pytest.approx(6.0)
    course = to_array(analysis.course, field="course", dtype=np.float32, shape=(None, 8))
    assert len(course) == 12
    assert analysis.segment_duration.ToMilliseconds() == 500
    assert analysis.sections[0].start.ToNanoseconds() == 0
    assert not analysis.tempo_by_music


@pytest.mark.parametrize("requests", [[], [song_pb2.AnalyzeSongRequest(content=b"x")]])
async def test_the_first_message_says_how(stub, requests):
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        _ = [event async for event in stub.AnalyzeSong(iter(requests))]
    assert from_rpc_error(failure.value).reason is Reason.INVALID_FIELD


async def test_what_is_no_audio_is_refused(stub):
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        _ = [event async for event in stub.AnalyzeSong(requests_of(b"no audio" * 100))]
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(0.0, Reason.INVALID_FIELD), (601.0, Reason.INVALID_FIELD), (0.5, Reason.AUDIO_TOO_LONG)],
)
async def test_the_longest_song_may_be_chosen(stub, seconds, reason):
    longest = Duration()
    longest.FromNanoseconds(round(seconds * 1e9))
    # What refuses the first message is lost if others are on their way, as with every gRPC client in Python.
    content = song_file() if reason is Reason.AUDIO_TOO_LONG else b""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        _ = [event async for event in stub.AnalyzeSong(requests_of(content, max_duration=longest))]
    assert from_rpc_error(failure.value).reason is reason
