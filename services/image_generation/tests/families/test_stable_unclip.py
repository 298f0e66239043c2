"""Stable unCLIP: the images of its diffusers pipeline, from embeddings in CLIP's image space."""

from __future__ import annotations

import asyncio
import io
import math
import shutil

import diffusers
import grpc
import numpy as np
import pytest
import torch
from diffusers import StableUnCLIPImg2ImgPipeline
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_unclip import (
    EMBEDDING_SIZE,
    save_untrained_stable_unclip,
)
from chladni_image_generation.testing.untrained_checkpoints.tiny_decoder import save_untrained_tiny_decoder
from chladni_image_generation.testing.untrained_checkpoints.upscaler import save_untrained_upscaler

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")

DEFAULT_SCHEDULER = "PNDMScheduler"
NATIVE_AREA_PIXELS = 16 * 16
SCHEDULERS = SchedulerCatalog(diffusers.PNDMScheduler()).names


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "unclip"
    save_untrained_stable_unclip(directory)
    return directory


@pytest.fixture
def copied_directory(directory, tmp_path):
    return shutil.copytree(directory, tmp_path / "copy")


def load(directory, **options):
    return load_model(str(directory), LoadingOptions(torch.device("cpu"), **{"dtype": "float32", **options}))


@pytest.fixture(scope="module")
def model(directory):
    return load(directory)


@pytest.fixture(scope="module")
def pipeline(directory):
    pipeline = StableUnCLIPImg2ImgPipeline.from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def embedding_of(seed):
    """Return an embedding of a norm that is not 1, as CLIP projects them."""
    return 3 * np.random.default_rng(seed).standard_normal(EMBEDDING_SIZE).astype(np.float32)


def request_for(*, embedding=None, prompt="", negative_prompt="", initial_latents=None, **fields):
    conditioning = Conditioning(
        audio_embedding=embedding_of(0) if embedding is None else embedding,
        prompt=prompt,
        negative_prompt=negative_prompt,
        initial_latents=initial_latents,
    )
    defaults = {
        "seed": 7,
        "steps": 4,
        "guidance_scale": 6.5,
        "scheduler": DEFAULT_SCHEDULER,
        "width_pixels": 16,
        "height_pixels": 16,
    }
    return GenerationRequest(conditioning=conditioning, **(defaults | fields))


def pipeline_image(pipeline, request):
    conditioning = request.conditioning
    scheduler = pipeline.scheduler
    pipeline.scheduler = SchedulerCatalog(scheduler).new(request.scheduler)
    latents = conditioning.initial_latents
    try:
        image = pipeline(
            image_embeds=torch.from_numpy(conditioning.audio_embedding)[None],
            prompt=conditioning.prompt,
            negative_prompt=conditioning.negative_prompt or None,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            width=request.width_pixels,
            height=request.height_pixels,
            latents=None if latents is None else torch.from_numpy(latents)[None],
            # The pipeline sets 0, against TCD's own default.
            eta=0.3 if request.scheduler == "TCDScheduler" else 0.0,
            generator=torch.Generator().manual_seed(request.seed),
        ).images[0]
    finally:
        pipeline.scheduler = scheduler
    return np.asarray(image)


@pytest.mark.parametrize("guidance_scale", [1.0, 6.5])
@pytest.mark.parametrize(("seed", "scheduler"), list(enumerate(SCHEDULERS)))
async def test_images_are_those_of_the_pipeline(
    model, pipeline, make_engine, image_of, scheduler, seed, guidance_scale
):
    request = request_for(
        embedding=embedding_of(seed),
        prompt="" if seed % 3 == 0 else "a cathedral of glass",
        negative_prompt="" if seed % 2 == 0 else "people",
        seed=seed,
        steps=4 + seed % 3,
        scheduler=scheduler,
        guidance_scale=guidance_scale,
    )
    async with make_engine(model) as engine:
        assert np.array_equal(await image_of(engine, request), pipeline_image(pipeline, request))


@pytest.mark.parametrize(("width_pixels", "height_pixels"), [(8, 32), (24, 16), (32, 32)])
async def test_so_are_those_of_other_sizes(
    model, pipeline, make_engine, image_of, width_pixels, height_pixels
):
    request = request_for(width_pixels=width_pixels, height_pixels=height_pixels, prompt="fog")
    # The pipeline computes the two rows of a guided step in one call. A kernel may round a row otherwise in
    # calls of another size, so the engine is given a batch size by which the two share a call here too: sizes
    # are of the native area, and fewer rows of larger images share a call.
    batch_size = math.ceil(width_pixels * height_pixels / NATIVE_AREA_PIXELS)
    async with make_engine(model, batch_size=batch_size) as engine:
        image = await image_of(engine, request)
    assert image.shape == (height_pixels, width_pixels, 3)
    assert np.array_equal(image, pipeline_image(pipeline, request))


async def test_so_are_those_from_given_latents(model, pipeline, make_engine, image_of):
    latents = np.random.default_rng(5).standard_normal((4, 8, 8)).astype(np.float32)
    request = request_for(initial_latents=latents, scheduler="DDIMScheduler")
    async with make_engine(model) as engine:
        assert np.array_equal(await image_of(engine, request), pipeline_image(pipeline, request))


async def test_each_part_of_a_request_shows_in_the_image(model, make_engine, image_of):
    # The norm of the embedding too: it is not normalised.
    requests = [
        request_for(),
        request_for(embedding=embedding_of(1)),
        request_for(embedding=2 * embedding_of(0)),
        request_for(prompt="a cathedral of glass"),
        request_for(negative_prompt="people"),
        request_for(seed=8),
    ]
    async with make_engine(model) as engine:
        images = [(await image_of(engine, request)).tobytes() for request in requests]
    assert len(set(images)) == len(images)


async def test_companions_do_not_change_an_image(model, make_engine, image_of):
    requests = [
        request_for(embedding=embedding_of(seed), seed=seed, steps=3 + seed % 3, prompt="fog" * (seed % 2))
        for seed in range(6)
    ]
    async with make_engine(model, batch_size=4) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        alone = [await image_of(engine, request) for request in requests]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one, other)


async def test_a_type_of_fewer_bits_changes_the_image_little_and_the_space_not(
    model, directory, make_engine, image_of
):
    half = load(directory, dtype="bfloat16")
    assert half.dtype is torch.bfloat16
    assert half.description.embedding_space == model.description.embedding_space
    images = []
    for each in (model, half):
        async with make_engine(each) as engine:
            images.append((await image_of(engine, request_for(guidance_scale=1.0))).astype(int))
    assert np.abs(images[0] - images[1]).mean() < 8


def test_it_says_what_it_takes(model):
    description = model.description
    assert description.family == "stable-unclip"
    assert description.required_inputs == {"audio_embedding"}
    assert description.inputs == {"audio_embedding", "prompt", "negative_prompt", "initial_latents"}
    assert description.embedding_space.size == EMBEDDING_SIZE
    assert description.embedding_space.limits is None
    assert (description.default_steps, description.default_guidance_scale) == (20, 10.0)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


DAMAGES = [
    ("image_encoder", shutil.rmtree, "image_encoder"),
    ("image_encoder/model.safetensors", truncate, "image_encoder"),
    ("image_normalizer", shutil.rmtree, "cannot be loaded"),
    ("image_noising_scheduler", shutil.rmtree, "cannot be loaded"),
    ("text_encoder/model.safetensors", truncate, "cannot be loaded"),
    ("unet/diffusion_pytorch_model.safetensors", lambda path: path.unlink(), "cannot be loaded"),
    ("unet/diffusion_pytorch_model.safetensors", truncate, "cannot be loaded"),
]


@pytest.mark.parametrize(("name", "damage", "complaint"), DAMAGES)
def test_a_damaged_checkpoint_is_refused(copied_directory, name, damage, complaint):
    damage(copied_directory / name)
    with pytest.raises(ModelFilesError, match=complaint):
        load(copied_directory)


def test_an_image_encoder_of_another_size_is_refused(copied_directory):
    shutil.rmtree(copied_directory / "image_encoder")
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1, projection_dim=32
    )
    CLIPVisionModelWithProjection(config).save_pretrained(copied_directory / "image_encoder")
    with pytest.raises(
        ModelFilesError, match="takes embeddings of 16 components, but image_encoder makes 32"
    ):
        load(copied_directory)


async def test_a_tiny_decoder_and_an_upscaler_can_be_added(directory, tmp_path, make_engine, image_of):
    save_untrained_tiny_decoder(tmp_path / "tiny")
    save_untrained_upscaler(tmp_path / "upscaler")
    model = load(f"{directory}+{tmp_path / 'tiny'}+{tmp_path / 'upscaler'}")
    assert model.description.id == "unclip+tiny+upscaler"
    async with make_engine(model) as engine:
        images = [
            await image_of(engine, request_for(embedding=embedding_of(seed), upscale=2)) for seed in (0, 1)
        ]
    assert [image.shape for image in images] == [(32, 32, 3)] * 2
    assert not np.array_equal(*images)


@pytest.fixture
async def stub(directory, copied_directory):
    shutil.rmtree(copied_directory / "image_encoder")
    settings = ImageGenerationSettings(
        model=str(directory), further_models=str(copied_directory), thread_count=1
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(space, values, **conditioning):
    embedding = tensor_pb2.Embedding(space=space, values=to_tensor(values))
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=embedding, **conditioning),
        options=generation_pb2.GenerationOptions(
            seed=7,
            steps=4,
            previews=generation_pb2.PreviewOptions(interval_steps=1, size_pixels=16),
        ),
    )


async def events_of(stub, message):
    return [event async for event in stub.GenerateImage(message)]


async def error_of(stub, message):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events_of(stub, message)
    return from_rpc_error(caught.value)


async def test_it_serves_requests_with_previews(stub, model, make_engine, image_of):
    space = model.description.embedding_space.name
    events = await events_of(stub, message_for(space, embedding_of(2), prompt="fog"))
    previews = [event.progress.HasField("preview") for event in events if event.HasField("progress")]
    # PNDM, the model's own scheduler, asks the UNet once more than there are steps.
    assert previews == [True] * 4 + [False]
    completed = events[-1].completed
    assert completed.provenance.guidance_scale == 10
    request = request_for(embedding=embedding_of(2), prompt="fog", guidance_scale=10.0)
    async with make_engine(model) as engine:
        expected = await image_of(engine, request)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(completed.image.content))), expected)


async def test_it_is_listed_beside_one_that_cannot_be_loaded(stub, model, copied_directory):
    served, broken = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert served == model_pb2.ModelInfo(
        id="unclip",
        digest=model.description.digest,
        description=served.description,
        state=model_pb2.MODEL_STATE_READY,
        family="stable-unclip",
        inputs=[
            model_pb2.ModelInput(name="audio_embedding", required=True),
            model_pb2.ModelInput(name="initial_latents"),
            model_pb2.ModelInput(name="negative_prompt"),
            model_pb2.ModelInput(name="prompt"),
        ],
        image_generation=model_pb2.ImageGenerationCapabilities(
            sizes=served.image_generation.sizes,
            latent_shape=model.description.latent_shape,
            schedulers=model.description.scheduler_names,
            default_steps=model.description.default_steps,
            default_guidance_scale=10.0,
            input_spaces=[model.description.embedding_space.name],
            upscale_factors=[1],
        ),
        properties=served.properties,
    )
    assert broken.state == model_pb2.MODEL_STATE_UNAVAILABLE
    assert "image_encoder" in broken.unavailable_reason
    assert str(copied_directory) not in broken.unavailable_reason
    message = message_for("any", embedding_of(0))
    message.options.model = "copy"
    assert (await error_of(stub, message)).reason is Reason.MODEL_UNAVAILABLE


async def test_what_does_not_fit_is_refused(stub, model):
    space = model.description.embedding_space.name
    good = embedding_of(0)
    image = media_pb2.EncodedImage(content=b"x")
    bad = [
        (message_for("clip-0123456789abcdef", good), "conditioning.audio_embedding.space"),
        (message_for(space, good[:-1]), "conditioning.audio_embedding.values.shape"),
        (message_for(space, good * np.nan), "conditioning.audio_embedding.values.data"),
        (message_for(space, good, initial_image=image), "conditioning.initial_image"),
        (image_pb2.GenerateImageRequest(), "conditioning.audio_embedding"),
    ]
    for message, field in bad:
        error = await error_of(stub, message)
        assert [violation.field for violation in error.violations] == [field]
