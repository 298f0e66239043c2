"""What a connection is made of beside its target: TLS, token, metadata, keepalive and options."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, cast

import grpc

from chladni_client._transport.retries import RetryPolicy
from chladni_client._transport.targets import is_local
from chladni_contract.metadata import CALLER_ID_KEY, MAX_CALLER_ID_LENGTH, REQUEST_ID_KEY, SESSION_TOKEN_KEY

PemSource: TypeAlias = bytes | str | os.PathLike[str]
"""The bytes of a PEM file, or its path."""

Token: TypeAlias = str | Callable[[], str]
"""A token, or what returns the one of the moment; called for each call, and must not wait."""

Metadata: TypeAlias = tuple[tuple[str, str], ...]

DEFAULT_KEEPALIVE_SECONDS: Final = 30.0
FILE_CHECK_SECONDS: Final = 10.0

_SHORTEST_KEEPALIVE_SECONDS: Final = 5.0  # servers end connections that ping more often
_KEEPALIVE_TIMEOUT_SECONDS: Final = 10.0
_AUTHORIZATION_KEY: Final = "authorization"
_KEY: Final = re.compile(r"[a-z0-9_.-]+")
_OWN_KEYS: Final = {
    REQUEST_ID_KEY: "names a single call, and the client makes one for each",
    CALLER_ID_KEY: "is what caller_id sets",
    SESSION_TOKEN_KEY: "is what session_token sets",
}


@dataclass(frozen=True, slots=True)
class TlsCredentials:
    """TLS, and with a key of the client's own mutual TLS. Each is the bytes of a PEM file or its path.

    Files of paths are looked at again before a call, at most every ten seconds; if they have changed, the
    client opens a new connection, and calls in progress end on the old one.

    Attributes:
        root_certificates: Certificate authorities to trust; those of gRPC if absent.
        private_key: Key of the client; needs `certificate_chain`.
        certificate_chain: Certificate of the client and those above it; needs `private_key`.

    Raises:
        ValueError: Only one of `private_key` and `certificate_chain` is given.
    """

    root_certificates: PemSource | None = None
    private_key: PemSource | None = field(default=None, repr=False)
    certificate_chain: PemSource | None = None

    def __post_init__(self) -> None:
        if (self.private_key is None) is not (self.certificate_chain is None):
            raise ValueError("private_key and certificate_chain need each other")

    def to_channel_credentials(self) -> grpc.ChannelCredentials:
        """Return the credentials for gRPC.

        Raises:
            OSError: A file cannot be read.
        """
        return grpc.ssl_channel_credentials(*self.contents())

    def contents(self) -> tuple[bytes | None, ...]:
        """Return the authorities, the key and the certificate as they are now.

        Raises:
            OSError: A file cannot be read.
        """
        return tuple(map(_content_of, (self.root_certificates, self.private_key, self.certificate_chain)))


def _content_of(source: PemSource | None) -> bytes | None:
    return source if source is None or isinstance(source, bytes) else Path(source).read_bytes()


class ChannelSettings:
    """What a connection is made of; `AsyncClient` describes each.

    Raises:
        ValueError: A value is out of range, or metadata is of a kind that cannot travel.
        OSError: A file of the credentials cannot be read.
    """

    def __init__(
        self,
        *,
        credentials: grpc.ChannelCredentials | TlsCredentials | None = None,
        token: Token | None = None,
        metadata: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        caller_id: str = "",
        keepalive_seconds: float | None = DEFAULT_KEEPALIVE_SECONDS,
        compression: grpc.Compression | None = None,
        options: Iterable[tuple[str, str | int]] = (),
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        entries = metadata.items() if isinstance(metadata, Mapping) else metadata
        self._metadata: Metadata = tuple(_checked_entry(key, value) for key, value in entries)
        if token is not None and any(key == _AUTHORIZATION_KEY for key, _ in self._metadata):
            raise ValueError("token and metadata both set 'authorization'")
        if caller_id:
            self._metadata += ((CALLER_ID_KEY, _checked_caller_id(caller_id)),)
        if keepalive_seconds is not None and not keepalive_seconds >= _SHORTEST_KEEPALIVE_SECONDS:
            raise ValueError(
                f"keepalive_seconds must be None or at least {_SHORTEST_KEEPALIVE_SECONDS:g}, as servers ask"
            )
        self._tls = credentials if isinstance(credentials, TlsCredentials) else None
        self._contents = self._tls.contents() if self._tls is not None else ()
        self.credentials = (
            grpc.ssl_channel_credentials(*self._contents)
            if self._tls is not None
            else cast("grpc.ChannelCredentials | None", credentials)
        )
        self.version = 1
        self._looked_at = time.monotonic()
        self._token = token
        self._keepalive_seconds = keepalive_seconds
        self.compression = compression
        self.options = dict(options)
        self.retry_policy = retry_policy or RetryPolicy()

    def refresh(self) -> None:
        """Take over files of the credentials that have changed; `version` grows then.

        Files that cannot be read change nothing.
        """
        now = time.monotonic()
        if self._tls is None or now - self._looked_at < FILE_CHECK_SECONDS:
            return
        self._looked_at = now
        try:
            found = self._tls.contents()
        except OSError:
            return
        if found != self._contents:
            self._contents = found
            self.credentials = grpc.ssl_channel_credentials(*found)
            self.version += 1

    def check_for(self, target: str) -> None:
        """Check that a token does not leave this machine in clear text.

        Raises:
            ValueError: It would.
        """
        if self._token is not None and self.credentials is None and not is_local(target):
            raise ValueError(
                f"a token would go to {target} in clear text; "
                "give credentials=TlsCredentials() (the command: --tls)"
            )

    def call_metadata(self) -> Metadata:
        """Return the metadata that goes with a call, with the token of the moment."""
        if self._token is None:
            return self._metadata
        token = self._token() if callable(self._token) else self._token
        return (*self._metadata, _checked_entry(_AUTHORIZATION_KEY, f"Bearer {token}"))

    def keepalive_options(self) -> dict[str, str | int]:
        """Return the options of gRPC that keep a silent connection from being dropped."""
        if self._keepalive_seconds is None:
            return {}
        return {
            "grpc.keepalive_time_ms": round(self._keepalive_seconds * 1000),
            "grpc.keepalive_timeout_ms": round(_KEEPALIVE_TIMEOUT_SECONDS * 1000),
            "grpc.keepalive_permit_without_calls": 1,
            "grpc.http2.max_pings_without_data": 0,
        }


def _checked_entry(key: str, value: str) -> tuple[str, str]:
    key = key.lower()
    if key in _OWN_KEYS:
        raise ValueError(f"the metadata {key!r} {_OWN_KEYS[key]}")
    if not _KEY.fullmatch(key) or key.startswith("grpc-") or key.endswith("-bin"):
        raise ValueError(
            f"metadata cannot be named {key!r}: letters, digits, '-', '_' and '.', without grpc- and -bin"
        )
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"the metadata {key!r} holds characters other than printable ASCII")
    return key, value


def _checked_caller_id(caller_id: str) -> str:
    if len(caller_id) > MAX_CALLER_ID_LENGTH or not (caller_id.isascii() and caller_id.isprintable()):
        raise ValueError(
            f"caller_id must have at most {MAX_CALLER_ID_LENGTH} characters, all of them printable ASCII"
        )
    return caller_id
