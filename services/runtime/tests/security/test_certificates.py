"""Certificates and keys are checked before they are used."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
import trustme
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from chladni_fakes.security.certificates import issue, new_files
from chladni_runtime.security.certificates import parse_material, watched_certificates
from chladni_runtime.security.watched_files import FileError, Outcome


@pytest.fixture
def files(tmp_path):
    files = new_files(tmp_path, "server")
    issue(files, trustme.CA())
    return files


def watch(files):
    return watched_certificates(
        "certificates", certificate=files.certificate, key=files.key, authorities=files.authorities
    )


def test_good_files_are_taken_as_they_are(files):
    material = watch(files).content
    assert material.certificate == files.certificate.read_bytes()
    assert material.key == files.key.read_bytes()
    assert material.authorities == files.authorities.read_bytes()
    assert material.expires_at.year > 2030
    assert "PRIVATE KEY" not in repr(material)


def encrypted(content):
    key = load_pem_private_key(content, password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("part", "damage", "problem"),
    [
        ("certificate", lambda _: b"", "holds no certificate"),
        ("certificate", lambda content: content[:200], "holds no certificate"),
        ("authorities", lambda _: b"junk", "holds no certificate"),
        ("key", lambda _: b"junk", "holds no private key"),
        ("key", encrypted, "is encrypted"),
        (
            "key",
            lambda _: trustme.CA().issue_cert("a").private_key_pem.bytes(),
            "not that of the certificate",
        ),
    ],
)
def test_a_broken_file_is_named_and_leaves_the_last_one_in_force(files, part, damage, problem):
    watched = watch(files)
    before = watched.content
    path = getattr(files, part)
    path.write_bytes(damage(path.read_bytes()))
    assert watched.refresh() is Outcome.REFUSED
    assert watched.content is before
    with pytest.raises(FileError, match=problem) as caught:
        watch(files)
    assert caught.value.part == part


def test_comments_between_authorities_need_not_be_ascii(files):
    plain = files.authorities.read_bytes()
    files.authorities.write_bytes("# Főtanúsítvány\n".encode() + plain + "# Ende für heute\n".encode())
    assert watch(files).content.authorities == plain


def test_a_certificate_of_an_unknown_kind_is_named(files, monkeypatch):
    watched = watch(files)

    def refuse(*_):
        raise UnsupportedAlgorithm("a kind of tomorrow")

    certificate = Mock(
        spec=x509.Certificate, not_valid_after_utc=watched.content.expires_at, public_key=refuse
    )
    monkeypatch.setattr(x509, "load_pem_x509_certificates", lambda _: [certificate])
    with pytest.raises(FileError, match="unknown kind") as caught:
        parse_material({"certificate": b"", "key": files.key.read_bytes()})
    assert caught.value.part == "certificate"
