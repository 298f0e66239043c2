"""`chladni music` and `chladni prompts` on the command line."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def song(folder, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    (folder / "song.ogg").write_bytes(b"OggS, or so")


def test_music_is_shown_in_words_as_json_and_as_notation(run):
    result = run("music", "song.ogg")
    assert result.exit_code == 0, result.stderr
    assert "A minor" in result.stdout
    assert "120.0 bpm" in result.stdout
    document = json.loads(run("music", "song.ogg", "--json").stdout)
    assert document["features"]["time_signature"] == "4/4"
    assert document["audio"] == "song.ogg"
    assert run("music", "song.ogg", "--abc").stdout == "X:1\nK:Am\nA4 |]\n"
    assert run("music", "song.ogg", "--abc", "--json").exit_code == 2


def test_prompts_come_with_their_scores(run, script):
    result = run("prompts", "song.ogg", "--seed", 7)
    assert result.exit_code == 0, result.stderr
    assert "convergent" in result.stdout
    document = json.loads(run("prompts", "song.ogg", "--json", "--writer", "openai").stdout)
    assert len(document["prompts"]) == len(document["scores"]) == 5
    assert document["vendi_score"] == 1.5
    assert script.requests[-2].writer == "openai"
