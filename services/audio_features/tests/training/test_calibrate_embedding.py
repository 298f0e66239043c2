"""The job that fits the quantile maps."""

from __future__ import annotations

from chladni_audio_features.training import calibrate_embedding


def test_calibration_writes_what_it_can_load(tmp_path, capsys):
    calibrate_embedding.main(["--count", "36", "--seed", "3", "--output", str(tmp_path / "model")])
    assert "36 sounds" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"calibration.json", "manifest.json"}
