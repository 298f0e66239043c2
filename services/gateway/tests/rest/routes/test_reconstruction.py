"""The audio autoencoder, over REST and gRPC."""

from __future__ import annotations

import base64

import grpc
import pytest

from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.warnings import WarningReason, new_warning, to_warning_message
from chladni_fakes.scripted_gateway.reconstruction import PNG, WAV

FIGURES = {"mse": 0.25, "mae": 0.5, "cosine": 0.75, "perceptual_similarity": 0.625}

MADE_BY = {
    "model": "scripted-autoencoder",
    "model_digest": "0" * 64,
    "window_seconds": 5.0,
    "processing_seconds": 0.25,
    "warnings": [],
}


async def post(gateway, content=b"RIFF", *, headers=None, **fields):
    files = {"file": ("a.wav", content)}
    return await gateway.http.post("/api/v1/reconstruct", files=files, data=fields, headers=headers)


async def test_the_answer_has_figures_audio_and_both_spectrograms(backends, gateway):
    response = await post(gateway)
    assert response.status_code == 200
    image = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert response.json() == {
        **FIGURES,
        **MADE_BY,
        "audio": "data:audio/wav;base64," + base64.b64encode(WAV).decode(),
        "original_spectrogram": image,
        "reconstructed_spectrogram": image,
    }
    assert backends.reconstruction.requests.pop().audio.content == b"RIFF"


async def test_only_what_is_wanted_is_asked_for(backends, gateway):
    response = await post(gateway, with_audio="false", with_spectrograms="false", model="mine")
    assert response.json() == {**FIGURES, **MADE_BY}
    request = backends.reconstruction.requests.pop()
    assert request.outputs == [reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS]
    assert request.model == "mine"
    response = await post(gateway, with_audio="false", with_spectrograms="false", with_latents="true")
    assert response.json()["latents"] == [[0.5, -1.0], [0.25, 2.0]]


async def test_warnings_of_the_service_pass(backends, gateway):
    warning = new_warning(WarningReason.AUDIO_DAMAGED, "A part cannot be decoded.")
    backends.reconstruction.warnings = [to_warning_message(warning)]
    assert (await post(gateway)).json()["warnings"] == [
        {"reason": "AUDIO_DAMAGED", "message": "A part cannot be decoded.", "metadata": {}}
    ]


async def test_who_accepts_wav_gets_the_file(backends, gateway):
    response = await post(gateway, headers={"Accept": "audio/wav"})
    assert response.headers["content-type"] == "audio/wav"
    assert response.content == WAV
    assert backends.reconstruction.requests.pop().outputs == [reconstruction_pb2.RECONSTRUCTION_OUTPUT_AUDIO]


async def test_errors_of_the_service_pass(backends, gateway):
    backends.reconstruction.error = ChladniError(
        Reason.MODEL_UNAVAILABLE, "train one", metadata={"model": "chladni-audio-autoencoder"}
    )
    response = await post(gateway)
    assert response.status_code == 409
    assert "train one" in response.text
    backends.reconstruction.requests.clear()
    assert (await post(gateway, b"")).status_code == 400
    assert not backends.reconstruction.requests


async def test_over_grpc_the_messages_are_those_of_the_service(backends, gateway):
    stub = reconstruction_grpc.ReconstructionServiceStub(gateway.channel)
    request = reconstruction_pb2.ReconstructAudioRequest(audio=media_pb2.AudioClip(content=b"RIFF"))
    response = await stub.ReconstructAudio(request)
    assert response.figures.cosine == 0.75
    backends.reconstruction.error = InvalidInputError(Reason.CORRUPT_AUDIO, "broken", field="audio.content")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReconstructAudio(request)
    assert from_rpc_error(caught.value).reason == Reason.CORRUPT_AUDIO
