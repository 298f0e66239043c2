"""`chladni film`: a release kit on the command line."""

from __future__ import annotations

import json

import pytest

from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni_fakes.scripted_gateway.films import FILES, FILM_ID


@pytest.fixture
def song(folder, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    (folder / "song.flac").write_bytes(b"fLaC, or so")
    return folder


def test_the_files_are_written_beside_the_song(run, song):
    result = run("film", "song.flac")
    assert result.exit_code == 0, result.stderr
    assert (song / "song" / "loop.mp4").read_bytes() == FILES[film_pb2.FILM_PART_LOOP]
    assert (song / "song" / "cover.png").read_bytes() == FILES[film_pb2.FILM_PART_COVER]
    assert "song/loop.mp4" in result.stdout


def test_the_same_command_is_the_same_request(run, song, script):
    for options in ([], [], ["--seed", "8"]):
        assert run("film", "song.flac", "--detach", *options).exit_code == 0
    first, again, other = (request.request_id for request in script.requests)
    assert first == again != other


def test_a_result_in_json(run, song):
    document = json.loads(run("film", "song.flac", "-o", "release", "--json").stdout)
    assert (document["film_id"], document["state"]) == (FILM_ID, "completed")
    assert document["paths"] == {"cover": "release/cover.png", "loop": "release/loop.mp4"}


def test_a_failure_is_reported(run, song, script):
    script.film_fails = True
    result = run("film", "song.flac")
    assert result.exit_code not in {0, 2}
    assert result.stderr
    assert not (song / "song").exists()


@pytest.mark.parametrize("arguments", [["--size", "512"], ["--fps", "60"], ["-o", "song.flac"]])
def test_wrong_options_are_refused_before_the_song_is_sent(run, song, script, arguments):
    assert run("film", "song.flac", *arguments).exit_code == 2
    assert not script.requests


def test_a_song_without_a_suffix_needs_a_folder(run, song, script):
    (song / "song").write_bytes(b"fLaC, or so")
    assert run("film", "song").exit_code == 2
    assert not script.requests
