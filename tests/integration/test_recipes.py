"""Recipes with the four real services: on the shipped models, and on tiny checkpoints of every family."""

from __future__ import annotations

import io
import json
import os
import re
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from chladni_audio_features.tools import calibrate
from chladni_client import Client, ImageDrafted, RecipeFellBack, RecipeUnavailableError, Started
from chladni_client.cli.app import build_app
from chladni_fixtures import untrained_checkpoints
from chladni_fixtures.audio import encoded, melody
from chladni_local.cluster import LocalCluster
from chladni_local.services import SERVICES

EMBEDDED = ("embedded", "latent-noise")
SOUND = encoded(melody(0.6))
OTHER_SOUND = encoded(melody(0.6, pitch_hz=180.0))
DEFAULT_PROMPT = "abstract visualization, colorful, artistic, detailed"


async def recipes_of(client):
    listed = (await client.get("/api/v1/recipes")).json()["recipes"]
    return {recipe["name"]: recipe for recipe in listed}


async def create(client, recipe, **fields):
    form = {"recipe": recipe, "seed": "5"} | {name: str(value) for name, value in fields.items()}
    response = await client.post("/api/v1/generate", files={"file": ("a.wav", SOUND)}, data=form)
    assert response.status_code == 200, response.text
    return response.json()


async def pixels_of(client, answer):
    """Return an image's pixels and the provenance in its file."""
    image = Image.open(io.BytesIO((await client.get(answer["image_url"])).content))
    return np.asarray(image, np.int16), json.loads(image.text["chladni"])


@pytest.fixture
async def client(cluster):
    async with httpx.AsyncClient(base_url=cluster.http_url, timeout=120, verify=False) as client:
        yield client


async def test_on_the_models_that_ship_three_recipes_are_there_and_the_others_say_why_not(client):
    for name, recipe in (await recipes_of(client)).items():
        assert recipe["available"] == (name in (*EMBEDDED, "music-prompts")), recipe["unavailable_reason"]
        assert bool(recipe["unavailable_reason"]) != recipe["available"]
        assert all(need["met"] or need["remedy"] for need in recipe["requirements"])


async def test_the_sound_is_in_the_noise_as_far_as_the_mode_says(client):
    silent, _ = await pixels_of(client, await create(client, "latent-noise", steps=4, noise_weight=0))
    images = {}
    for mode, weight in (("blend", 0.3), ("mel", 1), ("dct", 1)):
        answer = await create(client, "latent-noise", steps=4, noise_mode=mode)
        pixels, written = await pixels_of(client, answer)
        assert pixels.shape == (512, 512, 3)
        provenance = answer["provenance"]
        assert provenance["initial_latents_weight"] == weight
        options = provenance["recipe_options"]
        assert (options["noise_mode"], options["noise_weight"]) == (mode, f"{weight:g}")
        name, _, digest = options["calibration"].partition("@")
        assert name
        assert len(digest) == 12
        assert written["recipe_options"] == options
        assert not np.array_equal(pixels, silent)
        images[mode] = pixels
    assert np.abs(images["blend"] - silent).mean() < np.abs(images["mel"] - silent).mean()
    embedded, _ = await pixels_of(client, await create(client, "embedded", steps=4))
    assert np.array_equal(silent, embedded), "with none of the sound in it, the noise is that of the seed"


@pytest.mark.parametrize("recipe", EMBEDDED)
async def test_the_same_request_gives_the_same_pixels(client, recipe):
    first, _ = await pixels_of(client, await create(client, recipe, steps=2))
    again, _ = await pixels_of(client, await create(client, recipe, steps=2, bypass_cache="true"))
    assert np.array_equal(first, again)


# --- tiny checkpoints of every family -------------------------------------------------------------------

WAYS = {
    "embedded": ("embedded", {"steps": 2, "width_pixels": 256, "height_pixels": 256}),
    "audioldm": (untrained_checkpoints.STABLE_DIFFUSION, {"steps": 4, "prompt": "a reef"}),
    "spectrogram": (untrained_checkpoints.STABLE_DIFFUSION, {"steps": 4, "strength": 0.5}),
    "latent-noise": (untrained_checkpoints.LDM, {"steps": 2, "prompt": "a reef"}),
    "music-prompts": (untrained_checkpoints.XL, {"steps": 2, "prompt": "a slow river", "refiner_start": 0.5}),
    "clap-unclip": (untrained_checkpoints.UNCLIP, {"steps": 2}),
}
"""The model and the options of each recipe."""
PARTS = {"audioldm": ["audioldm_mel", "sd_refined"]}
TEXTS = {"embedded": "", "clap-unclip": "", "spectrogram": DEFAULT_PROMPT}
"""The prompt of the image, if the request has none."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The folder of the checkpoints of `complete_cluster`."""
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def complete_cluster(checkpoints, tmp_path_factory):
    """A cluster with a tiny checkpoint for every recipe."""
    environ = os.environ | untrained_checkpoints.recipe_environment(checkpoints)
    folder = tmp_path_factory.mktemp("complete")
    services = [service for service in SERVICES if service.name != "similarity"]  # no recipe calls it
    with LocalCluster(folder=folder, ports="free", environ=environ, services=services) as cluster:
        yield cluster


@pytest.fixture
async def complete(complete_cluster):
    async with httpx.AsyncClient(base_url=complete_cluster.page_url, timeout=120, verify=False) as client:
        yield client


@pytest.fixture
def sdk(complete_cluster):
    with Client(complete_cluster.target("gateway")) as client:
        yield client


@pytest.fixture
def run(complete_cluster):
    """Run the command and return what it printed."""

    def run(*words):
        servers = ["--target", complete_cluster.target("gateway")]
        servers += ["--audio-features-target", complete_cluster.target("audio-features")]
        ended = CliRunner().invoke(build_app(), [*servers, *map(str, words)])
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    return run


def pixels_in(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def colours_of(png):
    return len(np.unique(pixels_in(png).reshape(-1, 3), axis=0))


def assert_made_as_it_should(recipe, provenance):
    model, fields = WAYS[recipe]
    *earlier, last = PARTS.get(recipe, [""])
    assert (provenance["recipe"], provenance["part"], provenance["model"]) == (recipe, last, model)
    assert [part["part"] for part in provenance["earlier"]] == earlier
    assert provenance["prompt"] == fields.get("prompt", TEXTS.get(recipe))
    assert (provenance["seed"], provenance["steps"]) == (5, fields["steps"])
    assert not provenance["fallback"]


def test_with_a_model_of_every_family_every_recipe_is_there(sdk):
    recipes = sdk.list_recipes()
    assert {recipe.name for recipe in recipes} == WAYS.keys()
    for recipe in recipes:
        assert recipe.is_available, recipe.unavailable_reason
        assert not any(need.remedy for need in recipe.needs), recipe.needs


@pytest.mark.parametrize("recipe", WAYS)
def test_every_recipe_makes_its_image_over_grpc(sdk, recipe):
    _, fields = WAYS[recipe]
    events = list(sdk.stream_image(SOUND, recipe=recipe, seed=5, **fields))
    assert not any(isinstance(event, RecipeFellBack) for event in events)
    image = events[-1].image
    assert_made_as_it_should(recipe, asdict(image.provenance))
    assert colours_of(image.png) > 1
    started = [event.part for event in events if isinstance(event, Started)]
    assert started == PARTS.get(recipe, [""])
    drafts = [event for event in events if isinstance(event, ImageDrafted)]
    assert [draft.part for draft in drafts] == (
        ["audioldm_mel"] if recipe == "audioldm" else [""] if recipe == "spectrogram" else []
    )
    if recipe == "audioldm":
        assert (drafts[0].width_pixels, drafts[0].height_pixels) == (512, 512)
        assert drafts[0].provenance == image.provenance.earlier[0]
        assert drafts[0].provenance.model == untrained_checkpoints.AUDIOLDM
    other = sdk.create_image(OTHER_SOUND, recipe=recipe, seed=5, **fields)
    is_the_same = np.array_equal(pixels_in(other.png), pixels_in(image.png))
    assert is_the_same == (recipe == "music-prompts"), "of the sound, nothing is in an image of a prompt"


@pytest.mark.parametrize("recipe", WAYS)
async def test_every_recipe_makes_its_image_over_rest(complete, recipe):
    answer = await create(complete, recipe, **WAYS[recipe][1])
    pixels, written = await pixels_of(complete, answer)
    assert_made_as_it_should(recipe, answer["provenance"])
    assert written.get("part", "") == answer["provenance"]["part"]
    assert [part["part"] for part in written.get("earlier", [])] == PARTS.get(recipe, [""])[:-1]
    provenance = answer["provenance"]
    assert pixels.shape == (provenance["height_pixels"], provenance["width_pixels"], 3)


@pytest.mark.parametrize("recipe", WAYS)
def test_every_recipe_is_a_command_away_and_its_image_can_be_made_again(run, tmp_path, recipe):
    sound, image = tmp_path / "voice.wav", tmp_path / "voice.png"
    sound.write_bytes(SOUND)
    options = [
        word
        for name, value in WAYS[recipe][1].items()
        for word in (f"--{name.removesuffix('_pixels').replace('_', '-')}", value)
    ]
    written = run("create", sound, "-o", image, "--recipe", recipe, "--seed", 5, *options, "--json", "-q")
    assert_made_as_it_should(recipe, written["provenance"])
    again = run("reproduce", image, sound, "--json", "-q")
    assert (again["verdict"], again["differing_pixel_count"]) == ("identical", 0)


@pytest.mark.parametrize(
    ("recipe", "model", "fields", "calibration"),
    [
        ("clap-unclip", untrained_checkpoints.IP_ADAPTER, {"prompt": "a reef"}, ""),
        ("latent-noise", untrained_checkpoints.STABLE_DIFFUSION, {"noise_mode": "dct"}, "tiny-dct"),
        ("latent-noise", untrained_checkpoints.STABLE_DIFFUSION, {"noise_mode": "mel"}, "tiny-mel"),
        ("latent-noise", untrained_checkpoints.DDPM, {"noise_mode": "dct"}, "embedded-dct-784"),
    ],
)
def test_a_recipe_uses_another_model_that_it_can(sdk, recipe, model, fields, calibration):
    image = sdk.create_image(SOUND, recipe=recipe, model=model, seed=5, steps=2, **fields)
    assert (image.provenance.model, image.provenance.fallback) == (model, "")
    assert image.provenance.recipe_options.get("calibration", "").partition("@")[0] == calibration
    assert colours_of(image.png) > 1


# --- what is missing -----------------------------------------------------------------------------------


def test_an_audioldm_of_another_clap_is_not_told_embeddings_that_it_would_misread(sdk):
    events = list(
        sdk.stream_image(
            SOUND, recipe="audioldm", model=untrained_checkpoints.FOREIGN_AUDIOLDM, seed=5, steps=4
        )
    )
    (turn,) = (event for event in events if isinstance(event, RecipeFellBack))
    assert (turn.fallback, turn.part) == ("spectrogram", "audioldm_mel")
    provenance = events[-1].image.provenance
    assert (provenance.part, provenance.fallback) == ("fallback", turn.reason)
    assert (provenance.model, provenance.earlier) == (untrained_checkpoints.STABLE_DIFFUSION, ())
    spaces = re.findall(r"clap-[0-9a-f]{16}", turn.reason)
    assert len(set(spaces)) == 2, turn.reason
    own = sdk.create_image(SOUND, recipe="spectrogram", seed=5, steps=4)
    assert np.array_equal(pixels_in(own.png), pixels_in(events[-1].image.png))


@pytest.fixture(scope="module")
def joined_with(complete_cluster, tmp_path_factory):
    """Start a gateway and one service with other settings; the others are those of `complete_cluster`."""

    @contextmanager
    def join(service, **settings):
        kept = {"audio-features", "image-generation"} - {service}
        targets = {
            f"CHLADNI_GATEWAY_{name.replace('-', '_').upper()}_TARGET": complete_cluster.target(name)
            for name in kept
        }
        with (
            LocalCluster(
                folder=tmp_path_factory.mktemp("joined"),
                ports="free",
                environ=os.environ | targets | settings,
                services=[found for found in SERVICES if found.name in {service, "gateway"}],
            ) as cluster,
            Client(cluster.target("gateway")) as client,
        ):
            yield client

    return join


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """A calibration of some clips, `voices`: its folder, and what the command reported of it."""
    folder = tmp_path_factory.mktemp("calibrations")
    clips = folder / "clips"
    clips.mkdir()
    for pitch_hz in (150, 300, 600):
        (clips / f"{pitch_hz}.wav").write_bytes(encoded(melody(0.6, pitch_hz=pitch_hz)))
    words = [str(clips), "--out", str(folder / "voices"), "--shape", "4,32,32", "--json", "-q"]
    with redirect_stdout(io.StringIO()) as printed:
        assert calibrate.main(words) == 0
    return folder / "voices", json.loads(printed.getvalue())


@pytest.fixture(scope="module")
def without_clap(joined_with, voices):
    """A client of the gateway of an audio-features that has a calibration of its own, and no CLAP."""
    with joined_with("audio-features", CHLADNI_AUDIO_FEATURES_LATENT_CALIBRATIONS=str(voices[0])) as sdk:
        yield sdk


def needs_met(sdk, recipe):
    (found,) = (found for found in sdk.list_recipes() if found.name == recipe)
    return found.is_available, [not need.remedy for need in found.needs]


def test_without_clap_audioldm_falls_back_to_the_spectrogram(without_clap):
    sdk = without_clap
    assert needs_met(sdk, "audioldm") == (True, [False, True, True])
    image = sdk.create_image(SOUND, recipe="audioldm", seed=5, steps=4)
    provenance = image.provenance
    assert (provenance.recipe, provenance.part) == ("audioldm", "fallback")
    assert provenance.model == untrained_checkpoints.STABLE_DIFFUSION
    assert provenance.fallback.startswith("Missing: a CLAP model in audio-features.")
    own = sdk.create_image(SOUND, recipe="spectrogram", seed=5, steps=4)
    assert np.array_equal(pixels_in(own.png), pixels_in(image.png))
    assert needs_met(sdk, "clap-unclip") == (False, [False, True])
    with pytest.raises(RecipeUnavailableError, match="CHLADNI_AUDIO_FEATURES_CLAP_TO_CLIP_MAP"):
        sdk.create_image(SOUND, recipe="clap-unclip", steps=2)
    for recipe in ("embedded", "latent-noise", "music-prompts"):
        image = sdk.create_image(SOUND, recipe=recipe, seed=5, **WAYS[recipe][1])
        assert_made_as_it_should(recipe, asdict(image.provenance))


def test_without_the_files_of_stable_diffusion_the_mel_image_is_the_image(joined_with, checkpoints, tmp_path):
    lost = tmp_path / "lost" / "stable-diffusion"
    models = f"{lost},{checkpoints / untrained_checkpoints.AUDIOLDM}"
    with joined_with("image-generation", CHLADNI_IMAGE_GENERATION_FURTHER_MODELS=models) as sdk:
        assert needs_met(sdk, "audioldm") == (True, [True, True, False])
        events = list(sdk.stream_image(SOUND, recipe="audioldm", seed=5, steps=4, prompt="a reef"))
        (turn,) = (event for event in events if isinstance(event, RecipeFellBack))
        assert (turn.fallback, turn.part) == ("audioldm_mel", "sd_refined")
        assert "stable-diffusion" in turn.reason
        assert str(tmp_path) not in turn.reason
        assert turn.reason.endswith("Unused without it: prompt.")
        image = events[-1].image
        assert (image.width_pixels, image.height_pixels) == (512, 512)
        provenance = image.provenance
        assert (provenance.recipe, provenance.part) == ("audioldm", "audioldm_mel")
        assert (provenance.model, provenance.earlier) == (untrained_checkpoints.AUDIOLDM, ())
        assert provenance.fallback == turn.reason
        assert needs_met(sdk, "spectrogram") == (False, [True, False])
        with pytest.raises(RecipeUnavailableError, match="a Stable Diffusion model"):
            sdk.create_image(SOUND, recipe="spectrogram", steps=4)
        image = sdk.create_image(SOUND, recipe="embedded", seed=5, **WAYS["embedded"][1])
        assert_made_as_it_should("embedded", asdict(image.provenance))


def test_a_calibration_of_own_clips_changes_the_noise(sdk, without_clap, voices):
    _, made = voices
    assert (made["recording_count"], made["value_count"]) == (3, 4096)
    fields = {"recipe": "latent-noise", "seed": 5, "steps": 2, "noise_weight": 1}
    usual, own = (client.create_image(SOUND, **fields) for client in (sdk, without_clap))
    assert own.provenance.recipe_options["calibration"] == f"voices@{made['digest'][:12]}"
    assert usual.provenance.recipe_options["calibration"].startswith("embedded-mel-4096@")
    assert not np.array_equal(pixels_in(own.png), pixels_in(usual.png))
