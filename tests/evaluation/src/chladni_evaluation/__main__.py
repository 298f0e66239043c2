"""Measure how well images represent audio, on clips that the program makes itself.

    make quality                                            everything, about five minutes on two processors
    make quality ARGUMENTS="--seed 7"                       other clips and other images
    make quality ARGUMENTS="--sections effect retrieval"    some figures alone
    make quality ARGUMENTS="--clips 8 --seeds 2"            only to see that it works; the figures mean little

It makes clips (speech in many languages and moods, melodies, pieces of several voices, percussion, noises,
machines, silence), sends them to the services, which extract their features and generate images of each with
several seeds, and measures what the images show of the audio. The services are called over gRPC, as any
caller would call them: they are started on free loopback ports, unless --audio-features, --image-generation
and --similarity name running ones. Speech needs espeak-ng. Without make: python -m chladni_evaluation.

It writes build/quality.json, one flat object of numbers, and into build/quality/:

    clips/*.wav          the clips
    images/*.png         the image of each with the first seed
    clips.png            the spectrogram of every clip beside its image
    kinds.png            images by kind of sound
    perturbations.png    images of clips after small changes
    seeds.png            images of one clip with several seeds
    art.png              what the model should generate beside what it generates
    services/            logs of the services

A missed target is marked in the table and is no failure. If something that a figure needs is absent, such as
a model, or a service fails, the section is shown as unavailable, its targets as missed, and the exit status
is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.clients.services import AUDIO_FEATURES, IMAGE_GENERATION, SIMILARITY, Services
from chladni_evaluation.dataset import Dataset, DatasetSize
from chladni_evaluation.reports.progress import ProgressDisplay
from chladni_evaluation.reports.table import figures_table
from chladni_evaluation.reports.targets import missed, targets_of
from chladni_evaluation.sections import SECTIONS, Section
from chladni_local.errors import ClusterError
from chladni_runtime.execution.processors import available_processor_count

REPOSITORY: Final = Path(__file__).parents[4]
BUSY_LOAD: Final = 0.5
FILE_WIDTH: Final = 110
SERVICE_NAMES: Final = (AUDIO_FEATURES, IMAGE_GENERATION, SIMILARITY)


def main() -> int:
    """Run the program; return its exit status."""
    arguments = parse_arguments()
    # OpenMP reads it when torch is first imported. Threads that spin take the processors from the services.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    started_at = time.monotonic()
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        console.print(
            f"[yellow]Something else uses the processors (load {load:.1f}); times suffer from it.[/]"
        )
    addresses = {name: address for name in SERVICE_NAMES if (address := arguments.addresses[name])}
    figures: Figures = {}
    failures: dict[str, str] = {}
    with Services(arguments.folder / "services", addresses) as services:
        dataset = Dataset(
            size=DatasetSize(clips=arguments.clips, seeds=arguments.seeds, seed=arguments.seed),
            services=services,
            folder=arguments.folder,
            progress=ProgressDisplay(console),
        )
        figures |= dataset.figures()
        if not figures["clips.speech"]:
            console.print("[bold red]No speech among the clips: install espeak-ng, or take more clips.[/]")
        for section in arguments.sections:
            try:
                figures |= measure(section, dataset, console)
            except (NotMeasurableError, MeasurementError, ClusterError) as error:
                failures[section.name] = str(error)
                console.print(f"[bold red]{section.name}: {escape(str(error))}[/]", highlight=False)
            except Exception as error:  # noqa: BLE001 - the other sections may still succeed
                failures[section.name] = repr(error)
                console.print_exception(max_frames=8)
    figures |= {f"unavailable.{name}": 1 for name in failures}
    figures |= {
        "machine.processors": available_processor_count(),
        "machine.load_at_start": load,
        "machine.seconds": time.monotonic() - started_at,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True, allow_nan=False) + "\n")
    report(console, figures, failures, arguments.sections)
    console.print(f"Figures: {arguments.output}\nSheets:  {arguments.folder}/", highlight=False)
    return 1 if any(name.startswith("unavailable.") for name in figures) else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    listing = "\n".join(f"  {section.name:<14}{section.question}" for section in SECTIONS)
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"sections:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=natural, default=1, help="decides clips and images (default: 1)")
    parser.add_argument("--clips", type=positive, default=120, help="number of clips (default: 120)")
    parser.add_argument("--seeds", type=positive, default=3, help="images of each clip (default: 3)")
    parser.add_argument(
        "--sections",
        nargs="+",
        metavar="SECTION",
        choices=[section.name for section in SECTIONS],
        help="measure these alone; the output then holds theirs alone",
    )
    for name in SERVICE_NAMES:
        parser.add_argument(f"--{name}", metavar="HOST:PORT", help=f"a running {name} service to use")
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "quality.json",
        help="where to write the figures (default: build/quality.json)",
    )
    parser.add_argument(
        "--folder", type=Path, help="folder for clips and sheets (default: quality/ beside the output)"
    )
    arguments = parser.parse_args()
    arguments.folder = arguments.folder or arguments.output.parent / "quality"
    arguments.addresses = {name: getattr(arguments, name.replace("-", "_")) for name in SERVICE_NAMES}
    arguments.sections = [
        section for section in SECTIONS if section.name in (arguments.sections or [section.name])
    ]
    return arguments


def natural(text: str) -> int:
    """Read an integer from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def positive(text: str) -> int:
    """Read an integer from 1."""
    value = natural(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def measure(section: Section, dataset: Dataset, console: Console) -> Figures:
    """Measure a section and return its figures.

    Raises:
        NotMeasurableError: Something that it needs is absent.
        MeasurementError: A service fails, or a figure is not a number.
    """
    started_at = time.monotonic()
    figures = section.measure(dataset)
    if odd := [name for name, value in figures.items() if not math.isfinite(value)]:
        raise MeasurementError(f"no finite numbers: {', '.join(odd)}")
    console.print(
        f"{section.name:<14}{time.monotonic() - started_at:5.0f} s   {section.question}", highlight=False
    )
    return figures


def report(console: Console, figures: Figures, failures: dict[str, str], sections: list[Section]) -> None:
    """Print the figures, the missed targets and the reasons of what is unavailable."""
    targets = targets_of([section.name for section in sections])
    console.print()
    console.print(figures_table(figures, targets))
    if names := missed(figures, targets):
        console.print(f"[bold red]{len(names)} of {len(targets)} targets missed:[/] {', '.join(names)}")
    else:
        console.print(f"[green]All {len(targets)} targets met.[/]")
    for name, reason in failures.items():
        first_line = reason.partition("\n")[0]
        console.print(f"[bold red]Unavailable:[/] {name}: {escape(first_line)}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
