"""The ENTER key, without a thread that waits for it."""

import os
import select
from typing import IO, Final, Self

_ENTER: Final = b"\n"


class EnterKey:
    """ENTER on a terminal, or the end of a line in a pipe.

    Reads the descriptor itself: what a text stream has read ahead, nobody could be asked for.

    Args:
        descriptor: Where keys come from; `None` for nowhere. Then nobody is waited for, and ENTER is never
            pressed.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def of(cls, stream: IO[str]) -> Self:
        """Returns the key as it comes through a stream; from nowhere where that is no file of the system."""
        try:
            return cls(stream.fileno() if os.name == "posix" else None)
        except (OSError, ValueError):
            return cls(None)

    @property
    def is_there(self) -> bool:
        """Whether ENTER can still come."""
        return self._descriptor is not None

    def wait(self) -> None:
        """Waits until ENTER is pressed, or can no longer be."""
        while self.is_there and self._read() != _ENTER:
            pass

    def is_pressed(self) -> bool:
        """Returns whether ENTER has been pressed since the last question; does not wait."""
        while self._descriptor is not None and select.select([self._descriptor], [], [], 0)[0]:
            if self._read() == _ENTER:
                return True
        return False

    def _read(self) -> bytes:
        key = os.read(self._descriptor, 1) if self._descriptor is not None else b""
        if not key:
            self._descriptor = None
        return key
