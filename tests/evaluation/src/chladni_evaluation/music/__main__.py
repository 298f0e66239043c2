"""Measure the analyses of music on pieces that the program makes itself and knows everything of.

    make quality-music                               everything, some minutes on two processors
    make quality-music ARGUMENTS="--seed 7"          other pieces
    make quality-music ARGUMENTS="--pieces 12"       only to see that it works; the figures mean little

Hard pieces are out of tune, swing, drift in tempo, begin anywhere in their loop and have noise; easy ones
do not. None of them was fitted on. The figures are mir_eval's. It writes build/quality-music.json, one flat
object of numbers:

    key.*              exact, and by MIREX' weights
    tempo.*            acc1: within 4 percent; acc2: or of half, a third, twice or three times the tempo
    meter.accuracy     the right one of 2/4, 3/4, 4/4, 5/4, 6/8, 7/8 and none
    beats.f, downbeats.f   F-measure within 70 ms
    chords.overlap     weighted overlap by root and third
    contour.rpa50      raw pitch accuracy within 50 cents, of one voice; contour.accompanied.rpa50 among
    others confidence.ece     expected calibration error over all claims; confidence.<name>.ece of one kind
    speed.*            processor and elapsed seconds for a clip of 10 s
    literature.*       what the literature reports for such methods on recordings of real music, for
    comparison:
                       synthesised pieces are easier, and the two must not be mistaken for each other

A missed target is marked in the table and is no failure.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from chladni_benchmarks.reports.targets import Target
from chladni_evaluation.music.measures import FIGURES_OF_THE_LITERATURE, measure_music
from chladni_evaluation.reports.table import figures_table
from chladni_evaluation.reports.targets import missed

REPOSITORY: Final = Path(__file__).parents[5]
TARGETS: Final = {
    "key.hard.mirex": Target("at least", 0.92),
    "tempo.drums.acc1": Target("at least", 0.9),
    "tempo.nodrums.acc1": Target("at least", 0.75),
    "tempo.all.acc2": Target("at least", 0.97),
    "meter.accuracy": Target("at least", 0.9),
    "chords.overlap": Target("at least", 0.85),
    "contour.rpa50": Target("at least", 0.95),
    "confidence.ece": Target("at most", 0.1),
    "speed.seconds_of_10_s": Target("at most", 1.5),
}


def main() -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=2026, help="decides the pieces (default: 2026)")
    parser.add_argument("--pieces", type=int, default=120, help="number of pieces (default: 120)")
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "quality-music.json",
        help="where to write the figures (default: build/quality-music.json)",
    )
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    figures = measure_music(arguments.pieces, seed=arguments.seed) | FIGURES_OF_THE_LITERATURE
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True, allow_nan=False) + "\n")
    console.print(figures_table(figures, TARGETS))
    names = missed(figures, TARGETS)
    console.print(f"[bold red]Missed:[/] {', '.join(names)}" if names else "[green]All targets met.[/]")
    console.print(f"Figures: {arguments.output}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
