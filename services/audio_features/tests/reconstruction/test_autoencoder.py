"""What an autoencoder makes of clips, and which files it takes."""

from __future__ import annotations

import hashlib
import io
import json
import struct

import numpy as np
import pytest
from scipy.io import wavfile

from chladni_audio_features.reconstruction.autoencoder import (
    MANIFEST_FILE,
    MODEL_DIRECTORY,
    MODEL_ID,
    WEIGHTS_FILE,
    load_autoencoder,
    wav_file,
)
from chladni_audio_features.reconstruction.network import AutoencoderNetwork
from chladni_audio_features.testing.untrained_autoencoder import (
    untrained_weights,
    write_untrained_autoencoder,
)
from chladni_audio_features.training.autoencoder.clips import synthesise
from chladni_audio_features.training.autoencoder.evaluation import spectrogram_figures
from chladni_audio_features.training.synthesis import corpus
from chladni_contract.errors import ChladniError
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.models.files import ModelLoadingError


def test_a_clip_comes_back_in_its_shape(autoencoder, chirp):
    made = autoencoder.reconstruct(chirp)
    assert made.latents.shape == (23, 128)  # of 358 frames
    assert made.original.shape == made.reconstructed.shape == made.power.shape == (128, 358)
    assert 0.0 <= made.reconstructed.min() <= made.reconstructed.max() <= 1.0
    assert -1.0 <= made.figures.perceptual_similarity <= 1.0
    samples = autoencoder.samples_of(made, len(chirp))
    assert samples.shape == chirp.shape
    again = autoencoder.reconstruct(chirp)
    np.testing.assert_array_equal(made.reconstructed, again.reconstructed)
    np.testing.assert_array_equal(made.latents, autoencoder.encode(chirp))


def test_latents_count_in_the_embedding_by_the_frames_that_they_hold(autoencoder, chirp):
    latents = autoencoder.encode(chirp)
    expected = (16 * latents[:22].sum(axis=0) + 6 * latents[22]) / 358
    np.testing.assert_allclose(autoencoder.embed(chirp), expected, atol=1e-5)
    whole = autoencoder.embed(chirp[:80_000])
    longer = autoencoder.embed(chirp[:80_160])  # by one frame, which begins another window
    assert np.linalg.norm(longer - whole) < 0.02 * np.linalg.norm(whole)


def test_samples_that_nobody_waits_for_are_not_made(autoencoder, chirp):
    token = CancellationToken()
    token.cancel()
    with pytest.raises(ChladniError, match="was cancelled while the phases"):
        autoencoder.samples_of(autoencoder.reconstruct(chirp[:8000]), 8000, token=token)


def test_silence_stays_silent(autoencoder):
    made = autoencoder.reconstruct(np.zeros(8000, np.float32))
    assert made.figures.cosine == 1.0
    assert not made.power.any()


def test_windows_do_not_depend_on_each_other(autoencoder, chirp):
    windows = np.random.default_rng(0).random((3, 128, 256)).astype(np.float32)
    together = autoencoder.decoded(windows)
    np.testing.assert_allclose(together[1:2], autoencoder.decoded(windows[1:2]), atol=1e-6)


def test_wav_files_are_clipped_at_full_scale():
    rate, samples = wavfile.read(io.BytesIO(wav_file(np.array([0.0, 0.5, 2.0, -2.0], np.float32))))
    assert rate == 16_000
    assert samples.tolist() == [0, 16384, 32767, -32767]


def test_the_one_that_ships_knows_audio(tmp_path, monkeypatch):
    shipped = load_autoencoder()
    assert (shipped.model_id, shipped.license_name) == (MODEL_ID, "Apache-2.0")
    assert shipped.latent_dimension == shipped.mel_settings.mel_bins == 128
    assert shipped.figures["mse"] <= 0.02
    assert shipped.figures["cosine"] >= 0.98
    assert (MODEL_DIRECTORY / WEIGHTS_FILE).stat().st_size < 4 * 10**6
    monkeypatch.setattr(corpus, "SHARES", {"music": 0.5, "noise": 0.5})
    drawn = synthesise(tmp_path, count=1, test_count=6, heard_count=0, mel_bins=128, seed=2026)
    figures = spectrogram_figures(drawn.test, shipped.decoded)
    assert figures["mse"] <= 0.02
    assert figures["cosine"] >= 0.98


def test_numbers_that_numpy_has_not_are_refused(tmp_path):
    write_untrained_autoencoder(tmp_path)
    header = json.dumps({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    content = struct.pack("<Q", len(header)) + header + b"\0\0"
    (tmp_path / WEIGHTS_FILE).write_bytes(content)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest | {"sha256": digest}))
    with pytest.raises(ModelLoadingError, match="BF16"):
        load_autoencoder(tmp_path)


def test_files_are_checked(tmp_path):
    write_untrained_autoencoder(tmp_path)
    loaded = load_autoencoder(tmp_path)
    assert loaded.model_id == "untrained-autoencoder"
    assert loaded.latent_dimension == 128
    assert loaded.figures == {"cosine": 0.5}

    content = bytearray((tmp_path / WEIGHTS_FILE).read_bytes())
    content[-1] ^= 1
    (tmp_path / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(ModelLoadingError, match="is not the file"):
        load_autoencoder(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(ModelLoadingError, match="not of format 1"):
        load_autoencoder(tmp_path)
    (tmp_path / MANIFEST_FILE).write_text("[")
    with pytest.raises(ModelLoadingError, match="not JSON"):
        load_autoencoder(tmp_path)
    with pytest.raises(ModelLoadingError, match="cannot be read"):
        load_autoencoder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("to_latent.bias"), "to_latent.bias"),
        (lambda weights: weights.update(further=np.zeros(1, np.float32)), "further"),
        (lambda weights: weights["encoder.0.down.bias"].fill(np.nan), "not finite"),
        (lambda weights: weights.update({"to_latent.weight": np.zeros((128, 7))}), "to_latent.weight have"),
        (lambda weights: weights.update({"encoder.0.down.weight": np.zeros(8)}), "must be"),
        (lambda weights: weights.update({"encoder.1.first.weight": np.zeros((8, 9, 3))}), "must be"),
        (lambda weights: weights.update({"decoder.2.up.bias": np.zeros(9)}), "must be"),
    ],
)
def test_wrong_weights_are_refused(change, message):
    weights = untrained_weights()
    change(weights)
    with pytest.raises(ValueError, match=message):
        AutoencoderNetwork(weights)
