"""The job leaves what it promises, goes on where it stopped, and draws with what it trained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline
from PIL import Image

from chladni_image_generation.training.diffusion import classifier, job
from chladni_image_generation.training.diffusion.network import NoiseObjective, build_network
from chladni_image_generation.training.diffusion.sheets import write_sheet
from chladni_image_generation.training.jobs import DIFFUSION
from chladni_training.checkpoints import save_checkpoint
from chladni_training.command import main
from chladni_training.errors import DataError

STEPS = 8


def run(folder, *arguments, **environment):
    """Run the job as the command does, small enough for a test."""
    small = ["--channels", "8", "8", "--batch_size", "16", "--sampling-steps", "2", "--threads", "1"]
    few = ["--fid-samples", "8", "--judged-samples", "8", "--ddpm-samples", "2", "--device", "cpu"]
    places = ["--data", folder / "data", "--output", folder / "results"]
    checkpoint = ["--checkpoint", folder / "models" / "digits.pt"]
    words = map(str, [*small, *few, *places, *checkpoint, *arguments])
    return main(["diffusion", *words], environment=environment, jobs={"diffusion": DIFFUSION})


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    """Draw by DDPM in a few steps too, and train classifiers in a few, or it would take a minute."""
    monkeypatch.setattr(job, "TRAINING_TIMESTEPS", 4)
    monkeypatch.setattr(classifier, "_LEAST_STEPS", 2)


def digest(folder):
    return json.loads((folder / "models" / "digits" / "manifest.json").read_text())["sha256"]


def test_it_leaves_what_it_promises(write_idx, tmp_path):
    write_idx(tmp_path / "data")
    assert run(tmp_path, EPOCHS="2", NUM_SAMPLES="4") == 0
    results = tmp_path / "results"
    assert {path.relative_to(results).as_posix() for path in results.rglob("*.png")} == {
        "training_loss.png",
        "final_samples.png",
        "epoch_comparisons/samples_epoch_001.png",
        "epoch_comparisons/samples_epoch_002.png",
        "epoch_comparisons/metrics_comparison.png",
    }
    assert {path.name for path in results.iterdir() if path.suffix != ".png"} == {
        "epoch_comparisons",
        "evaluation.json",
        "metrics.csv",
        "metrics.json",
        "run.json",
        "steps.csv",
        "tensorboard",
    }
    rows = json.loads((results / "metrics.json").read_text())["epochs"]
    assert set(rows[-1]) == {"epoch", "step", "loss", "frechet_distance", "frechet_floor"}
    assert rows[-1]["step"] == STEPS
    pipeline = DDIMPipeline.from_pretrained(tmp_path / "models" / "digits")
    assert pipeline.unet.config.block_out_channels == [8, 8]
    assert len(pipeline.unet.config.down_block_types) == len(pipeline.unet.config.up_block_types) == 2
    manifest = json.loads((tmp_path / "models" / "digits" / "manifest.json").read_text())
    assert manifest["defaults"] == {"scheduler": "DDIMScheduler", "steps": 2, "guidance_scale": 1.0}
    assert manifest["training"]["steps"] == STEPS
    assert "--epochs 2" in manifest["training"]["command"]
    assert "ddpm_4_recognised" in manifest["metrics"]
    assert "digits" in (tmp_path / "models" / "digits" / "README.md").read_text()

    # The same weights, from the run's own file and from the model's directory, give the same images.
    sheets = []
    for place in ("models/digits.pt", "models/digits"):
        assert run(tmp_path, "--mode", "infer", "--num_samples", "4", "--checkpoint", tmp_path / place) == 0
        sheets.append(np.asarray(Image.open(results / "final_samples.png")).astype(int))
    assert np.abs(sheets[0] - sheets[1]).max() <= 2


def test_a_run_that_stopped_ends_with_the_same_model(write_idx, tmp_path, monkeypatch):
    for name in ("whole", "cut"):
        write_idx(tmp_path / name / "data")
    arguments = ["--epochs", "2", "--checkpoint-every", "3"]
    assert run(tmp_path / "whole", *arguments) == 0
    calls = 0
    learn = NoiseObjective.__call__

    def cut(self, *given):
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return learn(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(NoiseObjective, "__call__", cut)
        assert run(tmp_path / "cut", *arguments) == 130
    assert run(tmp_path / "cut", *arguments) == 0
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert digest(tmp_path / "cut")[weights] == digest(tmp_path / "whole")[weights]
    losses = [
        [row["loss"] for row in json.loads((tmp_path / name / "results/metrics.json").read_text())["epochs"]]
        for name in ("whole", "cut")
    ]
    assert losses[0] == losses[1]


def test_wrong_data_and_settings_are_one_line(write_idx, tmp_path, capsys):
    assert run(tmp_path) == 1
    assert "is no folder; name one with --data, or fetch" in capsys.readouterr().err
    write_idx(tmp_path / "data", test=1)
    assert run(tmp_path) == 1
    assert "has 1 images to judge by, at least 2 are needed" in capsys.readouterr().err
    write_idx(tmp_path / "data", train=8)
    assert run(tmp_path) == 1
    assert "there are 8 rows, fewer than a batch of 16" in capsys.readouterr().err
    for device in ("gpu", "meta", *(() if torch.cuda.is_available() else ("cuda",))):
        assert run(tmp_path, "--device", device) == 1
        assert f"no device '{device}' here" in capsys.readouterr().err
    assert run(tmp_path, "--mode", "infer") == 1
    assert "is missing: train first" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(tmp_path, "--mode", "infer", "--checkpoint", tmp_path / "empty") == 1
    assert "is no model in diffusers' layout" in capsys.readouterr().err


def test_the_model_replaces_nothing_but_a_model(write_idx, tmp_path, capsys):
    write_idx(tmp_path / "data")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "notes.txt").write_text("mine")
    assert run(tmp_path, "--checkpoint", tmp_path / "results.pt") == 1
    assert "exists and is no exported model" in capsys.readouterr().err
    assert (tmp_path / "results" / "notes.txt").read_text() == "mine"
    assert run(tmp_path, "--checkpoint", tmp_path / "digits") == 1
    assert "has no suffix" in capsys.readouterr().err


def test_the_checkpoint_of_another_job_is_refused(tmp_path, capsys):
    save_checkpoint(tmp_path / "other.pt", {}, {"notes": {}, "average": None})
    assert run(tmp_path, "--mode", "infer", "--checkpoint", tmp_path / "other.pt") == 1
    assert "is the checkpoint of another job" in capsys.readouterr().err


def test_its_defaults_are_those_of_old():
    options = job.build_parser().parse_args([])
    assert (options.mode, options.epochs, options.batch_size) == ("train", 20, 64)
    assert (options.learning_rate, options.num_samples) == (1e-3, 16)
    assert options.checkpoint.as_posix() == "models/diffusion_model.pt"


def test_the_network_has_a_block_for_each_resolution():
    network = build_network((1, 28, 28), (8, 16), layers=1)
    assert [type(block).__name__ for block in network.down_blocks] == ["DownBlock2D"] * 2
    assert [type(block).__name__ for block in network.up_blocks] == ["UpBlock2D"] * 2
    assert build_network((3, 8, 12), (8, 8), layers=1).config.sample_size == (8, 12)
    with pytest.raises(DataError, match="cannot be halved 1 times"):
        build_network((1, 7, 7), (8, 8), layers=1)


def test_its_objective_is_the_noise():
    class Teller(torch.nn.Module):
        """Tells no noise at all."""

        def forward(self, noisy, timesteps):
            assert timesteps.shape == (64,)
            self.noisy = noisy
            return type("Output", (), {"sample": torch.zeros_like(noisy)})

    black = torch.zeros(64, 1, 8, 8, dtype=torch.uint8)
    teller = Teller()
    (loss,) = NoiseObjective()(teller, black, torch.Generator().manual_seed(0)).values()
    assert float(loss) == pytest.approx(1, abs=0.1)
    assert -1.5 < float(teller.noisy.mean()) < 0


def test_a_sheet_shows_each_image_once(tmp_path):
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * 40 + np.zeros((5, 3, 4, 6), np.uint8)
    write_sheet(tmp_path / "sheet.png", images)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 22 + 4, 2 * 16 + 4)
        assert [sheet.getpixel((6 + 22 * (n % 3), 6 + 16 * (n // 3)))[0] for n in range(5)] == [
            0,
            40,
            80,
            120,
            160,
        ]
