"""Measure Chladni on this machine, each part side by side with a reference that it should be as fast as.

    make bench                                            everything, about five minutes on two processors
    python -m chladni_benchmarks --only burst embedding   only some sections
    python -m chladni_benchmarks --quick                  everything, but only to see that it works

Run it on a machine that does nothing else: ratios compare ways that alternate within one run, but a busy
processor blurs them too. The services run as separate processes on free loopback ports.

It writes build/bench.json, one flat object of numbers, and charts as PNG files to build/bench/, and it prints
a table with the targets. A missed target is marked in the table and is no failure. An error is a failure,
such as a wrong answer: its section then has no figures, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from chladni_benchmarks.conditions import Conditions, NotMeasurableError
from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_benchmarks.reports import charts
from chladni_benchmarks.reports.table import figures_table
from chladni_benchmarks.reports.targets import missed
from chladni_benchmarks.sections import SECTIONS, Section
from chladni_local.errors import ClusterError
from chladni_runtime.execution.processors import available_processor_count

REPOSITORY: Final = Path(__file__).parents[4]
BUSY_LOAD: Final = 0.5


def main() -> int:
    """Run the program; return its exit status."""
    arguments = parse_arguments()
    # OpenMP reads it when torch is first imported. Threads that spin while they wait would be measured too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    console = Console()
    figures = machine_figures()
    warn_if_busy(console, figures["machine.load_at_start"])
    notes: dict[str, str] = {}
    failed: list[str] = []
    for section in arguments.sections:
        try:
            figures |= measure(section, console, is_quick=arguments.quick, charts_folder=arguments.charts)
        except NotMeasurableError as error:
            notes[section.name] = str(error)
        except (MeasurementError, ClusterError) as error:
            console.print(f"[bold red]{section.name}[/bold red]: {escape(str(error))}", highlight=False)
            failed.append(section.name)
        except Exception:  # noqa: BLE001 - the other sections may still succeed
            console.print_exception(max_frames=8)
            failed.append(section.name)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    report(console, figures, notes, failed)
    console.print(f"Figures: {arguments.output}\nCharts:  {arguments.charts}/", highlight=False)
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    listing = "\n".join(f"  {section.name:<17}{section.question}" for section in SECTIONS)
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"sections:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="SECTION",
        choices=[section.name for section in SECTIONS],
        help="measure these sections alone; the output then holds theirs alone",
    )
    parser.add_argument(
        "--quick", action="store_true", help="measure as little as possible; the figures then mean nothing"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "bench.json",
        help="where to write the figures (default: build/bench.json)",
    )
    parser.add_argument(
        "--charts", type=Path, help="folder for the charts (default: bench/ beside the output)"
    )
    arguments = parser.parse_args()
    arguments.charts = arguments.charts or arguments.output.parent / "bench"
    arguments.sections = [
        section for section in SECTIONS if section.name in (arguments.only or [section.name])
    ]
    return arguments


def measure(section: Section, console: Console, *, is_quick: bool, charts_folder: Path) -> Figures:
    """Measure a section, draws its charts and return its figures."""
    started_at = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix=f"chladni-bench-{section.name}-") as folder,
        console.status(section.name) as status,
    ):
        measurement = section.load()
        conditions = Conditions(
            folder=Path(folder),
            is_quick=is_quick,
            report=lambda activity: status.update(f"[bold]{section.name}[/bold]: {activity}"),
        )
        figures = measurement.measure(conditions)
        charts.draw(measurement.charts(figures), charts_folder)
    console.print(
        f"{section.name:<17}{time.monotonic() - started_at:5.0f} s   {section.question}", highlight=False
    )
    return figures


def machine_figures() -> Figures:
    """Return the number of processors, and how busy they were before."""
    return {
        "machine.processors": available_processor_count(),
        "machine.load_at_start": os.getloadavg()[0],
    }


def warn_if_busy(console: Console, load: float) -> None:
    """Print a warning if something else uses the processors."""
    if load > BUSY_LOAD:
        console.print(
            f"[yellow]Something else uses the processors (load {load:.1f}); the figures suffer from it.[/]"
        )


def report(console: Console, figures: Figures, notes: dict[str, str], failed: list[str]) -> None:
    """Print the figures, the missed targets and the sections that failed."""
    console.print()
    console.print(figures_table(figures, notes))
    if names := missed(figures):
        console.print(f"[bold red]{len(names)} target(s) missed:[/] {', '.join(names)}")
    if failed:
        console.print(f"[bold red]Not measured, because something went wrong:[/] {', '.join(failed)}")


if __name__ == "__main__":
    sys.exit(main())
