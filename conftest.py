"""What holds for every test of the repository: Ctrl-C, and reproducible examples of Hypothesis."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Prepare the process for tests.

    A shell that runs its commands in the background makes them ignore SIGINT, and children inherit that; the
    tests of interruption would then wait forever.

    Hypothesis derives its examples from the test, so that a change fails or passes alike on every machine.
    ``--hypothesis-profile=random`` (`make test-random`) draws new ones instead.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("reproducible", derandomize=True, print_blob=True, deadline=None)
    settings.register_profile("random", derandomize=False, print_blob=True, deadline=None)
    settings.load_profile("reproducible")
