"""The map from CLAP to CLIP: fitting it, its files, and serving it."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import soxr
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import AutoTokenizer, ClapModel, CLIPModel, CLIPVisionModelWithProjection

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.embeddings.clap import ClapEmbedder
from chladni_audio_features.embeddings.clap_to_clip import ClapToClipEmbedder, load_map
from chladni_audio_features.embeddings.descriptors import load_embedder
from chladni_audio_features.embeddings.loading import PretrainedModels, load_embedding_models
from chladni_audio_features.embeddings.pretrained_files import ModelLoadingError, ModelReference
from chladni_audio_features.training import fit_clap_to_clip
from chladni_audio_features.training.caption_embeddings import ClapTexts
from chladni_audio_features.training.caption_grammar import draw_captions
from chladni_audio_features.training.ridge_regression import fit_ridge, measure_fit
from chladni_contract.tensors import to_array
from chladni_contract.weight_fingerprint import fingerprint
from chladni_fakes.loopback import loopback_service

CAPTIONS = 1500


@pytest.fixture(scope="module")
def fit_map(clap_directory, clip_directory, tmp_path_factory):
    """Runs the job; returns the map's directory."""

    def fit(*options):
        folder = tmp_path_factory.mktemp("map")
        words = ["--clap", clap_directory, "--clip", clip_directory, "--out", folder, *options]
        fit_clap_to_clip.main([*map(str, words), "--captions", str(CAPTIONS), "--seed", "3"])
        return folder

    return fit


@pytest.fixture(scope="module")
def map_directory(fit_map):
    return fit_map()


@pytest.fixture(scope="module")
def clap(clap_directory):
    return ClapEmbedder.load(ModelReference(str(clap_directory)))


def manifest_of(directory):
    return json.loads((directory / "manifest.json").read_text())


def test_captions_are_distinct_and_reproducible():
    captions = draw_captions(count=5000, seed=1)
    assert len(set(captions)) == 5000
    assert draw_captions(count=100, seed=1) == captions[:100]
    assert draw_captions(count=100, seed=2) != captions[:100]
    for caption in captions:
        assert 2 <= len(caption.split()) <= 20
        assert caption == caption.strip()
        assert "  " not in caption
    for count in (0, 50_001):
        with pytest.raises(ValueError, match="from 1 to 50000"):
            draw_captions(count=count, seed=1)


def test_ridge_regression_solves_the_normal_equations():
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((80, 6)), rng.standard_normal((80, 3))
    fit = fit_ridge(inputs, targets, strength=2.5)
    centred_inputs, centred_targets = inputs - inputs.mean(0), targets - targets.mean(0)
    gram = centred_inputs.T @ centred_inputs + 2.5 * np.eye(6)
    np.testing.assert_allclose(fit.weight.T, np.linalg.solve(gram, centred_inputs.T @ centred_targets))
    np.testing.assert_allclose(fit.predict(inputs).mean(0), targets.mean(0))


def test_cross_validation_penalises_noise_and_spares_signal():
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((400, 5))
    signal = inputs @ rng.standard_normal((5, 4)) + 3.0
    exact = fit_ridge(inputs, signal)
    noise = fit_ridge(inputs, rng.standard_normal((400, 4)))
    assert exact.strength < 1e-4 < noise.strength
    figures = measure_fit(exact.predict(inputs), signal)
    assert figures.r_squared == pytest.approx(1.0)
    assert figures.cosine == pytest.approx(1.0)
    assert figures.recall_at_1 == 1.0


def test_inputs_without_variance_predict_the_mean():
    targets = np.random.default_rng(2).standard_normal((30, 2))
    fit = fit_ridge(np.ones((30, 3)), targets, strength=1.0)
    np.testing.assert_allclose(fit.predict(np.ones((1, 3)))[0], targets.mean(0))


def test_the_job_fits_text_to_text(map_directory, clap_directory, clip_directory, clap):
    manifest = manifest_of(map_directory)
    assert manifest["clap_space"] == clap.card.space
    vision = CLIPVisionModelWithProjection.from_pretrained(clip_directory)
    weights = {name: value.numpy() for name, value in vision.state_dict().items()}
    assert manifest["clip_space"] == f"clip-{fingerprint(weights)}"
    assert (manifest["captions"], manifest["held_out_captions"], manifest["images"]) == (1500, 150, 0)
    assert manifest["held_out"]["r_squared"] > 0.1
    assert manifest["held_out"]["recall_at_1"] > 3 / 150

    # A caption held out goes through the map as an embedding of a sound would.
    caption = draw_captions(count=CAPTIONS, seed=3)[:150]
    tokenizer = AutoTokenizer.from_pretrained(clap_directory)
    tokens = tokenizer(caption, return_tensors="pt", padding=True)
    inputs = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        heard = ClapModel.from_pretrained(clap_directory).get_text_features(**inputs).pooler_output.numpy()
        meant = CLIPModel.from_pretrained(clip_directory).get_text_features(**inputs).pooler_output.numpy()
    clip_map = load_map(map_directory)
    mapped = np.stack([clip_map.apply(row) for row in heard])
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), manifest["norm"], rtol=1e-5)
    cosines = (mapped * meant).sum(1) / np.linalg.norm(mapped, axis=1) / np.linalg.norm(meant, axis=1)
    assert cosines.mean() == pytest.approx(manifest["held_out"]["cosine"], abs=1e-3)


def test_the_same_seed_gives_the_same_map(map_directory, fit_map):
    again = fit_map()
    assert (again / "map.safetensors").read_bytes() == (map_directory / "map.safetensors").read_bytes()
    assert manifest_of(again) == manifest_of(map_directory)


def test_images_move_the_results_to_their_side(fit_map, map_directory, tmp_path, clip_directory):
    rng = np.random.default_rng(4)
    for index in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(tmp_path / f"{index}.png")
    moved = fit_map("--images", tmp_path)
    plain_tensors, moved_tensors = (load_file(d / "map.safetensors") for d in (map_directory, moved))
    np.testing.assert_array_equal(plain_tensors["weight"], moved_tensors["weight"])
    assert np.abs(plain_tensors["bias"] - moved_tensors["bias"]).max() > 1e-3
    manifest = manifest_of(moved)
    assert manifest["images"] == 3
    assert manifest["held_out"] == manifest_of(map_directory)["held_out"]
    assert manifest["norm"] != manifest_of(map_directory)["norm"]


def test_recordings_are_taken_for_captions(
    fit_map, map_directory, clap_directory, clap, files, sounds, tmp_path
):
    """The mean recording goes where the mean caption goes by the map that was fitted on captions alone."""
    heard = []
    for pitch_hz in (220, 440, 3000):
        samples = sounds.harmonic(pitch_hz, 1.0)
        (tmp_path / f"{pitch_hz}.wav").write_bytes(files.encode(samples, subtype="FLOAT"))
        heard.append(clap.embed_samples(soxr.resample(samples, sounds.rate_hz, 48_000, quality="HQ")))
    directory = fit_map("--audio", tmp_path)
    said = ClapTexts(clap_directory).embed(draw_captions(count=CAPTIONS, seed=3))
    plain, moved = load_map(map_directory), load_map(directory)
    np.testing.assert_allclose(
        moved.weight @ np.mean(heard, axis=0) + moved.bias,
        plain.weight @ said.mean(axis=0) + plain.bias,
        atol=1e-3,
    )
    assert np.abs(moved.bias - plain.bias).max() > 0.1
    assert manifest_of(directory)["recordings"] == 3


def test_norm_and_ridge_can_be_given(fit_map):
    folder = fit_map("--norm", "17.5", "--ridge", "0.5")
    manifest = manifest_of(folder)
    assert (manifest["norm"], manifest["ridge"]) == (17.5, 0.5)
    mapped = load_map(folder).apply(np.eye(512, dtype=np.float32)[0])
    assert np.linalg.norm(mapped) == pytest.approx(17.5, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--captions", "3"], "--captions must be at least 20, but is 3"),
        (["--ridge", "0"], "--ridge must be more than 0"),
        (["--norm", "-1"], "--norm must be more than 0"),
        (["--images", "EMPTY"], "--images has no .jpg"),
        (["--audio", "EMPTY"], "--audio has no .wav"),
    ],
)
def test_impossible_jobs_are_explained(capsys, tmp_path, options, words):
    given = [str(tmp_path) if option == "EMPTY" else option for option in options]
    with pytest.raises(SystemExit):
        fit_clap_to_clip.main(["--clap", "a", "--clip", "b", "--out", "c", *given])
    assert words in capsys.readouterr().err


def test_what_is_no_clip_is_refused(clap_directory, tmp_path):
    words = ["--clap", clap_directory, "--clip", clap_directory, "--out", tmp_path]
    with pytest.raises(ModelLoadingError, match="is no CLIP: its model_type is clap"):
        fit_clap_to_clip.main([*map(str, words), "--captions", "20"])


def rewrite(directory, **changes):
    (directory / "manifest.json").write_text(json.dumps(manifest_of(directory) | changes))


def replace_tensors(directory, tensors):
    save_file(tensors, directory / "map.safetensors")
    digest = hashlib.sha256((directory / "map.safetensors").read_bytes()).hexdigest()
    rewrite(directory, digest=digest)


BREAKAGES = {
    "no manifest": (lambda d: (d / "manifest.json").unlink(), "manifest.json of the map cannot be read"),
    "no JSON": (lambda d: (d / "manifest.json").write_text("{"), "is not JSON"),
    "a list": (lambda d: (d / "manifest.json").write_text("[]"), "is not of format 1"),
    "another format": (lambda d: rewrite(d, format=2), "is not of format 1"),
    "no norm": (lambda d: rewrite(d, norm=0), "is not of format 1"),
    "other weights": (lambda d: (d / "map.safetensors").write_bytes(b"x"), "is not the file that"),
    "no weights": (lambda d: (d / "map.safetensors").unlink(), "map.safetensors of the map cannot be read"),
    "no bias": (
        lambda d: replace_tensors(d, {"weight": np.zeros((3, 512), np.float32)}),
        "does not hold weight and bias",
    ),
    "other shapes": (
        lambda d: replace_tensors(d, {"weight": np.zeros((3, 512), "f4"), "bias": np.zeros(4, "f4")}),
        "does not hold finite float32",
    ),
    "not finite": (
        lambda d: replace_tensors(d, {"weight": np.full((3, 512), np.nan, "f4"), "bias": np.zeros(3, "f4")}),
        "does not hold finite float32",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_maps_are_refused(map_directory, tmp_path, name):
    directory = shutil.copytree(map_directory, tmp_path / "map")
    breaks, words = BREAKAGES[name]
    breaks(directory)
    with pytest.raises(ModelLoadingError, match=words):
        load_map(directory)


def test_a_map_of_another_clap_is_refused(clap, make_clap, map_directory):
    other = ClapEmbedder.load(ModelReference(str(make_clap(seed=9))))
    with pytest.raises(ModelLoadingError, match=f"{clap.card.space}, but the CLAP of this server is clap-"):
        ClapToClipEmbedder(other, load_map(map_directory))


def test_a_broken_map_leaves_clap_in_use(clap_directory, tmp_path):
    models = load_embedding_models(
        load_embedder(),
        PretrainedModels(clap=ModelReference(str(clap_directory)), clap_to_clip_map=tmp_path / "none"),
    )
    assert [model.card.model_id for model in models] == ["chladni-descriptors-v2", "clap"]
    (missing,) = models.unavailable
    assert missing.card.model_id == "clap-to-clip"
    assert "cannot be read" in missing.reason


async def test_the_service_maps_sounds(clap_directory, map_directory, clap, files, sounds):
    request = audio_pb2.ExtractFeaturesRequest(
        audio=media_pb2.AudioClip(content=files.encode(sounds.tone(440, rate_hz=48_000), 48_000)),
        features=[audio_pb2.FEATURE_EMBEDDING],
        embedding_model="clap-to-clip",
    )
    settings = AudioFeaturesSettings.model_validate(
        {
            "grpc_port": 0,
            "metrics_port": 0,
            "drain_delay_seconds": 0.0,
            "clap_model": str(clap_directory),
            "clap_to_clip_map": str(map_directory),
        }
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        stub = audio_grpc.AudioFeatureServiceStub(channel)
        response = await stub.ExtractFeatures(request)
        models = (await stub.GetModels(audio_pb2.GetModelsRequest())).models
        request.embedding_model = "clap"
        heard = await stub.ExtractFeatures(request)
    manifest = manifest_of(map_directory)
    assert response.embedding.space == manifest["clip_space"]
    values = to_array(response.embedding.values, field="v", dtype=np.float32, shape=(12,))
    embedding = to_array(heard.embedding.values, field="v", dtype=np.float32, shape=(512,))
    np.testing.assert_array_equal(values, load_map(map_directory).apply(embedding))
    assert [model.id for model in models] == ["chladni-descriptors-v2", "clap", "clap-to-clip"]
    mapped = models[2]
    assert mapped.is_ready
    assert mapped.family == "clap-to-clip"
    assert list(mapped.inputs) == ["audio"]
    assert mapped.output_space == manifest["clip_space"]
    assert mapped.digest == manifest["digest"]
    assert mapped.properties["clap_space"] == clap.card.space
    assert float(mapped.properties["held_out_cosine"]) == manifest["held_out"]["cosine"]
