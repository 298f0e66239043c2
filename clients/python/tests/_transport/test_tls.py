"""TLS, against a real TLS server with a certificate of its own."""

from __future__ import annotations

import shutil
import subprocess

import grpc
import pytest
import trustme

import chladni_client as chladni
from chladni_client._transport import channel_settings
from chladni_fakes.security.certificates import issue, new_files
from chladni_runtime.security.certificates import watched_certificates
from chladni_runtime.security.credentials import server_credentials


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a self-signed certificate for localhost and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("NOT TESTED: TLS needs the command openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    options = (
        "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        ["openssl", "req", *options.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def tls_target(script, health, certificate, start_server):
    certificate_path, key_path = certificate
    credentials = grpc.ssl_server_credentials([(key_path.read_bytes(), certificate_path.read_bytes())])
    server, address = start_server(script, health, credentials=credentials)
    yield address.replace("127.0.0.1", "localhost")
    server.stop(None).wait()


def test_a_trusted_server_is_used(tls_target, certificate):
    credentials = grpc.ssl_channel_credentials(certificate[0].read_bytes())
    with chladni.Client(tls_target, credentials=credentials) as client:
        assert client.list_recipes()


def test_an_untrusted_server_is_not(tls_target, quick_retries):
    credentials = grpc.ssl_channel_credentials()
    with (
        chladni.Client(tls_target, credentials=credentials, retry_policy=quick_retries) as client,
        pytest.raises(chladni.UnavailableError),
    ):
        client.list_recipes()


@pytest.fixture
def mutual_tls_target(script, health, certificate, start_server):
    """Address of a server that wants a certificate of its clients."""
    content, key = (path.read_bytes() for path in certificate)
    credentials = grpc.ssl_server_credentials([(key, content)], content, require_client_auth=True)
    server, address = start_server(script, health, credentials=credentials)
    yield address.replace("127.0.0.1", "localhost")
    server.stop(None).wait()


@pytest.mark.parametrize("is_path", [True, False])
def test_credentials_are_files_or_bytes(mutual_tls_target, certificate, is_path):
    files = [
        path if is_path else path.read_bytes() for path in (certificate[0], certificate[1], certificate[0])
    ]
    credentials = chladni.TlsCredentials(*files)
    with chladni.Client(mutual_tls_target, credentials=credentials, token="t") as client:
        assert client.list_recipes()
    assert b"KEY" not in repr(credentials).encode()


def test_files_of_credentials_are_read_again_when_they_change(
    script, health, start_server, tmp_path, monkeypatch
):
    monkeypatch.setattr(channel_settings, "FILE_CHECK_SECONDS", 0.0)
    old, new = trustme.CA(), trustme.CA()
    server_files, client_files = new_files(tmp_path, "server"), new_files(tmp_path, "client")
    issue(server_files, old)
    issue(client_files, old)
    watched = watched_certificates(
        "server",
        certificate=server_files.certificate,
        key=server_files.key,
        authorities=server_files.authorities,
    )
    server, address = start_server(script, health, credentials=server_credentials(watched))
    credentials = chladni.TlsCredentials(client_files.authorities, client_files.key, client_files.certificate)
    with chladni.Client(address, credentials=credentials) as client:
        assert client.list_recipes()
        issue(server_files, new)
        issue(client_files, new)
        watched.refresh()
        assert client.list_recipes()
        client_files.key.unlink()
        assert client.list_recipes()
    server.stop(None).wait()


def test_a_server_that_wants_a_certificate_refuses_clients_without(
    mutual_tls_target, certificate, quick_retries
):
    credentials = chladni.TlsCredentials(certificate[0])
    with (
        chladni.Client(mutual_tls_target, credentials=credentials, retry_policy=quick_retries) as client,
        pytest.raises(chladni.UnavailableError),
    ):
        client.list_recipes()


def test_a_key_without_its_certificate_is_refused(tmp_path):
    with pytest.raises(ValueError, match="need each other"):
        chladni.TlsCredentials(private_key=b"key")
    with pytest.raises(FileNotFoundError):
        chladni.Client(credentials=chladni.TlsCredentials(tmp_path / "missing.pem"))


def test_the_command_shows_its_certificate_and_token(mutual_tls_target, certificate, run, script):
    certificate_path, key_path = certificate
    options = ("--ca-file", certificate_path, "--certificate-file", certificate_path, "--key-file", key_path)
    assert run("--target", mutual_tls_target, *options, "--token", "t", "recipes").exit_code == 0
    assert script.metadata[0]["authorization"] == "Bearer t"
    assert run("--target", mutual_tls_target, "--key-file", key_path, "recipes").exit_code == 2
    assert run("--target", "gateway.example.org:443", "--token", "t", "recipes").exit_code == 2


def test_the_command_trusts_what_it_is_told_to(tls_target, certificate, run):
    assert run("--target", tls_target, "--ca-file", certificate[0], "recipes").exit_code == 0
    assert run("--target", tls_target, "--tls", "recipes").exit_code == 4
