"""TLS, against a real TLS server with a certificate of its own."""

from __future__ import annotations

import subprocess

import grpc
import pytest

import chladni_client as chladni


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a self-signed certificate for localhost and its key."""
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


def test_the_command_trusts_what_it_is_told_to(tls_target, certificate, run):
    assert run("--target", tls_target, "--ca-file", certificate[0], "recipes").exit_code == 0
    assert run("--target", tls_target, "--tls", "recipes").exit_code == 4
