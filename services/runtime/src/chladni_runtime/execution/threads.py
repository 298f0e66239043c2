"""Threads that compute beside an event loop."""

import os
import threading
from typing import Final

_ADDED_NICENESS: Final = 5


def yield_to_event_loop() -> None:
    """Makes this thread, and those that it will start, give way to the event loop's.

    A model may use every processor; without this a new call waits for a time slice before it is even
    looked at. A pool takes it as its `initializer`; does nothing where threads have no priority of their own.
    """
    if hasattr(os, "setpriority"):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _ADDED_NICENESS)
