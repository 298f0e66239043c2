"""The command `chladni-train`: one for the training jobs of all services.

    chladni-train                                    # list the jobs
    chladni-train diffusion --help
    chladni-train diffusion --epochs 10 --batch-size 32
    EPOCHS=10 BATCH_SIZE=32 chladni-train diffusion  # the same
    chladni-train --processes 2 diffusion            # in two processes that share the work

A run that was stopped, however it ended, goes on from its last checkpoint when the same command runs again.
"""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from chladni_training.arguments import positive_count
from chladni_training.errors import TrainingError
from chladni_training.job import TrainingJob, find_jobs

_INTERRUPTED: Final = 130


def main(
    arguments: Sequence[str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    jobs: Mapping[str, TrainingJob] | None = None,
) -> int:
    """Run the job that the command line names, and return the exit status.

    Args:
        arguments: What follows the command; those of this process if absent.
        environment: Variables that give options; those of this process if absent.
        jobs: Jobs to choose from; those of the installed services if absent.

    Returns:
        0 when the job is done, 1 if it cannot begin or go on, 2 for wrong arguments, 130 after Ctrl-C.
    """
    try:
        known = find_jobs() if jobs is None else jobs
    except TrainingError as error:
        return _fail(str(error))
    options = _parser(known).parse_args(arguments)
    if options.job is None:
        print(_listing(known))
        return 0
    if options.processes > 1 and "WORLD_SIZE" not in os.environ:
        _replace_by_processes(options.processes, [options.job, *options.arguments])
    try:
        return _run(
            options.job,
            known[options.job],
            options.arguments,
            os.environ if environment is None else environment,
        )
    except TrainingError as error:
        return _fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        return _fail(
            f"the disk is full ({error.filename or error.strerror}); free some space and run it again"
        )
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from the last checkpoint.", file=sys.stderr)
        return _INTERRUPTED


def _run(name: str, job: TrainingJob, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    module = job.load()
    parser = module.build_parser()
    parser.prog = f"chladni-train {name}"
    parser.environment = environment
    options = parser.parse_args(arguments)
    if taken := parser.taken_from_environment(arguments):
        settings = " ".join(f"{variable}={shlex.quote(value)}" for variable, value in taken.items())
        print(f"From the environment: {settings}", file=sys.stderr)
    return module.run(options)


def _parser(jobs: Mapping[str, TrainingJob]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chladni-train",
        description=__doc__,
        epilog=_listing(jobs),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--processes",
        type=positive_count,
        default=1,
        metavar="N",
        help="processes on this machine that share each batch (default: 1)",
    )
    parser.add_argument("job", nargs="?", choices=list(jobs), metavar="JOB", help="which job to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the job's own arguments")
    return parser


def _listing(jobs: Mapping[str, TrainingJob]) -> str:
    if not jobs:
        return "No service with training jobs is installed."
    width = max(map(len, jobs))
    return "\n".join(["jobs:", *(f"  {name:{width}}  {job.summary}" for name, job in jobs.items())])


def _replace_by_processes(count: int, command: Sequence[str]) -> None:
    """Go on as `torchrun` with the same command in several processes; accelerate joins them."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    arguments = [sys.executable, *launcher, "-m", "chladni_training", *command]
    os.execv(sys.executable, arguments)  # noqa: S606 -- this program, with this command's own arguments


def _fail(message: str) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return 1
