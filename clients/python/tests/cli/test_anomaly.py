"""`chladni anomaly`: judgements and normal sets on the command line."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def clips(folder, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    for name in ("pump.wav", "normal/1.wav", "normal/2.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"RIFF, or so")
    return folder


def test_a_file_is_judged_in_words_and_as_json(run, clips):
    result = run("anomaly", "pump.wav", "--set", "pump")
    assert result.exit_code == 0
    assert "NEEDS MAINTENANCE" in result.stdout
    assert "Rougher than normal." in result.stdout
    document = json.loads(run("anomaly", "pump.wav", "--json").stdout)
    assert (document["result"], document["score"]) == ("NEEDS MAINTENANCE", 11.5)
    assert "error_map" not in document


def test_an_error_map_is_written(run, clips, png_of):
    assert run("anomaly", "pump.wav", "--error-map", "map.png").exit_code == 0
    assert (clips / "map.png").read_bytes() == png_of()


def test_a_folder_of_normal_sound_enrols_a_machine(run, clips, script):
    result = run("anomaly", "enrol", "pump", "normal", "--description", "the pump", "--replace")
    assert result.exit_code == 0
    assert "pump" in result.stdout
    (request,) = script.requests
    assert len(request.create.audio) == 2
    assert request.create.replace
    listed = json.loads(run("anomaly", "sets", "--json").stdout)
    assert [item["name"] for item in listed["normal_sets"]] == ["pump"]
    assert "Deleted." in run("anomaly", "delete", "pump").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("enrol",),
        ("enrol", "pump"),
        ("delete",),
        ("none.wav",),
        ("a.wav", "--shaft-speed", "0"),
        ("enrol", "pump", "normal", "--set", "pump"),
        ("pump.wav", "--encoder", "mel-statistics"),
        ("pump.wav", "--replace"),
        ("sets", "--backend", "fusion"),
        ("delete", "pump", "--set", "pump"),
    ],
)
def test_wrong_use_is_explained(run, clips, words):
    assert run("anomaly", *words).exit_code == 2


def test_a_folder_becomes_a_folder_of_spectrograms(run, clips, png_of):
    result = run(
        "spectrogram", "normal", "-o", "images", "--colormap", "gray", "--fmax", 8000, "--mel-bins", 128
    )
    assert result.exit_code == 0, result.stderr
    assert "2 spectrograms in images" in result.stdout
    assert sorted(path.name for path in (clips / "images").iterdir()) == ["1.png", "2.png"]
    assert (clips / "images" / "1.png").read_bytes() == png_of()
    assert run("spectrogram", "normal", "-o", "one.png").exit_code == 2
