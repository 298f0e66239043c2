"""What is added to a Stable Diffusion by '+': an upscaler and a tiny decoder, as diffusers' own would do."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionLatentUpscalePipeline,
    StableDiffusionPipeline,
)
from PIL import Image

from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Conditioning, GenerationRequest, PreviewOptions, Progress
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    save_untrained_stable_diffusion,
)
from chladni_image_generation.testing.untrained_checkpoints.tiny_decoder import save_untrained_tiny_decoder
from chladni_image_generation.testing.untrained_checkpoints.upscaler import save_untrained_upscaler

UPSCALER_STEPS = 5
INITIAL_IMAGE = np.random.default_rng(0).integers(0, 256, (24, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A directory with the parts of models."""
    directory = tmp_path_factory.mktemp("models")
    save_untrained_stable_diffusion(directory / "base")
    save_untrained_upscaler(directory / "upscaler", seed=1)
    (directory / "upscaler" / "manifest.json").write_text(json.dumps({"defaults": {"steps": UPSCALER_STEPS}}))
    save_untrained_tiny_decoder(directory / "tiny", seed=2)
    return directory


def loaded(parts, *names, **options):
    reference = "+".join(str(parts / name) for name in names)
    options = {"dtype": "float32", **options}
    return load_model(reference, LoadingOptions(torch.device("cpu"), **options))


@pytest.fixture(scope="module")
def model(parts):
    return loaded(parts, "base", "upscaler")


@pytest.fixture(scope="module")
def base_pipeline(parts):
    return quiet(StableDiffusionPipeline.from_pretrained(parts / "base", safety_checker=None))


@pytest.fixture(scope="module")
def upscaling_pipeline(parts, base_pipeline):
    pipeline = quiet(StableDiffusionLatentUpscalePipeline.from_pretrained(parts / "upscaler"))
    # The model's own autoencoder decodes.
    pipeline.register_modules(vae=base_pipeline.vae)
    return pipeline


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def request_for(conditioning=None, **fields):
    defaults = {
        "seed": 5,
        "steps": 4,
        "guidance_scale": 4.0,
        "scheduler": "DDIMScheduler",
        "width_pixels": 16,
        "height_pixels": 24,
    }
    conditioning = conditioning or Conditioning(prompt="a cat", negative_prompt="a dog")
    return GenerationRequest(conditioning=conditioning, **(defaults | fields))


def image_of(model, request):
    with torch.inference_mode():
        sampler = Sampler(model, request)
        while not sampler.is_denoised:
            sampler.advance(list(model.denoise(sampler.rows())))
        return model.decode(sampler.latents[None])[0]


def enlarged_by_two_pipelines(base_pipeline, upscaling_pipeline, request):
    """Run the two pipelines one after the other with one generator."""
    generator = torch.Generator().manual_seed(request.seed)
    conditioning = request.conditioning
    shared = {
        "prompt": conditioning.prompt,
        "negative_prompt": conditioning.negative_prompt or None,
        "guidance_scale": request.guidance_scale,
        "generator": generator,
    }
    components = base_pipeline.components | {
        "scheduler": SchedulerCatalog(base_pipeline.scheduler).new(request.scheduler)
    }
    if conditioning.initial_image is None:
        pipeline = StableDiffusionPipeline(**components, requires_safety_checker=False)
        start = {"width": request.width_pixels, "height": request.height_pixels}
    else:
        pipeline = StableDiffusionImg2ImgPipeline(**components, requires_safety_checker=False)
        start = {"image": Image.fromarray(conditioning.initial_image), "strength": conditioning.strength}
    small = quiet(pipeline)(**shared, **start, num_inference_steps=request.steps, output_type="latent").images
    large = upscaling_pipeline(**shared, image=small, num_inference_steps=UPSCALER_STEPS).images[0]
    return np.asarray(large)


# --- the upscaler --------------------------------------------------------------------------------------


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@pytest.mark.parametrize(
    ("seed", "scheduler"),
    [(0, "DDIMScheduler"), (1, "EulerAncestralDiscreteScheduler"), (2, "DPMSolverMultistepScheduler")],
)
def test_an_enlarged_image_is_that_of_the_two_pipelines(
    model, base_pipeline, upscaling_pipeline, seed, scheduler, guidance_scale
):
    request = request_for(seed=seed, scheduler=scheduler, guidance_scale=guidance_scale, upscale=2)
    image = image_of(model, request)
    assert image.shape == (48, 32, 3)
    expected = enlarged_by_two_pipelines(base_pipeline, upscaling_pipeline, request)
    np.testing.assert_array_equal(image, expected)


def test_an_image_made_from_an_image_is_enlarged_too(model, base_pipeline, upscaling_pipeline):
    conditioning = Conditioning(prompt="a cat", initial_image=INITIAL_IMAGE, strength=0.6)
    request = request_for(conditioning, upscale=2)
    expected = enlarged_by_two_pipelines(base_pipeline, upscaling_pipeline, request)
    # Bits are promised between runs of the engine. Against the pipelines, kernels of processors without
    # AVX-512 rarely round a value the other way.
    difference = np.abs(image_of(model, request).astype(int) - expected)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 0.005 * difference.size


def test_the_upscaler_follows_the_text_and_leaves_other_images_as_they_are(parts, model):
    assert model.description.upscales == (1, 2)
    assert model.description.has_upscaler
    alone = loaded(parts, "base")
    assert alone.description.upscales == (1,)
    np.testing.assert_array_equal(image_of(model, request_for()), image_of(alone, request_for()))
    with torch.inference_mode():
        samplers = [
            Sampler(model, request_for(Conditioning(prompt=prompt), upscale=2))
            for prompt in ("a cat", "a house")
        ]
        stages = [sampler._stages[1] for sampler in samplers]
    assert torch.any(
        stages[0].condition["encoder_hidden_states"] != stages[1].condition["encoder_hidden_states"]
    )


async def test_large_and_small_images_share_the_engine(model, make_engine, events_of, image_of):
    requests = [request_for(upscale=2), request_for(), request_for(upscale=2, seed=8, guidance_scale=1.0)]
    async with make_engine(model, batch_size=4, decode_batch_size=2) as engine:
        events = await events_of(
            engine, requests[0], previews=PreviewOptions(interval_steps=4, size_pixels=16)
        )
        images = [await image_of(engine, request) for request in requests]
    progress = [event for event in events if isinstance(event, Progress)]
    assert len(progress) == progress[-1].total_steps == 4 + UPSCALER_STEPS
    assert {event.preview.height_pixels for event in progress if event.preview} == {16}
    assert [image.shape for image in images] == [(48, 32, 3), (24, 16, 3), (48, 32, 3)]
    provenance = events[-1].provenance
    assert (provenance.width_pixels, provenance.upscale) == (16, 2)
    shown = np.asarray(Image.open(io.BytesIO(events[-1].content)))
    np.testing.assert_array_equal(shown, images[0])


def test_an_upscaler_takes_twenty_steps_unless_its_manifest_says_otherwise(parts, tmp_path):
    save_untrained_upscaler(tmp_path / "usual")
    model = load_model(
        f"{parts / 'base'}+{tmp_path / 'usual'}", LoadingOptions(torch.device("cpu"), dtype="float32")
    )
    with torch.inference_mode():
        assert Sampler(model, request_for(upscale=2)).total_steps == 4 + 20


def test_the_upscaler_saves_memory_and_computes_in_half_precision_where_told(parts, model):
    whole = image_of(model, request_for(upscale=2)).astype(int)
    slicing = loaded(parts, "base", "upscaler", attention_slicing=True)
    assert np.abs(image_of(slicing, request_for(upscale=2)) - whole).max() <= 1
    half = loaded(parts, "base", "upscaler", dtype="bfloat16")
    assert 0 < np.abs(image_of(half, request_for(upscale=2)) - whole).mean() < 25


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"latent_channels": 8}, "8 channels scaled by 0.18215"),
        ({"scaling_factor": 0.13025}, "4 channels scaled by 0.13025"),
    ],
)
def test_an_upscaler_for_other_latents_is_refused(parts, tmp_path, options, complaint):
    save_untrained_upscaler(tmp_path / "other", **options)
    with pytest.raises(ModelFilesError, match=complaint):
        load_model(f"{parts / 'base'}+{tmp_path / 'other'}", LoadingOptions(torch.device("cpu")))


def test_a_damaged_upscaler_is_refused(parts, tmp_path):
    save_untrained_upscaler(tmp_path / "broken")
    (tmp_path / "broken" / "vae" / "config.json").unlink()
    with pytest.raises(ModelFilesError, match="'broken' has no usable vae/config"):
        load_model(f"{parts / 'base'}+{tmp_path / 'broken'}", LoadingOptions(torch.device("cpu")))


# --- the tiny decoder ----------------------------------------------------------------------------------


def test_a_tiny_decoder_makes_the_previews_and_not_the_images(parts):
    model, alone = loaded(parts, "base", "tiny"), loaded(parts, "base")
    np.testing.assert_array_equal(image_of(model, request_for()), image_of(alone, request_for()))
    latents = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(0))
    decoder = AutoencoderTiny.from_pretrained(parts / "tiny")
    with torch.inference_mode():
        preview = model.preview(latents, 16)
        expected = decoder.decode(latents[None]).sample[0].permute(1, 2, 0).clamp(-1, 1)
        assert np.any(preview != alone.preview(latents, 16))
    np.testing.assert_allclose(preview, (expected.numpy() + 1) * 127.5, atol=0.51)


def test_a_tiny_decoder_makes_images_where_it_is_told_to(parts, base_pipeline):
    model = loaded(parts, "base", "tiny", tiny_decoder_for_images=True)
    tiny = AutoencoderTiny.from_pretrained(parts / "tiny")
    pipeline = StableDiffusionPipeline(
        **(base_pipeline.components | {"vae": tiny}), requires_safety_checker=False
    )
    request = request_for()
    expected = quiet(pipeline)(
        "a cat",
        negative_prompt="a dog",
        num_inference_steps=4,
        guidance_scale=4.0,
        width=16,
        height=24,
        generator=torch.Generator().manual_seed(request.seed),
    ).images[0]
    np.testing.assert_array_equal(image_of(model, request), np.asarray(expected))


@pytest.mark.parametrize(
    ("options", "complaint"), [({"latent_channels": 16}, "16 channels"), ({"resolutions": 4}, "8 pixels")]
)
def test_a_tiny_decoder_for_other_latents_is_refused(parts, tmp_path, options, complaint):
    save_untrained_tiny_decoder(tmp_path / "other", **options)
    with pytest.raises(ModelFilesError, match=complaint):
        load_model(f"{parts / 'base'}+{tmp_path / 'other'}", LoadingOptions(torch.device("cpu")))


def test_both_can_be_added_and_the_name_and_the_digest_tell(parts, base_pipeline, upscaling_pipeline):
    model = loaded(parts, "base", "tiny", "upscaler")
    assert model.description.id == "base+tiny+upscaler"
    assert model.description.digest != loaded(parts, "base").description.digest
    request = request_for(upscale=2)
    expected = enlarged_by_two_pipelines(base_pipeline, upscaling_pipeline, request)
    np.testing.assert_array_equal(image_of(model, request), expected)


def test_what_is_nothing_to_add_is_refused(parts):
    with pytest.raises(ModelFilesError, match="'base' cannot be added to a model"):
        loaded(parts, "base", "base")
    with pytest.raises(ModelFilesError, match="two additions of one kind"):
        loaded(parts, "base", "tiny", "tiny")
