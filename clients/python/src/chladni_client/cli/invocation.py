"""What every subcommand shares: the server's address, and how results are printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import quote

import typer

from chladni_client._transport.channel_settings import TlsCredentials
from chladni_client._transport.session_tokens import checked_session_token, new_session_token
from chladni_client.async_client import DEFAULT_TARGET, AsyncClient
from chladni_client.client import Client
from chladni_client.types.audio import AudioReconstruction, Spectrogram
from chladni_client.types.images import CreatedImage
from chladni_client.types.timeouts import Timeouts

ClientT = TypeVar("ClientT", Client, AsyncClient)

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass(frozen=True, slots=True)
class Invocation:
    """How the server is reached, by the names of the options.

    Attributes:
        target: Gateway; `None` for the environment's or the default one.
        audio_features_target: Audio-feature service; likewise.
        tls: Whether to connect with TLS, even if no file is given.
        ca_file: Certificate authorities to trust; `None` for the system's.
        certificate_file: Certificate of the client; `None` for none.
        key_file: Its key; `None` for none.
        token: Token that goes with each call; `None` for none.
        session_token: Token to which images and jobs belong; `None` for the one that is kept.
        timeout: Seconds for each call; `None` for the client's defaults.
    """

    target: str | None = None
    audio_features_target: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    token: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    timeout: float | None = None

    def open_client(self) -> Client:
        """Return a client, to be closed.

        Raises:
            typer.BadParameter: An option has a value that the client refuses.
            OSError: A file of the credentials cannot be read.
        """
        return self._open(Client)

    def open_async_client(self) -> AsyncClient:
        """Return a client for an event loop, to be closed.

        Raises:
            typer.BadParameter: An option has a value that the client refuses.
            OSError: A file of the credentials cannot be read.
        """
        return self._open(AsyncClient)

    def _open(self, kind: type[ClientT]) -> ClientT:
        timeouts = Timeouts() if self.timeout is None else Timeouts(self.timeout, self.timeout)
        try:
            return kind(
                self.target,
                session_token=self._session_token(),
                audio_features_target=self.audio_features_target,
                credentials=self._credentials(),
                token=self.token,
                timeouts=timeouts,
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    def _session_token(self) -> str | None:
        if self.session_token is not None:
            return self.session_token
        return _kept_session_token(DEFAULT_TARGET if self.target is None else self.target)

    def _credentials(self) -> TlsCredentials | None:
        files = (self.ca_file, self.key_file, self.certificate_file)
        is_secure = self.tls or any(path is not None for path in files)
        return TlsCredentials(*files) if is_secure else None


def _session_file_of(target: str) -> Path:
    """Return the file of the session at a server: each server sees a token of its own."""
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "chladni" / f"session-{quote(target, safe='')}"


def _kept_session_token(target: str) -> str | None:
    """Return the token of the session at a server, kept for its user alone; `None` if nothing can be kept."""
    path = _session_file_of(target)
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


def invocation_of(context: typer.Context) -> Invocation:
    """Return how the server is reached."""
    invocation: Invocation = context.obj
    return invocation


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(document, default=_plain) + "\n")
    sys.stdout.flush()


def document_of(image: CreatedImage | Spectrogram | AudioReconstruction) -> dict[str, Any]:
    """Return what JSON holds of a result: all but its file; `audio` names the file elsewhere in it."""
    document = {name: value for name, value in asdict(image).items() if name != "content"}
    return document | {"audio_properties": document.pop("audio")}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
