"""What holds for every test of the repository."""

import signal


def pytest_configure() -> None:
    """Lets Ctrl-C reach the programs that tests start.

    A shell that runs its commands in the background has them ignore SIGINT, and children inherit that; the
    tests of interruption would then wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
