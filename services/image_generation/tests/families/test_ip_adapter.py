"""Stable Diffusion with an IP-Adapter: the images of diffusers' pipelines with the same adapter loaded."""

from __future__ import annotations

import asyncio
import io
import json
import shutil

import diffusers
import grpc
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.ip_adapter import save_untrained_ip_adapter
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    save_untrained_stable_diffusion,
)
from chladni_image_generation.testing.untrained_checkpoints.stable_unclip import (
    EMBEDDING_SIZE,
    save_untrained_stable_unclip,
)
from chladni_image_generation.testing.untrained_checkpoints.tiny_decoder import save_untrained_tiny_decoder
from chladni_image_generation.testing.untrained_checkpoints.upscaler import save_untrained_upscaler

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")

READY, UNAVAILABLE = model_pb2.MODEL_STATE_READY, model_pb2.MODEL_STATE_UNAVAILABLE
DEFAULT_SCHEDULER = "DDIMScheduler"
SCHEDULERS = SchedulerCatalog(diffusers.DDIMScheduler()).names
WEIGHTS = "ip-adapter_sd15.safetensors"
IMAGE = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory with `base` and `adapter`."""
    directory = tmp_path_factory.mktemp("models")
    save_untrained_stable_diffusion(directory / "base")
    save_untrained_ip_adapter(directory / "adapter")
    return directory


@pytest.fixture
def copied(models, tmp_path):
    return shutil.copytree(models, tmp_path / "copies")


def reference_of(models):
    return f"{models / 'base'}+{models / 'adapter'}"


def load(models, **options):
    return load_model(
        reference_of(models), LoadingOptions(torch.device("cpu"), **{"dtype": "float32", **options})
    )


@pytest.fixture(scope="module")
def model(models):
    return load(models)


@pytest.fixture(scope="module")
def pipelines(models):
    """The text-to-image and the img2img pipeline, which share their networks."""
    pipeline = StableDiffusionPipeline.from_pretrained(models / "base", safety_checker=None)
    pipeline.load_ip_adapter(str(models / "adapter"), subfolder="", weight_name=WEIGHTS)
    others = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    for each in (pipeline, others):
        each.set_progress_bar_config(disable=True)
    return pipeline, others


def embedding_of(seed):
    """Return an embedding of a norm that is not 1, as CLIP projects them."""
    return 3 * np.random.default_rng(seed).standard_normal(EMBEDDING_SIZE).astype(np.float32)


def request_for(*, embedding=None, prompt="", negative_prompt="", initial_image=None, **fields):
    conditioning = Conditioning(
        audio_embedding=embedding_of(0) if embedding is None else embedding,
        prompt=prompt,
        negative_prompt=negative_prompt,
        initial_image=initial_image,
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


def pipeline_image(pipelines, request):
    conditioning = request.conditioning
    embedding = torch.from_numpy(conditioning.audio_embedding)[None, None]
    if request.guidance_scale > 1:
        embedding = torch.cat([torch.zeros_like(embedding), embedding])
    from_noise, from_image = pipelines
    if conditioning.initial_image is None:
        pipeline, start = from_noise, {"width": request.width_pixels, "height": request.height_pixels}
    else:
        pipeline = from_image
        start = {"image": Image.fromarray(conditioning.initial_image), "strength": conditioning.strength}
    scheduler = pipeline.scheduler
    pipeline.scheduler = SchedulerCatalog(scheduler).new(request.scheduler)
    try:
        image = pipeline(
            conditioning.prompt,
            negative_prompt=conditioning.negative_prompt or None,
            ip_adapter_image_embeds=[embedding],
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            # The pipelines set 0, against TCD's own default.
            eta=0.3 if request.scheduler == "TCDScheduler" else 0.0,
            generator=torch.Generator().manual_seed(request.seed),
            **start,
        ).images[0]
    finally:
        pipeline.scheduler = scheduler
    return np.asarray(image)


@pytest.mark.parametrize("initial_image", [None, IMAGE], ids=["noise", "image"])
@pytest.mark.parametrize(("seed", "scheduler"), list(enumerate(SCHEDULERS)))
async def test_images_are_those_of_the_pipelines(
    model, pipelines, make_engine, image_of, scheduler, seed, initial_image
):
    requests = [
        request_for(
            embedding=embedding_of(seed),
            prompt="" if seed % 3 == 0 else "a cathedral of glass",
            negative_prompt="" if seed % 2 == 0 else "people",
            initial_image=initial_image,
            seed=seed,
            steps=4 + seed % 3,
            scheduler=scheduler,
            guidance_scale=guidance_scale,
        )
        for guidance_scale in (1.0, 6.5)
    ]
    async with make_engine(model) as engine:
        for request in requests:
            assert np.array_equal(await image_of(engine, request), pipeline_image(pipelines, request))


async def test_each_part_of_a_request_shows_in_the_image(model, make_engine, image_of):
    # The adapter normalises what it projects, so of an embedding the direction counts more than the norm.
    requests = [
        request_for(),
        request_for(embedding=embedding_of(1)),
        request_for(prompt="a cathedral of glass"),
        request_for(negative_prompt="people"),
        request_for(initial_image=IMAGE),
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


async def test_the_scale_is_the_adapters_and_part_of_the_digest(
    models, copied, model, pipelines, make_engine, image_of
):
    (copied / "adapter" / "ip_adapter.json").write_text(json.dumps({"scale": 0.4}))
    weaker = load(copied)
    assert weaker.description.digest != model.description.digest
    request = request_for(prompt="fog")
    pipelines[0].set_ip_adapter_scale(0.4)
    try:
        expected = pipeline_image(pipelines, request)
    finally:
        pipelines[0].set_ip_adapter_scale(1.0)
    async with make_engine(weaker) as engine:
        assert np.array_equal(await image_of(engine, request), expected)
    async with make_engine(model) as engine:
        assert not np.array_equal(await image_of(engine, request), expected)


async def test_a_type_of_fewer_bits_changes_the_image_little_and_the_space_not(
    model, models, make_engine, image_of
):
    half = load(models, dtype="bfloat16")
    assert half.dtype is torch.bfloat16
    assert half.description.embedding_space == model.description.embedding_space
    images = []
    for each in (model, half):
        async with make_engine(each) as engine:
            images.append((await image_of(engine, request_for(guidance_scale=1.0))).astype(int))
    assert np.abs(images[0] - images[1]).mean() < 8


async def test_slicing_of_attention_leaves_the_adapter_in_place(models, model, make_engine, image_of):
    images = []
    for each in (model, load(models, attention_slicing=True)):
        async with make_engine(each) as engine:
            images.append((await image_of(engine, request_for())).astype(int))
    # Attention in slices is other calls of the kernels, which may round otherwise; a pixel is 1 off at most.
    assert np.abs(images[0] - images[1]).max() <= 1


async def test_other_parts_can_be_added_too(models, model, tmp_path, make_engine, image_of):
    save_untrained_tiny_decoder(tmp_path / "tiny")
    save_untrained_upscaler(tmp_path / "upscaler")
    parts = [models / "base", tmp_path / "upscaler", models / "adapter", tmp_path / "tiny"]
    whole = load_model("+".join(map(str, parts)), LoadingOptions(torch.device("cpu"), dtype="float32"))
    assert whole.description.id == "base+upscaler+adapter+tiny"
    async with make_engine(model) as engine:
        expected = await image_of(engine, request_for())
    async with make_engine(whole) as engine:
        assert np.array_equal(await image_of(engine, request_for()), expected)
        enlarged = [
            await image_of(engine, request_for(embedding=embedding_of(seed), upscale=2)) for seed in (0, 1)
        ]
    assert [image.shape for image in enlarged] == [(32, 32, 3)] * 2
    assert not np.array_equal(*enlarged)


def test_the_licences_of_both_are_told(copied):
    for name, licence in (("base", "openrail"), ("adapter", "apache-2.0")):
        (copied / name / "manifest.json").write_text(json.dumps({"licence": licence}))
    assert load(copied).description.license == "openrail, apache-2.0"


def test_it_says_what_it_takes(model, models):
    description = model.description
    base = load_model(str(models / "base"), LoadingOptions(torch.device("cpu"))).description
    assert description.id == "base+adapter"
    assert description.family == "ip-adapter"
    assert description.required_inputs == {"audio_embedding"}
    assert description.inputs == base.inputs | {"audio_embedding"}
    assert "initial_image" in description.inputs
    assert description.embedding_space.size == EMBEDDING_SIZE
    assert description.digest != base.digest


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def edit_weights(edit):
    def damage(path):
        weights = load_file(path)
        edit(weights)
        save_file(weights, path)

    return damage


DAMAGES = [
    (WEIGHTS, truncate, "is damaged"),
    (
        WEIGHTS,
        lambda path: shutil.copy(path, path.with_name("ip-adapter_2.safetensors")),
        "must hold one file",
    ),
    (WEIGHTS, edit_weights(lambda weights: weights.pop("image_proj.proj.weight")), "Plus, Face ID"),
    (
        WEIGHTS,
        edit_weights(lambda weights: weights.update({"image_proj.proj.weight": torch.zeros(64, 8)})),
        "takes embeddings of 8 components, but its image_encoder makes 16",
    ),
    (WEIGHTS, edit_weights(lambda weights: weights.pop("ip_adapter.1.to_k_ip.weight")), "another base model"),
    (
        WEIGHTS,
        edit_weights(lambda weights: weights.update({"ip_adapter.1.to_k_ip.weight": torch.zeros(4, 4)})),
        "another base model",
    ),
    (
        WEIGHTS,
        edit_weights(lambda weights: weights.update({"ip_adapter.99.to_k_ip.weight": torch.zeros(4, 4)})),
        "another base model",
    ),
    ("image_encoder", shutil.rmtree, "image_encoder"),
    ("image_encoder/model.safetensors", truncate, "image_encoder"),
    ("ip_adapter.json", lambda path: path.write_text("{}"), "must hold"),
    ("ip_adapter.json", lambda path: path.write_text("0.5"), "must hold"),
    ("ip_adapter.json", lambda path: path.write_text('{"scale": 0}'), "scale is 0"),
    ("ip_adapter.json", lambda path: path.write_text('{"scale": NaN}'), "scale is nan"),
    ("../base/unet/diffusion_pytorch_model.safetensors", truncate, "cannot be loaded"),
]


@pytest.mark.parametrize(("name", "damage", "complaint"), DAMAGES)
def test_damaged_files_are_refused(copied, name, damage, complaint):
    damage(copied / "adapter" / name)
    with pytest.raises(ModelFilesError, match=complaint):
        load(copied)


def test_an_image_encoder_of_another_size_is_refused(copied):
    shutil.rmtree(copied / "adapter" / "image_encoder")
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1, projection_dim=32
    )
    CLIPVisionModelWithProjection(config).save_pretrained(copied / "adapter" / "image_encoder")
    with pytest.raises(ModelFilesError, match="its image_encoder makes 32"):
        load(copied)


def test_a_family_without_adapters_refuses_one(models, tmp_path):
    save_untrained_stable_unclip(tmp_path / "unclip")
    with pytest.raises(ModelFilesError, match="takes no IP-Adapter"):
        load_model(f"{tmp_path / 'unclip'}+{models / 'adapter'}", LoadingOptions(torch.device("cpu")))


@pytest.fixture
async def stub(models, copied):
    truncate(copied / "adapter" / WEIGHTS)
    (copied / "adapter").rename(copied / "damaged")
    settings = ImageGenerationSettings(
        model=reference_of(models),
        further_models=f"{copied / 'base'}+{copied / 'damaged'}, {models / 'base'}",
        thread_count=1,
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(space, values, *, model="base+adapter", **conditioning):
    embedding = tensor_pb2.Embedding(space=space, values=to_tensor(values))
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=embedding, **conditioning),
        options=generation_pb2.GenerationOptions(
            model=model,
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
    assert previews == [True, True, True, False]
    completed = events[-1].completed
    assert completed.provenance.model == "base+adapter"
    request = request_for(embedding=embedding_of(2), prompt="fog", guidance_scale=7.5)
    async with make_engine(model) as engine:
        expected = await image_of(engine, request)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(completed.image.content))), expected)


async def test_it_is_listed_beside_its_base_and_one_that_cannot_be_loaded(stub, model, copied):
    served, base, broken = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert (served.id, served.family, served.state) == ("base+adapter", "ip-adapter", READY)
    assert served.image_generation.input_spaces == [model.description.embedding_space.name]
    assert input_names(served, required_only=True) == ("audio_embedding",)
    assert (base.id, base.family) == ("base", "stable-diffusion")
    assert not base.image_generation.input_spaces
    assert (broken.id, broken.state) == ("base+damaged", UNAVAILABLE)
    assert WEIGHTS in broken.unavailable_reason
    assert str(copied) not in broken.unavailable_reason
    message = message_for("any", embedding_of(0), model="base+damaged")
    assert (await error_of(stub, message)).reason is Reason.MODEL_UNAVAILABLE


async def test_what_does_not_fit_is_refused(stub, model):
    space = model.description.embedding_space.name
    good = embedding_of(0)
    bad = [
        (message_for("clip-0123456789abcdef", good), "conditioning.audio_embedding.space"),
        (message_for(space, good[:-1]), "conditioning.audio_embedding.values.shape"),
        (message_for(space, good * np.nan), "conditioning.audio_embedding.values.data"),
        (message_for(space, good, model="base", prompt="fog"), "conditioning.audio_embedding"),
        (image_pb2.GenerateImageRequest(), "conditioning.audio_embedding"),
    ]
    for message, field in bad:
        error = await error_of(stub, message)
        assert [violation.field for violation in error.violations] == [field]
