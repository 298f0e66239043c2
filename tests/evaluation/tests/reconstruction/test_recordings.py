"""The figures of an autoencoder on clips and on folders of recordings."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_audio_features.reconstruction.network import AutoencoderNetwork
from chladni_audio_features.testing.untrained_autoencoder import untrained_weights
from chladni_evaluation.reconstruction import recordings
from chladni_evaluation.reconstruction.__main__ import main


def test_a_folder_is_measured_and_what_cannot_be_read_is_left_out(tmp_path, monkeypatch):
    autoencoder = Autoencoder(AutoencoderNetwork(untrained_weights()))
    generator = np.random.default_rng(0)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", generator.normal(0, 0.1, 8000), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(recordings, "speech_measures", lambda: {"level": lambda original, _: original.std()})
    figures = recordings.figures_of_folder(autoencoder, "speech", tmp_path, count=10)
    clips = recordings.read_clips(sorted(tmp_path.glob("?.wav")))
    expected = np.mean([autoencoder.reconstruct(clip).figures.cosine for clip in clips])
    assert figures["speech.cosine"] == expected
    assert set(figures) == {
        "speech.mse",
        "speech.mae",
        "speech.cosine",
        "speech.perceptual_similarity",
        "speech.level",
        "speech.griffin_lim_level",
    }


@pytest.mark.parametrize("folder", ["recordings", "speech=", "=recordings", "speech=nowhere"])
def test_a_folder_without_a_name_or_that_is_missing_is_refused(tmp_path, monkeypatch, capsys, folder):
    (tmp_path / "recordings").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["reconstruction", "--folder", folder])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "NAME=DIR" in capsys.readouterr().err
