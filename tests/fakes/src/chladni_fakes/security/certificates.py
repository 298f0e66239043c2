"""Authorities and certificates for tests of TLS, as files that can be replaced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class CertificateFiles:
    """The files of one end of a connection.

    Attributes:
        certificate: Its certificate.
        key: Its private key.
        authorities: Whom it trusts.
    """

    certificate: Path
    key: Path
    authorities: Path


def new_files(folder: Path, name: str) -> CertificateFiles:
    """Return where files of a name will lie."""
    folder.mkdir(parents=True, exist_ok=True)
    return CertificateFiles(
        *(folder / f"{name}.{kind}.pem" for kind in ("certificate", "key", "authorities"))
    )


def issue(
    files: CertificateFiles,
    authority: trustme.CA,
    *,
    trusted: tuple[trustme.CA, ...] = (),
    names: tuple[str, ...] = ("127.0.0.1", "localhost"),
) -> None:
    """Write a new certificate, its key, and the authorities to trust, by default the one that issued it."""
    leaf = authority.issue_cert(*names)
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    files.key.write_bytes(leaf.private_key_pem.bytes())
    trust(files, trusted or (authority,))


def trust(files: CertificateFiles, authorities: tuple[trustme.CA, ...]) -> None:
    """Write the authorities to trust."""
    files.authorities.write_bytes(b"".join(authority.cert_pem.bytes() for authority in authorities))
