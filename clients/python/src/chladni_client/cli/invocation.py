"""What every subcommand shares: the server's address, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from chladni_client._transport.channel_settings import TlsCredentials
from chladni_client.client import Client
from chladni_client.types.audio import Spectrogram
from chladni_client.types.images import CreatedImage
from chladni_client.types.timeouts import Timeouts

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
AudioArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(metavar="AUDIO", help="Audio file: WAV, MP3, FLAC or OGG.", exists=True, dir_okay=False),
]


@dataclass(frozen=True, slots=True)
class Invocation:
    """Options that come before the subcommand.

    Attributes:
        target: Gateway; `None` for the environment's or the default one.
        audio_features_target: Audio-feature service; likewise.
        is_secure: Whether to connect with TLS.
        ca_path: Certificate authorities to trust; `None` for the system's.
        certificate_path: Certificate of the client; `None` for none.
        key_path: Its key; `None` for none.
        token: Token that goes with each call; `None` for none.
        timeout_seconds: Time for each call; `None` for the client's defaults.
    """

    target: str | None = None
    audio_features_target: str | None = None
    is_secure: bool = False
    ca_path: Path | None = None
    certificate_path: Path | None = None
    key_path: Path | None = None
    token: str | None = None
    timeout_seconds: float | None = None

    def open_client(self) -> Client:
        """Return a client, to be closed.

        Raises:
            typer.BadParameter: An option has a value that the client refuses.
            OSError: A file of the credentials cannot be read.
        """
        timeouts = (
            Timeouts(self.timeout_seconds, self.timeout_seconds)
            if self.timeout_seconds is not None
            else Timeouts()
        )
        try:
            return Client(
                self.target,
                audio_features_target=self.audio_features_target,
                credentials=self._credentials(),
                token=self.token,
                timeouts=timeouts,
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    def _credentials(self) -> TlsCredentials | None:
        files = (self.ca_path, self.key_path, self.certificate_path)
        is_secure = self.is_secure or any(path is not None for path in files)
        return TlsCredentials(*files) if is_secure else None


def invocation_of(context: typer.Context) -> Invocation:
    """Return what stands before the subcommand."""
    invocation: Invocation = context.obj
    return invocation


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(document, default=_plain) + "\n")
    sys.stdout.flush()


def document_of(image: CreatedImage | Spectrogram) -> dict[str, Any]:
    """Return what JSON holds of an image: all but its pixels; `audio` names the file elsewhere in it."""
    document = {name: value for name, value in asdict(image).items() if name != "png"}
    return document | {"audio_properties": document.pop("audio")}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
