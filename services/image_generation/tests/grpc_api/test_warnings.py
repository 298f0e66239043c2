"""What a caller is told about an image: what of the request had no effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chladni_contract.warnings import WarningReason
from chladni_image_generation.families.common.pipelines import text_reader
from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.grpc_api.messages import warnings_about
from chladni_image_generation.models.interface import ImageSizes, ModelDescription, TextReader
from chladni_image_generation.testing.untrained_checkpoints.preprocessors import byte_level_clip_tokenizer

MODEL = ModelDescription(
    id="sd",
    family="stable-diffusion",
    digest="",
    description="",
    license="",
    inputs=frozenset({"prompt", "negative_prompt"}),
    required_inputs=frozenset(),
    embedding_space=None,
    latent_shape=(4, 64, 64),
    image_size_pixels=(512, 512),
    sizes=ImageSizes(256, 1024, 64),
    default_steps=50,
    default_guidance_scale=7.5,
    scheduler_names=("DDIMScheduler",),
    text_reader=TextReader(4, lambda text: len(text.split()) + 2),
)


def warnings_of(prompt, negative_prompt="", *, guidance_scale=7.5, model=MODEL):
    request = GenerationRequest(
        Conditioning(prompt=prompt, negative_prompt=negative_prompt),
        seed=0,
        steps=1,
        guidance_scale=guidance_scale,
        scheduler="DDIMScheduler",
        width_pixels=512,
        height_pixels=512,
    )
    return warnings_about(request, model)


@pytest.mark.parametrize("texts", [("", ""), ("two words", ""), ("two words", "two more")])
def test_what_is_read_whole_is_no_matter(texts):
    assert warnings_of(*texts) == []
    assert warnings_of("any number of words", model=replace(MODEL, text_reader=None)) == []


def test_text_beyond_the_limit_is_told():
    first, second = warnings_of("one more word", "and four more words")
    assert (first.reason, second.reason) == (WarningReason.TEXT_TRUNCATED, WarningReason.TEXT_TRUNCATED)
    assert first.metadata == {"field": "conditioning.prompt", "tokens": "5", "max_tokens": "4"}
    assert second.metadata["field"] == "conditioning.negative_prompt"
    assert first.message.startswith("The prompt has 5 tokens, of which the model sd reads 4")


def test_a_negative_prompt_without_guidance_is_told():
    (warning,) = warnings_of("two words", "a long one that nobody reads", guidance_scale=1.0)
    assert warning.reason is WarningReason.SETTING_IGNORED
    assert warning.metadata["field"] == "conditioning.negative_prompt"
    assert "distilled" not in warning.message
    turbo = replace(MODEL, default_guidance_scale=1.0)
    (warning,) = warnings_of("two words", "mud", guidance_scale=1.0, model=turbo)
    assert "distilled" in warning.message


def test_tokens_are_counted_by_the_tokenizer_of_the_model():
    tokenizer = byte_level_clip_tokenizer()
    reader = text_reader(tokenizer, None)
    assert reader.max_tokens == tokenizer.model_max_length == 77
    assert reader.count_tokens("a" * 40) < 77 < reader.count_tokens("a b " * 60)
    assert len(tokenizer("a b " * 60, truncation=True, max_length=77).input_ids) == 77
