"""The analysis of music over a real loopback connection."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.music import analysis
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.loopback import LoopbackSettings, loopback_service


@pytest.fixture
async def stub(request):
    ports = {"grpc_port": 0, "metrics_port": 0, "drain_delay_seconds": 0.0, "worker_count": 1}
    settings = AudioFeaturesSettings.model_validate(ports | getattr(request, "param", {}))
    async with loopback_service(
        compose(settings), service_names=SERVICE_NAMES, settings=LoopbackSettings()
    ) as (_, channel):
        yield music_grpc.MusicServiceStub(channel)


def request_of(content):
    return music_pb2.AnalyzeMusicRequest(audio=media_pb2.AudioClip(content=content))


async def test_a_clip_is_analysed(stub, sounds, files):
    notes = [sounds.harmonic(440.0 * 2 ** (step / 12), 0.5) for step in (0, 4, 7, 12, 7, 4, 7, 4, 0)]
    response = await stub.AnalyzeMusic(request_of(files.float_wav(np.concatenate(notes))))
    assert response.audio.duration.ToTimedelta().total_seconds() == pytest.approx(4.5)
    assert response.keys[0].key == "A major"
    assert response.keys[0].tonic == 9
    assert response.abc_notation.startswith("X:1\n")
    assert response.contour.single_voice
    first = response.contour.points[5]
    assert first.cents == pytest.approx(0.0, abs=20.0)
    assert response.meter.signature
    assert response.keys[0].tonality == music_pb2.TONALITY_MAJOR
    assert response.dynamics.course == music_pb2.DYNAMICS_COURSE_STEADY
    assert (response.features.key, response.features.tonality) == ("A major", "major")
    assert response.mood.words
    assert response.processing_time.ToTimedelta().total_seconds() > 0


async def test_without_its_library_it_says_how_to_install_it(stub, monkeypatch):
    monkeypatch.setattr(analysis, "find_spec", lambda name: None)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AnalyzeMusic(request_of(b"RIFF"))
    error = from_rpc_error(caught.value)
    assert error.reason == Reason.MODEL_UNAVAILABLE
    assert "pip install 'chladni-audio-features[music]'" in str(error)


@pytest.mark.parametrize("stub", [{"music": False}], indirect=True)
async def test_it_can_be_turned_off(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AnalyzeMusic(request_of(b"RIFF"))
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_clip_is_required(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AnalyzeMusic(music_pb2.AnalyzeMusicRequest())
    assert from_rpc_error(caught.value).reason == Reason.MISSING_FIELD
