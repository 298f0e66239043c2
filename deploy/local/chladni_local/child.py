"""Runs a module as `python -m` does, and ends it when its parent is gone.

    python -P child.py MODULE

Standard input is a pipe that nobody writes to and whose other end only the parent holds. When the parent
ends, however it ends, the kernel closes the pipe; the module then gets the SIGTERM that it knows, and
some time to end in its own way.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

_GRACE_SECONDS: Final = 15.0


def main() -> None:
    """Run the module that the command line names."""
    module = sys.argv[1]
    lifeline = os.dup(0)
    threading.Thread(target=_follow, args=(lifeline,), name="lifeline", daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _follow(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
