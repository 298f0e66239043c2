"""Conditions beyond the embedding, larger images and origins, over a real loopback server."""

from __future__ import annotations

import io
import json
import shutil

import grpc
import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings

READY, UNAVAILABLE = model_pb2.MODEL_STATE_READY, model_pb2.MODEL_STATE_UNAVAILABLE
LATENTS = np.random.default_rng(4).standard_normal((4, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of models that cannot be loaded."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "model_index.json").write_text('{"_class_name": "NoSuchPipeline"}')
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(tiny_model_directory, folder):
    settings = ImageGenerationSettings(
        model=str(tiny_model_directory),
        further_models=f"{folder / 'broken'}, {folder / 'empty'}, no-such-owner/no-such-model, "
        f"{folder / 'absent'}+{folder / 'absent-too'}",
        thread_count=1,
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(*, conditioning=None, origin=None, **options):
    values = np.random.default_rng(0).random(COMPONENT_COUNT, dtype=np.float32)
    embedding = tensor_pb2.Embedding(space=DESCRIPTOR_SPACE, values=to_tensor(values))
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=embedding, **(conditioning or {})),
        options=generation_pb2.GenerationOptions(**({"seed": 7, "steps": 2, "bypass_cache": True} | options)),
        origin=origin,
    )


async def completed(stub, message):
    return [event async for event in stub.GenerateImage(message)][-1].completed


async def error_of(stub, message):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await completed(stub, message)
    return from_rpc_error(caught.value)


def pixels_of(answer):
    return np.asarray(Image.open(io.BytesIO(answer.image.content)))


def latents(weight=None, values=LATENTS):
    weighted = {} if weight is None else {"initial_latents_weight": weight}
    return {"initial_latents": to_tensor(values), **weighted}


@pytest.mark.asyncio(loop_scope="module")
async def test_initial_latents_take_the_place_of_the_noise_as_far_as_their_weight_says(stub):
    seeded = pixels_of(await completed(stub, message_for()))
    untouched = await completed(stub, message_for(conditioning=latents(0.0)))
    assert np.array_equal(pixels_of(untouched), seeded)
    raw = await completed(stub, message_for(conditioning=latents()))
    other_seed = await completed(stub, message_for(conditioning=latents(), seed=8))
    assert np.array_equal(pixels_of(raw), pixels_of(other_seed))
    assert not np.array_equal(pixels_of(raw), seeded)
    blend = await completed(stub, message_for(conditioning=latents(0.3)))
    assert blend.provenance.initial_latents_weight == 0.3
    assert raw.provenance.conditioning_sha256 != blend.provenance.conditioning_sha256


@pytest.mark.asyncio(loop_scope="module")
async def test_enlarging_is_the_model_on_larger_latents(stub):
    enlarged = await completed(stub, message_for(upscale=2))
    large = await completed(stub, message_for(width_pixels=128, height_pixels=128))
    assert (enlarged.image.width_pixels, enlarged.provenance.width_pixels) == (128, 64)
    assert enlarged.provenance.upscale == 2
    assert np.array_equal(pixels_of(enlarged), pixels_of(large))


@pytest.mark.asyncio(loop_scope="module")
async def test_initial_latents_of_an_enlarged_image_are_as_large_as_the_model_says(stub):
    [model, *_] = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert model.image_generation.upscaling_method == model_pb2.UPSCALING_METHOD_LATENTS
    wide = np.random.default_rng(5).standard_normal((4, 16, 16)).astype(np.float32)
    answer = await completed(stub, message_for(conditioning=latents(values=wide), upscale=2))
    assert (answer.image.width_pixels, answer.image.height_pixels) == (128, 128)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_origin_reaches_the_provenance_and_so_the_file(stub):
    earlier = (await completed(stub, message_for())).provenance
    origin = image_pb2.Origin(
        recipe="audioldm",
        part="sd_refined",
        earlier=[earlier],
        fallback="none was needed",
        options={"noise_mode": "blend"},
    )
    answer = await completed(stub, message_for(origin=origin))
    assert answer.provenance.part == "sd_refined"
    assert answer.provenance.fallback == "none was needed"
    assert answer.provenance.recipe_options == {"noise_mode": "blend"}
    assert list(answer.provenance.earlier) == [earlier]
    chunk = Image.open(io.BytesIO(answer.image.content)).text["chladni"]
    assert earlier.conditioning_sha256 in chunk


@pytest.mark.asyncio(loop_scope="module")
async def test_a_model_that_cannot_be_loaded_is_told_of_and_the_others_serve(stub, folder):
    models = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert [model.state for model in models] == [READY] + [UNAVAILABLE] * 4
    assert [model.id for model in models[1:]] == [
        "broken",
        "empty",
        "no-such-owner/no-such-model",
        "absent+absent-too",
    ]
    assert models[0].family == "chladni-embedded"
    assert input_names(models[0]) == ("audio_embedding", "initial_latents", "look", "upscale")
    assert input_names(models[0], required_only=True) == ("audio_embedding",)
    assert "NoSuchPipeline" in models[1].unavailable_reason
    assert "model_index.json" in models[2].unavailable_reason
    assert "no such directory" in models[4].unavailable_reason
    assert not any(str(folder) in model.unavailable_reason for model in models)
    error = await error_of(stub, message_for(model="broken"))
    assert error.reason is Reason.MODEL_UNAVAILABLE
    assert "NoSuchPipeline" in error.message
    assert (await completed(stub, message_for())).image.content


def provenance(**fields):
    return generation_pb2.Provenance(model="m", **fields)


IMAGE = media_pb2.EncodedImage(content=b"no image")
BAD_MESSAGES = [
    (message_for(conditioning=latents(values=LATENTS[:, :4])), "conditioning.initial_latents.shape"),
    (message_for(conditioning=latents(1.5)), "conditioning.initial_latents_weight"),
    (message_for(conditioning={"initial_latents_weight": 0.5}), "conditioning.initial_latents_weight"),
    (message_for(conditioning=latents(values=LATENTS * np.inf)), "conditioning.initial_latents.data"),
    (message_for(conditioning=latents(values=LATENTS * 0 - 1_000_100)), "conditioning.initial_latents.data"),
    (message_for(conditioning=latents(values=LATENTS * 0 + 3e38)), "conditioning.initial_latents.data"),
    (message_for(conditioning={"initial_image": IMAGE}), "conditioning.initial_image"),
    (message_for(conditioning={"strength": 0.5}), "conditioning.strength"),
    (message_for(conditioning={"prompt": "a cat"}), "conditioning.prompt"),
    (message_for(upscale=3), "options.upscale"),
    (message_for(upscale=0), "options.upscale"),
    (message_for(upscale=2, width_pixels=256), "options.upscale"),
    (message_for(refiner_start=0.5), "options.refiner_start"),
    (message_for(origin=image_pb2.Origin(part="x" * 65)), "origin.part"),
    (message_for(origin=image_pb2.Origin(fallback="x" * 1025)), "origin.fallback"),
    (message_for(origin=image_pb2.Origin(earlier=[provenance()] * 5)), "origin.earlier"),
    (message_for(origin=image_pb2.Origin(earlier=[provenance(earlier=[provenance()])])), "origin.earlier"),
    (message_for(origin=image_pb2.Origin(options={"x": "y" * 257})), "origin.options"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("message", "field"), BAD_MESSAGES, ids=[f"{n}-{field}" for n, (_, field) in enumerate(BAD_MESSAGES)]
)
async def test_a_bad_field_is_named(stub, message, field):
    error = await error_of(stub, message)
    assert error.reason in {Reason.INVALID_FIELD, Reason.MISSING_FIELD}
    assert field in {violation.field for violation in error.violations}


async def test_the_family_of_a_broken_model_is_told_where_its_files_tell(tiny_model_directory, tmp_path):
    broken = shutil.copytree(tiny_model_directory, tmp_path / "without-weights")
    (broken / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    manifest = json.loads((broken / "manifest.json").read_text())
    manifest.pop("sha256")
    (broken / "manifest.json").write_text(json.dumps(manifest))
    settings = ImageGenerationSettings(
        model=str(tiny_model_directory), further_models=str(broken), thread_count=1
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)
        models = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert [(model.id, model.state, model.family) for model in models[1:]] == [
        ("without-weights", UNAVAILABLE, "chladni-embedded")
    ]
    assert "cannot be loaded" in models[1].unavailable_reason
