"""AudioLDM: a spectrogram of a sound's CLAP embedding, as diffusers' own pipeline would compute it."""

from __future__ import annotations

import asyncio
import io
import shutil
from dataclasses import replace

import diffusers
import grpc
import numpy as np
import pytest
import torch
from diffusers import AudioLDMPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, ClapConfig, ClapModel

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_contract.weight_fingerprint import fingerprint
from chladni_fakes.families import input_names
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.families.common.mel_images import mel_image
from chladni_image_generation.generation import Conditioning, GenerationRequest, PreviewOptions, Progress
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.models.schedulers import SchedulerCatalog
from chladni_image_generation.testing.untrained_checkpoints.audioldm import save_untrained_audioldm

CPU = LoadingOptions(torch.device("cpu"), dtype="float32")
STEPS = 4
SCHEDULERS = SchedulerCatalog(diffusers.DDIMScheduler())
RUNS = [
    *((name, seed, 7.5 if seed % 2 else 1.0) for seed, name in enumerate(SCHEDULERS.names)),
    *(("DDIMScheduler", seed, guidance) for seed in (20, 2**32 - 1) for guidance in (1.0, 2.5, 7.5)),
]
# With LMS, diffusers hands a tensor to NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")


class SpectrogramPipeline(AudioLDMPipeline):
    """The published pipeline, but for its last step, which makes a waveform."""

    def mel_spectrogram_to_waveform(self, mel_spectrogram):
        return mel_spectrogram


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "tiny-audioldm"
    save_untrained_audioldm(directory, seed=4)
    return directory


@pytest.fixture(scope="module")
def model(directory):
    return load_model(str(directory), CPU)


@pytest.fixture
def copy(directory, tmp_path):
    """A copy that may be damaged."""
    shutil.copytree(directory, tmp_path / "copy")
    return tmp_path / "copy"


def embedding_of(seed):
    values = np.random.default_rng(seed).standard_normal(512).astype(np.float32)
    return values / np.linalg.norm(values)


def request_for(seed=0, *, negative_prompt="", scheduler="DDIMScheduler", guidance_scale=7.5, steps=STEPS):
    return GenerationRequest(
        conditioning=Conditioning(audio_embedding=embedding_of(seed), negative_prompt=negative_prompt),
        seed=seed,
        steps=steps,
        guidance_scale=guidance_scale,
        scheduler=scheduler,
        width_pixels=512,
        height_pixels=512,
    )


@pytest.fixture(scope="module")
def published_image(directory):
    """Return a function that draws the spectrogram which diffusers' pipeline computes."""
    pipeline = SpectrogramPipeline.from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    schedulers = SchedulerCatalog(pipeline.scheduler)

    def image(request):
        conditioning = request.conditioning
        pipeline.scheduler = schedulers.new(request.scheduler)
        with torch.inference_mode():
            negative = pipeline._encode_prompt(conditioning.negative_prompt, "cpu", 1, False)
            mels = pipeline(
                prompt_embeds=torch.from_numpy(conditioning.audio_embedding)[None],
                negative_prompt_embeds=negative,
                num_inference_steps=request.steps,
                guidance_scale=request.guidance_scale,
                audio_length_in_s=10.24,
                # The pipeline sets eta for every scheduler that has one; TCD's own default is this.
                eta=0.3 if request.scheduler == "TCDScheduler" else 0.0,
                generator=torch.Generator().manual_seed(request.seed),
                output_type="pt",
            ).audios
        assert mels.shape == (1, 1, 1024, 64)
        return mel_image(mels[0, 0].numpy(), size_pixels=512)

    return image


@pytest.mark.parametrize(("scheduler", "seed", "guidance_scale"), RUNS)
async def test_images_are_of_the_published_pipelines_spectrograms(
    make_engine, model, published_image, image_of, scheduler, seed, guidance_scale
):
    request = request_for(seed, scheduler=scheduler, guidance_scale=guidance_scale)
    async with make_engine(model) as engine:
        image = await image_of(engine, request)
    expected = published_image(request)
    assert expected.std() > 5
    assert np.array_equal(image, expected)


@pytest.mark.parametrize("negative_prompt", ["rain on a tin roof", "é", "x" * 2000])
async def test_a_negative_prompt_is_embedded_as_the_published_pipeline_embeds_prompts(
    make_engine, model, published_image, image_of, negative_prompt
):
    request = request_for(3, negative_prompt=negative_prompt)
    async with make_engine(model) as engine:
        image = await image_of(engine, request)
        without = await image_of(engine, request_for(3))
    assert np.array_equal(image, published_image(request))
    assert not np.array_equal(image, without)


async def test_companions_do_not_change_an_image(make_engine, model, image_of):
    requests = [
        request_for(seed, steps=2 + seed, guidance_scale=(1.0, 3.0)[seed % 2], negative_prompt="rain" * seed)
        for seed in range(3)
    ]
    async with make_engine(model, batch_size=4) as engine:
        together = await asyncio.gather(*(image_of(engine, request) for request in requests))
        for request, image in zip(requests, together, strict=True):
            assert np.array_equal(image, await image_of(engine, request))


async def test_the_image_follows_the_embedding(make_engine, model, image_of):
    async with make_engine(model) as engine:
        one = await image_of(engine, request_for(1))
        other = Conditioning(audio_embedding=embedding_of(2))
        assert not np.array_equal(one, await image_of(engine, replace(request_for(1), conditioning=other)))


@pytest.mark.parametrize("size_pixels", [16, 50, 64, 512])
async def test_previews_are_coarse_spectrograms(make_engine, model, events_of, size_pixels):
    async with make_engine(model) as engine:
        events = await events_of(engine, request_for(), previews=PreviewOptions(2, size_pixels))
    previews = [event.preview for event in events if isinstance(event, Progress) and event.preview]
    assert [(preview.width_pixels, preview.height_pixels) for preview in previews] == [(size_pixels,) * 2]


def test_the_largest_preview_is_the_image(model):
    latents = torch.randn(model.description.latent_shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        preview = Image.fromarray(model.preview(latents, 1024)).resize((512, 512), Image.Resampling.BICUBIC)
        image = model.decode(latents[None])[0]
    assert np.abs(np.asarray(preview).astype(int) - image).mean() < 8


def test_the_model_is_described(model):
    description = model.description
    assert description.latent_shape == (8, 256, 16)
    assert description.image_size_pixels == (512, 512)
    assert description.required_inputs == {"audio_embedding"}
    assert (description.default_steps, description.default_guidance_scale) == (50, 7.5)
    assert description.license == "CC-BY-NC-SA-4.0"


def test_the_vocoder_is_not_loaded(copy):
    (copy / "vocoder" / "model.safetensors").unlink()
    assert load_model(str(copy), CPU)._pipeline.vocoder is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_space_does_not_depend_on_the_type_to_compute_in(directory, model, dtype):
    loaded = load_model(str(directory), replace(CPU, dtype=dtype))
    assert loaded.dtype is getattr(torch, dtype)
    assert loaded._pipeline.text_encoder.dtype is loaded.dtype
    assert loaded.description.embedding_space == model.description.embedding_space


def test_a_checkpoint_in_half_precision_has_the_same_space(copy, model):
    path = copy / "text_encoder" / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, {"format": "pt"})
    assert load_model(str(copy), CPU).description.embedding_space == model.description.embedding_space


def test_the_space_is_that_of_the_clap_whose_text_branch_it_is(directory, model, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(directory / "tokenizer")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ClapConfig(
        text_config={
            **sizes,
            "intermediate_size": 8,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 40,
        },
        audio_config={
            "patch_embeds_hidden_size": 4,
            "hidden_size": 8,
            "depths": [1, 1],
            "num_attention_heads": [1, 2],
            "num_hidden_layers": 2,
        },
    )
    torch.manual_seed(0)
    clap = ClapModel(config)
    clap.save_pretrained(tmp_path / "clap")
    tokenizer.save_pretrained(tmp_path / "clap")
    save_untrained_audioldm(tmp_path / "audioldm", clap_directory=tmp_path / "clap")
    text_branch = {
        name: tensor.numpy()
        for name, tensor in clap.state_dict().items()
        if name.startswith(("text_model.", "text_projection.")) and tensor.is_floating_point()
    }
    related = load_model(str(tmp_path / "audioldm"), CPU)
    assert related.description.embedding_space.name == f"clap-{fingerprint(text_branch)}"
    assert related.description.embedding_space.size == 512
    assert related.description.embedding_space != model.description.embedding_space
    with torch.inference_mode():
        plan = related.plan(request_for(negative_prompt="x" * 100), torch.Generator())
    assert plan.stages[0].null_condition["class_labels"].norm().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("text_encoder/model.safetensors", "text encoder"),
        ("vocoder/config.json", "vocoder/config.json"),
        ("unet/diffusion_pytorch_model.safetensors", "cannot be loaded"),
        ("vae/config.json", "cannot be loaded"),
    ],
)
def test_a_missing_file_is_told(copy, missing, message):
    (copy / missing).unlink()
    with pytest.raises(ModelFilesError, match=message) as caught:
        load_model(str(copy), CPU)
    assert str(copy.parent) not in str(caught.value)


def test_a_missing_weight_of_the_text_branch_is_told_and_not_made_up(copy):
    path = copy / "text_encoder" / "model.safetensors"
    weights = load_file(path)
    del weights["text_projection.linear1.weight"]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ModelFilesError, match=r"lacks 1 weights.*text_projection\.linear1\.weight"):
        load_model(str(copy), CPU)


def test_additions_are_refused(directory, tmp_path):
    diffusers.AutoencoderTiny(
        encoder_block_out_channels=(4,) * 4, decoder_block_out_channels=(4,) * 4
    ).save_pretrained(tmp_path / "tiny")
    with pytest.raises(ModelFilesError, match="takes no tiny decoder"):
        load_model(f"{directory}+{tmp_path / 'tiny'}", CPU)


@pytest.fixture
async def stub(directory):
    settings = ImageGenerationSettings(model=str(directory), thread_count=1, dtype="float32")
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(request, space, **options):
    embedding = tensor_pb2.Embedding(space=space, values=to_tensor(request.conditioning.audio_embedding))
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=embedding),
        options=generation_pb2.GenerationOptions(
            **({"seed": request.seed, "steps": request.steps} | options)
        ),
    )


async def test_the_service_answers_with_the_published_pipelines_spectrogram(stub, model, published_image):
    (info,) = (await stub.ListModels(image_pb2.ListModelsRequest())).models
    assert info.family == "audioldm"
    assert input_names(info) == ("audio_embedding", "negative_prompt")
    assert input_names(info, required_only=True) == ("audio_embedding",)
    space = model.description.embedding_space.name
    assert list(info.image_generation.input_spaces) == [space]
    assert info.license == "CC-BY-NC-SA-4.0"
    request = request_for(8)
    events = [event async for event in stub.GenerateImage(message_for(request, space))]
    image = np.asarray(Image.open(io.BytesIO(events[-1].completed.image.content)))
    assert np.array_equal(image, published_image(request))


async def test_bad_fields_are_named(stub, model):
    space = model.description.embedding_space.name
    prompted = message_for(request_for(), space)
    prompted.conditioning.prompt = "a cat"
    short = message_for(request_for(), space)
    short.conditioning.audio_embedding.values.CopyFrom(to_tensor(embedding_of(0)[:256]))
    for message, field in (
        (message_for(request_for(), "clap-0000000000000000"), "conditioning.audio_embedding.space"),
        (prompted, "conditioning.prompt"),
        (short, "conditioning.audio_embedding.values.shape"),
        (image_pb2.GenerateImageRequest(), "conditioning.audio_embedding"),
        (message_for(request_for(), space, width_pixels=256), "options.width_pixels"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub.GenerateImage(message):
                pass
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in from_rpc_error(caught.value).violations] == [field]
