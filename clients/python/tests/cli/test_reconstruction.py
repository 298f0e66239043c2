"""`chladni reconstruct`: audio and figures on the command line."""

from __future__ import annotations

import json

import pytest

from chladni_fakes.scripted_gateway.reconstruction import PNG, WAV


@pytest.fixture
def clip(folder, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    (folder / "voice.wav").write_bytes(b"RIFF, or so")
    return folder


def test_audio_is_written_and_figures_are_shown(run, clip):
    result = run("reconstruct", "voice.wav")
    assert result.exit_code == 0
    assert "0.7500" in result.stdout
    assert (clip / "voice.reconstructed.wav").read_bytes() == WAV
    assert not list(clip.glob("*.png"))


def test_spectrograms_and_json(run, clip):
    result = run("reconstruct", "voice.wav", "-o", "out.wav", "--spectrograms", "--json")
    document = json.loads(result.stdout)
    assert (document["path"], document["cosine"]) == ("out.wav", 0.75)
    assert "content" not in document
    assert (clip / "out.png").read_bytes() == (clip / "out.original.png").read_bytes() == PNG


def test_other_files_are_refused(run, clip):
    assert run("reconstruct", "voice.wav", "-o", "out.png").exit_code == 2
    assert run("reconstruct", "nothing.wav").exit_code == 2
