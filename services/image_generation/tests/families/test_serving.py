"""Several models in one service, over gRPC: what works is served, and the rest says why it is not."""

from __future__ import annotations

import io
import json

import grpc
import numpy as np
import pytest
import pytest_asyncio
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    save_untrained_stable_diffusion,
)
from chladni_image_generation.testing.untrained_checkpoints.tiny_decoder import save_untrained_tiny_decoder
from chladni_image_generation.testing.untrained_checkpoints.upscaler import save_untrained_upscaler

pytestmark = pytest.mark.asyncio(loop_scope="module")

READY, UNAVAILABLE = model_pb2.MODEL_STATE_READY, model_pb2.MODEL_STATE_UNAVAILABLE


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory with whole, broken and added models."""
    directory = tmp_path_factory.mktemp("models")
    save_untrained_stable_diffusion(directory / "plain")
    (directory / "plain" / "manifest.json").write_text(
        json.dumps({"defaults": {"steps": 3, "guidance_scale": 3.0}, "licence": "MIT"})
    )
    save_untrained_stable_diffusion(directory / "strict", flagged_share=1.0)
    save_untrained_upscaler(directory / "upscaler")
    (directory / "upscaler" / "manifest.json").write_text(json.dumps({"defaults": {"steps": 2}}))
    save_untrained_tiny_decoder(directory / "tiny")
    save_untrained_tiny_decoder(directory / "other-tiny", latent_channels=16)
    save_untrained_stable_diffusion(directory / "broken")
    (directory / "broken" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    save_untrained_stable_diffusion(directory / "elsewhere" / "plain", seed=9)
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(models):
    further = [
        f"{models / 'plain'}+{models / 'upscaler'}+{models / 'tiny'}",
        models / "strict",
        models / "broken",
        f"{models / 'plain'}+{models / 'other-tiny'}",
        models / "elsewhere" / "plain",
        models / "strict",
    ]
    settings = ImageGenerationSettings(
        model=str(models / "plain"),
        further_models=", ".join(map(str, further)),
        thread_count=1,
        dtype="float32",
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(conditioning=None, **options):
    conditioning = {"prompt": "a cat"} if conditioning is None else conditioning
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(**conditioning),
        options=generation_pb2.GenerationOptions(**({"seed": 7} | options)),
    )


async def completed(stub, message):
    return [event async for event in stub.GenerateImage(message)][-1].completed


async def error_of(stub, message):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await completed(stub, message)
    return from_rpc_error(caught.value)


def pixels_of(answer):
    return np.asarray(Image.open(io.BytesIO(answer.image.content)))


def png_of(pixels):
    output = io.BytesIO()
    Image.fromarray(pixels).save(output, format="PNG")
    return media_pb2.EncodedImage(content=output.getvalue())


async def test_all_models_are_listed_each_name_once(stub, models):
    response = await stub.ListModels(image_pb2.ListModelsRequest())
    listed = response.models
    assert [(model.id, model.state) for model in listed] == [
        ("plain", READY),
        ("plain+upscaler+tiny", READY),
        ("strict", READY),
        ("broken", UNAVAILABLE),
        ("plain+other-tiny", UNAVAILABLE),
    ]
    plain, enlarging = listed[:2]
    assert response.default_model == plain.id
    assert (plain.family, plain.license) == ("stable-diffusion", "MIT")
    assert input_names(plain, required_only=True) == ("prompt",)
    assert input_names(plain) == ("prompt", "initial_image", "initial_latents", "negative_prompt")
    assert "upscale" in input_names(enlarging)
    assert enlarging.image_generation.upscaling_method == model_pb2.UPSCALING_METHOD_NETWORK
    assert plain.image_generation.upscale_factors == [1]
    assert enlarging.digest != plain.digest
    assert "cannot be loaded" in listed[3].unavailable_reason
    assert "16 channels" in listed[4].unavailable_reason
    assert not any(str(models) in model.unavailable_reason for model in listed)


async def test_a_request_for_a_model_that_is_not_available_is_told_why_and_others_work(stub):
    error = await error_of(stub, message_for(model="broken"))
    assert error.reason is Reason.MODEL_UNAVAILABLE
    assert "cannot be loaded" in error.message
    assert pixels_of(await completed(stub, message_for())).shape == (16, 16, 3)


async def test_images_over_the_wire_are_the_pipelines(stub, models):
    pipeline = StableDiffusionPipeline.from_pretrained(models / "plain", safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    arguments = {"negative_prompt": "a dog", "num_inference_steps": 3, "guidance_scale": 3.0}
    from_text = pipeline(
        "a cat", **arguments, width=16, height=16, generator=torch.Generator().manual_seed(7)
    ).images[0]
    texts = {"prompt": "a cat", "negative_prompt": "a dog"}
    answer = await completed(stub, message_for(texts))
    np.testing.assert_array_equal(pixels_of(answer), np.asarray(from_text))
    assert (answer.provenance.steps, answer.provenance.guidance_scale) == (3, 3.0)
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    from_image = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    from_image.set_progress_bar_config(disable=True)
    expected = from_image(
        "a cat",
        **arguments,
        image=Image.fromarray(image),
        strength=0.7,
        generator=torch.Generator().manual_seed(7),
    ).images[0]
    answer = await completed(stub, message_for({**texts, "initial_image": png_of(image), "strength": 0.7}))
    np.testing.assert_array_equal(pixels_of(answer), np.asarray(expected))


async def test_latents_to_start_from_take_the_place_of_the_noise(stub):
    latents = np.random.default_rng(0).standard_normal((4, 8, 8)).astype(np.float32)
    images = [
        pixels_of(
            await completed(
                stub,
                message_for(
                    {
                        "prompt": "a cat",
                        "initial_latents": to_tensor(latents),
                        "initial_latents_weight": weight,
                    },
                    seed=seed,
                ),
            )
        )
        for weight, seed in ((1.0, 1), (1.0, 2), (0.3, 1), (0.3, 2))
    ]
    assert np.array_equal(images[0], images[1])
    assert np.any(images[2] != images[3])


async def test_an_upscaler_doubles_the_sides_and_only_where_it_is(stub):
    answer = await completed(stub, message_for(model="plain+upscaler+tiny", upscale=2))
    assert pixels_of(answer).shape == (32, 32, 3)
    assert (answer.image.width_pixels, answer.provenance.width_pixels) == (32, 16)
    error = await error_of(stub, message_for(upscale=2))
    assert [violation.field for violation in error.violations] == ["options.upscale"]


async def test_a_withheld_image_is_an_error_that_says_so_and_the_service_goes_on(stub):
    events = []
    message = message_for(model="strict", previews=generation_pb2.PreviewOptions(interval_steps=1))
    message.options.steps = 3
    with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - the events before the error count
        async for event in stub.GenerateImage(message):
            events.append(event)  # noqa: PERF401 - likewise
    assert from_rpc_error(caught.value).reason is Reason.IMAGE_WITHHELD
    assert not any(event.progress.HasField("preview") for event in events)
    assert pixels_of(await completed(stub, message_for())).any()


EMBEDDING = tensor_pb2.Embedding(space="clap", values=to_tensor(np.zeros(512, np.float32)))


@pytest.mark.parametrize(
    ("conditioning", "fields", "field"),
    [
        ({}, {}, "conditioning.prompt"),
        ({"negative_prompt": "a dog"}, {}, "conditioning.prompt"),
        ({"prompt": "a cat", "audio_embedding": EMBEDDING}, {}, "conditioning.audio_embedding"),
        ({"prompt": "x" * 2001}, {}, "conditioning.prompt"),
        ({"prompt": "a cat", "strength": 0.5}, {}, "conditioning.strength"),
        (
            {"prompt": "a cat", "initial_image": png_of(np.zeros((9, 9, 3), np.uint8)), "strength": 0.1},
            {},
            "conditioning.strength",
        ),
        (None, {"width_pixels": 6}, "options.width_pixels"),
        (None, {"height_pixels": 36}, "options.height_pixels"),
        (None, {"refiner_start": 0.8}, "options.refiner_start"),
        (None, {"scheduler": "FlowMatchEulerDiscreteScheduler"}, "options.scheduler"),
    ],
)
async def test_a_bad_field_is_named(stub, conditioning, fields, field):
    error = await error_of(stub, message_for(conditioning, **fields))
    assert error.reason in {Reason.INVALID_FIELD, Reason.MISSING_FIELD}
    assert [violation.field for violation in error.violations] == [field]
