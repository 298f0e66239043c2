"""Unconditional models on pixels: images equal to those of diffusers' own pipelines."""

from __future__ import annotations

import asyncio
import io
import shutil

import grpc
import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, DDIMPipeline, DDPMPipeline, DDPMScheduler, UNet2DModel
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni_contract.status import from_rpc_error
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.generation import Conditioning, GenerationRequest, PreviewOptions, Progress
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.ddpm import save_untrained_ddpm
from chladni_image_generation.training.diffusion.export import export_model

CPU = LoadingOptions(torch.device("cpu"), dtype="float32")
SIDE = 16
SCHEDULERS = SchedulerCatalog(DDPMScheduler()).names
KINDS = {"ddpm": (DDPMPipeline, 1), "ddim": (DDIMPipeline, 3)}
# With LMS, diffusers hands a tensor to NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def directory(kind, tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / f"tiny-{kind}"
    _, channels = KINDS[kind]
    save_untrained_ddpm(directory, seed=2, size_pixels=SIDE, channels=channels, is_ddim=kind == "ddim")
    return directory


@pytest.fixture(scope="module")
def model(directory):
    return load_model(str(directory), CPU)


@pytest.fixture(scope="module")
def published_image(directory, kind):
    """Return a function that makes diffusers' pipeline generate an image.

    The pipelines know no scheduler but their own; with another, what the pipelines of other families do with
    its noise level is done for them here.
    """
    pipeline = KINDS[kind][0].from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    schedulers = SchedulerCatalog(pipeline.scheduler)

    def publish(request):
        pipeline.scheduler = schedulers.new(request.scheduler)
        generator = torch.Generator().manual_seed(request.seed)
        if request.scheduler in ("DDPMScheduler", "DDIMScheduler"):
            (image,) = type_of(request)(unet=pipeline.unet, scheduler=pipeline.scheduler)(
                num_inference_steps=request.steps, generator=generator
            ).images
        else:
            image = by_hand(pipeline, request, generator)
        return np.asarray(image.convert("RGB"))

    def type_of(request):
        made = DDPMPipeline if request.scheduler == "DDPMScheduler" else DDIMPipeline

        def make(**parts):
            pipeline = made(**parts)
            pipeline.set_progress_bar_config(disable=True)
            return pipeline

        return make

    return publish


@torch.inference_mode()
def by_hand(pipeline, request, generator):
    """The image by the steps that diffusers documents for any scheduler."""
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(request.steps)
    config = pipeline.unet.config
    shape = (1, config.in_channels, config.sample_size, config.sample_size)
    image = torch.randn(shape, generator=generator) * scheduler.init_noise_sigma
    options = {"generator": generator} if "generator" in scheduler.step.__code__.co_varnames else {}
    for timestep in scheduler.timesteps:
        noise = pipeline.unet(scheduler.scale_model_input(image, timestep), timestep).sample
        image = scheduler.step(noise, timestep, image, **options).prev_sample
    (shown,) = pipeline.numpy_to_pil((image / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy())
    return shown


def request_for(seed=0, **fields):
    defaults = {
        "conditioning": Conditioning(),
        "steps": 4,
        "guidance_scale": 1.0,
        "scheduler": "DDIMScheduler",
        "width_pixels": SIDE,
        "height_pixels": SIDE,
    }
    return GenerationRequest(seed=seed, **(defaults | fields))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_images_are_those_of_the_published_pipeline(
    make_engine, model, published_image, image_of, scheduler
):
    request = request_for(len(scheduler), scheduler=scheduler, steps=6)
    async with make_engine(model) as engine:
        image = await image_of(engine, request)
    assert image.std() > 5
    assert np.array_equal(image, published_image(request))


async def test_gray_images_have_three_equal_channels(make_engine, model, image_of, kind):
    async with make_engine(model) as engine:
        image = await image_of(engine, request_for())
    assert image.shape == (SIDE, SIDE, 3)
    is_gray = bool((image == image[:, :, :1]).all())
    assert is_gray == (kind == "ddpm")


async def test_given_latents_are_where_it_starts(make_engine, model, image_of):
    noise = torch.randn(model.description.latent_shape, generator=torch.Generator().manual_seed(5)).numpy()
    async with make_engine(model) as engine:
        conditioning = Conditioning(initial_latents=noise, initial_latents_weight=1.0)
        given = await image_of(engine, request_for(8, conditioning=conditioning))
        assert np.array_equal(given, await image_of(engine, request_for(5)))
        assert not np.array_equal(given, await image_of(engine, request_for(8)))


async def test_companions_and_a_guidance_scale_change_nothing(make_engine, model, image_of):
    requests = [request_for(seed, steps=2 + seed) for seed in range(4)]
    async with make_engine(model, batch_size=4) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        for request, image in zip(requests, together, strict=True):
            assert np.array_equal(image, await image_of(engine, request))
        guided = request_for(0, steps=2, guidance_scale=7.5)
        assert np.array_equal(together[0], await image_of(engine, guided))


async def test_previews_are_images(make_engine, model, events_of):
    async with make_engine(model) as engine:
        events = await events_of(engine, request_for(), previews=PreviewOptions(2, SIDE))
    previews = [event.preview for event in events if isinstance(event, Progress) and event.preview]
    assert [(preview.width_pixels, preview.height_pixels) for preview in previews] == [(SIDE, SIDE)]


def test_the_description_says_what_it_takes(model, kind):
    description = model.description
    assert description.family == "ddpm"
    assert description.inputs == frozenset({"initial_latents"})
    assert description.required_inputs == frozenset()
    assert (description.default_steps, description.default_guidance_scale) == (50, 1.0)
    assert SIDE in description.sizes
    assert 2 * SIDE not in description.sizes
    assert description.scheduler_names[0] == f"{kind.upper()}Scheduler"


def test_what_the_training_exports_is_served(tmp_path):
    network = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        norm_num_groups=4,
    )
    data = {"name": "dots", "images": 3, "shape": [1, 8, 8], "digest": "0" * 64}
    training = {
        "command": "chladni-train diffusion",
        "data": data,
        "steps": 1,
        "seconds": 1,
        "machine": "one",
        "extractor": "classifier",
    }
    export_model(network, tmp_path / "dots", steps=7, training=training, metrics={"ddim_7_recognised": 0.5})
    description = load_model(str(tmp_path / "dots"), CPU).description
    assert (description.id, description.default_steps, description.license) == ("dots", 7, "Apache-2.0")
    assert description.scheduler_names[0] == "DDIMScheduler"


@pytest.mark.parametrize("missing", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"])
def test_a_missing_file_is_told(directory, tmp_path, missing):
    shutil.copytree(directory, tmp_path / "copy")
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(ModelFilesError, match="'copy' cannot be loaded"):
        load_model(str(tmp_path / "copy"), CPU)


def test_what_makes_no_images_is_refused(tmp_path):
    save_untrained_ddpm(tmp_path / "two", channels=2)
    with pytest.raises(ModelFilesError, match="has 2 channels; images have 1 or 3"):
        load_model(str(tmp_path / "two"), CPU)
    save_untrained_ddpm(tmp_path / "wide", size_pixels=(8, 16))
    with pytest.raises(ModelFilesError, match="makes no square images"):
        load_model(str(tmp_path / "wide"), CPU)


def test_additions_are_refused(directory, tmp_path):
    AutoencoderTiny(encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4).save_pretrained(
        tmp_path / "tiny"
    )
    with pytest.raises(ModelFilesError, match="takes no tiny decoder"):
        load_model(f"{directory}+{tmp_path / 'tiny'}", CPU)


@pytest.fixture
async def stub(directory):
    configuration = ImageGenerationSettings(
        model=str(directory), thread_count=1, dtype="float32", max_steps=1000
    )
    async with loopback_service(compose(configuration), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


async def test_the_service_answers_with_the_published_pipelines_images(stub, published_image):
    (info,) = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert info.family == "ddpm"
    assert input_names(info) == ("initial_latents",)
    message = image_pb2.GenerateImageRequest(
        options=generation_pb2.GenerationOptions(seed=6, steps=4, scheduler="DDIMScheduler")
    )
    events = [event async for event in stub.GenerateImage(message)]
    image = np.asarray(Image.open(io.BytesIO(events[-1].completed.image.content)))
    assert np.array_equal(image, published_image(request_for(6)))
    message.conditioning.prompt = "a seven"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.GenerateImage(message):
            pass
    violations = from_rpc_error(caught.value).violations
    assert {violation.field for violation in violations} == {"conditioning.prompt"}
