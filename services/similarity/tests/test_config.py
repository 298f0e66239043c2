"""Settings, model names, and models by name."""

from __future__ import annotations

import pytest

from chladni_contract.errors import NotFoundError, Reason
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import SettingsError, load_settings
from chladni_similarity.config import SimilaritySettings
from chladni_similarity.embedders.catalog import ModelCatalog
from chladni_similarity.models.references import parse_model_references


def test_the_defaults_serve_the_embedded_models():
    settings = load_settings(SimilaritySettings, {})
    assert (settings.grpc_port, settings.metrics_port) == (50053, 9103)
    assert [reference.name for reference in settings.models] == [
        "efficientnet-lite0",
        "chladni-alignment",
    ]
    assert settings.audio_features_target == ""
    assert settings.image_limits.max_bytes == 10 * 1024 * 1024
    assert settings.image_limits.max_side_pixels == 4096
    assert settings.max_concurrent_requests > settings.max_images_in_progress


def test_every_fault_is_reported_together():
    environ = {
        "CHLADNI_SIMILARITY_MODELS": "no model at all",
        "CHLADNI_SIMILARITY_MAX_BATCH_SIZE": "0",
        "CHLADNI_SIMILARITY_MODEL": "efficientnet-lite0",
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(SimilaritySettings, environ)
    for name in (*environ, "3 fault"):
        assert name in str(caught.value)


def test_models_are_listed_in_order_with_revisions():
    text = " openai/clip-vit-base-patch32@refs/pr/15 ,efficientnet-lite0, /models/my-clip,"
    references = parse_model_references(text)
    assert references == (
        ModelReference("openai/clip-vit-base-patch32", "refs/pr/15"),
        ModelReference("efficientnet-lite0"),
        ModelReference("/models/my-clip"),
    )
    assert [reference.name for reference in references] == [
        "openai/clip-vit-base-patch32",
        "efficientnet-lite0",
        "my-clip",
    ]
    assert [reference.is_directory for reference in references] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at least one"),
        (" , ", "at least one"),
        ("efficientnet", "is no model"),
        ("relative/path/model", "is no model"),
        ("/", "is no model"),
        ("owner/name@", "is no model"),
        ("owner/na me", "is no model"),
        ("efficientnet-lite0@main", "is no model"),
        ("/models/my-clip@abc", "hexadecimal digits of its digest"),
        ("/a/clip,/b/clip", "two models have the name clip"),
    ],
)
def test_a_wrong_list_of_models_says_what_is_wrong(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_model_references(text)


def test_the_empty_name_finds_the_default(embedder):
    catalog = ModelCatalog([embedder])
    assert catalog.find("") is embedder
    assert catalog.find("efficientnet-lite0") is embedder


def test_an_unknown_name_is_answered_with_the_known_ones(embedder):
    with pytest.raises(NotFoundError) as caught:
        ModelCatalog([embedder]).find("x" * 10_000)
    assert caught.value.reason is Reason.UNKNOWN_MODEL
    assert caught.value.violations[0].field == "model"
    assert "efficientnet-lite0" in caught.value.message
    assert len(caught.value.message) < 300
