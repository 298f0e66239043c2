"""Stable Diffusion XL and its refiner: the images of their diffusers pipelines, bit for bit."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from dataclasses import replace

import grpc
import numpy as np
import pytest
import pytest_asyncio
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.model.v1 import model_pb2
from chladni_contract.errors import ChladniError, Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import (
    Completed,
    Conditioning,
    GenerationRequest,
    PreviewOptions,
    Progress,
)
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import new_scheduler
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl import (
    XL_SCHEDULE,
    save_untrained_stable_diffusion_xl,
)
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl_refiner import (
    save_untrained_stable_diffusion_xl_refiner,
)
from chladni_image_generation.testing.untrained_checkpoints.tiny_decoder import save_untrained_tiny_decoder
from chladni_runtime.execution.cancellation import CancellationToken

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")

CPU = torch.device("cpu")
CATALOG = SchedulerCatalog(new_scheduler("EulerDiscreteScheduler", XL_SCHEDULE))
NOISY_SCHEDULERS = ("EulerAncestralDiscreteScheduler", "DDPMScheduler", "LCMScheduler")
SIZE_PIXELS = 16
INITIAL_IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
TURBO = {
    "scheduler": "EulerAncestralDiscreteScheduler",
    "scheduler_options": {"timestep_spacing": "trailing"},
}


@pytest.fixture(scope="module")
def directory_of(tmp_path_factory):
    """Return a function that gives the directory of an untrained base model with some options."""
    made = {}

    def directory_of(**options):
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("models") / "tiny-xl"
            save_untrained_stable_diffusion_xl(made[key], **options)
        return made[key]

    return directory_of


@pytest.fixture(scope="module")
def refiner_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "tiny-refiner"
    save_untrained_stable_diffusion_xl_refiner(directory, seed=1)
    return directory


def load(*directories, **options):
    reference = "+".join(map(str, directories))
    return load_model(reference, LoadingOptions(CPU, **{"dtype": "float32", **options}))


@pytest.fixture(scope="module")
def model(directory_of):
    return load(directory_of())


@pytest.fixture(scope="module")
def refined_model(directory_of, refiner_directory):
    return load(directory_of(), refiner_directory)


def base_pipeline(directory):
    return quiet(StableDiffusionXLPipeline.from_pretrained(directory, add_watermarker=False))


@pytest.fixture(scope="module")
def pipeline(directory_of):
    return base_pipeline(directory_of())


@pytest.fixture(scope="module")
def refiner(refiner_directory, pipeline):
    return quiet(
        StableDiffusionXLImg2ImgPipeline.from_pretrained(
            refiner_directory, vae=pipeline.vae, add_watermarker=False
        )
    )


def quiet(pipeline):
    """Return a pipeline that shows no progress and remembers the schedulers that fit its own."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.catalog = SchedulerCatalog(pipeline.scheduler)
    return pipeline


def conditioning_of(**fields):
    return Conditioning(**({"prompt": "a cat", "negative_prompt": "a dog"} | fields))


def request_for(conditioning=None, **fields):
    defaults = {
        "seed": 7,
        "steps": 5,
        "guidance_scale": 4.0,
        "scheduler": CATALOG.names[0],
        "width_pixels": SIZE_PIXELS,
        "height_pixels": SIZE_PIXELS,
    }
    return GenerationRequest(conditioning=conditioning or conditioning_of(), **(defaults | fields))


def image_of(model, request):
    with torch.inference_mode():
        sampler = Sampler(model, request)
        while not sampler.is_denoised:
            sampler.advance(list(model.denoise(sampler.rows())))
        return model.decode(sampler.latents[None])[0]


def scheduler_for(pipeline, request):
    """Return a scheduler that leaves latents of an initial image with one channel after the other.

    The autoencoder leaves the channels of a pixel together, the rows of the engine's calls never have them
    so, and convolutions round differently for the one and the other.
    """
    scheduler = pipeline.catalog.new(request.scheduler)
    add_noise = scheduler.add_noise
    scheduler.add_noise = lambda *arguments: add_noise(*arguments).contiguous()
    return scheduler


def arguments_of(request, generator):
    return {
        "prompt": request.conditioning.prompt,
        "negative_prompt": request.conditioning.negative_prompt or None,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "generator": generator,
        # The pipelines pass DDIM's 0 to TCD too, whose own is 0.3 (Zheng et al. 2024).
        "eta": 0.3 if request.scheduler == "TCDScheduler" else 0.0,
    }


def expected_of(pipeline, request, *, refiner=None):
    """Return what the pipelines that serve people directly make of a request, drawing from one generator."""
    generator = torch.Generator().manual_seed(request.seed)
    arguments = arguments_of(request, generator)
    start = request.refiner_start
    if refiner is not None:
        ends = {"denoising_end": start, "output_type": "latent"}
    pipeline.scheduler = scheduler_for(pipeline, request)
    image = request.conditioning.initial_image
    if image is None:
        size = {"width": request.width_pixels, "height": request.height_pixels}
        images = pipeline(**arguments, **size, **(ends if refiner else {})).images
    else:
        zeros = pipeline.config.force_zeros_for_empty_prompt
        from_image = quiet(
            StableDiffusionXLImg2ImgPipeline(
                **pipeline.components, force_zeros_for_empty_prompt=zeros, add_watermarker=False
            )
        )
        images = from_image(
            **arguments,
            image=Image.fromarray(image),
            strength=request.conditioning.strength,
            **(ends if refiner else {}),
        ).images
    if refiner is not None:
        refiner.scheduler = scheduler_for(refiner, request)
        images = refiner(**arguments, image=images, denoising_start=start).images
    return np.asarray(images[0])


def assert_equal_images(image, expected):
    np.testing.assert_array_equal(image, expected)
    assert image.std() > 1, "an image of nothing proves nothing"


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CATALOG.names)))
def test_a_text_gives_the_pipelines_image(model, pipeline, seed, name):
    request = request_for(seed=seed, scheduler=name, guidance_scale=(1.0, 4.0)[seed % 2])
    assert_equal_images(image_of(model, request), expected_of(pipeline, request))


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CATALOG.names)))
def test_an_image_and_a_text_give_the_pipelines_image(model, pipeline, seed, name):
    conditioning = conditioning_of(initial_image=INITIAL_IMAGE, strength=0.6)
    request = request_for(
        conditioning, seed=seed, scheduler=name, steps=7, guidance_scale=(4.0, 1.0)[seed % 2]
    )
    assert_equal_images(image_of(model, request), expected_of(pipeline, request))


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CATALOG.names)))
def test_base_and_refiner_give_the_ensembles_image(refined_model, pipeline, refiner, seed, name):
    request = request_for(seed=seed, scheduler=name, steps=6, refiner_start=(0.6, 0.8)[seed % 2])
    image = image_of(refined_model, request)
    assert_equal_images(image, expected_of(pipeline, request, refiner=refiner))
    assert not np.array_equal(image, expected_of(pipeline, request))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    conditioning=st.builds(
        Conditioning,
        prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90),
        negative_prompt=st.sampled_from(["", "a dog"]),
    ),
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(2, 5),
    guidance_scale=st.sampled_from([1.0, 2.5]),
    start_and_strength=st.sampled_from(
        [(None, None), (None, 0.75), (0.4, None), (0.8, None), (0.8, 0.75), (0.4, 1.0)]
    ),
    name=st.sampled_from(["EulerDiscreteScheduler", *NOISY_SCHEDULERS]),
    sides=st.sampled_from([(16, 16), (32, 16)]),
)
def test_whatever_is_asked_for_the_pipelines_image_comes(
    refined_model, pipeline, refiner, conditioning, start_and_strength, sides, name, **fields
):
    start, strength = start_and_strength
    width_pixels, height_pixels = sides
    if strength is not None:
        image = np.resize(INITIAL_IMAGE, (height_pixels, width_pixels, 3))
        conditioning = replace(conditioning, initial_image=image, strength=strength)
    request = request_for(
        conditioning,
        scheduler=name,
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        refiner_start=start,
        **fields,
    )
    expected = expected_of(pipeline, request, refiner=refiner if start else None)
    np.testing.assert_array_equal(image_of(refined_model, request), expected)


def test_an_image_with_little_noise_is_the_refiners_alone(refined_model, refiner):
    conditioning = conditioning_of(initial_image=INITIAL_IMAGE, strength=0.2)
    request = request_for(conditioning, steps=10, refiner_start=0.5)
    assert [stage.network for stage in stages_of(refined_model, request)] == ["refiner"]
    refiner.scheduler = scheduler_for(refiner, request)
    arguments = arguments_of(request, torch.Generator().manual_seed(request.seed))
    expected = refiner(**arguments, image=Image.fromarray(INITIAL_IMAGE), strength=0.2).images[0]
    assert_equal_images(image_of(refined_model, request), np.asarray(expected))


def stages_of(model, request):
    with torch.inference_mode():
        return model.plan(request, torch.Generator()).stages


@pytest.mark.parametrize("start", [1.0, None])
def test_a_refiner_that_is_left_out_leaves_the_base_models_image(model, refined_model, start):
    request = request_for(refiner_start=start)
    np.testing.assert_array_equal(image_of(refined_model, request), image_of(model, request_for()))


@pytest.mark.parametrize(
    ("steps", "start", "expected"),
    [(10, 0.8, [("", 8), ("refiner", 2)]), (10, 0.01, [("refiner", 10)]), (10, 0.9999, [("", 10)])],
)
def test_every_timestep_is_taken_once(refined_model, steps, start, expected):
    stages = stages_of(refined_model, request_for(steps=steps, refiner_start=start))
    assert [(stage.network, len(stage.timesteps)) for stage in stages] == expected
    timesteps = torch.cat([stage.timesteps for stage in stages])
    assert (timesteps.diff() < 0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"force_zeros_for_empty_prompt": False},
        {"autoencoder_options": {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [2.0, 3.0, 1.5, 1.0]}},
        {"guidance_embedding_size": 6, "scheduler": "LCMScheduler"},
        TURBO,
        {"scheduler_options": {"prediction_type": "v_prediction"}, "seed": 3},
    ],
    ids=["empty negative prompt", "latent statistics", "latent consistency", "turbo", "v prediction"],
)
@pytest.mark.parametrize("image", [None, INITIAL_IMAGE], ids=["text", "image"])
def test_other_kinds_of_checkpoints_give_the_pipelines_image(directory_of, options, image):
    directory = directory_of(**options)
    model = load(directory)
    conditioning = Conditioning(prompt="a cat", initial_image=image)
    request = request_for(conditioning, scheduler=model.description.scheduler_names[0])
    assert_equal_images(image_of(model, request), expected_of(base_pipeline(directory), request))


def test_a_refiner_that_is_told_the_target_size_gives_its_pipelines_image(directory_of, pipeline, tmp_path):
    save_untrained_stable_diffusion_xl_refiner(tmp_path / "refiner", requires_aesthetics_score=False)
    refiner = StableDiffusionXLImg2ImgPipeline.from_pretrained(
        tmp_path / "refiner", vae=pipeline.vae, add_watermarker=False
    )
    request = request_for(refiner_start=0.6)
    image = image_of(load(directory_of(), tmp_path / "refiner"), request)
    assert_equal_images(image, expected_of(pipeline, request, refiner=quiet(refiner)))


def test_a_base_model_that_is_told_its_guidance_is_refined_by_one_that_needs_two_rows(
    directory_of, refiner_directory, refiner
):
    directory = directory_of(guidance_embedding_size=6, scheduler="LCMScheduler")
    model = load(directory, refiner_directory)
    request = request_for(scheduler="LCMScheduler", refiner_start=0.6)
    with torch.inference_mode():
        sampler = Sampler(model, request)
        assert [group.rows_per_request for group, _ in sampler.remaining] == [1, 2]
    image = image_of(model, request)
    assert_equal_images(image, expected_of(base_pipeline(directory), request, refiner=refiner))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("image", [None, INITIAL_IMAGE], ids=["text", "image"])
def test_half_precision_gives_nearly_the_same_image(
    directory_of, refiner_directory, refined_model, dtype, image
):
    model = load(directory_of(), refiner_directory, dtype=dtype)
    assert model.dtype is getattr(torch, dtype)
    request = request_for(conditioning_of(initial_image=image), refiner_start=0.6)
    rounded, reproducible = (image_of(one, request).astype(int) for one in (model, refined_model))
    assert 0 < np.abs(rounded - reproducible).mean() < 1.5


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
@pytest.mark.parametrize("start", [1.0, 0.4])
def test_texts_decide_in_both_stages(refined_model, field, start):
    requests = [
        request_for(conditioning_of(**{field: text}), refiner_start=start) for text in ("red", "blue")
    ]
    first, second = (image_of(refined_model, request) for request in requests)
    assert not np.array_equal(first, second)


def test_given_latents_take_the_place_of_noise(model, pipeline):
    latents = np.random.default_rng(3).standard_normal((4, 8, 8)).astype(np.float32)
    request = request_for(conditioning_of(initial_latents=latents))
    pipeline.scheduler = scheduler_for(pipeline, request)
    arguments = arguments_of(request, torch.Generator())
    expected = pipeline(**arguments, latents=torch.from_numpy(latents)[None], width=16, height=16).images[0]
    assert_equal_images(image_of(model, request), np.asarray(expected))


def test_the_description_tells_what_is_taken_and_made(model, refined_model, directory_of):
    description = refined_model.description
    assert description.family == "stable-diffusion-xl"
    assert description.id == "tiny-xl+tiny-refiner"
    assert description.required_inputs == {"prompt"}
    assert description.inputs == {"prompt", "negative_prompt", "initial_image", "initial_latents"}
    assert description.default_refiner_start == 0.8
    assert model.description.default_refiner_start is None
    assert (description.default_steps, description.default_guidance_scale) == (50, 5.0)
    assert description.image_size_pixels == (SIZE_PIXELS, SIZE_PIXELS)
    assert description.digest != model.description.digest
    turbo = load(directory_of(**TURBO)).description
    assert (turbo.default_steps, turbo.default_guidance_scale) == (4, 1.0)
    assert load(directory_of(guidance_embedding_size=6)).description.guidance_rows == 1


def test_sides_are_multiples_that_all_denoisers_can_halve(model, refined_model):
    sizes = model.description.sizes
    assert [side for side in range(1, 100) if side in sizes] == [8, 16, 24, 32]
    assert [side for side in range(1, 100) if side in refined_model.description.sizes] == [16, 32]


def test_the_manifest_overrides_what_is_usual(directory_of, tmp_path):
    directory = shutil.copytree(directory_of(), tmp_path / "named")
    manifest = {"licence": "CC0-1.0", "defaults": {"steps": 30, "guidance_scale": 7.0}}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    description = load(directory).description
    assert (description.default_steps, description.default_guidance_scale) == (30, 7.0)
    assert description.license == "CC0-1.0"


def test_a_text_encoder_that_base_and_refiner_share_is_kept_once(directory_of, refiner_directory, tmp_path):
    def pipelines_of(refiner):
        return [denoiser._pipeline for denoiser in load(directory_of(), refiner)._denoisers.values()]

    directory = shutil.copytree(refiner_directory, tmp_path / "sharing")
    shutil.rmtree(directory / "text_encoder_2")
    shutil.copytree(directory_of() / "text_encoder_2", directory / "text_encoder_2")
    base, refiner = pipelines_of(directory)
    assert base.text_encoder_2 is refiner.text_encoder_2
    base, refiner = pipelines_of(refiner_directory)
    assert base.text_encoder_2 is not refiner.text_encoder_2


def test_a_tiny_decoder_makes_previews_and_images_if_wanted(
    directory_of, refiner_directory, refined_model, tmp_path
):
    save_untrained_tiny_decoder(tmp_path / "tiny", seed=4)
    parts = (directory_of(), refiner_directory, tmp_path / "tiny")
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    previewing, decoding = load(*parts), load(*parts, tiny_decoder_for_images=True)
    with torch.inference_mode():
        preview, image = previewing.preview(latents[0], 16), refined_model.decode(latents)[0]
        assert not np.array_equal(preview, refined_model.preview(latents[0], 16))
        np.testing.assert_array_equal(previewing.decode(latents)[0], image)
        np.testing.assert_array_equal(decoding.decode(latents)[0], preview)


@pytest.mark.parametrize(
    ("of_refiner", "name"),
    [
        (False, "unet/diffusion_pytorch_model.safetensors"),
        (False, "text_encoder_2/model.safetensors"),
        (False, "scheduler/scheduler_config.json"),
        (True, "unet/config.json"),
        (True, "text_encoder_2/model.safetensors"),
    ],
)
def test_a_missing_file_is_told(directory_of, refiner_directory, tmp_path, of_refiner, name):
    base = shutil.copytree(directory_of(), tmp_path / "base")
    refiner = shutil.copytree(refiner_directory, tmp_path / "refiner")
    ((refiner if of_refiner else base) / name).unlink()
    with pytest.raises(ModelFilesError, match="cannot be loaded") as caught:
        load(base, refiner)
    assert str(tmp_path) not in str(caught.value)


def test_a_refiner_for_other_schedulers_is_refused(directory_of, refiner_directory, tmp_path):
    directory = shutil.copytree(refiner_directory, tmp_path / "flow")
    config = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    (directory / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    index = json.loads((directory / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    (directory / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFilesError, match="EulerDiscreteScheduler"):
        load(directory_of(), directory)


def companions():
    """Return requests that are in other places of both stages, of other sizes, and some unguided."""
    return [
        request_for(
            conditioning_of(prompt=f"prompt {index}"),
            seed=index,
            steps=3 + 2 * (index % 3),
            guidance_scale=1.0 + 2 * (index % 2),
            scheduler=(CATALOG.names[0], *NOISY_SCHEDULERS)[index % 4],
            width_pixels=(16, 32)[index // 4],
            refiner_start=(0.3, 0.7, 1.0)[index % 3],
        )
        for index in range(8)
    ]


@pytest.mark.parametrize("batch_size", [1, 3])
async def test_companions_never_change_an_image(make_engine, image_of_engine, refined_model, batch_size):
    requests = companions()
    async with make_engine(refined_model, batch_size=batch_size) as engine:
        together = await asyncio.gather(*(image_of_engine(engine, request) for request in requests))
        for request, image in zip(requests, together, strict=True):
            np.testing.assert_array_equal(image, await image_of_engine(engine, request))


async def test_the_engine_gives_the_ensembles_image(
    make_engine, image_of_engine, refined_model, pipeline, refiner
):
    requests = [request for request in companions() if request.refiner_start < 1]
    async with make_engine(refined_model) as engine:
        images = await asyncio.gather(*(image_of_engine(engine, request) for request in requests))
    for request, image in zip(requests, images, strict=True):
        assert_equal_images(image, expected_of(pipeline, request, refiner=refiner))


@pytest.fixture(name="image_of_engine")
def _image_of_engine(image_of):
    return image_of


async def test_progress_counts_the_steps_of_both_stages_with_previews_in_each(
    make_engine, events_of, refined_model
):
    request = request_for(steps=6, refiner_start=0.6)
    async with make_engine(refined_model) as engine:
        events = await events_of(engine, request, previews=PreviewOptions(1, 16))
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.step, event.total_steps) for event in progress] == [(step, 6) for step in range(1, 7)]
    assert [event.preview is not None for event in progress] == [True] * 5 + [False]
    previews = {event.preview.jpeg for event in progress[:-1]}
    assert len(previews) == 5
    assert events[-1].provenance.refiner_start == 0.6


async def test_a_request_is_cancelled_in_its_second_stage(make_engine, refined_model, events_of):
    token = CancellationToken()
    steps = []

    async def follow(engine):
        async for event in engine.generate(request_for(steps=40, refiner_start=0.2), token):
            if isinstance(event, Progress):
                steps.append(event.step)
            if steps[-1:] == [12]:
                token.cancel()

    async with make_engine(refined_model) as engine:
        with pytest.raises(ChladniError) as caught:
            await follow(engine)
        assert caught.value.reason is Reason.CANCELLED
        assert steps[-1] < 40
        assert isinstance((await events_of(engine, request_for(refiner_start=0.4)))[-1], Completed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(directory_of, refiner_directory):
    settings = ImageGenerationSettings(
        model=f"{directory_of()}+{refiner_directory}",
        further_models=f"{directory_of()}, {refiner_directory}+{refiner_directory}",
        thread_count=1,
        max_steps=50,
        batch_size=2,
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(*, conditioning=None, **options):
    defaults = {"seed": 7, "steps": 5, "guidance_scale": 4.0}
    return image_pb2.GenerateImageRequest(
        conditioning=conditioning or image_pb2.Conditioning(prompt="a cat", negative_prompt="a dog"),
        options=generation_pb2.GenerationOptions(**(defaults | options)),
    )


async def completed_of(stub, message):
    return [event async for event in stub.GenerateImage(message)][-1].completed


def pixels_of(completed):
    return np.asarray(Image.open(io.BytesIO(completed.image.content)))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_service_gives_the_ensembles_image(stub, pipeline, refiner):
    completed = await completed_of(stub, message_for())
    request = request_for(refiner_start=0.8)
    assert_equal_images(pixels_of(completed), expected_of(pipeline, request, refiner=refiner))
    assert completed.provenance.refiner_start == 0.8
    for fields in ({"refiner_start": 1.0}, {"model": "tiny-xl"}):
        base = await completed_of(stub, message_for(**fields))
        assert_equal_images(pixels_of(base), expected_of(pipeline, request_for()))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_service_describes_the_models(stub):
    ensemble, base, unavailable = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert ensemble.family == base.family == "stable-diffusion-xl"
    assert input_names(ensemble, required_only=True) == ("prompt",)
    assert "refiner_start" in input_names(ensemble)
    assert ensemble.image_generation.default_refiner_start == 0.8
    assert "refiner_start" not in input_names(base)
    assert not base.image_generation.HasField("default_refiner_start")
    assert unavailable.state == model_pb2.MODEL_STATE_UNAVAILABLE
    assert "StableDiffusionXLImg2ImgPipeline" in unavailable.unavailable_reason


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"conditioning": image_pb2.Conditioning(negative_prompt="a dog")}, "conditioning.prompt"),
        ({"refiner_start": 0.0}, "options.refiner_start"),
        ({"refiner_start": 0.5, "model": "tiny-xl"}, "options.refiner_start"),
        ({"upscale": 2}, "options.upscale"),
        ({"width_pixels": 24}, "options.width_pixels"),
    ],
)
async def test_bad_requests_are_told_by_field(stub, fields, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await completed_of(stub, message_for(**fields))
    error = from_rpc_error(caught.value)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in [violation.field for violation in error.violations]
