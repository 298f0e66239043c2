"""The analysis of music, over REST and gRPC."""

from __future__ import annotations

import grpc
import pytest

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_contract.status import from_rpc_error


async def post(gateway, content=b"RIFF"):
    return await gateway.http.post("/api/v1/music", files={"file": ("a.wav", content)})


async def test_the_answer_has_the_fields_of_the_contract_and_times_in_seconds(backends, gateway):
    response = await post(gateway)
    assert response.status_code == 200
    fields = response.json()
    assert fields["keys"] == [{"key": "A minor", "confidence": 0.75, "tonality": "minor", "tonic": 9}]
    assert fields["beats"]["times"] == [0.0, 0.5]
    assert fields["chords"][0] | {"start": 0.0} == {
        "start": 0.0,
        "end": 2.0,
        "symbol": "Am",
        "roman_numeral": "i",
        "confidence": 0.5,
    }
    assert fields["abc_notation"].startswith("X:1")
    assert fields["dynamics"] == {
        "course": "crescendo",
        "marking": "mf",
        "confidence": 0.0,
        "points": [],
        "range_db": 0.0,
    }
    assert fields["features"]["key"] == "A minor"
    assert fields["meter"] == {"signature": "4/4", "confidence": 0.5}
    assert backends.music.requests.pop().audio.content == b"RIFF"


async def test_a_part_of_the_file_may_be_meant(backends, gateway, error_of):
    files = {"file": ("a.wav", b"RIFF")}
    response = await gateway.http.post(
        "/api/v1/music", files=files, data={"start_seconds": "1.5", "end_seconds": "4"}
    )
    assert response.status_code == 200
    audio = backends.music.requests.pop().audio
    assert (audio.start.ToMilliseconds(), audio.end.ToMilliseconds()) == (1500, 4000)
    response = await gateway.http.post(
        "/api/v1/music", files=files, data={"start_seconds": "4", "end_seconds": "1"}
    )
    assert error_of(response)["violations"][0]["field"] == "end_seconds"


async def test_it_says_how_to_install_what_is_missing(backends, gateway):
    backends.music.error = ChladniError(
        Reason.MODEL_UNAVAILABLE, "pip install it", metadata={"model": "chladni-music-v1"}
    )
    response = await post(gateway)
    assert response.status_code == 409
    assert "pip install it" in response.text


async def test_an_empty_clip_is_refused_here(backends, gateway):
    response = await post(gateway, b"")
    assert response.status_code == 400
    assert not backends.music.requests


async def test_over_grpc_the_messages_are_those_of_the_service(backends, gateway):
    stub = music_grpc.MusicServiceStub(gateway.channel)
    request = music_pb2.AnalyzeMusicRequest(audio=media_pb2.AudioClip(content=b"RIFF"))
    response = await stub.AnalyzeMusic(request)
    assert response.keys[0].key == "A minor"
    backends.music.error = InvalidInputError(Reason.CORRUPT_AUDIO, "broken", field="audio.content")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.AnalyzeMusic(request)
    assert from_rpc_error(caught.value).reason == Reason.CORRUPT_AUDIO
