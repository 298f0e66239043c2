"""Certificates, keys and authorities of TLS: checked before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from chladni_runtime.security.watched_files import FileError, WatchedFiles

CERTIFICATE: Final = "certificate"
KEY: Final = "key"
AUTHORITIES: Final = "authorities"


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What one end of a connection is known by and whom it trusts, each as PEM.

    Attributes:
        certificate: Its certificate and those above it; `None` if it has none.
        key: Its private key; `None` if it has no certificate.
        authorities: Authorities whose certificates it accepts of the other end; `None` if it asks for none.
        expires_at: When its own certificate ends, or the first of the authorities if it has none.
    """

    certificate: bytes | None
    key: bytes | None = field(repr=False)
    authorities: bytes | None
    expires_at: datetime


def watched_certificates(
    name: str, *, certificate: Path | None = None, key: Path | None = None, authorities: Path | None = None
) -> WatchedFiles[TlsMaterial]:
    """Return the files of one end of TLS connections, of which some may be absent.

    Args:
        name: Name of the files in logs and metrics.
        certificate: Certificate and those above it, in PEM format; needs `key`.
        key: Private key in PEM format, not encrypted.
        authorities: Certificates of authorities in PEM format.

    Raises:
        FileError: A file cannot be used.
    """
    given = {CERTIFICATE: certificate, KEY: key, AUTHORITIES: authorities}
    return WatchedFiles(
        name, {part: path for part, path in given.items() if path is not None}, parse_material
    )


def parse_material(contents: Mapping[str, bytes]) -> TlsMaterial:
    """Return what files hold.

    Raises:
        FileError: A certificate or key cannot be read, or they do not belong together.
    """
    dates = []
    authorities = None
    for part in (AUTHORITIES, CERTIFICATE):
        if part in contents:
            certificates = _parse_certificates(part, contents[part])
            dates = [certificate.not_valid_after_utc for certificate in certificates]
            if part == AUTHORITIES:
                # Without comments: these need not be ASCII, which the standard library asks for.
                authorities = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
            else:
                _check_key(certificates[0], contents[KEY])
                dates = dates[:1]
    return TlsMaterial(contents.get(CERTIFICATE), contents.get(KEY), authorities, expires_at=min(dates))


def _parse_certificates(part: str, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise FileError(part, "It holds no certificate in PEM format. Give a file that does.") from None


def _check_key(certificate: x509.Certificate, content: bytes) -> None:
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise FileError(KEY, "The key is encrypted. Give a file with the decrypted key.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise FileError(KEY, "It holds no private key in PEM format. Give a file that does.") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        public = certificate.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        raise FileError(CERTIFICATE, "Its key is of an unknown kind. Give one with RSA or ECDSA.") from None
    if key.public_key().public_bytes(*form) != public:
        raise FileError(KEY, "The key is not that of the certificate. Give the two that belong together.")
