"""CLAP by configuration, on a small one of the true architecture with random weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import grpc
import numpy as np
import pytest
import soxr
import torch
from safetensors.torch import load_file, save_file
from transformers import ClapFeatureExtractor, ClapModel, ClapTextModelWithProjection

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.embeddings.clap import ClapEmbedder, middle_window
from chladni_audio_features.embeddings.descriptors import load_embedder
from chladni_audio_features.embeddings.loading import PretrainedModels, load_embedding_models
from chladni_contract.errors import Reason, UnavailableError
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array
from chladni_contract.weight_fingerprint import fingerprint
from chladni_fakes.loopback import loopback_service
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import ConfigurationError

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def embedder(clap_directory):
    return ClapEmbedder.load(ModelReference(str(clap_directory)))


def by_transformers(directory, samples):
    """What transformers computes of samples that its processor need not cut."""
    model = ClapModel.from_pretrained(directory).eval()
    processor = ClapFeatureExtractor.from_pretrained(directory)
    inputs = processor(samples, sampling_rate=RATE_HZ, return_tensors="pt")
    with torch.inference_mode():
        return model.get_audio_features(**inputs).pooler_output[0].numpy()


@pytest.mark.parametrize("seconds", [0.2, 3.0, 10.0])
def test_embeddings_are_what_transformers_computes(clap_directory, embedder, sounds, seconds):
    samples = sounds.tone(440, seconds, rate_hz=RATE_HZ)
    embedding = embedder.embed_samples(samples)
    assert embedding.shape == (512,)
    assert embedding.dtype == np.float32
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(embedding, by_transformers(clap_directory, samples), atol=1e-5)


def test_different_sounds_have_different_embeddings(embedder, sounds):
    tone, noise = (
        embedder.embed_samples(samples)
        for samples in (
            sounds.tone(440, 2.0, rate_hz=RATE_HZ),
            np.random.default_rng(0).standard_normal(2 * RATE_HZ).astype(np.float32),
        )
    )
    assert np.abs(tone - noise).max() > 1e-3


def test_of_long_sounds_the_middle_counts(clap_directory, embedder, sounds):
    chirp = np.sin(np.linspace(0, 400, 14 * RATE_HZ) ** 2 / 20).astype(np.float32)
    middle = chirp[2 * RATE_HZ : 12 * RATE_HZ]
    first, again = embedder.embed_samples(chirp), embedder.embed_samples(chirp)
    assert np.array_equal(first, again)
    np.testing.assert_allclose(first, by_transformers(clap_directory, middle), atol=1e-5)
    assert np.abs(first - embedder.embed_samples(chirp[: 10 * RATE_HZ])).max() > 1e-4


def test_clap_that_fuses_crops_is_deterministic_too(make_clap, sounds):
    """Its processor would stack three crops of a long sound at random."""
    directory = make_clap(truncation="fusion", enable_fusion=True)
    embedder = ClapEmbedder.load(ModelReference(str(directory)))
    samples = sounds.tone(440, 12.0, rate_hz=RATE_HZ)
    first, again = embedder.embed_samples(samples), embedder.embed_samples(samples)
    assert np.array_equal(first, again)
    middle = samples[RATE_HZ : 11 * RATE_HZ]
    np.testing.assert_allclose(first, by_transformers(directory, middle), atol=1e-5)


def test_the_middle_is_in_the_middle():
    assert middle_window(np.arange(7), 3).tolist() == [2, 3, 4]
    assert middle_window(np.arange(7), 4).tolist() == [1, 2, 3, 4]
    assert middle_window(np.arange(3), 3).tolist() == [0, 1, 2]
    assert middle_window(np.arange(2), 3).tolist() == [0, 1]


def test_clips_are_heard_at_their_own_bandwidth(embedder, files, sounds, transform, analyser):
    """A tone that the analyses, at 22050 Hz, do not hear at all reaches CLAP."""
    content = files.encode(sounds.tone(13_000, 2.0, rate_hz=RATE_HZ), RATE_HZ, subtype="FLOAT")
    recording = ClipAnalysis(
        AudioDecoder(DecodingLimits()).read(content), transform=transform, analyser=analyser
    )
    assert np.abs(recording.samples_at(22_050)[2000:-2000]).max() < 0.01
    expected = embedder.embed_samples(sounds.tone(13_000, 2.0, rate_hz=RATE_HZ))
    np.testing.assert_allclose(embedder.embed(recording), expected, atol=1e-5)


def test_the_space_is_named_by_the_text_branch(clap_directory, make_clap, embedder, tmp_path):
    """AudioLDM ships the text branch alone, and must come to the same name."""
    weights = load_file(clap_directory / "model.safetensors")
    config = ClapModel.from_pretrained(clap_directory).config.text_config
    texts = ClapTextModelWithProjection(config)
    branch = {name: tensor for name, tensor in weights.items() if name.startswith("text_")}
    texts.load_state_dict(branch, strict=True)
    arrays = {name: value.numpy() for name, value in texts.state_dict().items() if value.is_floating_point()}
    assert embedder.card.space == f"clap-{fingerprint(arrays)}"
    assert ClapEmbedder.load(ModelReference(str(make_clap(seed=9)))).card.space != embedder.card.space


def test_the_card_tells_what_the_model_hears(clap_directory, embedder):
    card = embedder.card
    assert (card.model_id, card.family) == ("clap", "clap")
    assert len(card.digest) == 64
    assert card.dimension == 512
    assert card.properties["window_seconds"] == "10"
    assert card.properties["sample_rate_hz"] == "48000"
    assert card.properties["checkpoint"] == clap_directory.name


def test_want_of_memory_is_told_as_such(clap_directory, sounds):
    embedder = ClapEmbedder.load(ModelReference(str(clap_directory)))

    def exhausted(**_inputs):
        raise torch.OutOfMemoryError("no memory")

    embedder._model.get_audio_features = exhausted
    with pytest.raises(UnavailableError) as caught:
        embedder.embed_samples(sounds.tone(440, 0.5, rate_hz=RATE_HZ))
    assert caught.value.reason is Reason.OUT_OF_MEMORY


def copied(directory, tmp_path):
    return shutil.copytree(directory, tmp_path / directory.name)


def without_weights(directory):
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def of_another_type(directory):
    (directory / "config.json").write_text(json.dumps({"model_type": "clip"}))


def with_a_weight_missing(directory):
    weights = load_file(directory / "model.safetensors")
    del weights["audio_projection.linear1.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def with_a_weight_that_is_no_number(directory):
    weights = load_file(directory / "model.safetensors")
    weights["audio_projection.linear2.bias"][0] = torch.nan
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def cut_short(directory):
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def without_configuration(directory):
    (directory / "config.json").unlink()


def without_processor(directory):
    for path in directory.glob("*processor_config.json"):
        path.unlink()


BREAKAGES = {
    without_weights: "no safetensors",
    of_another_type: "is no CLAP: its model_type is clip",
    with_a_weight_missing: "lack 1 weights, the first of them audio_projection.linear1.weight",
    with_a_weight_that_is_no_number: "values that are not numbers",
    cut_short: "the server's log says why",
    without_configuration: "the server's log says why",
    without_processor: "the server's log says why",
    shutil.rmtree: "'tiny-clap': there is no such directory",
}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.__name__)
def test_a_broken_checkpoint_is_unavailable_and_says_why(clap_directory, tmp_path, breakage):
    directory = copied(clap_directory, tmp_path)
    breakage(directory)
    models = load_embedding_models(load_embedder(), PretrainedModels(clap=ModelReference(str(directory))))
    (missing,) = models.unavailable
    assert BREAKAGES[breakage] in missing.reason
    assert str(tmp_path) not in missing.reason
    assert [model.card.model_id for model in models] == ["chladni-descriptors-v2"]
    with pytest.raises(UnavailableError) as caught:
        models.find("clap")
    assert caught.value.reason is Reason.MODEL_UNAVAILABLE


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named(clap_directory):
    with pytest.raises(ConfigurationError, match="CLAP_DEVICE='cuda' cannot be used: PyTorch finds no GPU"):
        ClapEmbedder.load(ModelReference(str(clap_directory)), device="cuda")


def test_without_torch_the_service_offers_the_descriptors():
    """The extra is not installed everywhere: nothing but CLAP itself imports torch."""
    program = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
from chladni_audio_features.composition import load_extractor
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.embeddings.loading import PretrainedModels
from chladni_runtime.models.reference import ModelReference
extractor = load_extractor(DecodingLimits(), pretrained=PretrainedModels(clap=ModelReference("/clap")))
print(*(model.card.model_id for model in extractor.embedding_models))
print(*(missing.reason for missing in extractor.embedding_models.unavailable))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    models, reason = result.stdout.splitlines()
    assert models == "chladni-descriptors-v2"
    assert "install chladni-audio-features[clap]" in reason


def test_of_a_clap_on_the_hub_only_safetensors_are_fetched(clap_directory, monkeypatch):
    asked = []

    def download(source, *, revision, allow_patterns, **_):
        asked.append((source, revision, allow_patterns))
        return str(clap_directory)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    loaded = ClapEmbedder.load(ModelReference("laion/clap-htsat-unfused", "refs/pr/3"))
    assert loaded.card.properties["checkpoint"] == "laion/clap-htsat-unfused"
    ((source, revision, patterns),) = asked
    assert (source, revision) == ("laion/clap-htsat-unfused", "refs/pr/3")
    assert all(pattern.endswith((".json", ".safetensors")) for pattern in patterns)


def test_another_clap_than_the_digest_asks_for_is_unavailable(clap_directory, embedder):
    right, wrong = (
        load_embedding_models(
            load_embedder(), PretrainedModels(clap=ModelReference(str(clap_directory), digest))
        )
        for digest in (embedder.card.digest[:12], "0" * 12)
    )
    assert [model.card.model_id for model in right] == ["chladni-descriptors-v2", "clap"]
    (missing,) = wrong.unavailable
    assert "but the setting asks for 000000000000" in missing.reason


def settings_with(**changes):
    ports = {"grpc_port": 0, "metrics_port": 0, "drain_delay_seconds": 0.0, "worker_count": 2}
    return AudioFeaturesSettings.model_validate(ports | changes)


async def test_the_service_embeds_with_clap(clap_directory, embedder, files, sounds):
    samples = sounds.chord(60, 64, 67, seconds=3.0)
    request = audio_pb2.ExtractFeaturesRequest(
        audio=media_pb2.AudioClip(content=files.encode(samples, subtype="FLOAT")),
        features=[audio_pb2.FEATURE_EMBEDDING, audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_LOG_MEL],
        embedding_model="clap",
    )
    composed = compose(settings_with(clap_model=str(clap_directory)))
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        stub = audio_grpc.AudioFeatureServiceStub(channel)
        response = await stub.ExtractFeatures(request)
        request.embedding_model = ""
        request.further_embedding_models[:] = ["clap", ""]
        of_both = await stub.ExtractFeatures(request)
        _, _, clap = (await stub.ListModels(audio_pb2.ListModelsRequest())).models
    assert response.embedding.space == embedder.card.space
    assert not response.embedding.component_names
    assert not response.further_embeddings
    assert list(of_both.further_embeddings) == [response.embedding, of_both.embedding]
    assert of_both.descriptors == response.descriptors
    assert len(response.descriptors) == 24
    assert response.HasField("log_mel")
    values = to_array(response.embedding.values, field="v", dtype=np.float32, shape=(512,))
    expected = embedder.embed_samples(soxr.resample(samples, sounds.rate_hz, RATE_HZ, quality="HQ"))
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert (clap.id, clap.family) == ("clap", "clap")
    assert list(clap.inputs) == [model_pb2.ModelInput(name="audio", required=True)]
    assert clap.state == model_pb2.MODEL_STATE_READY
    assert (clap.embedding.output_space, clap.embedding.dimension) == (embedder.card.space, 512)
    assert not clap.embedding.latent_calibrations
    assert not clap.unavailable_reason


async def test_a_broken_clap_leaves_the_service_up(files, sounds, tmp_path):
    content = files.encode(sounds.tone(440))
    composed = compose(settings_with(clap_model=str(tmp_path), clap_to_clip_map=str(tmp_path)))
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        stub = audio_grpc.AudioFeatureServiceStub(channel)
        audio = media_pb2.AudioClip(content=content)
        assert (await stub.ExtractFeatures(audio_pb2.ExtractFeaturesRequest(audio=audio))).descriptors
        for model_id in ("clap", "clap-to-clip"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ExtractFeatures(
                    audio_pb2.ExtractFeaturesRequest(audio=audio, embedding_model=model_id)
                )
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            error = from_rpc_error(caught.value)
            assert error.reason is Reason.MODEL_UNAVAILABLE
            assert [violation.field for violation in error.violations] == ["embedding_model"]
        models = (await stub.ListModels(audio_pb2.ListModelsRequest())).models
    assert [(model.id, model.state) for model in models] == [
        ("chladni-descriptors-v2", model_pb2.MODEL_STATE_READY),
        ("chladni-audio-autoencoder", model_pb2.MODEL_STATE_READY),
        ("clap", model_pb2.MODEL_STATE_UNAVAILABLE),
        ("clap-to-clip", model_pb2.MODEL_STATE_UNAVAILABLE),
    ]
    assert [model.WhichOneof("capabilities") for model in models] == [
        "embedding",
        "embedding",
        None,
        None,
    ]
    assert "no safetensors" in models[2].unavailable_reason
    assert "needs CLAP" in models[3].unavailable_reason
