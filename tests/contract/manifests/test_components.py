"""Every manifest is valid, and every component is built, alone or in an overlay."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

EXTENSIONS = frozenset({"keda.sh/v1alpha1", "gateway.networking.k8s.io/v1"})
SCHEMAS = Path(__file__).parent / "schemas"
BUILT_APART = frozenset({"gateway-replicas", "tls", "similarity-gpu", "similarity-models", "webhooks"})
Build = Callable[[Path], list[dict[str, Any]]]


def _of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == kind}


def _pod(deployment: Mapping[str, Any]) -> Any:
    return deployment["spec"]["template"]["spec"]


def _container(deployment: Mapping[str, Any]) -> Any:
    (container,) = _pod(deployment)["containers"]
    return container


@pytest.mark.parametrize("version", ["1.30", "1.32"])
def test_every_resource_is_valid(resources: list[dict[str, Any]], version: str) -> None:
    for resource in resources:
        if resource["apiVersion"] in EXTENSIONS:
            jsonschema.validate(resource, _schema(resource))
        else:
            kubernetes_validate.validate(resource, version, strict=True)


def _schema(resource: Mapping[str, Any]) -> Any:
    """Return the schema of a resource of an extension: the part of it that is used here, strictly."""
    return json.loads((SCHEMAS / f"{resource['kind']}.json").read_text())


@pytest.mark.parametrize("kind", ["ScaledObject", "GRPCRoute", "HTTPRoute"])
def test_the_schemas_of_extensions_would_notice_a_misspelt_field(
    build: Build, repository: Path, kind: str
) -> None:
    resource = next(iter(_of_kind(build(repository / "deploy/kustomize/overlays/prod"), kind).values()))
    misspelt = {**resource, "spec": {**resource["spec"], "minReplicasCount": 1}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(misspelt, _schema(misspelt))


def test_the_validation_would_notice_a_misspelt_field(build: Build, repository: Path) -> None:
    resource = _of_kind(build(repository / "deploy/kustomize/base"), "Deployment")["gateway"]
    misspelt = {**resource, "spec": {**resource["spec"], "replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, "1.32", strict=True)


def test_every_component_is_part_of_something_that_is_built(repository: Path) -> None:
    kustomize = repository / "deploy/kustomize"
    used = {
        (file.parent / component).resolve()
        for file in kustomize.glob("**/kustomization.yaml")
        for component in yaml.safe_load(file.read_text()).get("components", [])
    }
    components = {file.parent for file in (kustomize / "components").glob("*/kustomization.yaml")}
    assert used | {kustomize / "components" / name for name in BUILT_APART} == components


@pytest.fixture
def base_with(build: Build, repository: Path, tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Build the base with a component, and require that it is valid."""
    kustomize = Path(os.path.relpath(repository / "deploy/kustomize", tmp_path.resolve()))

    def with_component(name: str) -> list[dict[str, Any]]:
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [str(kustomize / "base")],
            "components": [str(kustomize / "components" / name)],
        }
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
        resources = build(tmp_path)
        for resource in resources:
            kubernetes_validate.validate(resource, "1.32", strict=True)
        return resources

    return with_component


def test_images_are_kept_in_a_bucket_by_choice(
    base_with: Callable[[str], list[dict[str, Any]]], services: Mapping[str, Any]
) -> None:
    resources = base_with("object-store")
    deployment = _of_kind(resources, "Deployment")["gateway"]
    config_map, secret = _container(deployment)["envFrom"]
    assert secret == {"secretRef": {"name": "gateway-bucket"}}
    environ = dict(_of_kind(resources, "ConfigMap")[config_map["configMapRef"]["name"]]["data"])
    # What the Secret holds.
    environ["CHLADNI_GATEWAY_SESSION_KEY"] = "k" * 32
    environ["CHLADNI_GATEWAY_IMAGE_BUCKET_ACCESS_KEY_ID"] = "name"
    environ["CHLADNI_GATEWAY_IMAGE_BUCKET_SECRET_ACCESS_KEY"] = "key"
    assert services["gateway"].settings(environ).image_bucket == "chladni-images"


def test_jobs_are_kept_in_redis_by_choice(
    base_with: Callable[[str], list[dict[str, Any]]], services: Mapping[str, Any]
) -> None:
    resources = base_with("redis")
    deployment = _of_kind(resources, "Deployment")["gateway"]
    config_map, secret = _container(deployment)["envFrom"]
    assert secret == {"secretRef": {"name": "gateway-redis"}}
    environ = dict(_of_kind(resources, "ConfigMap")[config_map["configMapRef"]["name"]]["data"])
    environ["CHLADNI_GATEWAY_SESSION_KEY"] = "k" * 32  # What the Secret holds.
    (port,) = _of_kind(resources, "Service")["redis"]["spec"]["ports"]
    url = services["gateway"].settings(environ).redis_url.get_secret_value()
    assert url == f"redis://redis:{port['port']}/0"
    command = _container(_of_kind(resources, "StatefulSet")["redis"])["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
