"""The alignment model as an embedder: what it computes, what it says of itself, what it refuses to load."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from chladni_contract.errors import InvalidInputError, NotOfferedError
from chladni_runtime.models.files import ModelLoadingError
from chladni_runtime.models.reference import ModelReference
from chladni_similarity.embedders.alignment import AlignmentEmbedder
from chladni_similarity.embedders.alignment_network import AlignmentConfig, AlignmentModel
from chladni_similarity.embedders.catalog import ModelCatalog, load_catalog
from chladni_similarity.models.files import ModelAbsentError
from chladni_similarity.models.scoring import cosine_of


@pytest.fixture
def copied(alignment_directory, tmp_path):
    return shutil.copytree(alignment_directory, tmp_path / "copied")


def images(count, side=128):
    return np.random.default_rng(1).integers(0, 256, (count, 3, side, side), np.uint8)


def test_transformers_loads_the_directory_and_computes_the_same(
    aligner_model, alignment_directory, make_pairs
):
    model, loading = AlignmentModel.from_pretrained(
        alignment_directory, dtype=torch.float32, output_loading_info=True
    )
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    pairs = make_pairs(3, seed=9)
    with torch.inference_mode():
        logits = model.eval()(pairs["sounds"], pairs["images"].float() / 255)
    heard = aligner_model.embed_audio(pairs["sounds"].numpy())
    seen = aligner_model.embed(pairs["images"].numpy())
    cosines = [[cosine_of(sound, image) for image in seen] for sound in heard]
    np.testing.assert_allclose((logits / model.scale.detach()).numpy(), cosines, atol=1e-5)


def test_the_layout_of_an_image_counts(aligner_model):
    (image,) = images(1, side=4).repeat(32, axis=2).repeat(32, axis=3)
    upright, mirrored = aligner_model.embed(np.stack([image, image[:, :, ::-1]]))
    assert cosine_of(upright, mirrored) < 0.99


def test_a_batch_gives_the_same_as_its_images_alone(aligner_model):
    inputs = images(6)
    together = aligner_model.embed(inputs)
    alone = np.concatenate([aligner_model.embed(inputs[index : index + 1]) for index in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert together.shape == (6, 256)
    assert together.dtype == np.float32


def test_images_of_other_sizes_are_resized_as_a_whole(aligner_model, random_image):
    pixels = random_image(1, 300, 400).transpose(2, 0, 1)
    prepared = aligner_model.prepare(pixels)
    assert prepared.shape == (3, 128, 128)
    framed = pixels.copy()
    framed[:, :, -4:] = 0
    assert not np.array_equal(aligner_model.prepare(framed), prepared)
    assert np.shares_memory(aligner_model.prepare(prepared), prepared)


def test_weights_are_small_and_an_image_is_cheap(alignment_directory):
    assert (alignment_directory / "model.safetensors").stat().st_size < 6_000_000
    model = AlignmentModel(AlignmentConfig())
    assert 2e6 < sum(weight.numel() for weight in model.parameters()) < 3e6


def test_the_card_says_what_goes_in_and_what_scores_mean(aligner_model):
    card = aligner_model.card
    assert card.model_id == "my-alignment"  # the directory's name
    assert card.input_spaces == ("chladni-descriptors-v2",)
    assert card.space.startswith("chladni-alignment-")
    assert card.dimension == 256
    assert card.properties["score"].startswith("not calibrated")
    assert card.properties["alignment_score"].startswith("calibrated: 0.5 at the cosine")


def test_the_shipped_model_has_all_that_it_needs():
    references = [ModelReference("efficientnet-lite0"), ModelReference("chladni-alignment")]
    names = [embedder.card.model_id for embedder in load_catalog(references)]
    assert names == ["efficientnet-lite0", "chladni-alignment"]


def test_a_model_that_was_never_trained_is_left_out_with_a_warning(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(
        "chladni_similarity.embedders.catalog.shipped_model_directory", lambda name: tmp_path / name
    )
    references = [ModelReference("efficientnet-lite0"), ModelReference("chladni-alignment")]
    with caplog.at_level("WARNING"):
        catalog = load_catalog(references)
    assert [embedder.card.model_id for embedder in catalog] == ["efficientnet-lite0"]
    assert "make train-alignment-model" in caplog.text
    with pytest.raises(NotOfferedError, match="chladni-alignment"):
        catalog.find_audio_embedder("")
    with pytest.raises(ModelLoadingError, match="None of the configured models"):
        load_catalog(references[1:])


def test_a_directory_finds_its_way_to_the_right_loader(alignment_directory):
    (embedder,) = load_catalog([ModelReference(str(alignment_directory))])
    assert embedder.card.model_id == "my-alignment"


def test_only_a_model_that_hears_is_given_for_sounds(embedder, aligner_model):
    catalog = ModelCatalog([embedder, aligner_model])
    assert catalog.find_audio_embedder("") is aligner_model
    assert catalog.find_audio_embedder("my-alignment") is aligner_model
    with pytest.raises(InvalidInputError, match="takes no audio; use my-alignment"):
        catalog.find_audio_embedder("efficientnet-lite0")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "calibration.json"])
def test_files_must_be_those_of_the_manifest(copied, name):
    path = copied / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelLoadingError, match=f"{name} .*not the one that its manifest names"):
        AlignmentEmbedder.load(copied)
    path.unlink()
    with pytest.raises(ModelLoadingError, match=f"{name} .*missing"):
        AlignmentEmbedder.load(copied)


def test_a_directory_without_a_manifest_is_no_model(copied):
    (copied / "manifest.json").unlink()
    with pytest.raises(ModelAbsentError, match=r"manifest\.json"):
        load_catalog([ModelReference(str(copied))])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"model_type": "clip"}, "describes no model of the type"), ({"audio_width": 128}, "do not fit")],
)
def test_a_configuration_of_another_network_is_refused(copied, monkeypatch, change, complaint):
    config = json.loads((copied / "config.json").read_text())
    content = json.dumps(config | change).encode()
    (copied / "config.json").write_bytes(content)
    manifest = json.loads((copied / "manifest.json").read_text())
    monkeypatch.setattr("chladni_similarity.models.files.sha256_of", lambda _: "same")
    manifest["sha256"] = dict.fromkeys(manifest["sha256"], "same")
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelLoadingError, match=complaint):
        AlignmentEmbedder.load(copied)
