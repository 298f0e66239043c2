"""The command finds jobs, passes them their arguments, and says what went wrong."""

from __future__ import annotations

import errno
import sys
import tomllib
import types
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from chladni_training.arguments import JobParser
from chladni_training.command import main
from chladni_training.errors import DataError, TrainingError
from chladni_training.job import ENTRY_POINT_GROUP, TrainingJob, find_jobs

SERVICES = Path(__file__).parents[2]


@pytest.fixture
def job(monkeypatch):
    """A job whose module notes the options that it runs with, or raises what it is told to."""
    module = types.ModuleType("a_job_for_tests")
    module.seen = []
    module.failure = None

    def build_parser():
        parser = JobParser()
        parser.add_argument("--batch-size", type=int, default=64)
        return parser

    def run(options):
        module.seen.append(options)
        if module.failure:
            raise module.failure
        return 0

    module.build_parser, module.run = build_parser, run
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.jobs = {"toy": TrainingJob("a toy", module.__name__)}
    return module


def test_jobs_are_listed(job, capsys):
    assert main([], jobs=job.jobs) == 0
    assert "toy  a toy" in capsys.readouterr().out
    assert main([], jobs={}) == 0
    assert "No service" in capsys.readouterr().out


def test_a_job_gets_its_arguments_and_the_environment(job, capsys):
    assert main(["toy", "--batch_size", "8"], jobs=job.jobs, environment={}) == 0
    assert main(["--processes", "1", "toy"], jobs=job.jobs, environment={"BATCH_SIZE": "16"}) == 0
    assert [options.batch_size for options in job.seen] == [8, 16]
    assert "BATCH_SIZE=16" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nothing"], ["--processes", "0", "toy"], ["toy", "--unknown"]])
def test_wrong_arguments_are_a_usage_error(job, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments, jobs=job.jobs, environment={})
    assert caught.value.code == 2


def test_help_of_a_job_is_its_own(job, capsys):
    with pytest.raises(SystemExit):
        main(["toy", "--help"], jobs=job.jobs, environment={})
    assert "usage: chladni-train toy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (DataError("there are no images"), 1, "Error: there are no images"),
        (OSError(errno.ENOSPC, "No space left on device", "here.pt"), 1, "the disk is full (here.pt)"),
        (KeyboardInterrupt(), 130, "goes on from the last checkpoint"),
    ],
)
def test_what_a_user_can_mend_is_one_line(job, capsys, failure, status, message):
    job.failure = failure
    assert main(["toy"], jobs=job.jobs, environment={}) == status
    assert message in capsys.readouterr().err


def test_other_failures_keep_their_trace(job):
    job.failure = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        main(["toy"], jobs=job.jobs, environment={})


def test_a_missing_package_is_named():
    with pytest.raises(
        TrainingError, match=r"'no_such_package' is missing: install no-such-package\[training\]"
    ):
        TrainingJob("a job", "no_such_package.training.job").load()


def test_two_jobs_of_one_name_are_refused():
    entry = EntryPoint("toy", "chladni_similarity.training.jobs:SCORES", ENTRY_POINT_GROUP)
    assert list(find_jobs([entry])) == ["toy"]
    with pytest.raises(TrainingError, match="two services"):
        find_jobs([entry, entry])
    with pytest.raises(TrainingError, match="is no TrainingJob"):
        find_jobs([EntryPoint("toy", "chladni_similarity.training.jobs:Final", ENTRY_POINT_GROUP)])


def registered():
    for path in sorted(SERVICES.glob("*/pyproject.toml")):
        groups = tomllib.loads(path.read_text())["project"].get("entry-points", {})
        for name, value in groups.get(ENTRY_POINT_GROUP, {}).items():
            yield EntryPoint(name, value, ENTRY_POINT_GROUP)


def test_the_services_register_jobs_that_exist():
    jobs = find_jobs(registered())
    assert {"image-model", "alignment", "calibrations", "scores"} <= set(jobs)
    for job in jobs.values():
        module = import_module(job.module)
        assert isinstance(module.build_parser(), JobParser)
        assert callable(module.run)
