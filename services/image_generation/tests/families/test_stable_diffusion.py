"""Stable Diffusion: the images of its diffusers pipelines, bit for bit."""

from __future__ import annotations

import asyncio
import io
import json

import numpy as np
import pytest
import torch
from diffusers import (
    LatentConsistencyModelPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Conditioning, GenerationRequest, PreviewOptions, Progress
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    TRAINING_SCHEDULE,
    new_scheduler,
    save_untrained_stable_diffusion,
)

# Some schedulers of diffusers give tensors to functions of NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
CPU = torch.device("cpu")
SCHEDULERS = SchedulerCatalog(new_scheduler("DDIMScheduler", TRAINING_SCHEDULE)).names
SIZE_PIXELS = 16
INITIAL_IMAGE = np.random.default_rng(0).integers(0, 256, (20, 12, 3), np.uint8)
TURBO = {"scheduler": "EulerDiscreteScheduler", "scheduler_options": {"timestep_spacing": "trailing"}}


@pytest.fixture(scope="module")
def directory_of(tmp_path_factory):
    """Return a function that gives the directory of an untrained checkpoint with some options."""
    made = {}

    def directory_of(**options):
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("models") / "tiny-sd"
            save_untrained_stable_diffusion(made[key], **options)
        return made[key]

    return directory_of


@pytest.fixture(scope="module")
def model_of(directory_of):
    """Return a function that gives a loaded model of an untrained checkpoint with some options."""
    return lambda **options: load_model(str(directory_of(**options)), LoadingOptions(CPU, dtype="float32"))


@pytest.fixture(scope="module")
def model(model_of):
    return model_of()


@pytest.fixture(scope="module")
def pipeline(directory_of):
    return quiet(StableDiffusionPipeline.from_pretrained(directory_of(), safety_checker=None))


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def request_for(conditioning=None, **fields):
    defaults = {
        "seed": 7,
        "steps": 5,
        "guidance_scale": 4.0,
        "scheduler": SCHEDULERS[0],
        "width_pixels": SIZE_PIXELS,
        "height_pixels": SIZE_PIXELS,
    }
    conditioning = conditioning or Conditioning(prompt="a cat", negative_prompt="a dog")
    return GenerationRequest(conditioning=conditioning, **(defaults | fields))


def image_of(model, request):
    with torch.inference_mode():
        sampler = Sampler(model, request)
        while not sampler.is_denoised:
            sampler.advance(list(model.denoise(sampler.rows())))
        return model.decode(sampler.latents[None])[0]


def expected_of(pipeline, request, **options):
    """Return what diffusers' own pipelines make of a request."""
    own_scheduler = pipeline.scheduler
    pipeline.scheduler = SchedulerCatalog(own_scheduler).new(request.scheduler)
    try:
        return called_directly(pipeline, request, **options)
    finally:
        pipeline.scheduler = own_scheduler


def called_directly(pipeline, request, **options):
    arguments = {
        "prompt": request.conditioning.prompt,
        "negative_prompt": request.conditioning.negative_prompt or None,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "generator": torch.Generator().manual_seed(request.seed),
        # The pipelines pass DDIM's 0 to TCD too, whose own is 0.3 (Zheng et al. 2024).
        "eta": 0.3 if request.scheduler == "TCDScheduler" else 0.0,
        **options,
    }
    if request.conditioning.initial_image is None:
        size = {"width": request.width_pixels, "height": request.height_pixels}
        return np.asarray(pipeline(**arguments, **size).images[0])
    scaled = Image.fromarray(request.conditioning.initial_image).resize(
        (request.width_pixels, request.height_pixels), Image.Resampling.LANCZOS
    )
    from_image = quiet(StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False))
    strength = request.conditioning.strength
    return np.asarray(from_image(**arguments, image=scaled, strength=strength).images[0])


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@pytest.mark.parametrize(("seed", "name"), list(enumerate(SCHEDULERS)))
def test_a_text_gives_the_pipelines_image(model, pipeline, seed, name, guidance_scale):
    request = request_for(seed=seed, scheduler=name, guidance_scale=guidance_scale)
    np.testing.assert_array_equal(image_of(model, request), expected_of(pipeline, request))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_an_image_and_a_text_give_the_pipelines_image(model, pipeline, name):
    conditioning = Conditioning(prompt="a cat", initial_image=INITIAL_IMAGE, strength=0.6)
    request = request_for(conditioning, scheduler=name, steps=7)
    np.testing.assert_array_equal(image_of(model, request), expected_of(pipeline, request))


@pytest.mark.parametrize("prediction_type", ["v_prediction", "sample"])
def test_other_kinds_of_predictions_give_the_pipelines_image(directory_of, model_of, prediction_type):
    options = {"prediction_type": prediction_type, "seed": 3}
    pipeline = quiet(StableDiffusionPipeline.from_pretrained(directory_of(**options), safety_checker=None))
    request = request_for(scheduler="DPMSolverMultistepScheduler")
    expected = expected_of(pipeline, request)
    np.testing.assert_array_equal(image_of(model_of(**options), request), expected)


@st.composite
def requests(draw):
    from_image = draw(st.booleans())
    conditioning = Conditioning(
        prompt=draw(st.text(max_size=100)),
        negative_prompt=draw(st.text(max_size=20)),
        initial_image=INITIAL_IMAGE if from_image else None,
        strength=draw(st.floats(0.3, 1.0)) if from_image else 0.7,
    )
    return request_for(
        conditioning,
        scheduler=draw(st.sampled_from(SCHEDULERS)),
        seed=draw(st.integers(0, 2**32 - 1)),
        steps=draw(st.integers(4, 5)),
        guidance_scale=draw(st.sampled_from([1.0, 1.5, 7.5, 30.0])),
        width_pixels=draw(st.sampled_from([8, 16])),
        height_pixels=draw(st.sampled_from([8, 16])),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=requests())
def test_any_request_gives_the_pipelines_image(model, pipeline, request):
    difference = np.abs(image_of(model, request).astype(int) - expected_of(pipeline, request))
    # Bits are promised between runs of the engine. Against the pipeline, kernels of processors without
    # AVX-512 rarely round a value the other way, and a large guidance scale enlarges that.
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 0.01 * difference.size


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerAncestralDiscreteScheduler", "LCMScheduler"])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_latents_to_start_from_are_the_pipelines(model, pipeline, name, weight):
    latents = np.random.default_rng(1).standard_normal(model.description.latent_shape).astype(np.float32)
    conditioning = Conditioning(prompt="a cat", initial_latents=latents, initial_latents_weight=weight)
    request = request_for(conditioning, scheduler=name)
    generator = torch.Generator().manual_seed(request.seed)
    noise = torch.randn(1, *latents.shape, generator=generator)
    given_latents = (1 - weight**2) ** 0.5 * noise + weight * torch.from_numpy(latents)[None]
    expected = expected_of(pipeline, request, latents=given_latents, generator=generator)
    np.testing.assert_array_equal(image_of(model, request), expected)


# --- models for few steps ------------------------------------------------------------------------------


def test_a_turbo_checkpoint_is_recognised_and_gives_the_pipelines_image(directory_of, model_of):
    model = model_of(**TURBO)
    assert (model.description.default_steps, model.description.default_guidance_scale) == (4, 1.0)
    pipeline = quiet(StableDiffusionPipeline.from_pretrained(directory_of(**TURBO), safety_checker=None))
    for steps in range(1, 5):
        request = request_for(steps=steps, guidance_scale=1.0, scheduler="EulerDiscreteScheduler")
        # Those who call the pipeline directly turn guidance off by a scale of 0.
        expected = expected_of(pipeline, request, guidance_scale=0.0)
        np.testing.assert_array_equal(image_of(model, request), expected)


@pytest.mark.parametrize(
    ("options", "steps", "guidance_scale"),
    [
        ({}, 50, 7.5),
        ({"scheduler": "EulerDiscreteScheduler"}, 50, 7.5),
        ({"scheduler_options": {"timestep_spacing": "trailing"}}, 50, 7.5),
        (TURBO | {"scheduler": "EulerAncestralDiscreteScheduler"}, 4, 1.0),
        ({"scheduler": "LCMScheduler"}, 4, 1.0),
        ({"scheduler": "TCDScheduler"}, 4, 1.0),
        ({"scheduler": "LCMScheduler", "guidance_embedding_size": 8}, 4, 8.5),
    ],
)
def test_the_defaults_are_those_of_the_checkpoints_kind(model_of, options, steps, guidance_scale):
    description = model_of(**options).description
    assert (description.default_steps, description.default_guidance_scale) == (steps, guidance_scale)


@pytest.mark.parametrize("guidance_scale", [1.0, 8.5])
def test_a_latent_consistency_model_takes_one_row_and_gives_the_pipelines_image(
    directory_of, model_of, guidance_scale
):
    options = {"scheduler": "LCMScheduler", "guidance_embedding_size": 8}
    model, directory = model_of(**options), directory_of(**options)
    assert model.description.guidance_rows == 1
    text = Conditioning(prompt="a cat")
    request = request_for(text, steps=4, guidance_scale=guidance_scale, scheduler="LCMScheduler")
    assert len(Sampler(model, request).rows()) == 1
    image = image_of(model, request)
    own = quiet(LatentConsistencyModelPipeline.from_pretrained(directory, safety_checker=None))
    expected = own(
        "a cat",
        num_inference_steps=4,
        guidance_scale=guidance_scale,
        width=SIZE_PIXELS,
        height=SIZE_PIXELS,
        generator=torch.Generator().manual_seed(request.seed),
    ).images[0]
    np.testing.assert_array_equal(image, np.asarray(expected))
    general = quiet(StableDiffusionPipeline.from_pretrained(directory, safety_checker=None))
    np.testing.assert_array_equal(image, expected_of(general, request))
    from_image = Conditioning(prompt="a cat", initial_image=INITIAL_IMAGE, strength=0.6)
    request = request_for(from_image, steps=4, guidance_scale=guidance_scale, scheduler="LCMScheduler")
    np.testing.assert_array_equal(image_of(model, request), expected_of(general, request))


def test_the_scale_of_a_latent_consistency_model_matters(model_of):
    model = model_of(scheduler="LCMScheduler", guidance_embedding_size=8)
    images = [
        image_of(model, request_for(steps=4, guidance_scale=scale, scheduler="LCMScheduler"))
        for scale in (1.0, 8.5)
    ]
    assert np.any(images[0] != images[1])


# --- what a directory says -----------------------------------------------------------------------------


@pytest.fixture
def fresh_directory(tmp_path):
    save_untrained_stable_diffusion(tmp_path / "tiny-sd")
    return tmp_path / "tiny-sd"


def loaded(directory, **options):
    return load_model(str(directory), LoadingOptions(CPU, **({"dtype": "float32"} | options)))


def write_manifest(directory, **manifest):
    (directory / "manifest.json").write_text(json.dumps(manifest))


def test_a_manifest_gives_defaults_and_the_licence(fresh_directory):
    write_manifest(fresh_directory, defaults={"steps": 12, "guidance_scale": 2}, licence="MIT")
    description = loaded(fresh_directory).description
    assert (description.default_steps, description.default_guidance_scale) == (12, 2.0)
    assert description.license == "MIT"
    write_manifest(fresh_directory, defaults={"steps": 12})
    description = loaded(fresh_directory).description
    assert (description.default_steps, description.default_guidance_scale) == (12, 7.5)


@pytest.mark.parametrize(
    "defaults", [{"steps": 0}, {"steps": "many"}, {"guidance_scale": 0.5}, {"guidance_scale": None}, [1]]
)
def test_defaults_that_no_request_could_name_are_refused(fresh_directory, defaults):
    write_manifest(fresh_directory, defaults=defaults)
    with pytest.raises(ModelFilesError, match="'tiny-sd' has defaults"):
        loaded(fresh_directory)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: openrail++\ntags:\n- text-to-image\n---\n# Card\n", "openrail++"),
        ("---\nlicense: other\nlicense_name: 'stability-ai'\n---\n", "stability-ai"),
        ("---\nlicense: other\n---\n", "other"),
        ("# Card\nlicense: MIT\n", ""),
        ("", ""),
        ("---\ntags: []\n---\nlicense: MIT\n", ""),
    ],
)
def test_the_model_card_gives_the_licence(fresh_directory, card, licence):
    (fresh_directory / "README.md").write_text(card)
    assert loaded(fresh_directory).description.license == licence


@pytest.mark.parametrize(
    "name", ["unet/config.json", "unet/*.safetensors", "vae/*.safetensors", "tokenizer/*"]
)
def test_a_missing_file_is_an_error_of_one_line(fresh_directory, name):
    for path in fresh_directory.glob(name):
        path.unlink()
    with pytest.raises(ModelFilesError, match="Model 'tiny-sd' cannot be loaded: ") as caught:
        loaded(fresh_directory)
    assert "\n" not in str(caught.value)


def test_missing_weights_are_no_random_ones(fresh_directory):
    path = next((fresh_directory / "unet").glob("*.safetensors"))
    weights = load_file(path)
    weights.pop("conv_in.weight")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelFilesError, match="unet"):
        loaded(fresh_directory)


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "text_encoder/model.safetensors"])
def test_a_damaged_file_is_an_error_of_one_line(fresh_directory, name):
    (fresh_directory / name).write_bytes(b"{ damaged")
    with pytest.raises(ModelFilesError) as caught:
        loaded(fresh_directory)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["StableDiffusionImg2ImgPipeline", "LatentConsistencyModelPipeline"])
def test_the_index_may_name_a_kindred_pipeline_and_classes_that_are_gone(fresh_directory, model, name):
    path = fresh_directory / "model_index.json"
    old = {"_class_name": name, "feature_extractor": ["transformers", "CLIPFeatureExtractor"]}
    path.write_text(json.dumps(json.loads(path.read_text()) | old))
    image = image_of(loaded(fresh_directory), request_for())
    np.testing.assert_array_equal(image, image_of(model, request_for()))


def test_a_model_of_another_family_is_refused(fresh_directory, tmp_path):
    index = json.loads((fresh_directory / "model_index.json").read_text())
    (fresh_directory / "model_index.json").write_text(json.dumps(index | {"_class_name": "FluxPipeline"}))
    with pytest.raises(ModelFilesError, match="'FluxPipeline'"):
        loaded(fresh_directory)


# --- memory and precision ------------------------------------------------------------------------------


def test_attention_in_slices_and_decoding_in_slices_and_tiles_are_switched_on_and_change_nothing(
    directory_of, model
):
    saving = loaded(directory_of(), attention_slicing=True, vae_slicing=True, vae_tiling=True)
    processors = {type(processor).__name__ for processor in saving.pipeline.unet.attn_processors.values()}
    assert processors == {"SlicedAttnProcessor"}
    assert saving.pipeline.vae.use_slicing
    assert saving.pipeline.vae.use_tiling
    assert not model.pipeline.vae.use_tiling
    request = request_for()
    difference = np.abs(image_of(saving, request).astype(int) - image_of(model, request))
    # Slices are summed in another order, which may round the other way.
    assert difference.max() <= 1


def test_tiles_are_decoded_one_by_one_and_blended(directory_of, model):
    saving = loaded(directory_of(), vae_tiling=True)
    saving.pipeline.vae.tile_latent_min_size = 8
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, tiled = model.decode(latents), saving.decode(latents)
    assert tiled.shape == whole.shape == (1, 32, 32, 3)
    assert np.any(tiled != whole)


def test_networks_cannot_be_kept_in_main_memory_without_a_gpu(directory_of):
    with pytest.raises(ModelFilesError, match="cpu_offload needs a GPU"):
        loaded(directory_of(), cpu_offload=True)


def test_bfloat16_runs_from_text_and_from_an_image(directory_of, model):
    half = loaded(directory_of(), dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    for conditioning in (
        Conditioning(prompt="a cat"),
        Conditioning(prompt="a cat", initial_image=INITIAL_IMAGE, strength=0.6),
    ):
        request = request_for(conditioning)
        difference = image_of(half, request).astype(int) - image_of(model, request)
        # bfloat16 has 8 bits of significand: it shows, and the image stays recognisable.
        assert 0 < np.abs(difference).mean() < 25


def test_an_image_does_not_depend_on_what_was_encoded_before(directory_of):
    half = loaded(directory_of(), dtype="bfloat16")
    before = image_of(half, request_for())
    image_of(half, request_for(Conditioning(prompt="a cat", initial_image=INITIAL_IMAGE)))
    np.testing.assert_array_equal(image_of(half, request_for()), before)
    assert half.pipeline.vae.dtype == torch.bfloat16


@pytest.mark.parametrize(("force_upcast", "expected"), [(True, torch.float32), (False, torch.float16)])
def test_an_autoencoder_beyond_the_range_of_float16_is_kept_in_float32(
    fresh_directory, force_upcast, expected
):
    path = fresh_directory / "vae" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"force_upcast": force_upcast}))
    model = loaded(fresh_directory, dtype="float16")
    assert model.pipeline.unet.dtype == torch.float16
    assert model.pipeline.vae.dtype == expected
    assert image_of(model, request_for()).shape == (SIZE_PIXELS, SIZE_PIXELS, 3)


# --- through the engine --------------------------------------------------------------------------------


async def test_companions_do_not_change_an_image(model, pipeline, make_engine, events_of):
    requests = [
        request_for(seed=seed, guidance_scale=scale, steps=3 + seed % 3)
        for seed, scale in enumerate([1.0, 4.0, 4.0, 1.0, 4.0])
    ]
    async with make_engine(model, batch_size=3, decode_batch_size=2) as engine:
        together = await asyncio.gather(*(events_of(engine, request) for request in requests))
        for request, events in zip(requests, together, strict=True):
            alone = await events_of(engine, request)
            assert events[-1].content == alone[-1].content


async def test_the_engines_image_is_the_pipelines(model, pipeline, make_engine, events_of):
    async with make_engine(model) as engine:
        events = await events_of(
            engine, request_for(), previews=PreviewOptions(interval_steps=1, size_pixels=8)
        )
    previews = [event.preview for event in events if isinstance(event, Progress)]
    assert [preview and preview.width_pixels for preview in previews] == [8, 8, 8, 8, None]
    shown = np.asarray(Image.open(io.BytesIO(events[-1].content)))
    np.testing.assert_array_equal(shown, expected_of(pipeline, request_for()))
