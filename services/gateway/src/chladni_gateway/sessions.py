"""Session tokens: unguessable texts to which images and jobs belong, and their owners."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43,128}", re.ASCII)  # 32 bytes are 43 in base64 without padding.


def draw_token() -> str:
    """Return a new token of 256 random bits."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def is_token(text: str) -> bool:
    """Return whether a text can be a token."""
    return _TOKEN.fullmatch(text) is not None


def owner_of_token(token: str) -> str:
    """Return the owner of what was created with a token: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()
