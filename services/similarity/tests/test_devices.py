"""Where models run, and what becomes of those that cannot be loaded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prometheus_client import CollectorRegistry

from chladni_runtime.models.files import ModelLoadingError
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import ConfigurationError
from chladni_similarity.composition import compose
from chladni_similarity.config import SimilaritySettings
from chladni_similarity.embedders import catalog
from chladni_similarity.embedders.catalog import load_catalog
from chladni_similarity.embedders.inference import CPU, place

EFFICIENTNET, ALIGNMENT = ModelReference("efficientnet-lite0"), ModelReference("chladni-alignment")


async def test_a_gpu_that_is_not_there_is_one_sentence_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigurationError, match="CHLADNI_SIMILARITY_DEVICE='cuda' cannot be used: PyTorch"):
        async with compose(SimilaritySettings(device="cuda"))(CollectorRegistry()):
            pass


def test_the_placement_is_float32_unless_another_type_is_named():
    assert place("cpu", "auto") == CPU
    assert CPU.properties == {}
    assert place("cuda:1", "float16").properties == {"device": "cuda:1", "dtype": "float16"}


def test_half_precision_gives_nearly_the_same_vectors():
    pixels = np.random.default_rng(1).integers(0, 256, (1, 3, 300, 200), np.uint8)
    plain = load_catalog([EFFICIENTNET, ALIGNMENT])
    half = load_catalog([EFFICIENTNET, ALIGNMENT], dtype="bfloat16")
    for name in (EFFICIENTNET.source, ALIGNMENT.source):
        exact, rounded = plain.find(name), half.find(name)
        assert rounded.card.properties["dtype"] == "bfloat16"
        assert rounded.card.space == exact.card.space
        inputs = np.stack([exact.prepare(image) for image in pixels])
        first, second = exact.embed(inputs), rounded.embed(inputs)
        assert second.dtype == np.float32
        cosines = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
        assert cosines.min() > 0.99
    audio = np.random.default_rng(2).random((2, 152), np.float32)
    model = half.find_audio_embedder("")
    assert model.embed_audio(audio).dtype == np.float32


@pytest.mark.parametrize(
    "failure", [ModelLoadingError("It is damaged."), ImportError("no module"), KeyError("x")]
)
def test_whatever_is_wrong_with_a_model_the_others_serve(monkeypatch, failure):
    load = catalog._load_embedder

    def fail(reference, **placement):
        if reference is ALIGNMENT:
            raise failure
        return load(reference, **placement)

    monkeypatch.setattr(catalog, "_load_embedder", fail)
    found = load_catalog([ALIGNMENT, EFFICIENTNET])
    assert found.default.card.model_id == EFFICIENTNET.source
    ((name, reason),) = found.unavailable
    assert name == ALIGNMENT.source
    assert reason.endswith(".")
    assert "no module" not in reason
    with pytest.raises(ModelLoadingError):
        load_catalog([ALIGNMENT])
