"""The job leaves what it promises, goes on where it stopped, and reconstructs with what it trained."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from chladni_audio_features.analysis.spectrogram import MelSettings
from chladni_audio_features.reconstruction.autoencoder import load_autoencoder
from chladni_audio_features.training.autoencoder import clips, evaluation, job
from chladni_audio_features.training.autoencoder.network import ReconstructionObjective
from chladni_audio_features.training.jobs import AUTOENCODER
from chladni_audio_features.training.synthesis import corpus
from chladni_training.command import main

RATE_HZ = 16_000


def run(folder, *arguments, **environment):
    """Run the job as the command does, small enough for a test."""
    small = ["--channels", "8", "8", "8", "8", "--batch_size", "4", "--n_mels", "32", "--latent_dim", "16"]
    places = ["--output", folder / "results", "--checkpoint", folder / "models" / "audio.pt"]
    words = map(str, [*small, "--threads", "1", "--device", "cpu", *places, *arguments])
    return main(["autoencoder", *words], environment=environment, jobs={"autoencoder": AUTOENCODER})


@pytest.fixture
def recordings(tmp_path):
    """A folder of 12 files, of which each tenth is held out."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        seconds = np.arange(round((0.5 + 0.6 * number) * RATE_HZ)) / RATE_HZ
        tone = 0.3 * np.sin(2 * np.pi * (150 + 100 * number) * seconds)
        soundfile.write(folder / f"{number:02d}.wav", tone + generator.normal(0, 0.01, len(tone)), RATE_HZ)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


def test_it_leaves_what_it_promises(recordings, tmp_path, capsys):
    assert run(tmp_path, "--data", recordings, "--speech", EPOCHS="2") == 0
    printed = capsys.readouterr()
    assert "broken.wav is left out" in printed.err + printed.out
    results = tmp_path / "results"
    assert {path.name for path in results.iterdir()} == {
        "training_curves.png",
        "spectrogram_comparison.png",
        "inference_comparison.png",
        "audio_reconstructed_0.wav",
        "evaluation.json",
        "metrics.csv",
        "metrics.json",
        "run.json",
        "steps.csv",
        "tensorboard",
    }
    rows = json.loads((results / "metrics.json").read_text())["epochs"]
    assert set(rows[-1]) == {"epoch", "step", "loss", "mse", "mae", "cosine", "perceptual_similarity"}
    autoencoder = load_autoencoder(tmp_path / "models" / "audio")
    assert autoencoder.latent_dimension == 16
    assert autoencoder.mel_settings.mel_bins == 32
    manifest = json.loads((tmp_path / "models" / "audio" / "manifest.json").read_text())
    assert manifest["figures"] == json.loads((results / "evaluation.json").read_text())
    assert manifest["training"]["steps"] == rows[-1]["step"]
    assert "--data recordings" in manifest["training"]["command"]
    assert "cosine" in (tmp_path / "models" / "audio" / "README.md").read_text()
    samples, rate = soundfile.read(results / "audio_reconstructed_0.wav")
    assert rate == RATE_HZ
    assert 0 < len(samples) <= 5 * RATE_HZ

    # Of a few files all are reconstructed.
    few = tmp_path / "few"
    few.mkdir()
    (few / "one.wav").write_bytes((recordings / "09.wav").read_bytes())
    trained = tmp_path / "models" / "audio"
    assert run(tmp_path, "--mode", "infer", "--data", few, "--checkpoint", trained) == 0
    assert "one.wav" in capsys.readouterr().out

    # The same weights, from the run's own file and from the model's directory, give the same audio.
    for place in ("models/audio.pt", "models/audio"):
        (results / "audio_reconstructed_0.wav").unlink()
        assert run(tmp_path, "--mode", "infer", "--data", recordings, "--checkpoint", tmp_path / place) == 0
        again, _ = soundfile.read(results / "audio_reconstructed_0.wav")
        np.testing.assert_allclose(again, samples, atol=1e-3)
    assert "cosine: " in capsys.readouterr().out


def test_more_numbers_than_there_are_cells_are_refused(recordings, tmp_path, capsys):
    assert run(tmp_path, "--data", recordings, "--latent_dim", "513") != 0
    printed = capsys.readouterr()
    assert "have 512 components, not 513; choose a smaller --latent-dim" in printed.err + printed.out


def test_a_run_that_stopped_ends_with_the_same_model(recordings, tmp_path, monkeypatch):
    arguments = ["--epochs", "2", "--checkpoint-every", "3", "--data", recordings]
    assert run(tmp_path / "whole", *arguments) == 0
    calls = 0
    learn = ReconstructionObjective.__call__

    def cut(self, *given):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return learn(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(ReconstructionObjective, "__call__", cut)
        assert run(tmp_path / "cut", *arguments) == 130
    assert run(tmp_path / "cut", *arguments) == 0
    digests = {name: load_autoencoder(tmp_path / name / "models/audio").digest for name in ("whole", "cut")}
    assert digests["cut"] == digests["whole"]


def test_synthesised_clips_are_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "SHARES", {"noise": 0.5, "machine": 0.5})
    monkeypatch.setattr(clips, "_SHARD", 4)
    settings = {"count": 6, "test_count": 2, "heard_count": 1, "mel_bins": 32, "seed": 3}
    first = clips.synthesise(tmp_path, **settings)
    assert first.train.shape == (6, 32, 256)
    assert first.test.shape == (2, 32, 256)
    assert first.heard[0].samples.shape == (80_000,)
    np.testing.assert_array_equal(clips.window_of(first.heard[0].samples, 32), first.test[0])
    drawn = []
    monkeypatch.setattr(clips, "_draw", lambda seed, indices: drawn.append(indices) or [])
    again = clips.synthesise(tmp_path, **settings)
    assert again.digest == first.digest
    assert drawn == [range(1)]


def test_musdb_gives_mixtures_and_stems(tmp_path, monkeypatch):
    class Track(SimpleNamespace):
        @property
        def stems(self):
            count = round(min(self.chunk_duration, self.duration - self.chunk_start) * self.rate)
            return np.full((5, count, 2), 0.1 * (1 + self.chunk_start))

    module = ModuleType("musdb")
    asked = {}

    def database(**arguments):
        asked.update(arguments)
        return [
            Track(name=name, subset=subset, rate=8000, duration=12.0)
            for name, subset in (("a", "train"), ("b", "test"))
        ]

    module.DB = database
    monkeypatch.setitem(sys.modules, "musdb", module)
    found = clips.read_musdb(tmp_path, heard_count=6, mel_bins=32, windows_per_file=2, download=False)
    assert found.train.shape == found.test.shape == (10, 32, 256)
    assert [clip.kind for clip in found.heard[:2]] == ["b, mixture", "b, stem 1"]
    assert found.heard[0].samples.shape == (80_000,)
    assert asked == {"root": str(tmp_path), "download": False, "is_wav": False}


def test_musdb_is_fetched_and_named_in_the_recipe_without_its_option(tmp_path, monkeypatch):
    options = job.build_parser().parse_args(["--download"])
    monkeypatch.chdir(tmp_path)
    asked = {}
    nothing = clips.ClipSet("MUSDB18", np.zeros((0, 32, 256), np.uint8), np.zeros((0, 32, 256), np.uint8), ())
    monkeypatch.setattr(job, "read_musdb", lambda root, **given: asked.update(given, root=root) or nothing)
    assert job._read(options, 32).name == "MUSDB18"
    assert (asked["root"], asked["download"]) == (Path("data/musdb18"), True)
    (tmp_path / "data" / "musdb18").mkdir(parents=True)
    assert job._recipe(job.build_parser().parse_args([])).endswith("--seed 1 --musdb-root musdb18")
    monkeypatch.chdir(tmp_path / "data")
    assert "--clips 6000" in job._recipe(job.build_parser().parse_args([]))


def test_wrong_data_and_missing_packages_are_one_line(tmp_path, monkeypatch, capsys):
    assert run(tmp_path, "--data", tmp_path) == 1
    assert "holds no audio files" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "musdb", None)
    assert run(tmp_path, "--musdb_root", tmp_path / "musdb18") == 1
    assert "install chladni-audio-features[musdb], and ffmpeg" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "musdb", ModuleType("musdb"))
    assert run(tmp_path, "--musdb_root", tmp_path / "musdb18") == 1
    assert "zenodo.org" in capsys.readouterr().err
    assert run(tmp_path, "--mode", "infer") == 1
    assert "audio.pt is missing: train first" in capsys.readouterr().err


def test_speech_is_measured_beside_griffin_lim_alone(monkeypatch):
    monkeypatch.setattr(evaluation, "reconstructed_samples", lambda _, samples: samples * 0.5)
    generator = np.random.default_rng(0)
    heard = [
        clips.HeardClip(kind, generator.normal(0, 0.1, 8000).astype(np.float32))
        for kind in ("speech", "noise")
    ]
    autoencoder = SimpleNamespace(mel_settings=MelSettings(mel_bins=32))
    mel_bins = []
    made = evaluation.mel_windows
    monkeypatch.setattr(
        evaluation, "mel_windows", lambda samples, bins: mel_bins.append(bins) or made(samples, bins)
    )
    measured = evaluation.speech_figures(
        autoencoder, heard, {"loss": lambda original, made: float(np.abs(original - made).mean())}
    )
    assert set(measured) == {"loss", "griffin_lim_loss"}
    assert mel_bins == [32]
    assert measured["loss"] == pytest.approx(0.5 * np.abs(heard[0].samples).mean())
    monkeypatch.setattr(evaluation, "find_spec", lambda name: None)
    assert evaluation.speech_measures() == {}
