"""Run a small study from end to end: two sample clips become ten prompts, their scores and ten images.

    python deploy/local/batch_quick.py
    python deploy/local/batch_quick.py --audio ~/recordings --output ~/study --samples 5

Starts the four services on free ports of this machine, runs `chladni batch` against them, and stops them
again. A second run with the same output folder does only what the first left. The exit status is that of the
command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from chladni_local.cluster import LocalCluster
from chladni_local.errors import ClusterError

_REPOSITORY = Path(__file__).parents[2]
_PROGRAM = "from chladni_client.cli.app import main; main()"


def main() -> int:
    """Run the study and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    samples = _REPOSITORY / "tests" / "fixtures" / "samples"
    parser.add_argument(
        "--audio", type=Path, default=samples, metavar="INPUT", help="folder or .npy of clips"
    )
    output = _REPOSITORY / "build" / "batch-quick"
    parser.add_argument("--output", type=Path, default=output, metavar="FOLDER", help="folder of the results")
    parser.add_argument("--samples", type=int, default=2, help="clips (default: 2)")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    try:
        with LocalCluster(
            folder=arguments.output / "services",
            ports="free",
            on_ready=lambda name, seconds: console.print(f"  {name:<18} ready after {seconds:.1f} s"),
        ) as cluster:
            words = [
                *("batch", str(arguments.audio), str(arguments.output / "study")),
                *("--samples", str(arguments.samples), "--limit", str(5 * arguments.samples)),
                *("--width", "512", "--height", "512", "--steps", "20"),
                *("--target", cluster.target("gateway")),
            ]
            return subprocess.run([sys.executable, "-c", _PROGRAM, *words], check=False).returncode  # noqa: S603 - this very interpreter
    except ClusterError as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"Error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
