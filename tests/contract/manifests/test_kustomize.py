"""The cluster's manifests build, are valid, and agree with the code of the services."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

STORES = frozenset({"qdrant", "redis"})
Build = Callable[[Path], list[dict[str, Any]]]
ServiceOf = Callable[[str], Any]
ModelFolders = Callable[[Mapping[str, str]], set[str]]


def _size_bytes(volume: dict[str, Any]) -> int:
    limit = volume["emptyDir"]["sizeLimit"]
    return int(limit[:-2]) * {"Mi": 2**20, "Gi": 2**30}[limit[-2:]]


def _of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == kind}


def _pod(deployment: Mapping[str, Any]) -> Any:
    return deployment["spec"]["template"]["spec"]


def _container(deployment: Mapping[str, Any]) -> Any:
    (container,) = _pod(deployment)["containers"]
    return container


def _image(deployment: Mapping[str, Any]) -> str:
    image: str = _container(deployment)["image"]
    return image


def _environ(resources: list[dict[str, Any]], deployment: Mapping[str, Any]) -> dict[str, str]:
    container = _container(deployment)
    config_maps = _of_kind(resources, "ConfigMap")
    environ: dict[str, str] = {}
    for source in container["envFrom"]:
        environ |= config_maps[source["configMapRef"]["name"]]["data"]
    return environ | {item["name"]: item["value"] for item in container.get("env", [])}


def test_each_service_is_deployed_under_its_name(
    deployments: dict[str, Any], services: Mapping[str, Any], service_of: ServiceOf
) -> None:
    assert deployments.keys() >= services.keys()
    assert all(service_of(_image(deployments[name])) is service for name, service in services.items())


def test_images_are_those_that_the_repository_builds(
    resources: list[dict[str, Any]], deployments: dict[str, Any], service_of: ServiceOf, repository: Path
) -> None:
    for deployment in deployments.values():
        _, _, tag = _image(deployment).partition(":")
        service = service_of(_image(deployment))
        project = tomllib.loads((repository / f"services/{service.folder}/pyproject.toml").read_text())
        version, _, build = tag.partition("-")
        assert version == project["project"]["version"]
        environ = _environ(resources, deployment)
        if "CHLADNI_AUDIO_FEATURES_CLAP_MODEL" in environ:
            assert build == "clap"
        elif environ.get("CHLADNI_IMAGE_GENERATION_DEVICE") == "cuda":
            assert build == "cuda"
        else:
            assert build == ""


def test_services_accept_their_environment(
    resources: list[dict[str, Any]], deployments: dict[str, Any], service_of: ServiceOf
) -> None:
    for deployment in deployments.values():
        # Links to Services would add variables under the services' own prefixes, which they refuse.
        assert _pod(deployment)["enableServiceLinks"] is False
        settings = service_of(_image(deployment)).settings(_environ(resources, deployment))
        drain_seconds = settings.drain_delay_seconds + settings.drain_timeout_seconds
        assert drain_seconds + 5 <= _pod(deployment)["terminationGracePeriodSeconds"]


def test_ports_are_those_that_the_services_listen_on(
    deployments: dict[str, Any], service_of: ServiceOf
) -> None:
    for deployment in deployments.values():
        container = _container(deployment)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == service_of(_image(deployment)).ports()
        assert deployment["spec"]["template"]["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(ports["metrics"]),
            "prometheus.io/path": "/metrics",
        }


def test_probes_ask_the_service_for_its_health(deployments: dict[str, Any], service_of: ServiceOf) -> None:
    for name, deployment in deployments.items():
        container, service = _container(deployment), service_of(_image(deployment))
        for probe in ("startupProbe", "readinessProbe"):
            expected = {"port": service.ports()["grpc"], "service": service.grpc_service}
            assert container[probe]["grpc"] == expected, (name, probe)
        assert container["livenessProbe"]["grpc"] == {"port": service.ports()["grpc"]}


def test_models_of_gigabytes_have_time_to_load(
    resources: list[dict[str, Any]], deployments: dict[str, Any], model_folders: ModelFolders
) -> None:
    for name, deployment in deployments.items():
        probe = _container(deployment)["startupProbe"]
        needed_seconds = 600 if model_folders(_environ(resources, deployment)) else 120
        assert probe["periodSeconds"] * probe["failureThreshold"] >= needed_seconds, name


def test_health_is_asked_for_services_of_the_contract(services: Mapping[str, Any]) -> None:
    modules = {
        "audio-features": "chladni.audio.v1.audio_feature_service_pb2",
        "image-generation": "chladni.image.v1.image_generation_service_pb2",
        "similarity": "chladni.similarity.v1.similarity_service_pb2",
        "gateway": "chladni.gateway.v1.image_service_pb2",
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


def test_everything_is_in_the_namespace(resources: list[dict[str, Any]]) -> None:
    (namespace,) = _of_kind(resources, "Namespace")
    for resource in resources:
        if resource["kind"] != "Namespace":
            assert resource["metadata"]["namespace"] == namespace
        assert resource["metadata"]["labels"]["app.kubernetes.io/part-of"] == "chladni"


def test_resources_are_bounded(deployments: dict[str, Any]) -> None:
    for deployment in deployments.values():
        requested = _container(deployment)["resources"]
        assert {"cpu", "memory"} <= requested["requests"].keys()
        assert {"cpu", "memory"} <= requested["limits"].keys()
        folders = [volume["emptyDir"] for volume in _pod(deployment)["volumes"] if "emptyDir" in volume]
        assert folders
        assert all("sizeLimit" in folder for folder in folders)


def test_large_files_find_room_on_disk(
    resources: list[dict[str, Any]], deployments: dict[str, Any], service_of: ServiceOf
) -> None:
    # A pod whose folder exceeds its limit is evicted, and with it what the gateway keeps.
    for deployment in deployments.values():
        settings = service_of(_image(deployment)).settings(_environ(resources, deployment))
        limits = getattr(settings, "spool_limits", None)
        (volume,) = [item for item in _pod(deployment)["volumes"] if item["name"] == "temporary"]
        assert _size_bytes(volume) > (limits.max_files * limits.max_bytes if limits else 0)


def test_films_find_room_on_disk(
    resources: list[dict[str, Any]], deployments: dict[str, Any], service_of: ServiceOf
) -> None:
    deployment = deployments["gateway"]
    settings = service_of(_image(deployment)).settings(_environ(resources, deployment))
    (volume,) = [item for item in _pod(deployment)["volumes"] if item["name"] == "images"]
    film_bytes = 300 * 2**20  # That one in progress may grow by.
    assert _size_bytes(volume) > settings.max_film_bytes + settings.max_films * film_bytes + 1536 * 2**20


def test_routes_share_no_host_name(resources: list[dict[str, Any]], deployments: dict[str, Any]) -> None:
    # Of an HTTPRoute and a GRPCRoute that share one, the Gateway API accepts one alone.
    routes = [_of_kind(resources, kind) for kind in ("GRPCRoute", "HTTPRoute")]
    names = [{name for item in found.values() for name in item["spec"]["hostnames"]} for found in routes]
    assert not names[0] & names[1]
    allowed = _environ(resources, deployments["gateway"])["CHLADNI_GATEWAY_ALLOWED_HOSTS"].split(",")
    assert names[1] <= set(allowed)


def test_each_service_can_be_found_by_its_clients(
    resources: list[dict[str, Any]], deployments: dict[str, Any], service_of: ServiceOf
) -> None:
    found = {name: item for name, item in _of_kind(resources, "Service").items() if name not in STORES}
    assert found.keys() == {*deployments, "gateway-http"}
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
        if name in deployments:
            assert deployment is deployments[name]
            (port,) = service["spec"]["ports"]
            # Clients of a headless Service connect to the pods' own port.
            expected = service_of(_image(deployment)).ports()["grpc"]
            assert (service["spec"]["clusterIP"], port["port"]) == ("None", expected)


def test_the_gateway_knows_where_the_others_are(
    resources: list[dict[str, Any]],
    deployments: dict[str, Any],
    services: Mapping[str, Any],
    service_of: ServiceOf,
) -> None:
    environ = _environ(resources, deployments["gateway"])
    targets = {
        name: f"dns:///{name}:{service_of(_image(deployment)).ports()['grpc']}"
        for name, deployment in deployments.items()
        if name != "gateway"
    }
    for name in services.keys() - {"gateway"}:
        assert environ[f"CHLADNI_GATEWAY_{services[name].folder.upper()}_TARGET"] == targets.pop(name)
    further = services["gateway"].settings(environ).further_image_generation_targets
    assert set(further) == set(targets.values())
    assert all(service_of(_image(deployments[name])) is services["image-generation"] for name in targets)


def test_pods_write_to_their_own_folders_alone(
    resources: list[dict[str, Any]], deployments: dict[str, Any]
) -> None:
    claims = _of_kind(resources, "PersistentVolumeClaim")
    for name, deployment in deployments.items():
        volumes = {volume["name"]: volume for volume in _pod(deployment)["volumes"]}
        mounts = _container(deployment)["volumeMounts"]
        writable = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
        assert writable == {"/tmp", *(["/var/lib/chladni/images"] if name == "gateway" else [])}
        for mount in mounts:
            volume = volumes[mount["name"]]
            if mount["mountPath"] in writable:
                assert "emptyDir" in volume
            else:
                assert volume["persistentVolumeClaim"]["readOnly"] is True
                assert volume["persistentVolumeClaim"]["claimName"] in claims
    # Ids are looked up in the pod's own folder, so a second replica would not find them.
    assert deployments["gateway"]["spec"]["replicas"] == 1


def test_models_that_settings_name_are_on_a_volume(
    resources: list[dict[str, Any]], deployments: dict[str, Any], model_folders: ModelFolders
) -> None:
    for name, deployment in deployments.items():
        mounted = {mount["mountPath"] for mount in _container(deployment)["volumeMounts"]}
        assert ("/models" in mounted) == bool(model_folders(_environ(resources, deployment))), name


def test_similarity_knows_where_audio_features_is(
    resources: list[dict[str, Any]], deployments: dict[str, Any], services: Mapping[str, Any]
) -> None:
    environ = _environ(resources, deployments["similarity"])
    port = services["audio-features"].ports()["grpc"]
    assert environ["CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET"] == f"dns:///audio-features:{port}"


@pytest.mark.parametrize(
    ("folder", "on_gpu"),
    [
        ("base", set()),
        ("overlays/local", set()),
        ("overlays/cpu", set()),
        ("overlays/gpu", {"image-generation"}),
        ("overlays/prod", {"image-generation"}),
        ("overlays/recipes", {"image-generation", "image-generation-recipes"}),
    ],
)
def test_image_generation_alone_moves_to_gpu_nodes(
    build: Build, repository: Path, folder: str, on_gpu: set[str]
) -> None:
    resources = build(repository / "deploy/kustomize" / folder)
    for name, deployment in _of_kind(resources, "Deployment").items():
        pod, container = _pod(deployment), _container(deployment)
        is_there = name in on_gpu
        assert container["resources"]["limits"].get("nvidia.com/gpu") == ("1" if is_there else None)
        assert ("nodeSelector" in pod, "tolerations" in pod) == (is_there, is_there)
        assert container["image"].endswith("-cuda") == is_there
        environ = _environ(resources, deployment)
        assert (environ.get("CHLADNI_IMAGE_GENERATION_DEVICE") == "cuda") == is_there
        # A pod that waits for a GPU that its predecessor has would wait for ever.
        assert (deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0) == is_there


@pytest.mark.parametrize(
    ("image", "variable"),
    [
        ("audio-features", "CHLADNI_AUDIO_FEATURES_WORKER_COUNT"),
        ("image-generation", "CHLADNI_IMAGE_GENERATION_THREAD_COUNT"),
    ],
)
def test_threads_are_as_many_as_the_pod_has_cpus(
    resources: list[dict[str, Any]],
    deployments: dict[str, Any],
    service_of: ServiceOf,
    image: str,
    variable: str,
) -> None:
    # By default these services take a thread for each CPU of the node, and then are throttled.
    for deployment in deployments.values():
        if service_of(_image(deployment)).name == image:
            limits = _container(deployment)["resources"]["limits"]
            assert _environ(resources, deployment)[variable] == limits["cpu"]
