"""Machine listening: judgements, and sets of normal operation."""

from __future__ import annotations

import chladni_client as chladni

AUDIO = b"RIFF, or so"


async def test_a_machine_is_judged(async_client, script):
    score = await async_client.score_anomaly(AUDIO, "pump", backend="mahalanobis", shaft_speed_hz=24.5)
    assert score.result is chladni.AnomalyLabel.NEEDS_MAINTENANCE
    assert (score.score, score.distance, score.percentile) == (11.5, 5.5, 99.5)
    assert (score.normal_set, score.backend, score.error_map) == ("pump", "mahalanobis", b"")
    assert [item.name for item in score.attributes] == ["roughness"]
    (request,) = script.requests
    assert request.score.audio.content == AUDIO
    assert request.score.shaft_speed_hz == 24.5


async def test_an_image_is_judged_as_a_spectrogram(async_client, script, png_of):
    score = await async_client.score_anomaly(png_of(), with_error_map=True)
    assert score.error_map == png_of()
    (request,) = script.requests
    assert request.score.spectrogram.content == png_of()
    assert not request.score.HasField("audio")


async def test_normal_sets_are_made_and_found(async_client, script, png_of):
    made = await async_client.create_normal_set("pump", [AUDIO, AUDIO, png_of()], description="the pump")
    assert (made.name, made.clip_count, made.description, made.audio_seconds) == ("pump", 3, "the pump", None)
    assert len(script.requests[0].create.spectrograms) == 1
    await async_client.create_normal_set("fan", [AUDIO])
    assert [item.name async for item in async_client.list_normal_sets()] == ["pump", "fan"]
    assert (
        await async_client.get_normal_set("fan")
        == ([item async for item in async_client.list_normal_sets()][1])
    )
    assert await async_client.delete_normal_set("fan")


def test_the_blocking_client_does_the_same(client):
    assert client.score_anomaly(AUDIO).score == 11.5
    client.create_normal_set("pump", [AUDIO])
    assert [item.name for item in client.list_normal_sets()] == ["pump"]
