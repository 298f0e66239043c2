"""Session tokens: unguessable texts to which images and jobs belong, and their owners.

A token that the gateway issues is 256 random bits and their signature, so that it is known again without a
list of sessions. A client cannot invent one: a cookie is taken only if it was issued here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from chladni_runtime.files import write_temporary

_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43,128}", re.ASCII)  # 32 bytes are 43 in base64 without padding.
_SECRET_LENGTH: Final = 43
_SIGNATURE_BYTES: Final = 16
_KEY_FILE: Final = "session.key"


class SessionTokens:
    """Issues tokens and knows them again.

    Args:
        key: Secret key of the signatures. Gateways that share it know each other's tokens.
    """

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(f"chladni session {key}".encode()).digest()

    def draw(self) -> str:
        """Return a new token."""
        secret = secrets.token_urlsafe(_TOKEN_BYTES)
        return secret + self._signature(secret)

    def is_issued(self, text: str) -> bool:
        """Return whether a text is a token that was issued with this key."""
        secret, signature = text[:_SECRET_LENGTH], text[_SECRET_LENGTH:]
        return is_token(text) and hmac.compare_digest(signature, self._signature(secret))

    def _signature(self, secret: str) -> str:
        digest = hmac.digest(self._key, secret.encode(), "sha256")[:_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def kept_key(folder: Path) -> str:
    """Return the key that a folder keeps, so that sessions outlive a restart; draw it if there is none."""
    path = folder / _KEY_FILE
    if not path.exists():
        drawn = write_temporary(folder, secrets.token_urlsafe(_TOKEN_BYTES).encode())
        with suppress(FileExistsError):  # Another gateway of this folder was faster.
            os.link(drawn, path)
        drawn.unlink()
    return path.read_text("ascii")


def is_token(text: str) -> bool:
    """Return whether a text can be a token, of this gateway or drawn by a program."""
    return _TOKEN.fullmatch(text) is not None


def owner_of_token(token: str) -> str:
    """Return the owner of what was created with a token: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()
