"""Session tokens: unguessable texts to which images and jobs belong."""

from __future__ import annotations

import re
import secrets
from typing import Final

_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43,128}")


def new_session_token() -> str:
    """Return a token with 256 random bits."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def checked_session_token(token: str) -> str:
    """Return a token that servers accept.

    Raises:
        ValueError: It is too short or too long, or has other characters. The message does not show it.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError("session_token must have 43 to 128 characters: letters, digits, '-' and '_'")
    return token
