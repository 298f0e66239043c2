"""Train an autoencoder of audio, or reconstruct clips with one that is trained.

    chladni-train autoencoder                                     # the project's synthesis, 30 epochs
    chladni-train autoencoder --musdb_root musdb18                # MUSDB18: mixtures and stems
    chladni-train autoencoder --musdb_root musdb7s --download     # its excerpts of 7 s, fetched
    chladni-train autoencoder --data recordings --variational
    chladni-train autoencoder --mode infer --data recordings

Mel spectrograms of 128 bands x 256 frames, 5 s at 16 kHz, become 128 numbers for each 16 frames and
spectrograms again, and audio by Griffin-Lim. The result is a directory beside the checkpoint; the
audio-features service serves it:

    CHLADNI_AUDIO_FEATURES_AUTOENCODER=./models/audio_autoencoder

PESQ and STOI of speech are measured too if chladni-audio-features[speech-quality] is installed. A run that
was stopped goes on from its checkpoint when the same command runs again; --fresh ignores it.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from chladni_audio_features.reconstruction.autoencoder import (
    MANIFEST_FILE,
    MODEL_ID,
    Autoencoder,
    load_autoencoder,
    wav_file,
)
from chladni_audio_features.reconstruction.network import AutoencoderNetwork
from chladni_audio_features.training.autoencoder.clips import (
    SPEECH,
    ClipSet,
    HeardClip,
    read_folder,
    read_musdb,
    synthesise,
)
from chladni_audio_features.training.autoencoder.evaluation import (
    reconstructed_samples,
    spectrogram_figures,
    speech_figures,
    speech_measures,
)
from chladni_audio_features.training.autoencoder.export import export_model
from chladni_audio_features.training.autoencoder.network import (
    DEFAULT_CHANNELS,
    AudioAutoencoder,
    ReconstructionObjective,
    exported_weights,
)
from chladni_audio_features.training.autoencoder.sheets import draw_comparison, draw_training_curves
from chladni_runtime.models.files import ModelLoadingError
from chladni_training.arguments import JobParser, open_share, positive_count, positive_number, seed_number
from chladni_training.checkpoints import load_checkpoint
from chladni_training.devices import find_device
from chladni_training.errors import CheckpointError, DataError
from chladni_training.files import model_directory, write_json, write_whole
from chladni_training.trainer import Trainer, TrainingPlan

_WARMUP_SHARE: Final = 0.05
_MAX_WARMUP_STEPS: Final = 500
_EPOCH_WINDOWS: Final = 64
"""Held-out windows of which the figures of an epoch are means; all of them are judged at the end."""
_SHOWN: Final = 4
_WRITTEN: Final = 2
_HEARD: Final = 48
_OTHERS_WAIT: Final = timedelta(hours=12)
_DEFAULT_MUSDB: Final = Path("data/musdb18")


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(prog="chladni-train autoencoder", description=__doc__)
    parser.add_argument(
        "--mode", choices=("train", "infer"), default="train", help="train, or reconstruct clips (train)"
    )
    parser.add_argument("--epochs", type=positive_count, default=30, help="passes over the clips (30)")
    parser.add_argument("--batch-size", type=positive_count, default=32, help="clips of a step (32)")
    parser.add_argument("--learning-rate", type=positive_number, default=1e-3, help="at its highest (0.001)")
    parser.add_argument(
        "--musdb-root",
        type=Path,
        metavar="DIR",
        help="folder of MUSDB18, with train and test (data/musdb18 if it exists)",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path("models/audio_autoencoder.pt"),
        metavar="FILE",
        help="where the run is kept; beside it the model's directory, without the suffix "
        "(models/audio_autoencoder.pt). To reconstruct: it, or a model's directory",
    )
    parser.add_argument("--n-mels", type=positive_count, default=128, help="mel bands (128)")
    parser.add_argument(
        "--latent-dim", type=positive_count, default=128, help="numbers for each 16 frames (128)"
    )
    parser.add_argument("--device", default="auto", help="cuda or cpu (a GPU if there is one)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="a folder of audio, in place of MUSDB18 and of synthesis"
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch MUSDB18's excerpts of 7 s into its folder"
    )
    parser.add_argument("--clips", type=positive_count, default=6000, help="clips to synthesise (6000)")
    parser.add_argument("--held-out", type=positive_count, default=200, help="clips to judge by (200)")
    parser.add_argument(
        "--windows-per-file", type=positive_count, default=12, help="of each file, or of each stem (12)"
    )
    parser.add_argument("--speech", action="store_true", help="the files are speech: measure PESQ and STOI")
    parser.add_argument("--variational", action="store_true", help="learn a variational autoencoder")
    parser.add_argument(
        "--divergence-weight", type=positive_number, default=1e-3, help="of a variational one (0.001)"
    )
    parser.add_argument("--l1-weight", type=positive_number, default=0.1, help="of the mel L1 loss (0.1)")
    parser.add_argument("--dropout", type=open_share, default=0.1, help="at the bottleneck (0.1)")
    parser.add_argument(
        "--channels",
        type=positive_count,
        nargs=4,
        default=list(DEFAULT_CHANNELS),
        metavar="N",
        help=f"of each layer ({' '.join(map(str, DEFAULT_CHANNELS))})",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="figures and audio (results)"
    )
    parser.add_argument("--model-name", default=MODEL_ID, help=f"name of the result ({MODEL_ID})")
    parser.add_argument("--seed", type=seed_number, default=1, help="seed of everything (1)")
    parser.add_argument("--threads", type=positive_count, help="threads of torch (its own choice)")
    parser.add_argument(
        "--checkpoint-every", type=positive_count, default=200, metavar="STEPS", help="(200, and each epoch)"
    )
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint and start again")
    return parser


def run(options: argparse.Namespace) -> int:
    """Train or reconstruct as the options say, and return the exit status.

    Raises:
        TrainingError: The run cannot begin or go on.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.mode == "infer":
        return _infer(options)
    return _Run(options).train()


def _infer(options: argparse.Namespace) -> int:
    autoencoder = _load(options.checkpoint)
    clips = _read(options, autoencoder.mel_settings.mel_bins, only_heard=True)
    if not clips.heard:
        raise DataError("there are no clips to reconstruct; add files")
    _print_figures(_figures(autoencoder, clips))
    _show(autoencoder, clips, options.output / "inference_comparison.png", title=f"Clips of {clips.name}")
    _write_audio(autoencoder, clips, options.output)
    return 0


def _load(checkpoint: Path) -> Autoencoder:
    """Return the autoencoder of a model's directory, or that of a run that is kept in a file."""
    if checkpoint.is_dir():
        try:
            return load_autoencoder(checkpoint)
        except ModelLoadingError as error:
            raise CheckpointError(f"{checkpoint}: {error}") from error
    state = load_checkpoint(checkpoint)
    if state is None:
        raise CheckpointError(f"{checkpoint} is missing: train first, or name another with --checkpoint")
    if "autoencoder" not in state.get("notes", {}):
        raise CheckpointError(f"{checkpoint} is the checkpoint of another job; name one of this job")
    model = AudioAutoencoder(**state["notes"]["autoencoder"])
    model.load_state_dict(state["model"])
    return _served(model)


def _served(model: AudioAutoencoder, model_id: str = MODEL_ID) -> Autoencoder:
    """Return a network as the service runs it, with weights that are rounded as the exported ones."""
    rounded = {name: value.astype(np.float16) for name, value in exported_weights(model).items()}
    return Autoencoder(AutoencoderNetwork(rounded), model_id=model_id)


def _read(options: argparse.Namespace, mel_bins: int, *, only_heard: bool = False) -> ClipSet:
    """Return the clips that the options mean."""
    root = _musdb_root(options)
    if options.data is not None:
        clips = read_folder(
            options.data,
            heard_count=_HEARD,
            mel_bins=mel_bins,
            windows_per_file=options.windows_per_file,
            only_heard=only_heard,
        )
    elif root is not None:
        clips = read_musdb(
            root,
            heard_count=_HEARD,
            mel_bins=mel_bins,
            windows_per_file=options.windows_per_file,
            download=options.download,
        )
    else:
        clips = synthesise(
            options.output / "clips",
            count=1 if only_heard else options.clips,
            test_count=_HEARD if only_heard else options.held_out,
            heard_count=_HEARD,
            mel_bins=mel_bins,
            seed=options.seed,
        )
    if options.speech:
        heard = tuple(HeardClip(SPEECH, clip.samples) for clip in clips.heard)
        return ClipSet(clips.name, clips.train, clips.test, heard)
    return clips


def _musdb_root(options: argparse.Namespace) -> Path | None:
    """Return the folder of MUSDB18; `None` if none is named, there or to be fetched."""
    root: Path | None = options.musdb_root
    return root or (_DEFAULT_MUSDB if options.download or _DEFAULT_MUSDB.is_dir() else None)


def _recipe(options: argparse.Namespace) -> str:
    """Return the command that trains the same model."""
    names = ["epochs", "batch_size", "learning_rate", "n_mels", "latent_dim", "channels", "dropout"]
    folder = options.data or _musdb_root(options)
    names += ["l1_weight", "windows_per_file"] if folder else ["l1_weight", "clips", "held_out"]
    words = [
        word
        for name in (*names, "seed")
        for value in [getattr(options, name)]
        for word in (f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value]))
    ]
    if folder:
        words += ["--data" if options.data else "--musdb-root", folder.resolve().name]
    if options.variational:
        words += ["--variational", "--divergence-weight", str(options.divergence_weight)]
    return shlex.join(["chladni-train", "autoencoder", *words])


def _figures(autoencoder: Autoencoder, clips: ClipSet) -> dict[str, float]:
    """Return the figures of held-out clips."""
    figures = spectrogram_figures(clips.test, autoencoder.decoded)
    if any(clip.kind == SPEECH for clip in clips.heard):
        measures = speech_measures()
        if len(measures) < len(("pesq", "stoi")):
            print(
                "PESQ or STOI is left out: pip install 'chladni-audio-features[speech-quality]' (pesq is "
                "compiled, which needs a C compiler)",
                flush=True,
            )
        figures |= speech_figures(autoencoder, clips.heard, measures)
    return figures


def _print_figures(figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        print(f"{name}: {value:.4g}", flush=True)


def _show(autoencoder: Autoencoder, clips: ClipSet, path: Path, *, title: str) -> None:
    pairs = []
    for clip in clips.heard[:_SHOWN]:
        made = autoencoder.reconstruct(clip.samples)
        pairs.append((clip.kind, made.original, made.reconstructed))
    if pairs:
        draw_comparison(path, pairs, title=title)


def _write_audio(autoencoder: Autoencoder, clips: ClipSet, folder: Path) -> None:
    for number, clip in enumerate(clips.heard[:_WRITTEN]):
        samples = reconstructed_samples(autoencoder, clip.samples)
        path = folder / f"audio_reconstructed_{number}.wav"
        write_whole(path, wav_file(samples))
        print(f"{path}: {clip.kind}", flush=True)


class _Run:
    """A run of training, and what becomes of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._directory = model_directory(options.checkpoint, MANIFEST_FILE)
        self._accelerator = Accelerator(
            cpu=find_device(options.device).type == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_OTHERS_WAIT)],
        )
        with self._accelerator.main_process_first():
            if self._accelerator.is_main_process and options.fresh:
                options.checkpoint.unlink(missing_ok=True)
            self.clips = _read(options, options.n_mels)
        torch.manual_seed(options.seed)
        settings = {
            "mel_bins": options.n_mels,
            "latent_dimension": options.latent_dim,
            "channels": list(options.channels),
            "dropout": options.dropout,
            "variational": options.variational,
        }
        try:
            model = AudioAutoencoder(**settings)
        except ValueError as error:
            raise DataError(f"{error}; choose a smaller --latent-dim or a larger --n-mels") from error
        model.principal.fit(self.clips.train)
        steps = options.epochs * (len(self.clips.train) // options.batch_size)
        self._trainer = Trainer(
            model=model,
            data=torch.from_numpy(self.clips.train),
            objective=ReconstructionObjective(options.l1_weight, options.divergence_weight),
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
                **settings,
                "l1_weight": options.l1_weight,
                "divergence_weight": options.divergence_weight if options.variational else 0.0,
                "data": self.clips.digest,
            },
            notes={"autoencoder": settings},
            accelerator=self._accelerator,
        )

    def train(self) -> int:
        """Train to the end, judge and export."""
        options = self._options
        if self._accelerator.is_main_process:
            write_json(options.output / "run.json", self._record())
        self._trainer.run(self._on_epoch)
        if not self._accelerator.is_main_process:
            return 0
        autoencoder = _served(self._model, options.model_name)
        figures = _figures(autoencoder, self.clips)
        write_json(options.output / "evaluation.json", figures)
        _show(
            autoencoder,
            self.clips,
            options.output / "inference_comparison.png",
            title=f"Clips of {self.clips.name}",
        )
        self._compare_learned(autoencoder)
        _write_audio(autoencoder, self.clips, options.output)
        export_model(
            exported_weights(self._model),
            self._directory,
            model_id=options.model_name,
            training=self._record(),
            figures=figures,
        )
        _print_figures(figures)
        print(f"exported: {self._directory}", flush=True)
        return 0

    @property
    def _model(self) -> AudioAutoencoder:
        model = self._trainer.model
        assert isinstance(model, AudioAutoencoder)  # noqa: S101 - for the type checker
        return model

    def _compare_learned(self, autoencoder: Autoencoder) -> None:
        """Draw windows that were learned from beside ones that were not."""
        groups = (("learned", self.clips.train), ("held out", self.clips.test))
        pairs = []
        for name, windows in groups:
            originals = windows[: _SHOWN // 2].astype(np.float32) / np.float32(255.0)
            decoded = autoencoder.decoded(originals)
            pairs += [
                (f"{name} {number}", *pair)
                for number, pair in enumerate(zip(originals, decoded, strict=True))
            ]
        draw_comparison(
            self._options.output / "spectrogram_comparison.png", pairs, title="Original and reconstructed"
        )

    def _on_epoch(self, epoch: int) -> dict[str, float]:
        """Judge some held-out clips, and draw the curves."""
        model = self._model
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            figures = spectrogram_figures(self.clips.test[:_EPOCH_WINDOWS], self._decoded)
        model.train(was_training)
        row = {"epoch": float(epoch), "loss": self._trainer.epoch_loss, **figures}
        draw_training_curves(self._options.output / "training_curves.png", [*self._trainer.log.epochs, row])
        print(", ".join(f"{name} {value:.4f}" for name, value in row.items()), flush=True)
        return figures

    def _decoded(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        decoded: torch.Tensor = self._model(torch.from_numpy(windows).to(self._accelerator.device))[0]
        result: npt.NDArray[np.float32] = decoded.clamp(0.0, 1.0).cpu().numpy()
        return result

    def _record(self) -> dict[str, Any]:
        """Return how the model came to be."""
        options = self._options
        return {
            "command": _recipe(options),
            "data": {
                "name": self.clips.name,
                "digest": self.clips.digest,
                "clips": len(self.clips.train),
                "held_out": len(self.clips.test),
            },
            "steps": self._trainer.step,
            "seconds": round(self._trainer.seconds),
            "processes": self._accelerator.num_processes,
            "machine": f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads, "
            f"{self._accelerator.device}",
        }
