"""The audio autoencoder: reconstructions, and what is asked for."""

from __future__ import annotations

from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni_fakes.scripted_gateway.reconstruction import PNG, WAV

AUDIO = b"RIFF, or so"


async def test_audio_is_reconstructed(async_client, script):
    made = await async_client.reconstruct_audio(AUDIO)
    assert (made.content, made.original_spectrogram, made.reconstructed_spectrogram) == (WAV, PNG, PNG)
    assert (made.mean_squared_error, made.mean_absolute_error) == (0.25, 0.5)
    assert (made.cosine, made.perceptual_similarity) == (0.75, 0.625)
    assert (made.model, made.window_seconds, made.processing_seconds) == ("scripted-autoencoder", 5.0, 0.25)
    assert made.latents is None
    (request,) = script.requests
    assert request.audio.content == AUDIO


async def test_only_what_is_wanted_is_asked_for(async_client, script):
    made = await async_client.reconstruct_audio(
        AUDIO, model="mine", with_audio=False, with_spectrograms=False
    )
    assert made.latents.shape == (2, 2)
    assert made.content == made.original_spectrogram == b""
    (request,) = script.requests
    assert request.outputs == [reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS]
    assert request.model == "mine"


def test_the_blocking_client_does_the_same(client):
    assert client.reconstruct_audio(AUDIO).cosine == 0.75
