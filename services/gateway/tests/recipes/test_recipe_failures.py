"""What is in the way of recipes: the answer names it, or another way is taken, and the gateway goes on."""

from __future__ import annotations

import pytest

from chladni.gateway.v1 import server_service_pb2
from chladni_contract.errors import (
    ChladniError,
    DeadlineExceededError,
    FaultError,
    InvalidInputError,
    QueueFullError,
    Reason,
)
from chladni_fakes import families

TOO_BIG = FaultError(Reason.OUT_OF_MEMORY, "The device has too little memory for this image.")


@pytest.fixture
def everything(backends):
    """Scripted services with a model of every family."""
    backends.audio_features.models += [families.clap(), families.clap_to_clip()]
    backends.image_generation.models += [
        families.audioldm(),
        families.stable_diffusion(),
        families.stable_diffusion_xl(),
        families.ldm(),
        families.unclip(),
    ]
    return backends


def models_of(backends, name):
    """Returns the list of models in which one is, and its place."""
    for service in (backends.audio_features, backends.image_generation):
        for place, model in enumerate(service.models):
            if model.id == name:
                return service.models, place
    raise AssertionError(name)


def remove(backends, *names):
    for name in names:
        models, place = models_of(backends, name)
        del models[place]


def damage(backends, name, make=families.broken):
    models, place = models_of(backends, name)
    make(models[place])


async def create(gateway, recipe, **fields):
    response = await gateway.create(recipe=recipe, **fields)
    return response.status_code, response.json()


async def refusal(gateway, error_of, recipe, **fields):
    response = await gateway.create(recipe=recipe, **fields)
    assert response.status_code >= 400, response.text
    body = response.json()
    part = body["error"].pop("part", None)
    return response.status_code, body["error"], part


PLACES = [
    ("embedded", families.EMBEDDED, "an audio-conditioned model in image-generation"),
    ("embedded", families.DESCRIPTORS, "a model in audio-features that describes sounds"),
    ("spectrogram", "scripted-sd", "a Stable Diffusion model in image-generation"),
    ("clap-unclip", "scripted-clap-to-clip", "a map from CLAP's space to CLIP's in audio-features"),
    ("clap-unclip", "scripted-unclip", "a Stable unCLIP or IP-Adapter model in image-generation"),
]
MUSIC = ("music-prompts", "scripted-xl", "a Stable Diffusion XL model in image-generation")


@pytest.mark.parametrize(("recipe", "model", "words"), PLACES)
async def test_a_missing_model_in_each_place_is_named(everything, gateway, error_of, recipe, model, words):
    if model == families.DESCRIPTORS:
        everything.audio_features.models.clear()
    else:
        remove(everything, model)
    status, error, _ = await refusal(gateway, error_of, recipe)
    assert (status, error["code"]) == (409, "RECIPE_UNAVAILABLE")
    assert error["message"].startswith(f"Missing: {words}. ")
    is_sound = "audio-features" in words
    assert error["stage"] == ("audio_features" if is_sound else "image_generation")
    listed = {entry["name"]: entry for entry in (await gateway.http.get("/api/v1/recipes")).json()["recipes"]}
    assert not listed[recipe]["available"]
    assert listed[recipe]["unavailable_reason"] == error["message"]
    [need] = [need for need in listed[recipe]["requirements"] if not need["met"]]
    assert (need["description"], need["remedy"], need["model"]) == (words, error["message"], "")
    assert (await gateway.http.get("/api/v1/health")).status_code == 200


async def test_without_any_model_that_follows_prompts_both_kinds_are_named(everything, gateway, error_of):
    remove(everything, "scripted-xl")
    remove(everything, families.EMBEDDED)
    status, error, _ = await refusal(gateway, error_of, "music-prompts")
    assert (status, error["code"]) == (409, "RECIPE_UNAVAILABLE")
    assert "a Stable Diffusion XL model, or an audio-conditioned one" in error["message"]


@pytest.mark.parametrize(("recipe", "model", "words"), [*PLACES, MUSIC])
async def test_a_broken_model_in_each_place_is_named(everything, gateway, error_of, recipe, model, words):
    if model == families.DESCRIPTORS:
        everything.audio_features.models = [families.broken(families.descriptors())]
    else:
        damage(everything, model)
    fields = {"prompt": "a reef"} if recipe == "music-prompts" else {}
    status, error, _ = await refusal(gateway, error_of, recipe, **fields)
    assert (status, error["code"]) == (409, "RECIPE_UNAVAILABLE")
    service = "audio-features" if "audio-features" in words else "image-generation"
    assert error["message"] == f"The model {model} of {service} cannot be used: Its weights are cut off."
    assert (await gateway.http.get("/api/v1/health")).status_code == 200


@pytest.mark.parametrize(("recipe", "model", "words"), PLACES)
async def test_a_model_whose_very_kind_is_unknown_is_named(
    everything, gateway, error_of, recipe, model, words
):
    if model == families.DESCRIPTORS:
        everything.audio_features.models = [families.unidentified(families.descriptors())]
    else:
        damage(everything, model, families.unidentified)
    status, error, _ = await refusal(gateway, error_of, recipe)
    assert (status, error["code"]) == (409, "RECIPE_UNAVAILABLE")
    service = "audio-features" if "audio-features" in words else "image-generation"
    assert error["message"].startswith(f"Missing: {words}. ")
    assert error["message"].endswith(f"{service} could not load {model} (Its weights are cut off.)")
    if recipe != "embedded" and "image-generation" in words:
        status, error, _ = await refusal(gateway, error_of, recipe, model=model)
        assert (status, error["code"]) == (409, "MODEL_UNAVAILABLE")
        assert error["message"] == f"The model {model} of {service} cannot be used: Its weights are cut off."


@pytest.mark.parametrize(("recipe", "model", "_words"), [*PLACES, MUSIC])
async def test_a_model_that_still_loads_is_worth_waiting_for(
    everything, gateway, error_of, recipe, model, _words
):
    if model == families.DESCRIPTORS:
        everything.audio_features.models = [families.loading(families.descriptors())]
    else:
        damage(everything, model, families.loading)
    fields = {"prompt": "a reef"} if recipe == "music-prompts" else {}
    response = await gateway.create(recipe=recipe, **fields)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert error_of(response)["code"] == "MODEL_NOT_READY"
    assert f"{model} is still loading" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda all_: remove(all_, "scripted-clap"), "Missing: a CLAP model in audio-features."),
        (lambda all_: damage(all_, "scripted-clap"), "The model scripted-clap of audio-features cannot"),
        (lambda all_: remove(all_, "scripted-audioldm"), "Missing: an AudioLDM model in image-generation."),
        (lambda all_: damage(all_, "scripted-audioldm"), "The model scripted-audioldm of image-generation"),
        (
            lambda all_: damage(all_, "scripted-audioldm", families.unidentified),
            "could not load scripted-audioldm (Its weights are cut off.)",
        ),
        (
            lambda all_: damage(all_, "scripted-audioldm", families.loading),
            "The model scripted-audioldm is still loading.",
        ),
        (
            lambda all_: all_.image_generation.models.__setitem__(1, families.audioldm("clap-another")),
            "takes embeddings of clap-another, but scripted-clap describes the sound in clap-",
        ),
        (
            lambda all_: all_.audio_features.errors.update({"scripted-clap": TOO_BIG}),
            "The part audioldm_mel failed: The device has too little memory for this image.",
        ),
        (
            lambda all_: all_.image_generation.errors.update({"scripted-audioldm": TOO_BIG}),
            "The part audioldm_mel failed: The device has too little memory for this image.",
        ),
    ],
    ids=[
        "no CLAP", "broken CLAP", "no AudioLDM", "broken AudioLDM", "lost AudioLDM", "loading AudioLDM",
        "spaces disagree",
        "CLAP out of memory", "AudioLDM out of memory",
    ],
)  # fmt: skip
@pytest.mark.parametrize("at_step", [0, 3])
async def test_audioldm_falls_back_to_the_spectrogram_and_says_why(everything, gateway, make, words, at_step):
    make(everything)
    everything.image_generation.error_after_steps = at_step
    before = await gateway.metric("chladni_recipe_fallbacks_total", recipe="audioldm", fallback="spectrogram")
    events = await gateway.create_events(recipe="audioldm", prompt="a reef")
    names = [name for name, _ in events]
    told = dict(events)
    assert told["fell_back"]["fallback"] == "spectrogram"
    assert words in told["fell_back"]["reason"]
    assert told["drafted"]["provenance"] is None
    assert told["drafted"]["image"].startswith("data:image/png;base64,")
    assert told["drafted"]["part"] == "fallback"
    assert names.index("fell_back") < names.index("drafted")
    provenance = told["created"]["provenance"]
    assert (provenance["part"], provenance["recipe"]) == ("fallback", "audioldm")
    assert provenance["fallback"] == told["fell_back"]["reason"]
    assert (provenance["prompt"], provenance["model"]) == ("a reef", "scripted-sd")
    assert provenance["earlier"] == []
    after = await gateway.metric("chladni_recipe_fallbacks_total", recipe="audioldm", fallback="spectrogram")
    assert after == before + 1


@pytest.mark.parametrize("make", [remove, damage])
async def test_without_stable_diffusion_the_mel_image_is_the_image(everything, gateway, make):
    make(everything, "scripted-sd")
    events = await gateway.create_events(recipe="audioldm", strength="0.5")
    told = dict(events)
    assert "drafted" not in told
    assert told["fell_back"]["fallback"] == "audioldm_mel"
    assert "Unused without it: strength." in told["fell_back"]["reason"]
    (warning,) = told["created"]["warnings"]
    assert (warning["reason"].upper(), warning["metadata"]["field"]) == ("SETTING_IGNORED", "strength")
    provenance = told["created"]["provenance"]
    assert (provenance["part"], provenance["model"]) == ("audioldm_mel", "scripted-audioldm")
    assert provenance["fallback"] == told["fell_back"]["reason"]


async def test_with_nothing_of_it_there_every_obstacle_is_named(everything, gateway, error_of):
    damage(everything, "scripted-clap")
    remove(everything, "scripted-audioldm", "scripted-sd")
    status, error, _ = await refusal(gateway, error_of, "audioldm")
    assert (status, error["code"]) == (409, "RECIPE_UNAVAILABLE")
    for words in (
        "scripted-clap of audio-features cannot be used",
        "an AudioLDM model",
        "a Stable Diffusion",
    ):
        assert words in error["message"]
    listed = {entry["name"]: entry for entry in (await gateway.http.get("/api/v1/recipes")).json()["recipes"]}
    assert listed["audioldm"]["unavailable_reason"] == error["message"]
    assert [need["met"] for need in listed["audioldm"]["requirements"]] == [False] * 3
    assert all(need["has_fallback"] for need in listed["audioldm"]["requirements"])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInputError(Reason.AUDIO_TOO_SHORT, "Too short.", field="audio.content"), 400),
        (InvalidInputError(Reason.INVALID_FIELD, "steps is 900.", field="steps"), 400),
        (QueueFullError("Eight wait.", retry_after_seconds=1), 429),
        (DeadlineExceededError("It would take an hour."), 504),
        (FaultError(Reason.NON_FINITE_OUTPUT, "NaN."), 500),
    ],
)
async def test_what_another_way_would_not_mend_is_told_with_its_part(
    everything, gateway, error_of, error, status
):
    everything.image_generation.errors["scripted-audioldm"] = error
    answer, told, part = await refusal(gateway, error_of, "audioldm")
    assert (answer, told["code"], part) == (status, error.reason.value, "audioldm_mel")
    events = await gateway.create_events(recipe="audioldm")
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["part"] == "audioldm_mel"


async def test_what_fails_after_the_mel_image_is_told_with_its_part(everything, gateway, error_of):
    everything.image_generation.errors["scripted-sd"] = TOO_BIG
    status, told, part = await refusal(gateway, error_of, "audioldm")
    assert (status, told["stage"], part) == (503, "image_generation", "sd_refined")


async def test_what_fails_on_the_other_way_is_told_with_its_part(everything, gateway, error_of):
    remove(everything, "scripted-clap")
    everything.audio_features.errors["spectrogram"] = FaultError(Reason.INTERNAL, "No paint.")
    status, told, part = await refusal(gateway, error_of, "audioldm")
    assert (status, told["stage"], part) == (500, "audio_features", "fallback")


async def test_a_bad_recording_never_falls_back(everything, gateway, error_of):
    bad = InvalidInputError(Reason.CORRUPT_AUDIO, "It is cut off.", field="audio.content")
    everything.audio_features.errors["scripted-clap"] = bad
    status, told, part = await refusal(gateway, error_of, "audioldm")
    assert (status, told["stage"], part) == (400, "validation", "audioldm_mel")
    assert everything.image_generation.requests == []


async def test_no_calibration_for_the_noise_is_told(everything, gateway, error_of):
    missing = ChladniError(Reason.UNKNOWN_CALIBRATION, "No calibration fits (4, 32, 32).")
    everything.audio_features.errors["latents"] = missing
    status, told, _ = await refusal(gateway, error_of, "latent-noise")
    assert (status, told["code"], told["stage"]) == (404, "UNKNOWN_CALIBRATION", "audio_features")


async def test_latent_noise_goes_on_to_the_next_kind_of_model(everything, gateway, error_of):
    for name, then in (
        ("scripted-ldm", "scripted-sd"),
        ("scripted-sd", families.EMBEDDED),
    ):
        damage(everything, name)
        _, body = await create(gateway, "latent-noise")
        assert body["provenance"]["model"] == then
    damage(everything, families.EMBEDDED)
    status, told, _ = await refusal(gateway, error_of, "latent-noise")
    assert (status, told["code"]) == (409, "RECIPE_UNAVAILABLE")


async def test_latent_noise_on_the_embedded_model_needs_what_that_takes(everything, gateway, error_of):
    remove(everything, "scripted-ldm", "scripted-sd")
    everything.image_generation.models[0] = families.embedded("another-space")
    status, told, _ = await refusal(gateway, error_of, "latent-noise")
    assert (status, told["code"]) == (409, "RECIPE_UNAVAILABLE")
    assert "another-space" in told["message"]
    listed = {entry["name"]: entry for entry in (await gateway.http.get("/api/v1/recipes")).json()["recipes"]}
    assert listed["latent-noise"]["unavailable_reason"] == told["message"]


@pytest.mark.parametrize("killed", ["audio-features", "image-generation"])
async def test_while_a_service_is_down_no_recipe_is_there_and_each_says_why(
    everything, gateway, error_of, killed
):
    await everything.servers[killed].kill()
    listed = (await gateway.http.get("/api/v1/recipes")).json()["recipes"]
    assert len(listed) == 6
    for recipe in listed:
        assert not recipe["available"]
        assert killed in recipe["unavailable_reason"]
        fields = {"prompt": "p"} if recipe["name"] == "music-prompts" else {}
        status, told, _ = await refusal(gateway, error_of, recipe["name"], **fields)
        assert (status, told["code"]) == (503, "BACKEND_UNAVAILABLE")
        assert told["stage"] == killed.replace("-", "_")


async def test_with_everything_there_every_recipe_is(everything, gateway):
    listed = (await gateway.http.get("/api/v1/recipes")).json()["recipes"]
    assert [recipe["name"] for recipe in listed] == [
        "embedded", "audioldm", "spectrogram", "latent-noise", "music-prompts", "clap-unclip",
    ]  # fmt: skip
    for recipe in listed:
        assert recipe["available"], recipe
        assert recipe["unavailable_reason"] == ""
        assert recipe["requirements"]
        assert all(need["met"] and not need["remedy"] for need in recipe["requirements"])
        assert set(recipe["required_options"]) <= set(recipe["options"])
    over_grpc = (await gateway.server.ListRecipes(server_service_pb2.ListRecipesRequest())).recipes
    for recipe, message in zip(listed, over_grpc, strict=True):
        assert (message.name, list(message.options)) == (recipe["name"], recipe["options"])
        assert list(message.required_options) == recipe["required_options"]
        assert [need.description for need in message.requirements] == [
            need["description"] for need in recipe["requirements"]
        ]
        assert [need.model for need in message.requirements] == [
            need["model"] for need in recipe["requirements"]
        ]


@pytest.mark.parametrize(
    ("recipe", "fields", "status", "code", "words"),
    [
        ("spectrogram", {"model": "nobody"}, 404, "UNKNOWN_MODEL", "it can use scripted-sd"),
        ("spectrogram", {"model": "scripted-ldm"}, 400, "INVALID_FIELD", "of the family ldm-text-to-image"),
        ("audioldm", {"model": "scripted-xl"}, 400, "INVALID_FIELD", "scripted-audioldm, scripted-sd"),
        ("audioldm", {"model": "nobody"}, 404, "UNKNOWN_MODEL", "scripted-audioldm, scripted-sd"),
        ("embedded", {"model": "scripted-sd"}, 400, "INVALID_FIELD", "it can use scripted-embedded"),
        ("embedded", {"prompt": "p"}, 400, "INVALID_FIELD", "its options are model, upscale, look."),
        (
            "embedded",
            {"upscale": "2"},
            400,
            "INVALID_FIELD",
            "upscale: the model scripted-embedded does not take",
        ),
        ("spectrogram", {"noise_mode": "mel"}, 400, "INVALID_FIELD", "noise_mode: the recipe spectrogram"),
        ("latent-noise", {"strength": "0.5"}, 400, "INVALID_FIELD", "strength: the recipe latent-noise"),
        (
            "latent-noise",
            {"prompt": "p", "model": "scripted-embedded"},
            400,
            "INVALID_FIELD",
            "prompt: the model scripted-embedded does not take it",
        ),
        ("latent-noise", {"width_pixels": "256", "height_pixels": "512"}, 400, "INVALID_FIELD", "no square"),
        ("spectrogram", {"steps": "3", "strength": "0.3"}, 400, "INVALID_FIELD", "give at least 4."),
        ("spectrogram", {"strength": "0.001"}, 400, "INVALID_FIELD", "even 150 steps leave none"),
        (
            "music-prompts",
            {"prompt": "p", "width_pixels": "256"},
            400,
            "INVALID_FIELD",
            "width_pixels: is 256 pixels, must be from 512 to 1024 pixels.",
        ),
    ],
)
async def test_a_wrong_wish_is_told(everything, gateway, error_of, recipe, fields, status, code, words):
    answer, told, _ = await refusal(gateway, error_of, recipe, **fields)
    assert (answer, told["code"], told["stage"]) == (status, code, "validation")
    assert words in told["message"]
    assert everything.audio_features.requests == [], "a wrong wish costs no work"


async def test_a_named_model_that_is_broken_is_told_as_such(everything, gateway, error_of):
    damage(everything, "scripted-ldm")
    status, told, _ = await refusal(gateway, error_of, "latent-noise", model="scripted-ldm")
    assert (status, told["code"]) == (409, "MODEL_UNAVAILABLE")
    assert "Its weights are cut off." in told["message"]


async def test_all_options_that_a_recipe_does_not_take_are_told_together(gateway, error_of):
    options = {
        "prompt": "p", "negative_prompt": "n", "strength": "0.5", "noise_mode": "mel", "noise_weight": "1",
        "refiner_start": "1",
    }  # fmt: skip
    response = await gateway.create(recipe="embedded", **options)
    message = error_of(response)["message"]
    assert all(f"{name}: the recipe embedded does not take it" in message for name in options)


async def test_a_job_with_a_wrong_wish_is_refused_at_once(gateway, error_of):
    response = await gateway.http.post(
        "/api/v1/jobs", files={"file": ("a.wav", b"RIFF")}, data={"recipe": "embedded", "strength": "0.5"}
    )
    assert response.status_code == 400
    assert "strength: the recipe embedded does not take it" in error_of(response)["message"]
