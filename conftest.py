"""What holds for every test of the repository: Ctrl-C, and reproducible examples of Hypothesis."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.internal.constants_ast import Constants
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Files whose tests share what takes long to make: the cluster of the four services, a model, manifests.
TOGETHER = {
    "cluster": ("tests/integration/", "tests/e2e/test_whole_system.py"),
    "alignment model": (
        "services/similarity/tests/embedders/test_alignment.py",
        "services/similarity/tests/grpc_api/test_alignment.py",
        "services/similarity/tests/training/test_train_alignment.py",
    ),
    "Stable Diffusion XL": ("services/image_generation/tests/families/stable_diffusion_xl/",),
    "manifests": ("tests/contract/manifests/",),
}

# What takes a worker longest, the longest first: one that begins at the end keeps all others waiting.
LONGEST = (
    "cluster",
    "tests/e2e/test_accessibility.py",
    "alignment model",
    "tests/robustness/tests/test_job_kills.py",
    "tests/e2e/",
    "services/gateway/tests/rest/test_openapi.py",
    "services/image_generation/tests/training/",
    "services/audio_features/tests/training/",
    "services/training/",
    "clients/python/tests/study/",
    "services/image_generation/tests/engine/",
    "Stable Diffusion XL",
    "services/image_generation/tests/families/",
    "services/similarity/tests/",
    "tests/",
    "deploy/",
    "services/image_generation/",
)

# New objects, and collections of younger ones, after which the collector looks at each of its generations.
COLLECTOR_THRESHOLDS = (20_000, 20, 20)


def scope_of(nodeid: str) -> str:
    """Return what a test is part of that one worker takes: a file, or files that belong together."""
    path = nodeid.partition("::")[0]
    return next((name for name, paths in TOGETHER.items() if path.startswith(paths)), path)


def rank_of(nodeid: str) -> int:
    """Return the place of a test among what takes long; what is not named comes last."""
    scope = scope_of(nodeid)
    return next((rank for rank, name in enumerate(LONGEST) if scope.startswith(name)), len(LONGEST))


class _FileScheduling(LoadScopeScheduling):
    """A worker takes a file's tests, or those of the files that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _FileScheduling | None:
    """Return the scheduler for ``--dist=loadfile``; None leaves other ways to pytest-xdist."""
    return _FileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers begin with what takes longest; a single process keeps the order of the folders."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank_of(item.nodeid))


def leave_out_local_constants() -> None:
    """Let Hypothesis choose by itself, not among the constants of the modules that a process has imported.

    It takes one in forty numbers and strings from the sources of all local modules that are imported, so what
    a worker ran before would decide what a test is given. No setting changes this, and a registered backend
    does not reach all choices: the beginnings of new examples are drawn by the default one.
    """
    HypothesisProvider._local_constants = Constants()  # noqa: SLF001


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector from what test modules import, and let it look at the rest less often.

    That is millions of objects of torch and diffusers, which live as long as the process. Without this, each
    full collection looks at all of them, during the imports and all tests after these. What tests make is
    mostly freed without the collector, whose usual thresholds cost a twentieth of a worker's time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process for tests.

    A shell that runs its commands in the background makes them ignore SIGINT, and children inherit that; the
    tests of interruption would then wait forever.

    Hypothesis derives its examples from the test alone, so that a change fails or passes alike on every
    machine. ``--hypothesis-profile=random`` (`make test-random`) draws new ones instead, in its usual way.

    Coverage is that of the process that runs tests, not of the programs and servers that they start.
    """
    if config.getoption("dist", "no") == "no":
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("reproducible", derandomize=True, print_blob=True, deadline=None)
    settings.register_profile("random", derandomize=False, print_blob=True, deadline=None)
    settings.load_profile("reproducible")
    if config.getoption("hypothesis_profile", None) != "random":
        leave_out_local_constants()
