"""Recipes with the four real services: on the models that ship, and on tiny checkpoints of every family."""

import io
import json
import os

import httpx
import numpy as np
import pytest
from chladni_local.cluster import LocalCluster
from PIL import Image
from recordings import encoded, melody

EMBEDDED = ("embedded", "latent-noise")
SOUND = encoded(melody(0.6))


async def recipes_of(client):
    listed = (await client.get("/api/recipes")).json()["recipes"]
    return {recipe["name"]: recipe for recipe in listed}


async def create(client, recipe, **fields):
    form = {"recipe": recipe, "seed": "5"} | {name: str(value) for name, value in fields.items()}
    response = await client.post("/api/generate", files={"file": ("a.wav", SOUND)}, data=form)
    assert response.status_code == 200, response.text
    return response.json()


async def pixels_of(client, answer):
    """Returns a picture's pixels and what its file tells of how it was made."""
    image = Image.open(io.BytesIO((await client.get(answer["image_url"])).content))
    return np.asarray(image, np.int16), json.loads(image.text["chladni"])


@pytest.fixture
async def client(cluster):
    async with httpx.AsyncClient(base_url=cluster.http_url, timeout=120) as client:
        yield client


async def test_on_the_models_that_ship_two_recipes_are_there_and_the_others_say_why_not(client):
    for name, recipe in (await recipes_of(client)).items():
        assert recipe["is_available"] == (name in EMBEDDED), recipe["unavailable_reason"]
        assert bool(recipe["unavailable_reason"]) != recipe["is_available"]
        assert all(need["is_met"] or need["remedy"] for need in recipe["needs"])


async def test_the_sound_is_in_the_noise_as_far_as_the_mode_says(client):
    silent, _ = await pixels_of(client, await create(client, "latent-noise", steps=4, noise_weight=0))
    pictures = {}
    for mode, weight in (("blend", 0.3), ("raw", 1), ("dct", 1)):
        answer = await create(client, "latent-noise", steps=4, noise_mode=mode)
        pixels, told = await pixels_of(client, answer)
        assert pixels.shape == (512, 512, 3)
        provenance = answer["provenance"]
        assert provenance["initial_latents_weight"] == weight
        options = provenance["recipe_options"]
        assert (options["noise_mode"], options["noise_weight"]) == (mode, f"{weight:g}")
        name, _, digest = options["calibration"].partition("@")
        assert name
        assert len(digest) == 12
        assert told["recipe_options"] == options
        assert not np.array_equal(pixels, silent)
        pictures[mode] = pixels
    assert np.abs(pictures["blend"] - silent).mean() < np.abs(pictures["raw"] - silent).mean()
    embedded, _ = await pixels_of(client, await create(client, "embedded", steps=4))
    assert np.array_equal(silent, embedded), "with none of the sound in it, the noise is that of the seed"


@pytest.mark.parametrize("recipe", EMBEDDED)
async def test_the_same_request_gives_the_same_pixels(client, recipe):
    first, _ = await pixels_of(client, await create(client, recipe, steps=2))
    again, _ = await pixels_of(client, await create(client, recipe, steps=2, bypass_cache="true"))
    assert np.array_equal(first, again)


# --- every family, in little ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def complete_cluster(tmp_path_factory):
    """A cluster with a tiny checkpoint for every recipe."""
    tiny_checkpoints = pytest.importorskip("tiny_checkpoints")
    folder = tmp_path_factory.mktemp("complete")
    environ = os.environ | tiny_checkpoints.recipe_environment(folder / "checkpoints")
    with LocalCluster(folder=folder / "cluster", ports="free", environ=environ) as cluster:
        yield cluster


@pytest.fixture
async def complete(complete_cluster):
    async with httpx.AsyncClient(base_url=complete_cluster.page_url, timeout=120) as client:
        yield client


async def test_with_a_model_of_every_family_every_recipe_is_there(complete):
    for recipe in (await recipes_of(complete)).values():
        assert recipe["is_available"], recipe["unavailable_reason"]
        assert all(need["is_met"] for need in recipe["needs"]), recipe["needs"]


@pytest.mark.parametrize(
    ("recipe", "fields", "stage"),
    [
        ("audioldm", {"steps": 4, "prompt": "a reef"}, "sd_refined"),
        ("spectrogram", {"steps": 4, "strength": 0.5}, ""),
        ("latent-noise", {"steps": 2, "prompt": "a reef"}, ""),
        (
            "music-prompts",
            {"steps": 2, "prompt": "a slow river", "width_pixels": 512, "height_pixels": 512},
            "",
        ),
        ("clap-unclip", {"steps": 2}, ""),
    ],
)
async def test_every_recipe_makes_a_picture_that_can_be_made_again(complete, recipe, fields, stage):
    answer = await create(complete, recipe, **fields)
    pixels, told = await pixels_of(complete, answer)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1
    provenance = answer["provenance"]
    assert (provenance["recipe"], provenance["stage"], provenance["fallback"]) == (recipe, stage, "")
    assert provenance["prompt"] or recipe == "clap-unclip"
    assert [part["stage"] for part in told.get("earlier", [])] == (["audioldm_mel"] if stage else [])
    again, _ = await pixels_of(complete, await create(complete, recipe, bypass_cache="true", **fields))
    assert np.array_equal(pixels, again)
