"""Measure the audio autoencoder on held-out clips of the project's synthesis and on folders of recordings.

    make quality-reconstruction
    make quality-reconstruction ARGUMENTS="--model ./models/audio_autoencoder --clips 40"
    make quality-reconstruction ARGUMENTS="--folder speech=recordings/voices"

A folder is measured if it exists; those of Debian's packages sonic-pi-samples and asterisk-core-sounds-en-wav
are looked for too. It writes build/quality-reconstruction.json, one flat object of numbers, means over clips:

    NAME.mse, NAME.mae, NAME.cosine, NAME.perceptual_similarity
    NAME.pesq, NAME.stoi       of folders whose name has `speech`, if chladni-audio-features[speech-quality]
                               is installed; griffin_lim_pesq and griffin_lim_stoi are of the phases alone

The targets are those of the synthesis. Recordings are what the autoencoder was not trained on: their figures
are reported and have no target. A missed target is marked in the table and is no failure.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from chladni_audio_features.reconstruction.autoencoder import MODEL_DIRECTORY, load_autoencoder
from chladni_benchmarks.reports.targets import Target
from chladni_evaluation.reconstruction.recordings import figures_of_folder, figures_of_synthesis
from chladni_evaluation.reports.table import figures_table
from chladni_evaluation.reports.targets import missed
from chladni_runtime.models.files import ModelLoadingError

REPOSITORY: Final = Path(__file__).parents[5]
TARGETS: Final = {"synthesis.cosine": Target("at least", 0.98), "synthesis.mse": Target("at most", 0.02)}
FOLDERS: Final = {
    "samples": Path("/usr/share/sonic-pi/samples"),
    "speech": Path("/usr/share/asterisk/sounds/en_US_f_Allison"),
}


def main() -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL_DIRECTORY, help="directory (the one that ships)")
    parser.add_argument("--clips", type=int, default=100, help="synthesised clips (100)")
    parser.add_argument("--files", type=int, default=60, help="files of a folder (60)")
    parser.add_argument("--seed", type=int, default=2026, help="decides the synthesised clips (2026)")
    parser.add_argument(
        "--folder",
        action="append",
        type=_named,
        default=[],
        metavar="NAME=DIR",
        help="a folder of recordings",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "quality-reconstruction.json",
        help="where to write the figures (build/quality-reconstruction.json)",
    )
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    try:
        autoencoder = load_autoencoder(arguments.model)
    except ModelLoadingError as error:
        console.print(f"[bold red]{error}[/]")
        return 1
    figures = figures_of_synthesis(autoencoder, count=arguments.clips, seed=arguments.seed)
    for name, folder in (FOLDERS | dict(arguments.folder)).items():
        if folder.is_dir():
            figures |= figures_of_folder(autoencoder, name, folder, count=arguments.files)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True, allow_nan=False) + "\n")
    console.print(figures_table(figures, TARGETS))
    names = missed(figures, TARGETS)
    console.print(f"[bold red]Missed:[/] {', '.join(names)}" if names else "[green]All targets met.[/]")
    return 0


def _named(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not Path(folder).is_dir() or not folder:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR with a folder that exists")
    return name, Path(folder)


if __name__ == "__main__":
    sys.exit(main())
