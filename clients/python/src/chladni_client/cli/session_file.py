"""The session of the command, kept in a file so that a later call finds the images of an earlier one."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from chladni_client._transport.session_tokens import checked_session_token, new_session_token


def session_file_of(target: str) -> Path:
    """Return the file of the session at a server: each server sees a token of its own."""
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "chladni" / f"session-{quote(target, safe='')}"


def kept_session_token(target: str) -> str | None:
    """Return the token of the session at a server, kept for its user alone; `None` if nothing can be kept."""
    path = session_file_of(target)
    try:
        return checked_session_token(path.read_text("ascii").strip())
    except (OSError, ValueError):  # absent or damaged
        token = new_session_token()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
    except OSError:
        return None
    return token
