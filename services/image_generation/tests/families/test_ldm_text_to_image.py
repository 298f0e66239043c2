"""CompVis's text-to-image models: images equal to those of diffusers' own pipeline."""

from __future__ import annotations

import asyncio
import io
import shutil
from dataclasses import replace

import grpc
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, LDMTextToImagePipeline, VQModel
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Conditioning, GenerationRequest, PreviewOptions, Progress
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.ldm_text_to_image import (
    save_untrained_ldm_text_to_image,
)

CPU = LoadingOptions(torch.device("cpu"), dtype="float32")
SIDE = 64
SCHEDULERS = SchedulerCatalog(DDIMScheduler()).names
AUTOENCODERS = {"kl": AutoencoderKL, "quantized": VQModel}
# With LMS, diffusers hands a tensor to NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")


@pytest.fixture(scope="module", params=AUTOENCODERS)
def autoencoder(request):
    return request.param


@pytest.fixture(scope="module")
def directory(autoencoder, tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / f"tiny-ldm-{autoencoder}"
    save_untrained_ldm_text_to_image(
        directory, seed=2, sample_size=SIDE // 8, is_quantized=autoencoder == "quantized"
    )
    return directory


@pytest.fixture(scope="module")
def model(directory):
    return load_model(str(directory), CPU)


@pytest.fixture(scope="module")
def published_image(directory):
    """Return a function that makes diffusers' pipeline generate an image.

    The pipeline lacks what was added to others later: it neither brings the noise to a scheduler's first
    noise level nor scales what the UNet sees of it. With most schedulers both change nothing, and it is done
    for the pipeline here, so that it can be asked for the images of the others too.
    """
    pipeline = LDMTextToImagePipeline.from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    schedulers = SchedulerCatalog(pipeline.scheduler)

    def scale(_, arguments):
        latents, timestep = arguments
        return pipeline.scheduler.scale_model_input(latents, timestep), timestep

    pipeline.unet.register_forward_pre_hook(scale)

    def publish(request, start=None):
        pipeline.scheduler = schedulers.new(request.scheduler)
        pipeline.scheduler.set_timesteps(request.steps)
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            # The pipeline gives its schedulers no generator: they draw from torch's own.
            torch.manual_seed(request.seed)
            noise = torch.randn(1, 4, request.height_pixels // 8, request.width_pixels // 8)
            (image,) = pipeline(
                request.conditioning.prompt,
                height=request.height_pixels,
                width=request.width_pixels,
                num_inference_steps=request.steps,
                guidance_scale=request.guidance_scale,
                # The pipeline sets eta for every scheduler that has one; TCD's own default is this.
                eta=0.3 if request.scheduler == "TCDScheduler" else 0.0,
                latents=(noise if start is None else start) * pipeline.scheduler.init_noise_sigma,
            ).images
        return np.asarray(image)

    return publish


def request_for(seed=0, *, prompt="a lighthouse in a storm", **fields):
    defaults = {
        "conditioning": Conditioning(prompt=prompt),
        "steps": 4,
        "guidance_scale": 5.0,
        "scheduler": "DDIMScheduler",
        "width_pixels": SIDE,
        "height_pixels": SIDE,
    }
    return GenerationRequest(seed=seed, **(defaults | fields))


def image_by_steps(model, request):
    """The image of a model, taken through its steps without an engine."""
    with torch.inference_mode():
        sampler = Sampler(model, request)
        while not sampler.is_denoised:
            sampler.advance(list(model.denoise(sampler.rows())))
        return model.decode(sampler.latents[None])[0]


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_images_are_those_of_the_published_pipeline(
    make_engine, model, published_image, image_of, scheduler, guidance_scale
):
    request = request_for(len(scheduler), scheduler=scheduler, guidance_scale=guidance_scale)
    async with make_engine(model) as engine:
        image = await image_of(engine, request)
    assert image.std() > 5
    assert np.array_equal(image, published_image(request))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    prompt=st.text(max_size=100),
    steps=st.integers(1, 4),
    guidance_scale=st.sampled_from([1.0, 1.5, 5.0, 9.0]),
    # Those of 48 pixels have latents that fill no whole vectors of the processor: their last bits may depend
    # on a row's place in the call, which is the pipeline's.
    sides=st.tuples(*[st.sampled_from([32, 48, 64])] * 2),
)
def test_so_they_are_whatever_is_asked_for(
    model, published_image, seed, prompt, steps, guidance_scale, sides
):
    request = request_for(
        seed,
        prompt=prompt,
        steps=steps,
        guidance_scale=guidance_scale,
        width_pixels=sides[0],
        height_pixels=sides[1],
    )
    assert np.array_equal(image_by_steps(model, request), published_image(request))


async def test_given_latents_are_where_it_starts(make_engine, model, published_image, image_of):
    latents = np.random.default_rng(0).standard_normal(model.description.latent_shape).astype(np.float32)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)).numpy()
    async with make_engine(model) as engine:
        for weight in (1.0, 0.3):
            conditioning = Conditioning(initial_latents=latents, initial_latents_weight=weight)
            request = request_for(conditioning=conditioning)
            start = np.float32(np.sqrt(1 - weight**2)) * noise + np.float32(weight) * latents
            expected = published_image(request, torch.from_numpy(start)[None])
            # Rounding of the blend is all in which the two can differ, and it can decide a pixel's rounding.
            assert np.abs((await image_of(engine, request)).astype(int) - expected).max() <= (weight != 1)


async def test_a_negative_prompt_takes_the_place_of_the_empty_one(make_engine, model, image_of):
    async with make_engine(model) as engine:
        plain = await image_of(engine, request_for())
        conditioning = Conditioning(prompt="a lighthouse in a storm", negative_prompt="rain")
        guided = request_for(conditioning=conditioning)
        assert not np.array_equal(plain, await image_of(engine, guided))
        # Guided by the difference to itself, a prompt has no scale.
        same = Conditioning(prompt="rain", negative_prompt="rain")
        alone = await image_of(engine, request_for(prompt="rain", guidance_scale=1.0))
        both = await image_of(engine, request_for(conditioning=same))
        assert np.abs(alone.astype(int) - both).max() <= 1


async def test_companions_do_not_change_an_image(make_engine, model, image_of):
    requests = [
        request_for(
            seed,
            prompt="storm" * seed,
            steps=2 + seed,
            guidance_scale=(1.0, 5.0)[seed % 2],
            height_pixels=64 - 16 * (seed % 2),
        )
        for seed in range(5)
    ]
    async with make_engine(model, batch_size=4) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        for request, image in zip(requests, together, strict=True):
            assert np.array_equal(image, await image_of(engine, request))


async def test_previews_are_small_images(make_engine, model, events_of):
    async with make_engine(model) as engine:
        events = await events_of(engine, request_for(), previews=PreviewOptions(2, 32))
    previews = [event.preview for event in events if isinstance(event, Progress) and event.preview]
    assert [(preview.width_pixels, preview.height_pixels) for preview in previews] == [(32, 32)]


def test_the_published_models_shapes_are_the_default(tmp_path):
    save_untrained_ldm_text_to_image(tmp_path / "model")
    description = load_model(str(tmp_path / "model"), CPU).description
    assert description.latent_shape == (4, 32, 32)
    assert description.image_size_pixels == (256, 256)
    assert description.required_inputs == frozenset()
    assert description.embedding_space is None
    assert 512 in description.sizes


def test_memory_is_saved_where_it_can_be(directory, autoencoder):
    options = replace(CPU, vae_slicing=True, vae_tiling=True, attention_slicing=True)
    saving = load_model(str(directory), options)
    vqvae = saving._pipeline.vqvae
    assert (
        getattr(vqvae, "use_slicing", False) == getattr(vqvae, "use_tiling", False) == (autoencoder == "kl")
    )
    assert image_by_steps(saving, request_for()).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize(
    "missing", ["bert/model.safetensors", "unet/config.json", "vqvae/diffusion_pytorch_model.safetensors"]
)
def test_a_missing_file_is_told(directory, tmp_path, missing):
    shutil.copytree(directory, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(ModelFilesError, match="'copy' cannot be loaded"):
        load_model(str(tmp_path / "copy"), CPU)


def test_the_model_card_gives_the_licence(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert load_model(str(tmp_path / "copy"), CPU).description.license == "apache-2.0"


def test_additions_are_refused(directory, tmp_path):
    AutoencoderTiny(encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4).save_pretrained(
        tmp_path / "tiny"
    )
    with pytest.raises(ModelFilesError, match="takes no tiny decoder"):
        load_model(f"{directory}+{tmp_path / 'tiny'}", CPU)


def test_the_autoencoder_is_the_kind_that_was_asked_for(autoencoder, model):
    assert type(model._pipeline.vqvae) is AUTOENCODERS[autoencoder]


@pytest.fixture
async def stub(directory):
    configuration = ImageGenerationSettings(model=str(directory), thread_count=1, dtype="float32")
    async with loopback_service(compose(configuration), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


async def test_the_service_answers_with_the_published_pipelines_images(stub, published_image):
    (info,) = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert info.family == "ldm-text-to-image"
    assert input_names(info) == ("initial_latents", "negative_prompt", "prompt")
    assert input_names(info, required_only=True) == ()
    assert not info.image_generation.input_spaces
    for prompt in ("", "a lighthouse in a storm"):
        message = image_pb2.GenerateImageRequest(
            conditioning=image_pb2.Conditioning(prompt=prompt),
            options=generation_pb2.GenerationOptions(seed=6, steps=4, guidance_scale=5.0),
        )
        events = [event async for event in stub.GenerateImage(message)]
        image = np.asarray(Image.open(io.BytesIO(events[-1].completed.image.content)))
        assert np.array_equal(image, published_image(request_for(6, prompt=prompt)))


async def test_bad_fields_are_named(stub):
    foreign, wrong_shape = image_pb2.Conditioning(), image_pb2.Conditioning()
    foreign.audio_embedding.space = "clap-0000000000000000"
    wrong_shape.initial_latents.CopyFrom(to_tensor(np.zeros((4, 4, 4), np.float32)))
    for message, field in (
        (image_pb2.GenerateImageRequest(conditioning=foreign), "conditioning.audio_embedding"),
        (image_pb2.GenerateImageRequest(conditioning=wrong_shape), "conditioning.initial_latents.shape"),
        (
            image_pb2.GenerateImageRequest(options=generation_pb2.GenerationOptions(width_pixels=SIDE + 8)),
            "options.width_pixels",
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub.GenerateImage(message):
                pass
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        violations = from_rpc_error(caught.value).violations
        assert {violation.field for violation in violations} >= {field}
