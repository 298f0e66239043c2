"""Music, and prompts for it."""

from __future__ import annotations

import pytest

import chladni_client as chladni

AUDIO = b"RIFF, or so"


async def test_music_is_analysed_and_summed_up(async_client, script):
    analysis = await async_client.analyze_music(AUDIO)
    assert analysis.keys == (chladni.KeyCandidate("A minor", 0.75, "minor", 9),)
    assert (analysis.time_signature, analysis.beats.times) == ("4/4", (0.5,))
    assert analysis.abc_notation.startswith("X:1")
    assert analysis.features["key"] == "A minor"
    assert analysis.features["mood"] == ["dark"]
    assert script.requests[0].audio.content == AUDIO


async def test_prompts_are_written_for_audio_or_for_features(async_client, script):
    written = await async_client.write_prompts(AUDIO, seed=7, with_time_course=True)
    assert [prompt.style for prompt in written.prompts] == [chladni.PromptStyle.CONVERGENT] * 3 + [
        chladni.PromptStyle.DIVERGENT
    ] * 2
    assert (written.seed, written.writer, written.features) == (7, "grammar", {"key": "A minor"})
    assert script.requests[0].with_time_course
    written = await async_client.write_prompts(features={"key": "C major"}, convergent_count=1)
    assert written.features == {"key": "C major"}
    assert script.requests[1].convergent_count == 1
    for wrong in ({}, {"audio": AUDIO, "features": {}}):
        with pytest.raises(TypeError):
            await async_client.write_prompts(**wrong)


@pytest.mark.parametrize(
    ("features", "field"), [({"tempo": 90}, "features.tempo"), ({"key": 1}, "features.key")]
)
async def test_wrong_features_are_named_before_anything_is_sent(async_client, script, features, field):
    for call in (
        async_client.write_prompts(features=features),
        async_client.score_prompts(["a"], features=features),
    ):
        with pytest.raises(chladni.InvalidInputError) as caught:
            await call
        assert caught.value.violations[0].field == field
    assert not script.requests


async def test_prompts_are_scored(async_client):
    scores = await async_client.score_prompts(["a", "b"])
    assert scores.scores == (chladni.PromptScore(0.5, 0.25, None, 1.0),) * 2
    assert (scores.vendi_score, scores.similarity) == (1.5, "lexical")
    scores = await async_client.score_prompts(["a"], features={"key": "C major"}, reference_prompts=["c"])
    assert scores.scores[0].alignment == 0.75
