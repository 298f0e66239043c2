"""Compute the mean and standard deviation by which sounds become the initial noise of a diffusion model.

    chladni-calibrate clips/ --out voices
    chladni-calibrate clips/ --out voices-dct --basis dct --shape 4,32,32 --workers 8
    chladni-calibrate clips/ --out voices --latents voices.npy --vectors raw.npy
    chladni-calibrate clips/ --out shard-1 --shard 1/2
    chladni-calibrate --merge shard-1 shard-2 --out voices

Computes the latents of the clips in this process, as an audio-feature service with the same settings
(`CHLADNI_AUDIO_FEATURES_*`) would, and keeps hardly any of them in memory. No server is needed: what it would
compute is a pure function of the file, and sending every file to it would only add time and failures. Clips
that cannot be used are skipped and listed at the end. The last line of the output is the setting that makes
an audio-feature service use the calibration.

Any number of machines can share the work: each computes a shard, and --merge joins them, to the bit as if one
machine had computed all.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import IntEnum
from math import prod
from pathlib import Path
from typing import Final

from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.latents.calibration import CalibrationError
from chladni_audio_features.latents.catalog import LatentsPlan
from chladni_audio_features.latents.initial_latents import (
    LatentBasis,
    LatentShape,
    describe_latent_shapes,
    is_latent_shape,
)
from chladni_audio_features.tools.calibration.extraction import (
    LatentExtraction,
    RawLatents,
    Shard,
    Skipped,
    find_clips,
)
from chladni_audio_features.tools.calibration.latent_rows import LatentRows
from chladni_audio_features.tools.calibration.moments import Moments
from chladni_audio_features.tools.calibration.outputs import (
    Destination,
    WrittenCalibration,
    write_merged,
    write_pass,
)
from chladni_runtime.settings import load_settings_or_exit

_PROGRESS_LINES: Final = 10


class ExitStatus(IntEnum):
    """Exit statuses of the command; they are those of the `chladni` command."""

    SUCCESS = 0
    USAGE = 2
    INVALID_INPUT = 3
    FILE = 7
    INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.latents or options.vectors) and (options.merge or options.shard is not None):
        parser.error("--latents and --vectors: scaling needs the calibration of all clips, in one pass")
    if options.vectors is not None and options.vectors.suffix != ".npy":
        parser.error("--vectors must end in .npy")
    if not is_latent_shape(options.shape):
        parser.error(f"--shape must be {describe_latent_shapes()}")
    destination = Destination(
        options.out, options.name or options.out.resolve().name, options.latents, options.vectors
    )
    try:
        destination.check()
        skipped: Sequence[Skipped] = ()
        if options.merge:
            written = write_merged(destination, options.directories)
        else:
            written, skipped = calibrate_clips(
                options.directories,
                destination,
                limits=load_settings_or_exit(AudioFeaturesSettings).decoding_limits,
                plan=LatentsPlan(shape=options.shape, basis=options.basis, calibration=None),
                worker_count=options.workers,
                shard=options.shard,
                is_strict=options.strict,
                is_quiet=options.quiet,
            )
    except (CalibrationError, OSError) as error:
        return _report_failure(error, as_json=options.json)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    _report(written, skipped, as_json=options.json)
    return ExitStatus.SUCCESS


def calibrate_clips(
    directories: Sequence[Path],
    destination: Destination,
    *,
    limits: DecodingLimits,
    plan: LatentsPlan,
    worker_count: int,
    shard: Shard | None,
    is_strict: bool,
    is_quiet: bool,
) -> tuple[WrittenCalibration, list[Skipped]]:
    """Compute and write the calibration of clips.

    Args:
        directories: Where the clips are.
        destination: Where to write.
        limits: What a clip may be.
        plan: Shape and basis, without a calibration.
        worker_count: Clips in progress at a time.
        shard: Which of the clips; `None` means all.
        is_strict: Whether to fail at the first clip that cannot be used.
        is_quiet: Whether to show no progress.

    Raises:
        CalibrationError: There are no clips, none can be used, or one cannot and `is_strict`.
        OSError: A directory cannot be read, or a file cannot be written.
    """
    clips = _select_clips(directories, shard)
    extraction = LatentExtraction(limits, plan, worker_count=worker_count)
    moments = Moments.empty(prod(plan.shape))
    skipped: list[Skipped] = []
    with ExitStack() as stack:
        rows: LatentRows | None = None
        if destination.row_paths:
            parent = destination.row_paths[0].resolve().parent
            rows = stack.enter_context(LatentRows(parent, prod(plan.shape)))
        progress = _Progress(len(clips), is_quiet=is_quiet)
        for outcome in extraction.outcomes(clips):
            if isinstance(outcome, RawLatents):
                moments = moments.with_vector(outcome.values)
                if rows is not None:
                    rows.append(outcome.values, name=str(outcome.path), sha256=outcome.sha256)
            elif is_strict:
                raise CalibrationError(f"{outcome.path} cannot be used: {outcome.reason}")
            else:
                skipped.append(outcome)
            progress.advance(skipped_count=len(skipped))
        if moments.count == 0:
            raise CalibrationError(
                f"none of {len(skipped)} clips could be used; the first is {skipped[0].path}: "
                f"{skipped[0].reason}"
            )
        return write_pass(destination, moments, shape=plan.shape, basis=plan.basis, rows=rows), skipped


def _select_clips(directories: Sequence[Path], shard: Shard | None) -> Sequence[Path]:
    clips = find_clips(directories)
    selected = clips if shard is None else shard.of(clips)
    if not selected:
        found = f"{len(clips)} clips" if clips else "no clips (WAV, MP3, FLAC, OGG)"
        raise CalibrationError(
            f"there is nothing to calibrate from: {', '.join(map(str, directories))} "
            f"{'has' if len(directories) == 1 else 'have'} {found}"
        )
    return selected


class _Progress:
    """A line that is written again and again on a terminal; elsewhere a line for every tenth of the clips."""

    def __init__(self, total: int, *, is_quiet: bool) -> None:
        self._total = total
        self._done = 0
        self._is_quiet = is_quiet
        self._is_terminal = sys.stderr.isatty()

    def advance(self, *, skipped_count: int) -> None:
        """Count a clip that is done."""
        self._done += 1
        is_tenth = (
            self._done * _PROGRESS_LINES // self._total > (self._done - 1) * _PROGRESS_LINES // self._total
        )
        if self._is_quiet or not (self._is_terminal or is_tenth):
            return
        text = f"{self._done} of {self._total} clips" + (
            f", {skipped_count} skipped" if skipped_count else ""
        )
        if self._is_terminal:
            end = "\n" if self._done == self._total else ""
            print(f"\r{text}", end=end, file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def _report(written: WrittenCalibration, skipped: Sequence[Skipped], *, as_json: bool) -> None:
    for item in skipped:
        print(f"Notice: skipped {item.path}: {item.reason}", file=sys.stderr)
    if written.clip_count < 2:
        print(
            "Notice: a single clip does not vary, and no service takes this alone; merge it with others",
            file=sys.stderr,
        )
    if as_json:
        document = {
            "path": str(written.directory),
            "setting": written.setting,
            "name": written.name,
            "digest": written.digest,
            "basis": written.basis.value,
            "value_count": written.value_count,
            "recording_count": written.clip_count,
            "latents_path": None if written.latents_path is None else str(written.latents_path),
            "skipped": [{"path": str(item.path), "reason": item.reason} for item in skipped],
        }
        print(json.dumps(document))
        return
    print(
        f"{written.directory}  {written.name}: {written.value_count} values ({written.basis}) of "
        f"{written.clip_count} clips, {len(skipped)} skipped"
    )
    if written.latents_path is not None:
        print(f"{written.latents_path}  the latents of these clips")
    print(written.setting)


def _report_failure(error: CalibrationError | OSError, *, as_json: bool) -> ExitStatus:
    if isinstance(error, OSError):
        status, reason = ExitStatus.FILE, "FILE"
        message = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    else:
        status, reason, message = ExitStatus.INVALID_INPUT, "INVALID_CALIBRATION", str(error)
    print(f"Error: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": {"reason": reason, "message": message}}))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chladni-calibrate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "directories",
        nargs="+",
        type=_directory,
        metavar="DIR",
        help="directories of clips (WAV, MP3, FLAC, OGG), with those below them; with --merge, calibrations",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="directory for the calibration; made, or empty"
    )
    parser.add_argument(
        "--shape",
        type=_shape,
        default=(4, 64, 64),
        metavar="C,H,W",
        help="shape of the latents, that of the image model; C x H x W is a square number (default "
        "4,64,64, as the model that ships and Stable Diffusion at 512 pixels take)",
    )
    parser.add_argument(
        "--basis",
        type=LatentBasis,
        choices=list(LatentBasis),
        default=LatentBasis.MEL,
        help="cells of the mel image, or coefficients of its cosine transform (default mel)",
    )
    parser.add_argument(
        "--name",
        default="",
        help="name for requests (default: the name of the --out directory)",
    )
    parser.add_argument(
        "--workers", type=_integer(1, 256), default=4, help="clips in progress at a time (default 4)"
    )
    parser.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="only every N-th clip, from the I-th on; --merge joins the shards",
    )
    parser.add_argument(
        "--latents",
        type=Path,
        metavar="FILE",
        help="also write the scaled latents of all clips, (N, C, H, W), as .npy or .safetensors: "
        "`chladni create --latents FILE --subject N` makes images of them",
    )
    parser.add_argument(
        "--vectors",
        type=Path,
        metavar="FILE",
        help="also write the vectors of all clips before they are scaled, (N, C x H x W), as .npy",
    )
    parser.add_argument(
        "--merge", action="store_true", help="join the calibrations of shards, as if of one pass"
    )
    parser.add_argument("--strict", action="store_true", help="fail at the first clip that cannot be used")
    parser.add_argument("--quiet", "-q", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} does not exist or is no directory")
    return path


def _shape(text: str) -> LatentShape:
    if re.fullmatch(r"[1-9][0-9]{0,4}([,x][1-9][0-9]{0,4}){2}", text) is None:
        raise argparse.ArgumentTypeError("write channels, height and width, such as 4,64,64")
    channels, height, width = map(int, re.split("[,x]", text))
    return channels, height, width


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _integer(minimum: int, maximum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isdecimal() and minimum <= int(text) <= maximum):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {minimum} to {maximum}")
        return int(text)

    return read


if __name__ == "__main__":
    raise SystemExit(main())
