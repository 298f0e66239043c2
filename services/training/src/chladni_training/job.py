"""Training jobs, and how they are found: each service registers its own as entry points.

A service's `pyproject.toml` names its jobs in the group `chladni.training_jobs`:

    [project.entry-points."chladni.training_jobs"]
    diffusion = "chladni_image_generation.training.jobs:DIFFUSION"

Each entry is a `TrainingJob`. The module that holds them imports nothing heavy, so that the list of jobs is
quick; the job's own module is imported when it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol, cast

from chladni_training.arguments import JobParser
from chladni_training.errors import TrainingError

ENTRY_POINT_GROUP: Final = "chladni.training_jobs"


class JobModule(Protocol):
    """A module that holds a job."""

    def build_parser(self) -> JobParser:
        """Return the parser of the job's arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Run the job and return the exit status.

        Raises:
            TrainingError: The job cannot begin or go on.
        """


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A job, not yet imported.

    Attributes:
        summary: One line for the list of jobs.
        module: Dotted name of a module with the functions of `JobModule`.
    """

    summary: str
    module: str

    def load(self) -> JobModule:
        """Import the job's module.

        Raises:
            TrainingError: A package that the job needs is not installed.
        """
        try:
            return cast("JobModule", import_module(self.module))
        except ModuleNotFoundError as error:
            distribution = self.module.partition(".")[0].replace("_", "-")
            raise TrainingError(
                f"the package {error.name!r} is missing: install {distribution}[training]"
            ) from error


def find_jobs(found: Iterable[EntryPoint] | None = None) -> Mapping[str, TrainingJob]:
    """Return the jobs of all installed services, by name, in the order of their names.

    Args:
        found: Entry points to take instead of the installed ones.

    Raises:
        TrainingError: Two services register a job under one name, or an entry is no job.
    """
    entries = entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    jobs: dict[str, TrainingJob] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name in jobs:
            raise TrainingError(f"two services register a job {entry.name!r}")
        job = entry.load()
        if not isinstance(job, TrainingJob):
            raise TrainingError(f"the entry point {entry.name!r} ({entry.value}) is no TrainingJob")
        jobs[entry.name] = job
    return jobs
