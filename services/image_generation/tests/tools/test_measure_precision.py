"""The job that measures how good the images of smaller numeric types are."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from chladni_image_generation.models.files import find_model_files
from chladni_image_generation.tools import measure_precision


@pytest.fixture
def copied_directory(tiny_model_directory, tmp_path):
    return shutil.copytree(tiny_model_directory, tmp_path / "model")


def test_psnr_is_that_of_eight_bits():
    one_step_everywhere = np.ones((8, 8, 3), np.int16)
    assert measure_precision.psnr_db(one_step_everywhere) == pytest.approx(48.13, abs=0.01)
    assert measure_precision.psnr_db(np.zeros((8, 8, 3), np.int16)) == 99.0


def test_the_job_measures_and_writes_only_the_manifests_section(copied_directory):
    before = find_model_files(str(copied_directory))
    options = ["--model", str(copied_directory), "--threads", "1", "--embeddings", "1", "--seeds", "2"]
    assert measure_precision.main([*options, "--dry-run"]) == 0
    assert find_model_files(str(copied_directory)) == before
    assert measure_precision.main(options) == 0
    after = find_model_files(str(copied_directory))
    assert after.digest == before.digest
    precision = after.manifest["precision"]
    assert {key: after.manifest[key] for key in before.manifest} == before.manifest
    assert precision["images"] == 2
    for figures in precision["dtypes"].values():
        assert 0 < figures["psnr_db_min"] <= figures["psnr_db_mean"] <= 99
        # Half as many bits always show somewhere, and the two parts together at least as much as one.
        assert 1 <= figures["largest_difference"] <= 255
        assert figures["seconds_per_image"] > 0
    json.dumps(precision, allow_nan=False)
