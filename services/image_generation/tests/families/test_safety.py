"""A safety checker withholds an image and its previews, and no other request's."""

from __future__ import annotations

import asyncio
import shutil

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from chladni_contract.errors import ChladniError, Reason
from chladni_image_generation.engine.batch_invariance import is_decoder_batch_invariant
from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Conditioning, GenerationRequest, PreviewOptions, Progress
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import ImagesWithheldError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    save_untrained_stable_diffusion,
)
from chladni_runtime.execution.cancellation import CancellationToken

PREVIEWS = PreviewOptions(interval_steps=1, size_pixels=16)


@pytest.fixture(scope="module")
def directory_of(tmp_path_factory):
    """Return a function that gives the directory of a checkpoint whose checker flags all or nothing."""
    made = {}

    def directory_of(flagged_share):
        if flagged_share not in made:
            made[flagged_share] = tmp_path_factory.mktemp("models") / "checked"
            save_untrained_stable_diffusion(made[flagged_share], flagged_share=flagged_share)
        return made[flagged_share]

    return directory_of


def loaded(directory, **options):
    return load_model(str(directory), LoadingOptions(torch.device("cpu"), **{"dtype": "float32", **options}))


def request_for(**fields):
    defaults = {
        "seed": 5,
        "steps": 3,
        "guidance_scale": 1.0,
        "scheduler": "DDIMScheduler",
        "width_pixels": 16,
        "height_pixels": 16,
    }
    return GenerationRequest(conditioning=Conditioning(prompt="a cat"), **(defaults | fields))


def pixels_of(model, request):
    """Return the pixels of a request's image, which the checker sees too."""
    with torch.inference_mode():
        sampler = Sampler(model, request)
        while not sampler.is_denoised:
            sampler.advance(list(model.denoise(sampler.rows())))
        return model.decode(sampler.latents[None])[0]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
async def test_a_flagged_image_is_withheld_and_so_are_its_previews(directory_of, make_engine, dtype):
    model = loaded(directory_of(1.0), dtype=dtype)
    seen = []
    async with make_engine(model) as engine:
        await engine.warm_up(request_for())
        with pytest.raises(ChladniError) as caught:  # noqa: PT012 - the events before the error count
            async for event in engine.generate(request_for(), CancellationToken(), previews=PREVIEWS):
                seen.append(event)  # noqa: PERF401 - likewise
        assert caught.value.reason is Reason.IMAGE_WITHHELD
        assert "safety checker" in str(caught.value)
    progress = [event for event in seen if isinstance(event, Progress)]
    assert len(progress) == 3
    assert all(event.preview is None for event in progress)


async def test_an_image_without_objection_is_the_unchecked_one(directory_of, make_engine, events_of):
    pngs = []
    for options in ({}, {"safety_checker": False}):
        async with make_engine(loaded(directory_of(0.0), **options)) as engine:
            events = await events_of(engine, request_for(), previews=PREVIEWS)
        assert [bool(event.preview) for event in events if isinstance(event, Progress)] == [True, True, False]
        pngs.append(events[-1].content)
    assert pngs[0] == pngs[1]


async def test_a_checker_that_is_turned_off_withholds_nothing(directory_of, make_engine, events_of):
    async with make_engine(loaded(directory_of(1.0), safety_checker=False)) as engine:
        assert (await events_of(engine, request_for()))[-1].content


@pytest.mark.parametrize("decode_batch_size", [1, 4])
async def test_companions_of_a_flagged_image_finish(directory_of, make_engine, events_of, decode_batch_size):
    model = loaded(directory_of(0.0))
    requests = [request_for(seed=seed) for seed in range(4)]
    async with make_engine(model, batch_size=4, decode_batch_size=decode_batch_size) as engine:
        before = [(await events_of(engine, request))[-1].content for request in requests]
    flagged = pixels_of(model, requests[2])

    def check(images):
        if any(np.array_equal(image, flagged) for image in images):
            raise ImagesWithheldError(images)

    model._safety_checker.check = check
    async with make_engine(model, batch_size=4, decode_batch_size=decode_batch_size) as engine:
        outcomes = await asyncio.gather(
            *(events_of(engine, request) for request in requests), return_exceptions=True
        )
    assert isinstance(outcomes[2], ImagesWithheldError)
    for index in (0, 1, 3):
        assert outcomes[index][-1].content == before[index]


@torch.inference_mode()
def test_what_is_thought_of_noise_makes_no_difference_to_sharing_calls(directory_of):
    """Whether images can share a call is tried out with noise, to which this checker objects as well."""
    outcomes = []
    for flagged_share in (0.0, 1.0):
        model = loaded(directory_of(flagged_share))
        outcomes.append(is_decoder_batch_invariant(model, (4, 8, 8), 3))
    assert outcomes[0] == outcomes[1]


def test_the_verdict_is_that_of_the_pipeline(directory_of):
    for flagged_share, verdict in ((0.0, False), (1.0, True)):
        pipeline = StableDiffusionPipeline.from_pretrained(directory_of(flagged_share))
        pipeline.set_progress_bar_config(disable=True)
        outcome = pipeline(
            "a cat", num_inference_steps=1, guidance_scale=1.0, width=16, height=16, output_type="np"
        )
        assert outcome.nsfw_content_detected == [verdict]


@pytest.mark.parametrize("part", ["safety_checker", "text_encoder"])
def test_weights_under_their_published_names_are_found(directory_of, tmp_path, part):
    """Older releases of transformers, with which checkpoints were published, nested the networks deeper."""
    directory = shutil.copytree(directory_of(0.0), tmp_path / "published")
    path = directory / part / "model.safetensors"
    prefix = {"safety_checker": "vision_model.", "text_encoder": ""}[part]
    nested = {"safety_checker": "vision_model.vision_model.", "text_encoder": "text_model."}[part]
    weights = {
        nested + name.removeprefix(prefix) if name.startswith(prefix) else name: tensor
        for name, tensor in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})
    expected = pixels_of(loaded(directory_of(0.0)), request_for())
    np.testing.assert_array_equal(pixels_of(loaded(directory), request_for()), expected)


def test_a_checker_without_its_weights_is_refused(directory_of, tmp_path):
    directory = shutil.copytree(directory_of(0.0), tmp_path / "broken")
    path = directory / "safety_checker" / "model.safetensors"
    weights = load_file(path)
    del weights["concept_embeds"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(
        ModelFilesError, match="safety checker of model 'broken' lacks weights: concept_embeds"
    ):
        loaded(directory)
    path.unlink()
    with pytest.raises(ModelFilesError, match="turn the setting safety_checker off") as caught:
        loaded(directory)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert loaded(directory, safety_checker=False)
