"""The job that tries a model out, on untrained checkpoints as their own command writes them."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from chladni_image_generation.testing.untrained_checkpoints import __main__ as untrained_checkpoints
from chladni_image_generation.tools import check_model


@pytest.fixture
def write_checkpoint(tmp_path, monkeypatch):
    """Return a function that writes an untrained checkpoint by its command and returns the directory."""

    def write(family, *options):
        directory = tmp_path / family
        monkeypatch.setattr(sys, "argv", ["untrained_checkpoints", family, str(directory), *options])
        untrained_checkpoints.main()
        return directory

    return write


def run(model, output, *options):
    return check_model.main([str(model), "--output", str(output), "--device", "cpu", *options])


def test_a_model_is_tried_measured_and_compared(write_checkpoint, tmp_path, capsys):
    directory = write_checkpoint("stable-diffusion")
    assert run(directory, tmp_path / "out", "--steps", "3") == 0
    report = json.loads((tmp_path / "out" / "stable-diffusion.json").read_text())
    assert (report["family"], report["dtype"], report["device"]) == ("stable-diffusion", "float32", "cpu")
    assert list(report["images"]) == ["first", "from-image"]
    assert [figures["steps"] for figures in report["images"].values()] == [3, 2]
    for kind, figures in report["images"].items():
        assert figures["seconds_per_step"] > 0
        assert figures["peak_memory_bytes"] > 1e7
        with Image.open(tmp_path / "out" / f"stable-diffusion-{kind}.png") as image:
            assert image.size == (16, 16)
    assert report["comparison"] == {"largest_difference": 0, "allowed_difference": 1, "is_equal": True}
    printed = capsys.readouterr().out
    assert "is as that of the family's own pipeline" in printed
    assert "from-image" in printed


def test_additions_are_tried_too(write_checkpoint, tmp_path, capsys):
    parts = [write_checkpoint(family) for family in ("stable-diffusion", "upscaler", "tiny-decoder")]
    assert run("+".join(map(str, parts)), tmp_path / "out", "--steps", "1") == 0
    report = json.loads((tmp_path / "out" / "stable-diffusion_upscaler_tiny-decoder.json").read_text())
    assert list(report["images"]) == ["first", "from-image", "enlarged-2x"]
    assert "without them" in report["comparison"]["left_out"]
    path = tmp_path / "out" / "stable-diffusion_upscaler_tiny-decoder-enlarged-2x.png"
    with Image.open(path) as image:
        assert image.size == (32, 32)


def test_another_image_than_the_pipelines_is_a_failure(write_checkpoint, tmp_path, monkeypatch, capsys):
    directory = write_checkpoint("stable-diffusion", "--seed", "1")
    monkeypatch.setattr(check_model, "published_image", lambda *_, **__: np.zeros((16, 16, 3), np.uint8))
    assert run(directory, tmp_path / "out", "--steps", "1") == 3
    assert "is NOT as that" in capsys.readouterr().out


def test_a_model_that_is_no_model_is_told(tmp_path, capsys):
    assert run(tmp_path, tmp_path / "out") == 1
    assert "no model_index.json" in capsys.readouterr().err


def test_without_a_hub_a_hub_id_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert run("owner/no-such-model", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert told.startswith("owner/no-such-model cannot be used: ")
    assert "is not on this machine, and cannot be downloaded" in told
    assert len(told.splitlines()) == 1


def test_checkpoints_differ_by_their_seed_only(write_checkpoint, tmp_path):
    families = untrained_checkpoints.family_names()
    assert {"stable-diffusion", "upscaler", "tiny-decoder"} <= set(families)
    assert not {"tokenizers", "--main--"} & set(families)
    weights = []
    for seed in ("0", "0", "1"):
        directory = write_checkpoint("tiny-decoder", "--seed", seed)
        weights.append((directory / "diffusion_pytorch_model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[1] != weights[2]
