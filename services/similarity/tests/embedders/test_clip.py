"""CLIP by configuration, on a tiny one with random weights."""

from __future__ import annotations

import io
import json
import shutil

import grpc
import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_fakes.loopback import loopback_service
from chladni_runtime.models.files import ModelLoadingError
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import load_settings
from chladni_similarity.composition import SERVICE_NAMES, compose
from chladni_similarity.config import SimilaritySettings
from chladni_similarity.embedders import catalog as catalog_module
from chladni_similarity.embedders import clip
from chladni_similarity.embedders.clip import ClipEmbedder
from chladni_similarity.models.scoring import cosine_of

SIDE_PIXELS = 32


@pytest.fixture(scope="module")
def clip_directory(tmp_path_factory):
    """A CLIP whose width, projection and text tower differ in size, so that none passes for another."""
    torch.manual_seed(1)
    tower = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**tower, "hidden_size": 8, "vocab_size": 50, "max_position_embeddings": 8},
        vision_config={**tower, "image_size": SIDE_PIXELS, "patch_size": 8},
        projection_dim=12,
    )
    directory = tmp_path_factory.mktemp("models") / "tiny-clip"
    CLIPModel(config).save_pretrained(directory)
    CLIPImageProcessorPil(
        size={"shortest_edge": SIDE_PIXELS}, crop_size={"height": SIDE_PIXELS, "width": SIDE_PIXELS}
    ).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def tiny_clip(clip_directory):
    return ClipEmbedder.load(ModelReference(str(clip_directory)))


def test_vectors_are_what_transformers_computes(clip_directory, tiny_clip, random_image):
    model = CLIPModel.from_pretrained(clip_directory).eval()
    processor = CLIPImageProcessorPil.from_pretrained(clip_directory)
    images = [random_image(seed) for seed in range(3)]
    with torch.inference_mode():
        pixel_values = processor(images, return_tensors="pt")["pixel_values"]
        expected = model.get_image_features(pixel_values).pooler_output.numpy()
    prepared = np.stack([tiny_clip.prepare(image.transpose(2, 0, 1)) for image in images])
    vectors = tiny_clip.embed(prepared)
    assert vectors.shape == (3, 12)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (3, 500), (4096, 1), (1, 4096), (31, 33)])
def test_every_shape_is_prepared_to_the_models_size(tiny_clip, size):
    prepared = tiny_clip.prepare(np.zeros((3, *size), np.uint8))
    assert prepared.shape == (3, SIDE_PIXELS, SIDE_PIXELS)
    assert prepared.dtype == np.uint8
    assert prepared.flags.c_contiguous


def test_an_image_of_the_models_size_is_taken_as_it_is(tiny_clip):
    pixels = np.random.default_rng(1).integers(0, 256, (3, SIDE_PIXELS, SIDE_PIXELS), np.uint8)
    assert tiny_clip.takes_as_is(pixels)
    assert tiny_clip.prepare(pixels) is pixels
    assert not tiny_clip.takes_as_is(pixels[:, 1:])


def test_a_processor_that_cuts_the_rim_off_leaves_no_image_as_it_is(clip_directory, tmp_path, random_image):
    directory = copied(clip_directory, tmp_path)
    crop = {"height": SIDE_PIXELS, "width": SIDE_PIXELS}
    CLIPImageProcessorPil(size={"shortest_edge": 40}, crop_size=crop).save_pretrained(directory)
    embedder = ClipEmbedder.load(ModelReference(str(directory)))
    pixels = random_image(1, SIDE_PIXELS, SIDE_PIXELS).transpose(2, 0, 1)
    assert not embedder.takes_as_is(pixels)
    assert not np.array_equal(embedder.prepare(pixels), pixels)


def test_a_processor_may_leave_values_as_they_are(clip_directory, tmp_path):
    directory = copied(clip_directory, tmp_path)
    CLIPImageProcessorPil(
        size={"shortest_edge": SIDE_PIXELS},
        crop_size={"height": SIDE_PIXELS, "width": SIDE_PIXELS},
        do_normalize=False,
    ).save_pretrained(directory)
    model = CLIPModel.from_pretrained(clip_directory).eval()
    pixels = np.random.default_rng(2).integers(0, 256, (2, 3, SIDE_PIXELS, SIDE_PIXELS), np.uint8)
    with torch.inference_mode():
        expected = model.get_image_features(torch.from_numpy(pixels / np.float32(255))).pooler_output.numpy()
    vectors = ClipEmbedder.load(ModelReference(str(directory))).embed(pixels)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kept"), [((4096, 1), (4, 1)), ((2, 4095), (2, 8)), ((10, 40), (10, 40)), ((3, 3), (3, 3))]
)
def test_images_are_at_most_four_times_as_long_as_wide_when_they_are_resized(size, kept):
    pixels = np.zeros((3, *size), np.uint8)
    pixels[:, size[0] // 2, size[1] // 2] = 1
    assert clip._without_far_ends(pixels).shape == (3, *kept)
    assert clip._without_far_ends(pixels).any()


@pytest.mark.parametrize("size", [(40, 400), (400, 40)])
def test_cutting_off_far_ends_changes_nothing(clip_directory, tiny_clip, random_image, size):
    image = random_image(5, *size)
    whole = CLIPImageProcessorPil.from_pretrained(clip_directory)(
        image, do_rescale=False, do_normalize=False, return_tensors="np"
    )
    prepared = tiny_clip.prepare(image.transpose(2, 0, 1))
    np.testing.assert_allclose(prepared, whole["pixel_values"][0], atol=2)


def test_the_card_shows_no_path_and_ties_the_space_to_the_weights(clip_directory, tiny_clip):
    card = tiny_clip.card
    assert card.model_id == "tiny-clip"
    assert card.dimension == 12
    assert card.space == f"tiny-clip@{card.digest[:12]}"
    assert str(clip_directory.parent) not in str(card)


def test_the_text_tower_takes_no_memory(tiny_clip):
    assert not any("text_model" in name for name, _ in tiny_clip._network.named_parameters())
    assert any("vision_model" in name for name, _ in tiny_clip._network.named_parameters())


def copied(clip_directory, tmp_path):
    return shutil.copytree(clip_directory, tmp_path / "copy")


def test_weights_stored_in_half_precision_serve_too(clip_directory, tiny_clip, tmp_path, random_image):
    directory = copied(clip_directory, tmp_path)
    CLIPModel.from_pretrained(clip_directory, dtype=torch.float16).save_pretrained(directory)
    halved = ClipEmbedder.load(ModelReference(str(directory)))
    inputs = tiny_clip.prepare(random_image(1).transpose(2, 0, 1))[None]
    np.testing.assert_allclose(halved.embed(inputs), tiny_clip.embed(inputs), atol=0.02)
    assert halved.card.digest != tiny_clip.card.digest


def test_a_directory_without_safetensors_is_refused(clip_directory, tmp_path):
    directory = copied(clip_directory, tmp_path)
    weights = directory / "model.safetensors"
    torch.save({}, directory / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelLoadingError, match="no safetensors"):
        ClipEmbedder.load(ModelReference(str(directory)))


def test_a_model_that_is_no_clip_is_refused(clip_directory, tmp_path):
    directory = copied(clip_directory, tmp_path)
    (directory / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    with pytest.raises(ModelLoadingError, match="model_type is bert"):
        ClipEmbedder.load(ModelReference(str(directory)))


def test_damaged_weights_are_refused(clip_directory, tmp_path):
    weights = copied(clip_directory, tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ModelLoadingError, match="copy cannot be loaded"):
        ClipEmbedder.load(ModelReference(str(weights.parent)))


def test_missing_weights_are_refused_and_not_made_up(clip_directory, tmp_path):
    weights = copied(clip_directory, tmp_path) / "model.safetensors"
    tensors = load_file(weights)
    del tensors["visual_projection.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(ModelLoadingError, match=r"lack 1 weights, the first of them visual_projection"):
        ClipEmbedder.load(ModelReference(str(weights.parent)))


@pytest.mark.parametrize("content", [None, "not JSON", "[]"])
def test_a_configuration_that_cannot_be_read_is_refused(clip_directory, tmp_path, content):
    config = copied(clip_directory, tmp_path) / "config.json"
    config.unlink() if content is None else config.write_text(content)
    with pytest.raises(ModelLoadingError, match="copy cannot be loaded"):
        ClipEmbedder.load(ModelReference(str(config.parent)))


def test_a_directory_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelLoadingError, match="'none': there is no such directory"):
        ClipEmbedder.load(ModelReference(str(tmp_path / "none")))


def test_of_a_hub_model_only_safetensors_at_the_revision_are_fetched(clip_directory, monkeypatch):
    asked = {}

    def snapshot_download(repository, *, revision, allow_patterns, ignore_patterns, local_files_only):
        assert not ignore_patterns
        asked.update(repository=repository, revision=revision, patterns=allow_patterns)
        return str(clip_directory)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    embedder = ClipEmbedder.load(ModelReference("openai/clip-vit-base-patch32", "abc"))
    assert embedder.card.model_id == "openai/clip-vit-base-patch32"
    assert (asked["repository"], asked["revision"]) == ("openai/clip-vit-base-patch32", "abc")
    assert not any(
        pattern.endswith((".bin", ".py", ".pt")) or pattern == "*" for pattern in asked["patterns"]
    )


def test_a_hub_that_cannot_be_reached_is_a_clear_error(monkeypatch):
    def snapshot_download(*_args, **_options):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(
        ModelLoadingError, match="at revision abc is not on this machine, and cannot be downloaded"
    ):
        ClipEmbedder.load(ModelReference("openai/clip-vit-base-patch32", "abc"))


async def test_a_request_chooses_among_the_configured_models(clip_directory, random_image):
    environ = {"CHLADNI_SIMILARITY_MODELS": f"{clip_directory}, efficientnet-lite0"}
    settings = load_settings(SimilaritySettings, environ)
    pixels = random_image(1).transpose(2, 0, 1)[None]
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_UINT8, shape=pixels.shape, data=pixels.tobytes())
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = similarity_grpc.SimilarityServiceStub(channel)
        response = await stub.ListModels(similarity_pb2.ListModelsRequest())
        models = response.models
        assert [model.id for model in models] == ["tiny-clip", "efficientnet-lite0"]
        assert response.default_model == "tiny-clip"
        assert [model.family for model in models] == ["clip", "efficientnet-lite0"]
        answers = {}
        for name in ("", "tiny-clip", "efficientnet-lite0"):
            request = similarity_pb2.EmbedImagesRequest(pixels=tensor, model=name)
            answers[name] = await stub.EmbedImages(request)
    assert answers[""].model == "tiny-clip"
    assert answers[""].embeddings == answers["tiny-clip"].embeddings
    assert answers["tiny-clip"].embeddings.values.shape == [1, 12]
    assert answers["efficientnet-lite0"].model == "efficientnet-lite0"
    assert answers["efficientnet-lite0"].embeddings.values.shape == [1, 1280]
    spaces = {model.id: model.embedding.output_space for model in models}
    for name, space in spaces.items():
        assert answers[name].embeddings.space == space


@pytest.mark.parametrize(
    ("revision", "expected"), [(None, "refs/pr/15"), ("abc", "abc")], ids=["by itself", "named"]
)
def test_the_documented_clip_has_safetensors_at_a_known_revision(
    clip_directory, monkeypatch, revision, expected
):
    asked = []

    def snapshot_download(_repository, *, revision, **_options):
        asked.append(revision)
        return str(clip_directory)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    embedder = ClipEmbedder.load(ModelReference("openai/clip-vit-base-patch32", revision))
    assert asked == [expected]
    assert embedder.card.model_id == "openai/clip-vit-base-patch32"


async def test_a_broken_model_beside_a_good_one_is_listed_and_not_fatal(
    clip_directory, tmp_path, random_image
):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    environ = {"CHLADNI_SIMILARITY_MODELS": f"{clip_directory},{tmp_path / 'broken'}"}
    settings = load_settings(SimilaritySettings, environ)
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = similarity_grpc.SimilarityServiceStub(channel)
        listed = await stub.ListModels(similarity_pb2.ListModelsRequest())
        same, other = (_encoded(random_image(seed)) for seed in (1, 2))
        alike = await stub.CompareImages(similarity_pb2.CompareImagesRequest(first=same, second=same))
        unlike = await stub.CompareImages(similarity_pb2.CompareImagesRequest(first=same, second=other))
        with pytest.raises(grpc.aio.AioRpcError, match="'broken' cannot be used") as caught:
            await stub.CompareImages(
                similarity_pb2.CompareImagesRequest(first=same, second=other, model="broken")
            )
    good, broken = listed.models
    assert (good.id, listed.default_model) == ("tiny-clip", "tiny-clip")
    assert (broken.id, broken.state) == ("broken", model_pb2.MODEL_STATE_UNAVAILABLE)
    assert "no safetensors" in broken.unavailable_reason or "cannot be loaded" in broken.unavailable_reason
    assert alike.score == 1
    assert 0 <= unlike.score <= 1
    assert unlike.model == "tiny-clip"
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def _encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return media_pb2.EncodedImage(content=file.getvalue())


@given(
    seeds=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
    height=st.integers(1, 48),
    width=st.integers(1, 48),
)
@settings(max_examples=100, deadline=None)
def test_scores_of_a_clip_are_in_range(tiny_clip, random_image, seeds, height, width):
    """Feature: voice-to-image-system, Property 8: Similarity Score Range.

    For any two images, CLIP embeddings give a score between 0 and 1, and an image scores 1 with itself.
    """
    images = [random_image(seed, height, width).transpose(2, 0, 1) for seed in seeds]
    first, second = tiny_clip.embed(np.stack([tiny_clip.prepare(image) for image in images]))
    score_map = tiny_clip.score_map
    assert 0 <= score_map.score_of(cosine_of(first, second)) <= 1
    assert score_map.score_of(cosine_of(first, first)) == 1.0


@given(names=st.lists(st.sampled_from(["", "tiny-clip"]), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_one_loaded_model_serves_any_sequence_of_requests(tiny_clip, counted_catalog, names):
    """Feature: voice-to-image-system, Property 18: Model Caching.

    For any sequence of requests, the model that was loaded at start-up serves all of them.
    """
    catalog, loads = counted_catalog
    assert all(catalog.find(name) is tiny_clip for name in names)
    assert loads == ["tiny-clip"]


@pytest.fixture(scope="module")
def counted_catalog(clip_directory, tiny_clip):
    """The catalog of a server with the tiny CLIP, and the names of the models that were loaded for it."""
    loads = []

    def load(reference, **_):
        loads.append(reference.name)
        return tiny_clip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_module, "_load_embedder", load)
        yield catalog_module.load_catalog([ModelReference(str(clip_directory))]), loads
