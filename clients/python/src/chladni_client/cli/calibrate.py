"""`chladni calibrate`: mean and standard deviation of what recordings give as initial latents."""

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from chladni_client.cli.failures import reported_failures
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.cli.progress import print_notice
from chladni_client.extras import required_package
from chladni_client.types.initial_latents import LatentBasis

if TYPE_CHECKING:
    from chladni_client.calibration.extraction import Skipped
    from chladni_client.calibration.writing import Written

_SHAPE_PATTERN = re.compile(r"[1-9][0-9]{0,4}[,x][1-9][0-9]{0,4}[,x][1-9][0-9]{0,4}")


def calibrate(
    context: typer.Context,
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR",
            help="Folders of recordings (WAV, MP3, FLAC, OGG), with the folders in them; with --merge, "
            "calibrations.",
            exists=True,
            file_okay=False,
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the calibration; made, or empty.")],
    shape: Annotated[
        str, typer.Option(metavar="C,H,W", help="Shape of the latents; C x H x W is a square number.")
    ] = "4,32,32",
    basis: Annotated[
        LatentBasis, typer.Option(help="Cells of the mel image, or coefficients of its cosine transform.")
    ] = LatentBasis.MEL,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="By which requests choose it. Without it: the folder's name.")
    ] = "",
    workers: Annotated[
        int, typer.Option(metavar="INTEGER", help="Recordings in progress at a time.", min=1, max=256)
    ] = 4,
    shard: Annotated[
        str,
        typer.Option(metavar="I/N", help="Only every N-th recording, from the I-th on; --merge joins them."),
    ] = "",
    latents: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the scaled latents of all recordings, (N, C, H, W), as safetensors.",
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Join the calibrations of shards, as if of one pass.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail at the first recording that cannot be used.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compute the mean and standard deviation by which sounds become initial noise.

    Asks the audio-feature service for the latents of the recordings, some at a time, and keeps hardly any of
    them in memory. Recordings that cannot be used are skipped and listed at the end. The last line of the
    output is the setting that makes an audio-feature service use the calibration.

    Any number of machines can share the work: each computes a shard, and --merge joins them.

    [bold]Examples[/]

      chladni calibrate recordings/ --out voices
      chladni calibrate recordings/ --out voices-dct --basis dct --shape 4,64,64 --workers 8
      chladni calibrate recordings/ --out voices --latents voices.safetensors
      chladni calibrate recordings/ --out shard-1 --shard 1/2
      chladni calibrate --merge shard-1 shard-2 --out voices
      chladni --audio-features-target gpu-node:50051 calibrate recordings/ --out voices
    """
    sizes = _sizes_of(shape)
    if latents is not None and (merge or shard):
        raise typer.BadParameter(
            "scaling needs the calibration of all recordings, in one pass", param_hint="--latents"
        )
    with reported_failures(as_json=as_json):
        required_package("numpy", extra="calibrate", purpose="Calibrating")
        # These import NumPy, which the other commands do without.
        from chladni_client.calibration import writing  # noqa: PLC0415
        from chladni_client.cli.calibration_pass import calibrate_recordings  # noqa: PLC0415

        plan = writing.Plan(out, name or out.resolve().name, latents)
        plan.check()
        skipped: Sequence[Skipped] = ()
        if merge:
            written = writing.write_merged(plan, folders)
        else:
            with closing(invocation_of(context).open_client()) as client:
                written, skipped = calibrate_recordings(
                    client,
                    folders,
                    plan,
                    shape=sizes,
                    basis=basis,
                    worker_count=workers,
                    shard=shard,
                    is_strict=strict,
                    is_quiet=quiet,
                )
    _report(written, skipped, as_json=as_json)


def _sizes_of(shape: str) -> tuple[int, ...]:
    if _SHAPE_PATTERN.fullmatch(shape) is None:
        raise typer.BadParameter("write channels, height and width, such as 4,32,32", param_hint="--shape")
    return tuple(map(int, re.split("[,x]", shape)))


def _report(written: "Written", skipped: "Sequence[Skipped]", *, as_json: bool) -> None:
    notices = Console(stderr=True)
    for item in skipped:
        print_notice(notices, f"skipped {item.path}: {item.reason}")
    if written.recording_count < 2:
        print_notice(
            notices, "a single recording does not vary, and no service takes this alone; merge it with others"
        )
    if as_json:
        print_json(
            {
                "path": str(written.folder),
                "setting": written.setting,
                "name": written.name,
                "digest": written.digest,
                "basis": written.basis,
                "value_count": written.value_count,
                "recording_count": written.recording_count,
                "latents_path": written.latents_path,
                "skipped": [{"path": str(item.path), "reason": item.reason} for item in skipped],
            }
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{written.folder}  {written.name}: {written.value_count} values ({written.basis}) of "
        f"{written.recording_count} recordings, {len(skipped)} skipped",
        markup=False,
    )
    if written.latents_path is not None:
        console.print(f"{written.latents_path}  the latents of these recordings", markup=False)
    console.print(written.setting, markup=False)
