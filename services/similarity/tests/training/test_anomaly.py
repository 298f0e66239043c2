"""`chladni-train anomaly`: DCASE's names, the figures, and a run on spectrogram images."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from PIL import Image

from chladni.media.v1 import media_pb2
from chladni_similarity.anomaly.encoders import EncoderLoader
from chladni_similarity.anomaly.normal_set import from_bytes
from chladni_similarity.training.anomaly import spectrograms
from chladni_similarity.training.anomaly.clips import MachineClip, clip_of, find_clips
from chladni_similarity.training.anomaly.figures import (
    alarm_after,
    confusion,
    detection_figures,
    false_alarms_per_day,
)
from chladni_similarity.training.jobs import ANOMALY
from chladni_training.command import main
from chladni_training.errors import DataError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train/section_00_source_train_normal_0001_vel_28.wav", ("00", "source", True, False)),
        ("train/section_02_target_train_normal_0990.wav", ("02", "target", True, False)),
        ("test/section_00_target_test_anomaly_0003_noAttribute.wav", ("00", "target", False, True)),
        ("source_test/section_01_source_test_normal_0000.wav", ("01", "source", False, False)),
        ("target_test/section_01_test_anomaly_0000.wav", ("01", "target", False, True)),
        ("train/a.wav", ("", "source", True, False)),
        ("test/normal/a.wav", ("", "source", False, False)),
        ("test/anomaly/a.png", ("", "source", False, True)),
        ("target_test/abnormal/a.wav", ("", "target", False, True)),
    ],
)
def test_names_and_folders_are_read_as_dcase_writes_them(tmp_path, name, expected):
    clip = clip_of(tmp_path / name, tmp_path)
    assert (clip.section, clip.domain, clip.is_training, clip.is_anomaly) == expected


def test_a_folder_without_normal_recordings_is_refused(tmp_path):
    with pytest.raises(DataError, match="no audio files"):
        find_clips(tmp_path)
    (tmp_path / "section_00_source_test_anomaly_0001.wav").write_bytes(b"")
    with pytest.raises(DataError, match="no normal recordings"):
        find_clips(tmp_path)


def test_figures_are_those_of_the_challenge():
    scores = np.array([1.0, 2.0, 3.0, 4.0, 2.5, 5.0])
    is_anomaly = np.array([False, False, False, False, True, True])
    domains = ["source", "source", "target", "target", "source", "target"]
    figures = detection_figures(scores, is_anomaly, domains)
    assert figures["auc_source"] == 1.0
    assert figures["auc_target"] == 0.5
    assert figures["auc"] == 0.75
    means = [figures[name] for name in ("auc_source", "auc_target", "pauc")]
    assert figures["harmonic_mean"] == pytest.approx(3 / sum(1 / value for value in means))
    assert detection_figures(scores[:4], is_anomaly[:4], domains[:4]) == {}


def test_labels_are_counted_at_the_cut_points():
    counted = confusion(np.array([1.0, 9.0, 15.0, 20.0]), np.array([False, False, True, True]))
    assert counted["normal"] == {"NORMAL": 1, "NEEDS MAINTENANCE": 1, "SEVERE ANOMALY": 0}
    assert counted["anomaly"] == {"NORMAL": 0, "NEEDS MAINTENANCE": 0, "SEVERE ANOMALY": 2}


def test_an_alarm_needs_several_of_the_last_clips():
    assert alarm_after([True, False, True, True], needed=3, window=4) == 4
    assert alarm_after([True, False, False, True, True], needed=3, window=4) is None
    assert alarm_after([], needed=1, window=1) is None


def test_false_alarms_are_those_of_a_simulation():
    assert false_alarms_per_day(0.01, 1, 1, 1000) == pytest.approx(10 * 0.99)
    rng = np.random.default_rng(1)
    high = rng.random(400_000) < 0.05
    counts = np.convolve(high, np.ones(5, int))[: len(high)]
    raised = (counts[1:] >= 2) & (counts[:-1] < 2)
    assert false_alarms_per_day(0.05, 2, 5, len(high)) == pytest.approx(raised.sum(), rel=0.03)


@pytest.fixture
def drawn_machines(tmp_path):
    folder = tmp_path / "Gear Box"
    for split, condition, count in (("train", "normal", 12), ("test", "normal", 6), ("test", "anomaly", 6)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            rng = np.random.default_rng((number, split == "test", condition == "anomaly"))
            pixels = rng.integers(60, 90, (224, 224), np.uint8)
            pixels[180] = 255
            if condition == "anomaly":
                pixels[60] = 200
            domain = "source" if number % 2 else "target"
            name = f"section_00_{domain}_{split}_{condition}_{number:04}.png"
            Image.fromarray(pixels).save(folder / split / name)
    return folder


@pytest.mark.parametrize("encoder", ["mel-statistics", "autoencoder"])
def test_a_folder_becomes_a_normal_set_and_a_report(drawn_machines, tmp_path, encoder, capsys):
    out = tmp_path / "out"
    arguments = ["anomaly", str(drawn_machines), "--out", str(out), "--encoder", encoder]
    arguments += ["--epochs", "2", "--batch_size", "4"]
    assert main(arguments, environment={"NAME": "DESKTOP-1"}, jobs={"anomaly": ANOMALY}) == 0
    report = json.loads((out / "report.json").read_text())
    figures = report["sections"]["gear-box"]
    assert figures["auc_source"] == figures["auc_target"] == 1.0
    assert figures["confusion"]["anomaly"]["NORMAL"] == 0
    made = from_bytes((out / "gear-box.safetensors").read_bytes(), EncoderLoader())
    assert (made.info.name, made.info.clip_count, made.info.encoder) == ("gear-box", 12, encoder)
    assert "auc_source 1.000" in capsys.readouterr().out


def test_other_recordings_need_a_fresh_start(drawn_machines, tmp_path, capsys):
    arguments = ["anomaly", str(drawn_machines), "--output", str(tmp_path / "out"), "--epochs", "1"]
    assert main(arguments, environment={}, jobs={"anomaly": ANOMALY}) == 0
    (drawn_machines / "train" / "section_00_source_train_normal_0001.png").unlink()
    assert main(arguments, environment={}, jobs={"anomaly": ANOMALY}) == 1
    assert "start again with --fresh" in capsys.readouterr().err
    assert main([*arguments, "--fresh"], environment={}, jobs={"anomaly": ANOMALY}) == 0


def test_a_name_that_is_no_text_can_be_sent(tmp_path):
    asked = []

    class Client:
        async def mel_spectrogram(self, clip, token):
            asked.append(media_pb2.AudioClip(display_name=clip.name))

    path = tmp_path / "\udcff.wav"
    path.write_bytes(b"RIFF")
    asyncio.run(spectrograms._audio(MachineClip(path, "", "source", True, False), Client()))
    assert len(asked) == 1
