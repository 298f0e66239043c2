"""Names of clients: which certificates may call."""

from __future__ import annotations

from types import SimpleNamespace

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import ChladniError
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings
from chladni_fakes.security.certificates import issue, new_files
from chladni_runtime.security.client_names import ClientNames
from chladni_runtime.server.server import running_service
from chladni_runtime.settings import SettingsError, load_settings

CERTIFICATE = {
    "subject": ((("organizationName", "gateway"),), (("commonName", "the gateway"),)),
    "subjectAltName": (("DNS", "gateway.chladni.svc"), ("URI", "spiffe://chladni/gateway")),
}


@pytest.mark.parametrize(
    ("names", "is_permitted"),
    [
        ((), True),
        (("gateway.chladni.svc",), True),
        (("other", "spiffe://chladni/gateway"), True),
        (("the gateway",), True),
        (("gateway",), False),
        (("GATEWAY.chladni.svc.example",), False),
    ],
)
def test_a_certificate_needs_one_of_the_names(names, is_permitted):
    assert ClientNames(names).permits(CERTIFICATE) is is_permitted
    assert ClientNames(names).permits(None) is (not names)


def test_health_is_for_all_that_are_let_in():
    call = SimpleNamespace(is_probe=True, context=None)
    ClientNames(("gateway",)).begin(call)


def test_a_call_in_clear_text_has_no_name():
    call = SimpleNamespace(is_probe=False, context=SimpleNamespace(auth_context=dict))
    with pytest.raises(ChladniError, match="certificate"):
        ClientNames(("gateway",)).begin(call)


def test_names_without_certificates_are_refused():
    with pytest.raises(SettingsError, match="TLS_CLIENT_CA"):
        load_settings(LoopbackSettings, {"CHLADNI_LOOPBACK_TLS_CLIENT_NAMES": "gateway"})


async def test_a_service_takes_calls_of_the_clients_that_it_is_for(tmp_path):
    authority = trustme.CA()
    server, gateway, stranger = (new_files(tmp_path, name) for name in ("server", "gateway", "stranger"))
    issue(server, authority)
    issue(gateway, authority, names=("gateway.chladni.svc",))
    issue(stranger, authority, names=("prometheus.chladni.svc",))
    settings = LoopbackSettings(
        tls_certificate=server.certificate,
        tls_key=server.key,
        tls_client_ca=server.authorities,
        tls_client_names="gateway.chladni.svc, another",
    )
    servicer = ScriptedServicer()
    servicer.release.set()
    async with running_service(
        settings, service_names=[SERVICE_NAME], compose=compose_around(servicer)
    ) as running:
        for files, code in ((gateway, None), (stranger, grpc.StatusCode.PERMISSION_DENIED)):
            credentials = grpc.ssl_channel_credentials(
                files.authorities.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
            )
            async with grpc.aio.secure_channel(running.address, credentials) as channel:
                call = image_grpc.ImageGenerationServiceStub(channel).GenerateImage(
                    image_pb2.GenerateImageRequest(), timeout=10
                )
                if code is None:
                    assert len([message async for message in call]) == 2
                else:
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await anext(aiter(call))
                    assert caught.value.code() is code
                health = health_pb2_grpc.HealthStub(channel)
                answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
