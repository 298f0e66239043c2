"""What each recipe asks the services for, over gRPC with services that follow a script."""

from __future__ import annotations

import struct

import grpc
import pytest

from chladni.gateway.v1 import creation_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.status import from_rpc_error
from chladni_fakes import families

SOUND = b"fLaC sound"
DEFAULT_PROMPT = "abstract visualization, colorful, artistic, detailed"


@pytest.fixture
def create(gateway):
    """Creates an image over gRPC; returns its events."""

    async def creating(recipe, **fields):
        names = set(generation_pb2.GenerationOptions.DESCRIPTOR.fields_by_name)
        options = {name: value for name, value in fields.items() if name in names}
        request = creation_pb2.CreateImageRequest(
            audio=media_pb2.AudioClip(content=SOUND),
            recipe=recipe,
            options=generation_pb2.GenerationOptions(**options),
        )
        for name in fields.keys() - names:
            if fields[name] is not None:
                setattr(getattr(request, recipe.replace("-", "_")), name, fields[name])
        return [event async for event in gateway.images.CreateImage(request)]

    return creating


def outline(events):
    """Returns the kinds of events with their parts, each run of equal ones once."""
    steps = [(event.WhichOneof("event"), event.part) for event in events]
    return [step for index, step in enumerate(steps) if index == 0 or steps[index - 1] != step]


def work_of(part):
    return [("queued", part), ("started", part), ("progress", part)]


def generations(backends):
    return [request for request, _ in backends.image_generation.requests]


async def test_audioldm_draws_a_mel_image_and_stable_diffusion_refines_it(backends, create):
    backends.audio_features.models.append(families.clap())
    backends.image_generation.models += [families.stable_diffusion(), families.audioldm()]
    events = await create("audioldm", seed=7, width_pixels=768, scheduler="DDIMScheduler")
    assert outline(events) == [
        ("accepted", ""),
        ("analyzed", ""),
        *work_of("audioldm_mel"),
        ("drafted", "audioldm_mel"),
        *work_of("sd_refined"),
        ("created", "sd_refined"),
    ]
    mel, refined = generations(backends)
    assert (mel.options.model, mel.origin.part, mel.options.seed) == ("scripted-audioldm", "audioldm_mel", 7)
    assert (mel.options.guidance_scale, mel.options.steps) == (7.5, 50)
    assert mel.conditioning.audio_embedding.space == families.CLAP_SPACE
    assert not mel.options.HasField("width_pixels")
    assert not mel.options.scheduler
    draft = next(event.drafted for event in events if event.HasField("drafted"))
    assert (refined.options.model, refined.origin.part, refined.options.seed) == (
        "scripted-sd",
        "sd_refined",
        7,
    )
    assert (refined.options.width_pixels, refined.options.scheduler) == (768, "DDIMScheduler")
    assert (refined.options.guidance_scale, refined.options.steps) == (7.5, 50)
    assert refined.conditioning.initial_image.content == draft.image.content
    assert refined.conditioning.strength == 0.7
    assert refined.conditioning.prompt == DEFAULT_PROMPT
    assert list(refined.origin.earlier) == [draft.provenance]
    created = events[-1].created
    assert [earlier.part for earlier in created.image.provenance.earlier] == ["audioldm_mel"]
    assert (created.image.provenance.recipe, created.image.provenance.part) == ("audioldm", "sd_refined")
    assert (created.image.provenance.prompt, created.image.provenance.strength) == (DEFAULT_PROMPT, 0.7)
    assert not created.image.provenance.fallback


async def test_a_seed_that_is_drawn_is_that_of_both_parts(backends, create):
    backends.audio_features.models.append(families.clap())
    backends.image_generation.models += [families.stable_diffusion(), families.audioldm()]
    await create("audioldm")
    mel, refined = generations(backends)
    assert mel.options.seed == refined.options.seed == 4711


async def test_the_image_of_another_recipe_keeps_the_embedding_that_alignment_takes(backends, gateway):
    backends.audio_features.models.append(families.clap())
    backends.image_generation.models += [families.stable_diffusion(), families.audioldm()]
    async with gateway.browser() as browser:
        files = {"file": ("a.wav", SOUND)}
        body = (await browser.post("/api/v1/generate", files=files, data={"recipe": "audioldm"})).json()
        assert (await browser.get(f"/api/v1/images/{body['image_id']}/alignment")).status_code == 200


async def test_the_spectrogram_is_what_stable_diffusion_starts_from(backends, create):
    backends.image_generation.models.append(families.stable_diffusion())
    events = await create(
        "spectrogram",
        prompt=" a reef ",
        negative_prompt="text",
        strength=0.5,
        upscale=2,
        width_pixels=640,
        guidance_scale=4,
    )
    assert outline(events) == [
        ("accepted", ""),
        ("analyzed", ""),
        ("drafted", ""),
        *work_of(""),
        ("created", ""),
    ]
    drafted = events[2]
    assert drafted.stage == creation_pb2.STAGE_AUDIO_FEATURES
    assert not drafted.drafted.HasField("provenance")
    [drawing] = backends.audio_features.spectrogram_requests
    assert (drawing.width_pixels, drawing.height_pixels) == (640, 512)
    [generation] = generations(backends)
    assert generation.conditioning.initial_image.content == drafted.drafted.image.content
    assert (generation.conditioning.prompt, generation.conditioning.negative_prompt) == ("a reef", "text")
    assert (generation.conditioning.strength, generation.options.upscale) == (0.5, 2)
    assert (generation.options.guidance_scale, generation.options.steps) == (4, 50)
    provenance = events[-1].created.image.provenance
    assert (provenance.upscale, provenance.negative_prompt) == (2, "text")


@pytest.mark.parametrize(
    ("properties", "strength", "steps"),
    [
        ({"default_steps": 1, "default_guidance_scale": 1}, None, 2),
        ({"default_steps": 4, "default_guidance_scale": 1}, None, 0),
        ({"default_steps": 4, "default_guidance_scale": 2}, 0.1, 10),
        ({"default_steps": 50}, 0.01, 100),
    ],
)
async def test_models_of_few_steps_are_asked_for_as_many_as_the_strength_needs(
    backends, create, properties, strength, steps
):
    backends.image_generation.models.append(families.stable_diffusion(**properties))
    await create("spectrogram", strength=strength)
    [generation] = generations(backends)
    assert generation.options.steps == steps
    is_few_step = properties["default_steps"] != 50
    assert generation.options.HasField("guidance_scale") == (not is_few_step)


@pytest.mark.parametrize(
    ("fields", "weight", "basis", "options"),
    [
        ({}, 0.3, generation_pb2.NOISE_MODE_MEL, {"noise_mode": "blend", "noise_weight": "0.3"}),
        (
            {"noise_mode": generation_pb2.NOISE_MODE_MEL},
            1,
            generation_pb2.NOISE_MODE_MEL,
            {"noise_mode": "mel", "noise_weight": "1"},
        ),
        (
            {"noise_mode": generation_pb2.NOISE_MODE_DCT, "noise_weight": 0.25},
            0.25,
            generation_pb2.NOISE_MODE_DCT,
            {"noise_mode": "dct", "noise_weight": "0.25"},
        ),
    ],
)
async def test_the_sound_becomes_the_noise_that_the_embedded_model_starts_from(
    backends, create, fields, weight, basis, options
):
    events = await create("latent-noise", **fields)
    [generation] = generations(backends)
    assert generation.options.model == families.EMBEDDED
    assert generation.conditioning.audio_embedding.space == families.SPACE
    latents = generation.conditioning.initial_latents
    assert list(latents.shape) == [4, 64, 64]
    assert struct.unpack_from("<f", latents.data) == (float(basis),)
    assert generation.conditioning.initial_latents_weight == weight
    described = options | {"calibration": "scripted-calibration@cccccccccccc"}
    assert dict(generation.origin.options) == described
    provenance = events[-1].created.image.provenance
    assert dict(provenance.recipe_options) == described
    assert provenance.initial_latents_weight == weight


async def test_latent_noise_prefers_the_first_kind_of_model_and_obeys(backends, create):
    backends.image_generation.models += [families.stable_diffusion(), families.ldm()]
    await create("latent-noise")
    await create("latent-noise", prompt="a reef", width_pixels=512, height_pixels=512)
    await create("latent-noise", model="scripted-sd")
    await create("latent-noise", model=families.EMBEDDED)
    first, second, third, fourth = generations(backends)
    assert [first.options.model, second.options.model] == ["scripted-ldm"] * 2
    assert list(first.conditioning.initial_latents.shape) == [4, 32, 32]
    assert list(second.conditioning.initial_latents.shape) == [4, 64, 64]
    assert not first.conditioning.HasField("audio_embedding")
    assert (first.conditioning.prompt, second.conditioning.prompt) == ("", "a reef")
    assert (third.options.model, third.conditioning.prompt) == ("scripted-sd", DEFAULT_PROMPT)
    assert (fourth.options.model, fourth.conditioning.prompt) == (families.EMBEDDED, "")


async def test_the_noise_of_an_enlarged_image_is_as_large_as_its_latents(backends, create):
    backends.image_generation.models[:] = [families.enlarging(families.embedded())]
    await create("latent-noise", upscale=2)
    [generation] = generations(backends)
    assert generation.options.upscale == 2
    assert list(generation.conditioning.initial_latents.shape) == [4, 128, 128]


async def test_latent_noise_lets_a_model_without_any_condition_draw_what_it_sees_in_the_noise(
    backends, create
):
    backends.image_generation.models.append(families.ddpm())
    await create("latent-noise")
    await create("latent-noise", model="scripted-digits", noise_mode=generation_pb2.NOISE_MODE_DCT)
    usual, digits = generations(backends)
    assert (usual.options.model, digits.options.model) == (families.EMBEDDED, "scripted-digits")
    assert list(digits.conditioning.initial_latents.shape) == [1, 28, 28]
    assert not digits.conditioning.HasField("audio_embedding")
    assert list(backends.audio_features.requests[-1].initial_latents.shape) == [1, 28, 28]


async def test_latent_noise_says_which_model_begins_with_what_no_mel_image_can_be_cut_into(backends, create):
    backends.image_generation.models.append(families.ddpm(channels=3))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create("latent-noise", model="scripted-digits")
    error = from_rpc_error(caught.value)
    assert "scripted-digits begins with 3 x 28 x 28" in error.message
    assert error.violations[0].field == "options.model"


@pytest.mark.parametrize("recipe", ["embedded", "latent-noise"])
async def test_a_look_reaches_the_model_and_the_provenance(backends, create, recipe):
    events = await create(recipe, look="plate:2,water:1")
    [generation] = generations(backends)
    assert generation.options.look == "plate:2,water:1"
    assert events[-1].created.image.provenance.look == "plate:2,water:1"


async def test_a_prompt_becomes_an_image_of_music(backends, create):
    backends.image_generation.models.append(families.stable_diffusion_xl())
    events = await create("music-prompts", prompt="a slow blue river", refiner_start=0.8, width_pixels=1024)
    [generation] = generations(backends)
    assert generation.options.model == "scripted-xl"
    assert generation.conditioning.prompt == "a slow blue river"
    assert (generation.options.refiner_start, generation.options.width_pixels) == (0.8, 1024)
    assert not generation.options.HasField("steps")
    assert events[-1].created.image.provenance.refiner_start == 0.8


async def test_prompts_are_written_for_music_and_each_becomes_an_image(backends, create):
    backends.image_generation.models.append(families.stable_diffusion_xl())
    events = await create("music-prompts", seed=7)
    prompts = [generation.conditioning.prompt for generation in generations(backends)]
    # The scripted scores fall from prompt to prompt: the best-scored one comes last, and is kept.
    assert prompts == [f"prompt {number} in A minor" for number in (4, 3, 2, 1, 0)]
    assert [event.part for event in events if event.WhichOneof("event") == "drafted"] == [
        f"prompt_{number}" for number in (1, 2, 3, 4)
    ]
    options = events[-1].created.image.provenance.recipe_options
    assert {name: options[name] for name in ("originality", "style", "writer")} == {
        "originality": "1.000", "style": "convergent", "writer": "grammar",
    }  # fmt: skip
    assert [generation.options.seed for generation in generations(backends)] == [7] * 5


async def test_without_a_model_that_reads_the_embedded_one_follows_the_words(backends, create):
    events = await create("music-prompts", prompt="a slow blue river", width_pixels=256, height_pixels=256)
    [generation] = generations(backends)
    assert generation.options.model == families.EMBEDDED
    assert generation.conditioning.HasField("audio_embedding")
    assert not generation.conditioning.prompt
    options = events[-1].created.image.provenance.recipe_options
    assert dict(options) == {
        "prompt": "a slow blue river", "word_map": "scripted-words", "prompt_weight": "0.5",
    }  # fmt: skip
    embedding = backends.prompts.requests[0].audio_embedding
    assert embedding.space == generation.conditioning.audio_embedding.space


@pytest.mark.parametrize(
    ("model", "prompt"), [(families.unclip(), ""), (families.ip_adapter(), DEFAULT_PROMPT)]
)
async def test_a_sound_is_painted_from_the_space_of_images(backends, create, model, prompt):
    backends.audio_features.models += [families.clap(), families.clap_to_clip()]
    backends.image_generation.models.append(model)
    await create("clap-unclip")
    [generation] = generations(backends)
    assert generation.options.model == model.id
    assert generation.conditioning.audio_embedding.space == families.CLIP_SPACE
    assert generation.conditioning.prompt == prompt


async def test_embedded_takes_its_own_kind_of_model_whichever_is_the_default(backends, create):
    own, other = families.embedded(), families.stable_diffusion()
    backends.image_generation.models = [other, own]
    await create("embedded")
    assert [generation.options.model for generation in generations(backends)] == [families.EMBEDDED]


async def test_a_model_that_takes_what_is_given_is_preferred(backends, create):
    plain, able = families.stable_diffusion("plain"), families.stable_diffusion("able")
    del plain.inputs[-1]
    backends.image_generation.models += [plain, able]
    await create("spectrogram")
    await create("spectrogram", upscale=2)
    await create("spectrogram", upscale=1)
    assert [generation.options.model for generation in generations(backends)] == ["plain", "able", "plain"]
    assert not generations(backends)[2].options.HasField("upscale"), (
        "what changes nothing is not sent to who does not know it"
    )
