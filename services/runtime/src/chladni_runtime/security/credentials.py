"""Credentials of servers and clients that follow their files while the service runs."""

from __future__ import annotations

import logging
import os
import ssl
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self, cast

import grpc

from chladni_runtime.security.certificates import TlsMaterial
from chladni_runtime.security.client_names import ClientNames
from chladni_runtime.security.watched_files import WatchedFiles

_HTTP_PROTOCOLS: Final = ["http/1.1"]

_log = logging.getLogger(__name__)


def server_credentials(files: WatchedFiles[TlsMaterial]) -> grpc.ServerCredentials:
    """Return the credentials of a gRPC server, which takes the newest files for each new connection.

    If the files have authorities, it takes clients with a certificate of those alone.
    """
    version, material = files.state
    seen = [version]

    def newer() -> grpc.ServerCertificateConfiguration | None:
        version, material = files.state
        if version == seen[0]:
            return None
        seen[0] = version
        return _configuration(material)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(material),
        cast("Any", newer),  # The stubs do not know that `None` keeps the last ones.
        require_client_authentication=material.authorities is not None,
    )


def _configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    pairs: list[Any] = [(material.key, material.certificate)]
    return grpc.ssl_server_certificate_configuration(pairs, root_certificates=material.authorities)


class ChannelSecurity:
    """What the channels of a client are secured by; they are opened again when the files have changed.

    Args:
        files: Authorities of the servers and, if these ask for it, certificate and key of the client; `None`
            for clear text.
    """

    def __init__(self, files: WatchedFiles[TlsMaterial] | None = None) -> None:
        self._files = files

    @property
    def version(self) -> int:
        """Grows whenever new channels would be secured by something else."""
        return 0 if self._files is None else self._files.state[0]

    def open_channel(self, target: str, **arguments: Any) -> grpc.aio.Channel:
        """Return a channel, of which gRPC's own functions describe the arguments."""
        if self._files is None:
            return grpc.aio.insecure_channel(target, **arguments)
        material = self._files.content
        credentials = grpc.ssl_channel_credentials(material.authorities, material.key, material.certificate)
        return grpc.aio.secure_channel(target, credentials, **arguments)


CLEAR_TEXT: Final = ChannelSecurity()


class ServerContext(ssl.SSLContext):
    """Context of an HTTPS server, which takes the newest files for each new connection.

    A context that is in use cannot be given other authorities, so each version has one of its own behind
    this one.

    Args:
        files: Certificate and key of the server.
        asks_clients: Whether clients need a certificate of the authorities, if the files have any.
        client_names: Names of which their certificates must bear one; none for any.

    Attributes:
        client_names: Which clients may come, once the handshake is done.
    """

    client_names: ClientNames

    _files: WatchedFiles[TlsMaterial]
    _asks_clients: bool
    _inner: tuple[int, ssl.SSLContext]

    def __new__(
        cls, files: WatchedFiles[TlsMaterial], *, asks_clients: bool, client_names: Collection[str] = ()
    ) -> Self:
        """Return a context; the class of the standard library makes it here, not in `__init__`."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context._files = files
        context._asks_clients = asks_clients
        context.client_names = ClientNames(client_names if asks_clients else ())
        version, material = files.state
        context._inner = version, _http_context(material, asks_clients=asks_clients)
        return context

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Return the TLS end of a new connection."""
        version, material = self._files.state
        if version != self._inner[0]:
            self._inner = version, self._renewed(material)
        return self._inner[1].wrap_bio(*arguments, **options)

    def _renewed(self, material: TlsMaterial) -> ssl.SSLContext:
        """Return a context of new files, or the last one if OpenSSL refuses them, as it does weak keys."""
        try:
            return _http_context(material, asks_clients=self._asks_clients)
        except (ssl.SSLError, ValueError) as error:
            _log.error(
                "the new %s cannot be used for HTTPS, the last one stays in force: %s",
                self._files.name,
                error,
            )
            return self._inner[1]


def _http_context(material: TlsMaterial, *, asks_clients: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_HTTP_PROTOCOLS)
    with _as_path((material.key or b"") + b"\n" + (material.certificate or b"")) as path:
        context.load_cert_chain(path)
    if asks_clients and material.authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=material.authorities.decode("ascii"))
    return context


@contextmanager
def _as_path(content: bytes) -> Iterator[str]:
    """Yield a path under which the standard library finds bytes, which it takes of certificates no other way.

    They are in memory alone if the system can do that.
    """
    make: Callable[[str], int] | None = getattr(os, "memfd_create", None)
    if make is None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    descriptor = make("certificate")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
