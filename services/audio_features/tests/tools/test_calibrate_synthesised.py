"""The job that computes the shipped calibrations."""

from __future__ import annotations

import json

import pytest

from chladni_audio_features.latents.calibration import (
    load_calibration,
)
from chladni_audio_features.latents.catalog import (
    EMBEDDED_CALIBRATIONS,
)
from chladni_audio_features.tools import calibrate_synthesised
from chladni_runtime.models.reference import ModelReference


def load(directory, digest=""):
    return load_calibration(ModelReference(str(directory), digest or None))


def test_the_job_writes_what_it_can_load(tmp_path, capsys):
    calibrate_synthesised.main(["--count", "3", "--seed", "4", "--output", str(tmp_path)])
    assert capsys.readouterr().out.count("3 sounds") == len(EMBEDDED_CALIBRATIONS)
    for name in EMBEDDED_CALIBRATIONS:
        calibration = load(tmp_path / name)
        assert (calibration.name, calibration.clip_count) == (name, 3)
        assert not (tmp_path / name / "moments.npz").exists()
        assert json.loads((tmp_path / name / "manifest.json").read_text())["mergeable"] is False
    with pytest.raises(SystemExit):
        calibrate_synthesised.main(["--count", "1"])
    assert "--count must be at least 2, but is 1" in capsys.readouterr().err
