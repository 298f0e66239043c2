"""The map from CLAP to CLIP: fitting it, its files, and serving it."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.embeddings.clap import ClapEmbedder
from chladni_audio_features.embeddings.clap_to_clip import ClapToClipEmbedder, load_map
from chladni_audio_features.embeddings.descriptors import load_embedder
from chladni_audio_features.embeddings.loading import PretrainedModels, load_embedding_models
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import loopback_service
from chladni_runtime.models.files import ModelLoadingError
from chladni_runtime.models.reference import ModelReference


def manifest_of(directory):
    return json.loads((directory / "manifest.json").read_text())


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
    (tmp_path / "none").mkdir()
    models = load_embedding_models(
        load_embedder(),
        PretrainedModels(
            clap=ModelReference(str(clap_directory)), clap_to_clip_map=ModelReference(str(tmp_path / "none"))
        ),
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
        models = (await stub.ListModels(audio_pb2.ListModelsRequest())).models
        request.embedding_model = "clap"
        heard = await stub.ExtractFeatures(request)
    manifest = manifest_of(map_directory)
    assert response.embedding.space == manifest["clip_space"]
    values = to_array(response.embedding.values, field="v", dtype=np.float32, shape=(12,))
    embedding = to_array(heard.embedding.values, field="v", dtype=np.float32, shape=(512,))
    np.testing.assert_array_equal(values, load_map(map_directory).apply(embedding))
    assert [model.id for model in models] == [
        "chladni-descriptors-v2",
        "chladni-audio-autoencoder",
        "clap",
        "clap-to-clip",
    ]
    mapped = models[3]
    assert mapped.state == model_pb2.MODEL_STATE_READY
    assert mapped.family == "clap-to-clip"
    assert list(mapped.inputs) == [model_pb2.ModelInput(name="audio", required=True)]
    assert (mapped.embedding.output_space, mapped.embedding.dimension) == (manifest["clip_space"], 12)
    assert mapped.digest == manifest["digest"]
    assert mapped.properties["clap_space"] == clap.card.space
    assert float(mapped.properties["held_out_cosine"]) == manifest["held_out"]["cosine"]
