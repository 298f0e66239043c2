"""What holds for every test of the repository: Ctrl-C, and reproducible examples of Hypothesis."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process for tests.

    A shell that runs its commands in the background makes them ignore SIGINT, and children inherit that; the
    tests of interruption would then wait forever.

    Hypothesis derives its examples from the test, so that a change fails or passes alike on every machine.
    ``--hypothesis-profile=random`` (`make test-random`) draws new ones instead.

    Coverage is that of the process that runs tests, not of the programs and servers that they start.
    """
    if config.getoption("dist", "no") == "no":
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("reproducible", derandomize=True, print_blob=True, deadline=None)
    settings.register_profile("random", derandomize=False, print_blob=True, deadline=None)
    settings.load_profile("reproducible")
