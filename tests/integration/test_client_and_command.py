"""The Python client and the command `chladni` against the four real services."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chladni_client import Client, ImageCreated, MelOptions

SAMPLES = Path(__file__).parents[1] / "fixtures" / "samples"
SMALL = {"width_pixels": 256, "height_pixels": 256}
VOICE, MUSIC = SAMPLES / "speech_english.wav", SAMPLES / "music_calm_major.ogg"


@pytest.fixture(scope="module")
def client(cluster):
    with Client(cluster.target("gateway"), audio_features_target=cluster.target("audio-features")) as client:
        yield client


@pytest.fixture(scope="module")
def images(client):
    return [client.create_image(path, seed=7, steps=2, **SMALL) for path in (VOICE, MUSIC)]


@pytest.fixture
def run(cluster, tmp_path):
    def run(*arguments):
        return subprocess.run(
            [
                Path(sys.executable).with_name("chladni"),
                *arguments,
                *("--target", cluster.target("gateway")),
                *("--audio-features-target", cluster.target("audio-features")),
            ],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_every_call_about_images_works(client, images):
    voice, music = images
    assert client.get_image(voice.image_id).png == voice.png
    assert {image.image_id for image in client.list_images()} >= {voice.image_id, music.image_id}
    assert 0 <= client.compare_images(voice, music.image_id).score < 1
    scores = np.asarray(client.compare_image_matrix([voice.image_id, music.image_id]).scores)
    assert scores.diagonal().tolist() == [1, 1]
    assert client.search_images(voice.image_id)[0].image.image_id == music.image_id
    assert 0 <= client.score_alignment(voice.image_id).score <= 1
    assert client.score_alignment(voice.image_id, music.image_id).model
    spare = client.create_image(VOICE, seed=8, steps=1, **SMALL)
    client.delete_image(spare.image_id)
    assert spare.image_id not in {image.image_id for image in client.list_images()}


def test_a_job_is_followed_to_its_image(client):
    job = client.create_job(VOICE, seed=9, steps=2, **SMALL)
    *_, last = client.watch_job(job.job_id)
    assert isinstance(last.event, ImageCreated)
    assert client.get_job(job.job_id).image.image_id == last.event.image.image_id
    assert client.cancel_job(job.job_id).state == "completed"
    client.delete_job(job.job_id)
    assert job.job_id not in {item.job_id for item in client.list_jobs()}


def test_the_server_and_its_audio_are_described(client):
    assert client.server_info().limits.max_audio_seconds == 30
    assert client.list_recipes()[0].is_available
    assert {service.state for service in client.health()} == {"serving"}
    image = client.render_spectrogram(VOICE, image_format="webp", mel=MelOptions(mel_bin_count=64))
    assert image.format == "webp"
    assert client.extract_features(VOICE).descriptors


def test_the_command_makes_compares_and_lists(run, tmp_path):
    options = ["--steps", "2", "--width", "256", "--height", "256", "--seed", "7"]
    ended = run("create", str(VOICE), str(MUSIC), *options, "-o", "images", "--json")
    assert ended.returncode == 0, ended.stderr
    first, second = map(json.loads, ended.stdout.splitlines())
    assert (tmp_path / first["path"]).read_bytes().startswith(b"\x89PNG")
    ended = run("compare", str(VOICE), str(MUSIC), "--json")
    assert 0 <= json.loads(ended.stdout)["score"] <= 1, ended.stderr
    assert {item["image_id"] for item in json.loads(run("images", "--json").stdout)["images"]} >= {
        first["image_id"], second["image_id"],
    }  # fmt: skip
    shown = run("recipes").stdout.splitlines()
    assert shown[0].startswith("embedded")
    assert len(shown) == len(json.loads(run("recipes", "--json").stdout)["recipes"])


def test_the_command_speaks_of_its_options(run):
    ended = run("create", str(VOICE), "--steps", "500")
    assert ended.returncode == 3
    assert "--steps is 500, must be from 1 to 150." in ended.stderr
    for words in ("options.", "width_pixels", "validation"):
        assert words not in ended.stderr
    ended = run("live", "--wav", str(VOICE), "--calibration", "none", "-o", "me.png", "--no-open")
    assert ended.returncode == 6
    assert "Recording" not in ended.stderr
