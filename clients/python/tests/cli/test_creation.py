"""What recipes take and tell: options that travel, drafts, fallbacks, needs, and what is asked for again."""

from __future__ import annotations

import hashlib
import json
import shlex

import pytest

import chladni_client as chladni
from chladni_client.cli.creation import draft_path_of
from chladni_client.reproduction.contract_terms import MEANINGS, differing_terms
from chladni_client.reproduction.options import options_asked_again

AUDIO = b"RIFF, or so"
CHOSEN = {
    "recipe": "latent-noise",
    "prompt": "ink in water",
    "negative_prompt": "mud",
    "model": "sd",
    "noise_mode": chladni.NoiseMode.DCT,
    "noise_weight": 0.0,
    "upscale": 2,
    "refiner_start": 0.8,
    "look": "plate:2,water:1",
}
ARGUMENTS = """--recipe latent-noise --prompt "ink in water" --negative-prompt mud --model sd
--noise-mode dct --noise-weight 0 --upscale 2 --refiner-start 0.8 --look plate:2,water:1"""


@pytest.fixture
def run(run, folder, target, monkeypatch):
    (folder / "voice.wav").write_bytes(b"a voice")
    (folder / "flute.ogg").write_bytes(b"a flute")
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


def assert_chosen(request):
    taken, options = request.latent_noise, request.options
    assert (request.recipe, taken.prompt, taken.negative_prompt) == ("latent-noise", "ink in water", "mud")
    assert (options.model, taken.noise_mode) == ("sd", 3)
    assert taken.HasField("noise_weight")
    assert (taken.noise_weight, options.upscale, options.refiner_start) == (0.0, 2, 0.8)
    assert options.look == "plate:2,water:1"


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        ("audioldm", "audioldm"),
        ("spectrogram", "spectrogram"),
        ("latent-noise", "latent_noise"),
        ("music-prompts", "music_prompts"),
        ("clap-unclip", "clap_unclip"),
    ],
)
async def test_options_travel_with_their_recipe(async_client, script, recipe, field):
    texts = {"prompt": "ink in water", "negative_prompt": "mud"}
    numbers = {"strength": 0.55} if field in {"audioldm", "spectrogram"} else {}
    await async_client.create_image(AUDIO, recipe=recipe, **texts, **numbers)
    (request,) = script.requests
    assert (request.recipe, request.WhichOneof("recipe_options")) == (recipe, field)
    sent = {name.name: value for name, value in getattr(request, field).ListFields()}
    assert sent == texts | numbers


@pytest.mark.parametrize(
    ("chosen", "field", "advice"),
    [
        ({"prompt": "ink"}, "prompt", "name one of audioldm, spectrogram, latent-noise"),
        ({"recipe": "embedded", "noise_weight": 0.0}, "noise_weight", "name one of audioldm"),
        ({"recipe": "latent-noise", "strength": 0.5}, "strength", "latent-noise does not take it"),
        ({"recipe": "audioldm", "noise_mode": "dct"}, "noise_mode", "prompt, negative_prompt, strength"),
    ],
)
async def test_options_without_their_recipe_are_refused_before_the_call(
    async_client, script, chosen, field, advice
):
    with pytest.raises(chladni.InvalidInputError, match=advice) as caught:
        await async_client.create_image(AUDIO, **chosen)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert not script.requests


async def test_what_is_chosen_travels(async_client, client, run, script):
    await async_client.create_image(AUDIO, **CHOSEN)
    client.create_image(AUDIO, **(CHOSEN | {"noise_mode": "dct"}))
    assert run("create", "voice.wav", "-q", *shlex.split(ARGUMENTS)).exit_code == 0
    assert len(script.requests) == 3
    for request in script.requests:
        assert_chosen(request)


async def test_what_is_not_chosen_does_not_travel(async_client, run, script):
    await async_client.create_image(AUDIO)
    run("create", "voice.wav", "-q")
    for request in script.requests:
        for field in ("upscale", "refiner_start"):
            assert not request.options.HasField(field)
        assert (request.options.model, request.WhichOneof("recipe_options")) == ("", None)


async def test_an_unknown_option_is_refused(async_client, script):
    with pytest.raises(TypeError, match="prompts"):
        await async_client.create_image(AUDIO, prompts="ink")
    with pytest.raises(ValueError, match="mist"):
        await async_client.create_image(AUDIO, noise_mode="mist")
    assert not script.requests


@pytest.mark.parametrize(
    "arguments",
    [
        ("--strength", "1.5"),
        ("--noise-mode", "mist"),
        ("--noise-weight", "-1"),
        ("--upscale", "3"),
        ("--refiner-start", "2"),
    ],
)
def test_wrong_values_are_told_before_any_call(run, script, arguments):
    ended = run("create", "voice.wav", *arguments)
    assert ended.exit_code == 2
    assert f"Invalid value for '{arguments[0]}'" in ended.stderr
    assert not script.requests


def test_each_prompt_gives_an_image(run, script, folder):
    ended = run("create", "voice.wav", "flute.ogg", "-o", "images", "--recipe", "music-prompts",
                "--prompt", "dawn", "--prompt", "rain")  # fmt: skip
    assert ended.exit_code == 0
    assert [line.split()[0] for line in ended.stdout.splitlines()] == [
        "images/voice-1.png", "images/voice-2.png", "images/flute-1.png", "images/flute-2.png",
    ]  # fmt: skip
    asked = [(request.audio.display_name, request.music_prompts.prompt) for request in script.requests]
    assert asked == [(sound, text) for sound in ("voice.wav", "flute.ogg") for text in ("dawn", "rain")]
    assert "voice.wav 2/2: step 2 of 2" in ended.stderr
    ended = run("create", "voice.wav", "-o", "one.png", "--prompt", "dawn", "--prompt", "rain")
    assert ended.exit_code == 2
    assert "it must be a folder" in ended.stderr


async def test_drafts_and_fallbacks_are_events(async_client, script, creation_events_in_two_parts):
    script.events = creation_events_in_two_parts()
    events = [event async for event in async_client.stream_image(AUDIO)]
    _, _, started, progress, draft, unnamed, fell_back, created = events
    assert (started.part, progress.part) == ("audioldm_mel", "audioldm_mel")
    assert (draft.width_pixels, draft.height_pixels, draft.part) == (512, 512, "audioldm_mel")
    assert draft.provenance.model == "audioldm"
    assert unnamed.provenance is None
    assert fell_back == chladni.RecipeFellBack(
        "No Stable Diffusion here; configure one.", "audioldm_mel", "sd_refined"
    )
    provenance = created.image.provenance
    assert (provenance.part, provenance.prompt, provenance.strength) == ("fallback", "ink in water", 0.7)
    assert provenance.fallback == fell_back.reason
    assert (provenance.initial_latents_weight, provenance.refiner_start) == (None, None)
    (earlier,) = provenance.earlier
    assert (earlier.model, earlier.part, earlier.earlier) == ("audioldm", "audioldm_mel", ())


def test_drafts_are_written_and_fallbacks_are_told(run, script, folder, creation_events_in_two_parts):
    script.events = creation_events_in_two_parts()
    ended = run("create", "voice.wav", "--drafts")
    assert ended.exit_code == 0
    assert (folder / "voice.audioldm_mel.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "voice.draft-2.png").exists()
    assert ended.stdout.splitlines() == [
        "voice.png  1 x 1, seed 4000000000, 1.5 s, made before, not by the recipe's own way",
        "voice.audioldm_mel.png  a draft",
        "voice.draft-2.png  a draft",
    ]
    notice = (
        "Notice: voice.wav: sd_refined: another way is taken (audioldm_mel): "
        "No Stable Diffusion here; configure one."
    )
    lines = ended.stderr.splitlines()
    assert notice in lines
    assert "voice.wav: audioldm_mel: step 1 of 2, 0.5 s to go" in lines
    assert "voice.wav: audioldm_mel: drafted 512 x 512 pixels" in lines
    assert run("create", "voice.wav", "-q").stderr == notice + "\n"
    document = json.loads(run("create", "voice.wav", "-q", "--json", "--drafts").stdout)
    assert document["draft_paths"] == ["voice.audioldm_mel.png", "voice.draft-2.png"]
    assert document["fallbacks"][0]["fallback"] == "audioldm_mel"
    assert document["provenance"]["earlier"][0]["part"] == "audioldm_mel"


def test_the_bar_tells_fallbacks_and_parts(run, script, monkeypatch, creation_events_in_two_parts):
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: True))
    script.events = creation_events_in_two_parts()
    shown = run("create", "voice.wav").stderr
    assert "voice.wav: sd_refined: another way is taken (audioldm_mel)" in shown
    assert "audioldm_mel" in shown


@pytest.mark.parametrize("part", ["", "../escape", "a/b", "x" * 65, "spaced out"])
def test_no_name_of_a_part_leads_elsewhere(folder, part):
    assert draft_path_of(folder / "voice.png", part, number=3) == folder / "voice.draft-3.png"


def test_recipes_tell_what_they_need_and_take(run, client, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = " ".join(run("recipes", "clap").stdout.split())
    for words in ("✗ a CLAP model in audio-features", "✓ a Stable Diffusion in image-generation (optional)",
                  "Name one in CHLADNI_AUDIO_FEATURES_CLAP_MODEL.", "--prompt (required)", "--noise-weight",
                  "No CLAP weights here; configure some."):  # fmt: skip
        assert words in shown, words
    assert run("recipes", "none").exit_code == 6
    recipe = client.list_recipes()[1]
    assert (recipe.options, recipe.required_options) == (("prompt", "noise_weight"), ("prompt",))
    assert recipe.needs[1] == chladni.RecipeNeed(
        "a Stable Diffusion in image-generation", is_met=True, is_optional=True, model="sd", remedy=""
    )
    assert json.loads(run("recipes", "--json").stdout)["recipes"][1]["needs"][0]["is_met"] is False


FACTS = {
    "model": "sd",
    "recipe": "latent-noise",
    "seed": 7,
    "steps": 2,
    "guidance_scale": 7.5,
    "scheduler": "DDIMScheduler",
    "width_pixels": 1,
    "height_pixels": 1,
    "reproducible": True,
    "audio_sha256": hashlib.sha256(b"a voice").hexdigest(),
    "prompt": "ink [in] water",
    "negative_prompt": "mud",
    "strength": 0.55,
    "initial_latents_weight": 0.0,
    "upscale": 2,
    "refiner_start": 0.8,
    "look": "auto",
    "recipe_options": {"noise_mode": "dct"},
}


def image_of(png_of, **facts):
    text = json.dumps({name: value for name, value in (FACTS | facts).items() if value is not None})
    return png_of((b"tEXt", b"chladni\0" + text.encode()))


def recipe_taking(*options, name="latent-noise"):
    return chladni.Recipe(name, "", True, "", False, (), options=options)


ALL_OPTIONS = ("prompt", "negative_prompt", "strength", "model", "noise_mode", "noise_weight", "upscale",
               "refiner_start", "look")  # fmt: skip
OPTIONS_OF_NOISE = tuple(name for name in ALL_OPTIONS if name != "strength")


def asked_again(png_of, *options, **facts):
    provenance = chladni.read_provenance(image_of(png_of, **facts))
    return options_asked_again(provenance, [recipe_taking("prompt", name="other"), recipe_taking(*options)])


def test_everything_that_the_provenance_holds_is_asked_for_again(png_of):
    assert asked_again(png_of, *ALL_OPTIONS) == {
        "recipe": "latent-noise", "seed": 7, "steps": 2, "guidance_scale": 7.5, "scheduler": "DDIMScheduler",
        "width_pixels": 1, "height_pixels": 1, "reproducible": True, "prompt": "ink [in] water",
        "negative_prompt": "mud", "strength": 0.55, "model": "sd", "noise_mode": chladni.NoiseMode.DCT,
        "noise_weight": 0.0, "upscale": 2, "refiner_start": 0.8, "look": "auto",
    }  # fmt: skip


def test_what_only_the_recipe_records_is_asked_for_and_exact_numbers_go_before(png_of):
    recorded = {"noise_mode": "mel", "noise_weight": "0.123457", "calibration": "voices@0123"}
    asked = asked_again(png_of, *ALL_OPTIONS, recipe_options=recorded, initial_latents_weight=0.12345678901)
    assert (asked["noise_mode"], asked["noise_weight"]) == ("mel", 0.12345678901)
    asked = asked_again(png_of, *ALL_OPTIONS, recipe_options=recorded, initial_latents_weight=None)
    assert asked["noise_weight"] == 0.123457


def test_what_the_recipe_does_not_take_or_nobody_chose_is_not_asked_for(png_of):
    assert not asked_again(png_of).keys() & set(ALL_OPTIONS)
    assert not asked_again(png_of, *ALL_OPTIONS, recipe="gone").keys() & set(ALL_OPTIONS)
    unchosen = {
        **dict.fromkeys(("prompt", "negative_prompt", "strength", "initial_latents_weight")),
        **dict.fromkeys(("refiner_start", "look", "recipe_options")),
        "upscale": 1,
    }
    assert asked_again(png_of, *ALL_OPTIONS, **unchosen).keys() & set(ALL_OPTIONS) == {"model"}
    assert "model" not in asked_again(png_of, *ALL_OPTIONS, fallback="No AudioLDM here.")


def test_parts_that_differ_took_their_own_defaults(png_of):
    earlier = FACTS | {"steps": 50, "scheduler": "Another", "width_pixels": 512, "recipe_options": {}}
    asked = asked_again(png_of, earlier=[earlier])
    assert "steps" not in asked
    assert asked["guidance_scale"] == 7.5
    assert (asked["scheduler"], asked["width_pixels"]) == ("DDIMScheduler", 1)  # of the last part alone


@pytest.mark.parametrize("recorded", [{"noise_mode": "mist"}, {"noise_weight": "half"}])
def test_options_that_are_none_are_told(png_of, recorded):
    with pytest.raises(chladni.ProvenanceError, match=f"has an unknown {next(iter(recorded))}"):
        asked_again(png_of, *ALL_OPTIONS, recipe_options=recorded, initial_latents_weight=None)


def test_reproduce_asks_again_and_explains_what_differs(run, script, folder, png_of):
    script.further_recipes = [gateway_recipe("latent-noise", OPTIONS_OF_NOISE)]
    (folder / "image.png").write_bytes(image_of(png_of, upscale=1))
    created = script.events[-1].created
    created.image.reused = False
    created.file.content = image_of(
        png_of, upscale=1, fallback="Out of memory.", prompt="ink", earlier=[FACTS]
    )
    ended = run("reproduce", "image.png", "voice.wav", "-q", "--json")
    assert ended.exit_code == 0, ended.stderr  # the scripted server's pixels never differ
    request = script.requests[-1]
    taken = request.latent_noise
    assert (request.recipe, taken.prompt, taken.noise_mode) == ("latent-noise", "ink [in] water", 3)
    assert (taken.negative_prompt, taken.noise_weight) == ("mud", 0.0)
    assert (request.options.refiner_start, request.options.bypass_cache) == (0.8, True)
    terms = {term["name"]: term for term in json.loads(ended.stdout)["differing_terms"]}
    assert terms["fallback"]["rendering"] == "Out of memory."
    assert terms["prompt"] == {
        "name": "prompt", "original": "ink [in] water", "rendering": "ink", "meaning": MEANINGS["prompt"],
    }  # fmt: skip
    assert terms["earlier.1.seed"]["original"] == "not recorded"
    assert terms["earlier.1.seed"]["meaning"] == f"{MEANINGS['earlier']} {MEANINGS['seed']}"


def gateway_recipe(name, options):
    from chladni.gateway.v1 import server_service_pb2  # noqa: PLC0415

    return server_service_pb2.Recipe(name=name, available=True, options=options)


def test_terms_of_earlier_images_and_options_are_told_one_by_one(png_of):
    one = chladni.read_provenance(image_of(png_of, earlier=[FACTS | {"steps": 3}]))
    other = chladni.read_provenance(
        image_of(png_of, earlier=[FACTS | {"seed": 8}], recipe_options={"noise_mode": "mel"})
    )
    terms = [(term.name, term.original, term.rendering) for term in differing_terms(one, other)]
    assert terms == [
        ("recipe_options.noise_mode", "dct", "mel"),
        ("earlier.1.seed", "7", "8"),
        ("earlier.1.steps", "3", "2"),
    ]


def test_inspect_tells_the_whole_way(run, folder, png_of):
    earlier = FACTS | {"model": "audioldm", "part": "audioldm_mel"}
    content = image_of(png_of, earlier=[earlier], fallback="No model.", part="fallback", upscale=2)
    (folder / "image.png").write_bytes(content)
    shown = " ".join(run("inspect", "image.png").stdout.split())
    for words in (
        "Prompt ink [in] water",
        "Negative prompt mud",
        "Another way, because No model.",
        "Part of the recipe fallback",
        "Weight of the sound in the noise 0.0",
        "Option noise_mode dct",
        "1 x 1 pixels, enlarged 2 times",
        "Made from image 1",
        "Part of the recipe audioldm_mel",
        "Strength 0.55",
        "Refiner takes over after 0.8",
    ):
        assert words in shown, words
    assert json.loads(run("inspect", "image.png", "--json").stdout)["earlier"][0]["model"] == "audioldm"
