"""The cluster's manifests build, are valid, and say what the services' code says."""

import importlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

Build = Callable[[Path], list[dict[str, Any]]]


def _of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == kind}


def _pod(deployment: Mapping[str, Any]) -> Any:
    return deployment["spec"]["template"]["spec"]


def _container(deployment: Mapping[str, Any]) -> Any:
    (container,) = _pod(deployment)["containers"]
    return container


def _environ(resources: list[dict[str, Any]], deployment: Mapping[str, Any]) -> dict[str, str]:
    container = _container(deployment)
    config_maps = _of_kind(resources, "ConfigMap")
    environ: dict[str, str] = {}
    for source in container["envFrom"]:
        environ |= config_maps[source["configMapRef"]["name"]]["data"]
    return environ | {item["name"]: item["value"] for item in container.get("env", [])}


@pytest.fixture
def resources(target: Path, build: Build) -> list[dict[str, Any]]:
    return build(target)


@pytest.fixture
def deployments(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return _of_kind(resources, "Deployment")


def test_every_resource_is_valid(resources: list[dict[str, Any]]) -> None:
    for resource in resources:
        kubernetes_validate.validate(resource, "1.32", strict=True)


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
    assert used == {file.parent for file in (kustomize / "components").glob("*/kustomization.yaml")}


def test_each_service_is_deployed(deployments: dict[str, Any], services: Mapping[str, Any]) -> None:
    assert deployments.keys() == services.keys()


def test_images_are_those_that_the_repository_builds(
    deployments: dict[str, Any], services: Mapping[str, Any], repository: Path
) -> None:
    for name, deployment in deployments.items():
        image, tag = _container(deployment)["image"].split(":")
        project = tomllib.loads((repository / f"services/{services[name].folder}/pyproject.toml").read_text())
        assert image == f"chladni/{name}"
        assert tag.removesuffix("-cuda") == project["project"]["version"]


def test_services_accept_their_environment(
    resources: list[dict[str, Any]], deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    for name, deployment in deployments.items():
        # Links to Services would add variables under the services' own prefixes, which they refuse.
        assert _pod(deployment)["enableServiceLinks"] is False
        settings = services[name].settings(_environ(resources, deployment))
        drain_seconds = settings.drain_delay_seconds + settings.drain_timeout_seconds
        assert drain_seconds + 5 <= _pod(deployment)["terminationGracePeriodSeconds"]


def test_ports_are_those_that_the_services_listen_on(
    deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    for name, deployment in deployments.items():
        container = _container(deployment)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == services[name].ports()
        assert deployment["spec"]["template"]["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(ports["metrics"]),
            "prometheus.io/path": "/metrics",
        }


def test_probes_ask_the_service_for_its_health(
    deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    for name, deployment in deployments.items():
        container, service = _container(deployment), services[name]
        for probe in ("startupProbe", "readinessProbe"):
            expected = {"port": service.ports()["grpc"], "service": service.grpc_service}
            assert container[probe]["grpc"] == expected, (name, probe)
        assert container["livenessProbe"]["grpc"] == {"port": service.ports()["grpc"]}


def test_health_is_asked_for_services_of_the_contract(services: Mapping[str, Any]) -> None:
    modules = {
        "audio-features": "chladni.audio.v1.audio_feature_service_pb2",
        "image-generation": "chladni.image.v1.image_generation_service_pb2",
        "similarity": "chladni.similarity.v1.similarity_service_pb2",
        "gateway": "chladni.gateway.v1.audio_to_image_service_pb2",
    }
    for name, service in services.items():
        package, _, short_name = service.grpc_service.rpartition(".")
        descriptor = importlib.import_module(modules[name]).DESCRIPTOR
        assert (descriptor.package, short_name in descriptor.services_by_name) == (package, True)


def test_pods_are_hardened(resources: list[dict[str, Any]], deployments: dict[str, Any]) -> None:
    (namespace,) = _of_kind(resources, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    accounts = _of_kind(resources, "ServiceAccount")
    for name, deployment in deployments.items():
        pod, container = _pod(deployment), _container(deployment)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] >= 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == name
        assert accounts[name]["automountServiceAccountToken"] is False


def test_resources_are_bounded(deployments: dict[str, Any]) -> None:
    for deployment in deployments.values():
        requested = _container(deployment)["resources"]
        assert {"cpu", "memory"} <= requested["requests"].keys()
        assert {"cpu", "memory"} <= requested["limits"].keys()
        assert all("sizeLimit" in volume["emptyDir"] for volume in _pod(deployment)["volumes"])


def test_each_service_can_be_found_by_its_clients(
    resources: list[dict[str, Any]], deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    found = _of_kind(resources, "Service")
    assert found.keys() == {*services, "gateway-http"}
    for name, service in found.items():
        selected = [
            deployment
            for deployment in deployments.values()
            if service["spec"]["selector"].items()
            <= deployment["spec"]["template"]["metadata"]["labels"].items()
        ]
        (deployment,) = selected
        port_names = {port["name"] for port in _container(deployment)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= port_names
        if name in services:
            (port,) = service["spec"]["ports"]
            # Clients of a headless Service connect to the pods' own port.
            assert (service["spec"]["clusterIP"], port["port"]) == ("None", services[name].ports()["grpc"])


def test_the_gateway_knows_where_the_others_are(
    resources: list[dict[str, Any]], deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    environ = _environ(resources, deployments["gateway"])
    expected = {
        f"CHLADNI_GATEWAY_{service.folder.upper()}_TARGET": f"dns:///{name}:{service.ports()['grpc']}"
        for name, service in services.items()
        if name != "gateway"
    }
    assert expected.items() <= environ.items()


def test_images_are_written_where_the_pod_may_write(
    resources: list[dict[str, Any]], deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    mounted = {mount["mountPath"] for mount in _container(deployments["gateway"])["volumeMounts"]}
    assert mounted == {"/tmp", "/var/lib/chladni/images"}
    # Ids are looked up in the pod's own folder, so a second replica would not find them.
    assert deployments["gateway"]["spec"]["replicas"] == 1
    for name in services.keys() - {"gateway"}:
        assert {m["mountPath"] for m in _container(deployments[name])["volumeMounts"]} == {"/tmp"}


def test_similarity_knows_where_audio_features_is(
    resources: list[dict[str, Any]], deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    environ = _environ(resources, deployments["similarity"])
    port = services["audio-features"].ports()["grpc"]
    assert environ["CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET"] == f"dns:///audio-features:{port}"


def test_the_models_are_reached_by_the_gateway_and_audio_features_by_similarity(
    resources: list[dict[str, Any]], services: Mapping[str, Any]
) -> None:
    policies = _of_kind(resources, "NetworkPolicy")
    assert policies["deny-by-default"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    models = policies["models-from-gateway"]["spec"]
    (selected,) = models["podSelector"]["matchExpressions"]
    assert set(selected["values"]) == services.keys() - {"gateway"}
    (rule,) = models["ingress"]
    gateway = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}
    assert rule == {"from": [gateway], "ports": [{"port": "grpc"}]}
    pods = {
        name: {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}
        for name in ("audio-features", "similarity")
    }
    inward = policies["audio-features-from-similarity"]["spec"]
    assert inward["podSelector"] == pods["audio-features"]["podSelector"]
    assert inward["ingress"] == [{"from": [pods["similarity"]], "ports": [{"port": "grpc"}]}]
    outward = policies["similarity-to-audio-features"]["spec"]
    assert outward["podSelector"] == pods["similarity"]["podSelector"]
    to_audio_features, to_name_service = outward["egress"]
    assert to_audio_features == {"to": [pods["audio-features"]], "ports": [{"port": "grpc"}]}
    assert {port["port"] for port in to_name_service["ports"]} == {53}
    # Whoever may send to a pod needs a rule at both ends; nobody else has either.
    reaching = {name for name, policy in policies.items() if "egress" in policy["spec"]}
    assert reaching == {"gateway", "similarity-to-audio-features"}


def test_the_gpu_overlay_moves_image_generation_alone(build: Build, repository: Path) -> None:
    resources = build(repository / "deploy/kustomize/overlays/gpu")
    for name, deployment in _of_kind(resources, "Deployment").items():
        pod, container = _pod(deployment), _container(deployment)
        on_gpu = name == "image-generation"
        assert container["resources"]["limits"].get("nvidia.com/gpu") == ("1" if on_gpu else None)
        assert ("nodeSelector" in pod, "tolerations" in pod) == (on_gpu, on_gpu)
        assert container["image"].endswith("-cuda") == on_gpu
        assert (_environ(resources, deployment).get("CHLADNI_IMAGE_GENERATION_DEVICE") == "cuda") == on_gpu


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("audio-features", "CHLADNI_AUDIO_FEATURES_WORKER_COUNT"),
        ("image-generation", "CHLADNI_IMAGE_GENERATION_THREAD_COUNT"),
    ],
)
def test_threads_are_as_many_as_the_pod_has_cpus(
    resources: list[dict[str, Any]], deployments: dict[str, Any], name: str, variable: str
) -> None:
    # By default these services take a thread for each CPU of the node, and then are throttled.
    limits = _container(deployments[name])["resources"]["limits"]
    assert _environ(resources, deployments[name])[variable] == limits["cpu"]
