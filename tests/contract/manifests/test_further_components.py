"""Components that no overlay has: TLS, with compose override and health check, and models of similarity."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings
from chladni_fakes.security.certificates import issue, new_files
from chladni_runtime.server.server import running_service

FILES = {"tls.crt", "tls.key", "ca.crt"}


@pytest.fixture(scope="module")
def built_with(build: Callable[[Path], list[dict[str, Any]]], repository: Path, tmp_path_factory: Any) -> Any:
    """Return every resource of an overlay with further components."""
    return lambda overlay, *names: _build(build, repository, tmp_path_factory.mktemp("built"), overlay, names)


@pytest.fixture(scope="module")
def component(built_with: Any) -> Any:
    """Every resource of the overlay local with the component `tls`."""
    return built_with("local", "tls")


def _build(
    build: Callable[[Path], list[dict[str, Any]]],
    repository: Path,
    folder: Path,
    overlay: str,
    names: tuple[str, ...],
) -> list[dict[str, Any]]:
    kustomize = Path(os.path.relpath(repository, folder)) / "deploy" / "kustomize"
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(kustomize / "overlays" / overlay)],
        "components": [str(kustomize / "components" / name) for name in names],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return build(folder)


def _of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == kind}


def test_each_service_gets_a_certificate_its_settings_and_probes_that_speak_tls(
    component: list[dict[str, Any]], service: Any
) -> None:
    deployment = _of_kind(component, "Deployment")[service.name]["spec"]["template"]["spec"]
    (container,) = deployment["containers"]
    certificate = _of_kind(component, "Certificate")[service.name]["spec"]
    assert service.name in certificate["dnsNames"]
    assert {"server auth", "client auth"} <= set(certificate["usages"])
    (volume,) = [item for item in deployment["volumes"] if item["name"] == "tls"]
    assert volume["secret"]["secretName"] == certificate["secretName"]
    (mount,) = [item for item in container["volumeMounts"] if item["name"] == "tls"]
    maps = _of_kind(component, "ConfigMap")
    given = {
        name: value
        for source in container["envFrom"]
        for name, value in maps[source["configMapRef"]["name"]]["data"].items()
        if "_TLS_" in name
    }
    prefix = service.settings().environment_prefix
    fields = {name.removeprefix(prefix).lower() for name in given}
    assert {"tls_certificate", "tls_key"} <= fields <= set(type(service.settings()).model_fields)
    assert {str(Path(value).parent) for value in given.values()} == {mount["mountPath"]}
    assert {Path(value).name for value in given.values()} <= FILES
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        command = container[probe]["exec"]["command"]
        assert command[:3] == [
            "python",
            "/opt/chladni/healthcheck.py",
            f"127.0.0.1:{service.ports()['grpc']}",
        ]
        assert command[3] == ("" if probe == "livenessProbe" else service.grpc_service)
        assert "grpc" not in container[probe]


def test_only_the_services_speak_tls(built_with: Any) -> None:
    services = _of_kind(built_with("prod", "tls"), "Service")
    speakers = {
        name for name, item in services.items() if item["spec"]["ports"][0].get("appProtocol") == "https"
    }
    assert speakers == {"audio-features", "gateway", "gateway-http", "image-generation", "similarity"}
    assert "qdrant" in services


def test_the_override_names_settings_that_exist(repository: Path, service: Any) -> None:
    described = yaml.safe_load((repository / "deploy/compose.tls.yaml").read_text())["services"][service.name]
    settings = service.settings()
    for name in described["environment"]:
        assert name.removeprefix(settings.environment_prefix).lower() in type(settings).model_fields


async def test_the_health_check_speaks_tls_if_its_service_does(repository: Path, tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location(
        "healthcheck", repository / "deploy/docker/healthcheck.py"
    )
    assert specification
    assert specification.loader
    healthcheck = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(healthcheck)
    files = new_files(tmp_path, "service")
    issue(files, trustme.CA(), names=("image-generation", "*.example.com"))
    settings = LoopbackSettings(
        tls_certificate=files.certificate, tls_key=files.key, tls_client_ca=files.authorities
    )
    variables = {
        "CHLADNI_GATEWAY_BACKEND_TLS_CERTIFICATE": "/nowhere",
        "CHLADNI_LOOPBACK_TLS_CERTIFICATE": str(files.certificate),
        "CHLADNI_LOOPBACK_TLS_KEY": str(files.key),
    }
    compose = compose_around(ScriptedServicer())
    async with running_service(settings, service_names=[SERVICE_NAME], compose=compose) as running:

        async def check(environ: dict[str, str]) -> bool:
            found: bool = await asyncio.to_thread(
                healthcheck.is_serving, running.address, SERVICE_NAME, environ
            )
            return found

        assert await check(variables)
        healthcheck.TIMEOUT_SECONDS = 0.5
        assert not await check({})


def test_similarity_may_have_a_gpu_and_the_volume_of_checkpoints(built_with: Any) -> None:
    resources = built_with("recipes", "similarity-gpu", "similarity-models", "tls")
    pod = _of_kind(resources, "Deployment")["similarity"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"].endswith("-cuda")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"/models", "/etc/chladni/tls"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"models", "tls"} <= {volume["name"] for volume in pod["volumes"]}
    maps = _of_kind(resources, "ConfigMap")
    environ = maps[container["envFrom"][0]["configMapRef"]["name"]]["data"]
    assert environ["CHLADNI_SIMILARITY_DEVICE"] == "cuda"
    assert "/models/" in environ["CHLADNI_SIMILARITY_MODELS"]
