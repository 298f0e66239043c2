"""Train the embedded image model from nothing and export it for the service.

The job renders its own training images, trains the autoencoder and then the denoiser on them,
measures the result, paints contact sheets and writes the directory that the service loads. Every
stage keeps a checkpoint, so a job that was stopped goes on where it was.

    chladni-train image-model              # all of it
    chladni-train image-model --tiny       # in a minute, for a test
    chladni-train image-model --stages export

Where other work shares the cores, "images" and "denoiser" are quicker as replicas of one thread each:

    chladni-train --processes 2 image-model --stages images denoiser --threads 1
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel

from chladni_image_generation.training.autoencoder import train_autoencoder
from chladni_image_generation.training.checkpoints import load_checkpoint
from chladni_image_generation.training.data.descriptor_sampling import load_recorded
from chladni_image_generation.training.data.latent_dataset import ImageSeries
from chladni_image_generation.training.denoiser import (
    TRAINING_TIMESTEPS,
    build_denoiser,
    train_phase,
)
from chladni_image_generation.training.detailer import train_detailer
from chladni_image_generation.training.export import add_detailer, export_model
from chladni_image_generation.training.presets import FULL, TINY, TrainingPreset
from chladni_image_generation.training.replicas import Replicas, join_replicas
from chladni_image_generation.training.reports.contact_sheet import (
    write_comparison_sheet,
    write_variation_sheet,
)
from chladni_image_generation.training.reports.evaluation import evaluate
from chladni_image_generation.training.reports.model_card import write_model_card
from chladni_image_generation.training.reports.sampling import ImageModel, SamplingDefaults
from chladni_training.arguments import JobParser

STAGES = ("images", "autoencoder", "denoiser", "sheets", "export", "detailer")
_SHIPPED_MODEL = Path(__file__).parent.parent / "models" / "embedded"


@dataclass(frozen=True)
class Job:
    """One run: what to train, where to keep it, where to export it."""

    preset: TrainingPreset
    build_folder: Path
    output_folder: Path
    seed: int
    defaults: SamplingDefaults
    replicas: Replicas
    audio_embeddings: Path | None
    note: str
    command: str

    @property
    def autoencoder_checkpoint(self) -> Path:
        """Where the autoencoder's weights and optimizer are kept."""
        return self.build_folder / self.preset.name / "autoencoder.pt"

    @property
    def denoiser_checkpoint(self) -> Path:
        """Where the denoiser's weights, their moving average and its optimizer are kept."""
        return self.build_folder / self.preset.name / "denoiser.pt"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages that the command line names."""
    return run(build_parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Run the stages that the options name, and return the exit status."""
    torch.set_num_threads(options.threads)
    preset = TINY if options.tiny else FULL
    job = Job(
        preset=preset,
        build_folder=options.build_folder,
        output_folder=options.output,
        seed=options.seed,
        defaults=SamplingDefaults(
            steps=options.steps,
            guidance_scale=options.guidance_scale,
            size_pixels=preset.denoiser.phases[-1].size_pixels,
        ),
        replicas=join_replicas(),
        audio_embeddings=options.audio_embeddings,
        note=options.note,
        command=shlex.join(
            ["python", "-m", __spec__.name, "--seed", str(options.seed), "--stages", *options.stages]
        ),
    )
    stages = [stage for stage in STAGES if stage in options.stages]
    if "images" in stages:
        for series in _images(job):
            series.render(job.replicas)
    if stages == ["images"]:
        return 0
    if stages == ["detailer"]:
        _add_detailer(job)
        return 0
    autoencoder = _autoencoder(job)
    if "denoiser" in stages:
        _train_denoiser(job, autoencoder)
    if job.replicas.leads and ("sheets" in stages or "export" in stages):
        model = ImageModel(_denoiser(job), autoencoder, _scheduler(job))
        if "sheets" in stages:
            _write_sheets(job, model)
        if "export" in stages:
            _export(job, model)
    if job.replicas.leads and "detailer" in stages:
        _add_detailer(job)
    return 0


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(
        prog="python -m chladni_image_generation.training.train_image_model", description=__doc__
    )
    parser.add_argument(
        "--stages",
        nargs="+",
        choices=STAGES,
        default=list(STAGES),
        metavar="STAGE",
        help=(
            "what to do, of: images (render those that the denoiser learns from), autoencoder (train it), "
            "denoiser (encode the images and train on them), "
            "sheets (contact sheets into the build folder), export (measure, and write the model "
            "directory), detailer (train it on the exported model and add it there); default: all, in this "
            "order. A later stage needs the checkpoints of the "
            "earlier ones in the build folder."
        ),
    )
    parser.add_argument(
        "--tiny", action="store_true", help="train a toy for a few steps: shows that the job works"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of everything (default: 1)")
    parser.add_argument(
        "--threads", type=int, default=2, help="torch threads (default: 2; more cores, more speed)"
    )
    parser.add_argument(
        "--build-folder",
        type=Path,
        default=Path("build/image_model"),
        help="checkpoints, latents and contact sheets (default: build/image_model)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=_SHIPPED_MODEL,
        help="the model directory to write (default: the one the service ships)",
    )
    parser.add_argument(
        "--audio-embeddings",
        type=Path,
        help=(
            "embeddings of sounds, as chladni_audio_features.training.write_embeddings writes them; "
            "every other image is then of one of them (default: all are of made-up embeddings)"
        ),
    )
    parser.add_argument("--steps", type=int, default=1, help="default sampling steps to record (default: 1)")
    parser.add_argument(
        "--guidance-scale",
        type=float,
        default=1.0,
        help="default guidance scale to record (default: 1, which is none)",
    )
    parser.add_argument(
        "--note", default="", help="a remark on how it was trained, for the manifest and the card"
    )
    return parser


def _add_detailer(job: Job) -> None:
    """Train the detailer on the exported model, as it is served, and add it."""
    options = {"use_safetensors": True, "local_files_only": True, "low_cpu_mem_usage": False}
    detailer = train_detailer(
        job.preset.detailer,
        UNet2DConditionModel.from_pretrained(job.output_folder, subfolder="unet", **options).eval(),
        AutoencoderDC.from_pretrained(job.output_folder, subfolder="vae", **options).eval(),
        checkpoint=job.build_folder / job.preset.name / "detailer.pt",
        seed=job.seed,
    )
    training = {"command": job.command, "preset": asdict(job.preset.detailer)}
    add_detailer(job.output_folder, detailer, training=training)
    print(f"detailer added: {job.output_folder}", flush=True)


def _autoencoder(job: Job) -> AutoencoderDC:
    """Train the autoencoder, or load it if it has been trained already."""
    return train_autoencoder(
        job.preset.autoencoder,
        checkpoint=job.autoencoder_checkpoint,
        seed=job.seed,
        checkpoint_every_steps=job.preset.checkpoint_every_steps,
    )


def _images(job: Job) -> list[ImageSeries]:
    """Return the images of each phase of the denoiser's training."""
    recorded = load_recorded(job.audio_embeddings) if job.audio_embeddings else None
    return [
        ImageSeries(
            count=phase.images,
            size_pixels=phase.size_pixels,
            seed=job.seed,
            folder=job.build_folder / job.preset.name / "images",
            recorded=recorded,
        )
        for phase in job.preset.denoiser.phases
    ]


def _train_denoiser(job: Job, autoencoder: AutoencoderDC) -> None:
    for index, series in enumerate(_images(job)):
        train_phase(
            job.preset.denoiser,
            index,
            series.encode(autoencoder, job.replicas),
            checkpoint=job.denoiser_checkpoint,
            seed=job.seed,
            checkpoint_every_steps=job.preset.checkpoint_every_steps,
            replicas=job.replicas,
        )


def _denoiser(job: Job) -> UNet2DConditionModel:
    """Return the moving average of the denoiser, as far as it has been trained."""
    state = load_checkpoint(job.denoiser_checkpoint)
    if state is None:
        raise SystemExit(f"{job.denoiser_checkpoint} is missing: run the stage 'denoiser' first")
    denoiser = build_denoiser(job.preset.denoiser)
    denoiser.load_state_dict(state["average"])
    return denoiser.eval().to(memory_format=torch.channels_last)


def _scheduler(job: Job) -> FlowMatchEulerDiscreteScheduler:
    scheduler: FlowMatchEulerDiscreteScheduler = FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=TRAINING_TIMESTEPS, shift=job.preset.sampling_shift
    )
    return scheduler


def _write_sheets(job: Job, model: ImageModel) -> None:
    folder = job.build_folder / job.preset.name
    write_comparison_sheet(
        model, folder / "comparison.png", pairs=job.preset.held_out_images, defaults=job.defaults
    )
    write_variation_sheet(model, folder / "variation.png", levels=6, defaults=job.defaults)
    print(f"contact sheets: {folder / 'comparison.png'}, {folder / 'variation.png'}", flush=True)


def _export(job: Job, model: ImageModel) -> None:
    metrics = evaluate(
        model,
        images=job.preset.held_out_images,
        defaults=job.defaults,
    )
    for name, value in metrics.items():
        print(f"{name}: {value:g}", flush=True)
    export_model(
        model,
        job.output_folder,
        defaults=job.defaults,
        training={
            "command": job.command,
            "note": job.note,
            "seed": job.seed,
            "data": "abstract art rendered by the job (jobs/art.py) for sampled descriptors",
            "preset": asdict(job.preset),
            "progress": {
                stage: {"step": state["step"], "seconds": round(state["seconds"])}
                for stage, path in (
                    ("autoencoder", job.autoencoder_checkpoint),
                    ("denoiser", job.denoiser_checkpoint),
                )
                if (state := load_checkpoint(path)) is not None
            },
            "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads",
        },
        metrics=metrics,
        model_card=write_model_card(
            job.preset,
            defaults=job.defaults,
            scheduler=type(model.scheduler).__name__,
            metrics=metrics,
            note=job.note,
        ),
    )
    print(f"exported: {job.output_folder}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
