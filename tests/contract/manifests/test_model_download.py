"""The job that fills the volume of models downloads what the services are configured for and nothing else."""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

Resources = list[dict[str, Any]]

RECORDING_HF = """#!/bin/sh
echo "$@" >>"$CALLS"
repository=$2
while [ "$1" != --local-dir ]; do shift; done
case $repository in
    */broken) exit 1 ;;
    */pickled) mkdir -p "$2" && : >"$2/weights.bin" ;;
    *) mkdir -p "$2/unet" && : >"$2/unet/weights.safetensors" ;;
esac
"""
"""A stand-in for the model hub's command: it records its arguments and writes one file."""


@pytest.fixture
def folder(repository: Path) -> Path:
    return repository / "deploy/jobs/download-models"


@pytest.fixture
def resources(build: Callable[[Path], Resources], folder: Path) -> Resources:
    return build(folder)


@pytest.fixture
def overlay(build: Callable[[Path], Resources], repository: Path) -> Resources:
    return build(repository / "deploy/kustomize/overlays/recipes")


def _one(resources: Resources, kind: str) -> Any:
    (found,) = [resource for resource in resources if resource["kind"] == kind]
    return found


@pytest.fixture
def pod(resources: Resources) -> Any:
    return _one(resources, "Job")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Mapping[str, Any]) -> Any:
    (container,) = pod["containers"]
    return container


def _checkpoints(folder: Path) -> dict[str, list[str]]:
    """Return repository and weights of each folder."""
    lines = (folder / "checkpoints.txt").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: rest for name, *rest in words}


def test_every_resource_is_valid(resources: Resources) -> None:
    for resource in resources:
        kubernetes_validate.validate(resource, "1.32", strict=True)


def test_the_namespace_lets_the_pod_in(pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()


def test_it_fills_the_volume_that_the_services_read(
    resources: Resources, overlay: Resources, pod: Mapping[str, Any], container: Mapping[str, Any]
) -> None:
    claim = _one(overlay, "PersistentVolumeClaim")["metadata"]
    (named,) = [v["persistentVolumeClaim"] for v in pod["volumes"] if "persistentVolumeClaim" in v]
    assert named == {"claimName": claim["name"]}
    assert _one(resources, "Job")["metadata"]["namespace"] == claim["namespace"]
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/tmp", "/models"}


def test_it_brings_every_model_that_the_services_are_told_of(
    overlay: Resources, folder: Path, model_folders: Callable[[Mapping[str, str]], set[str]]
) -> None:
    configured: set[str] = set()
    for resource in overlay:
        if resource["kind"] == "ConfigMap":
            configured |= model_folders(resource["data"])
    assert configured == {f"/models/{name}" for name in _checkpoints(folder)}


def test_it_may_leave_the_cluster_and_nobody_may_call_it(resources: Resources) -> None:
    policy = _one(resources, "NetworkPolicy")["spec"]
    labels = _one(resources, "Job")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert "ingress" not in policy
    to_hub, to_name_service = policy["egress"]
    assert to_hub["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert {port["port"] for port in to_name_service["ports"]} == {53}
    blocks = [peer["ipBlock"] for peer in to_hub["to"]]
    assert {ipaddress.ip_network(block["cidr"]).version for block in blocks} == {4, 6}

    def may_reach(address: str) -> bool:
        found = ipaddress.ip_address(address)
        return any(
            found in ipaddress.ip_network(block["cidr"])
            and not any(found in ipaddress.ip_network(part) for part in block["except"])
            for block in blocks
        )

    assert may_reach("8.8.8.8")
    assert may_reach("2001:4860:4860::8888")
    for inside in ("10.96.0.1", "172.17.0.2", "192.168.1.1", "169.254.169.254", "fd00::1", "fe80::1"):
        assert not may_reach(inside), inside


def test_nobody_else_is_called_like_it(resources: Resources, overlay: Resources) -> None:
    selected = _one(resources, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    for resource in overlay:
        if resource["kind"] == "Deployment":
            labels = resource["spec"]["template"]["metadata"]["labels"]
            assert not selected.items() <= labels.items()


def _download(folder: Path, tmp_path: Path, checkpoints: str | Path) -> tuple[int, str, list[str]]:
    """Return the exit status, the last line of stderr, and the arguments of each call of `hf`."""
    program = tmp_path / "bin/hf"
    program.parent.mkdir()
    program.write_text(RECORDING_HF)
    program.chmod(0o755)
    listed = tmp_path / "checkpoints.txt"
    if isinstance(checkpoints, str):
        listed.write_text(checkpoints)
    else:
        listed = checkpoints
    calls = tmp_path / "calls"
    environ = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "CALLS": str(calls)}
    done = subprocess.run(
        ["sh", folder / "download.sh", listed, tmp_path / "volume"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stderr.splitlines() or [""])[-1], calls.read_text().splitlines()


def test_the_script_downloads_what_is_listed(folder: Path, tmp_path: Path) -> None:
    status, said, calls = _download(folder, tmp_path, folder / "checkpoints.txt")
    assert (status, said) == (0, "")
    checkpoints = _checkpoints(folder)
    assert len(calls) == len(checkpoints)
    for call, (name, (repository, weights)) in zip(calls, checkpoints.items(), strict=True):
        identifier, _, revision = repository.partition("@")
        assert call.startswith(
            f"download {identifier} --revision {revision} --local-dir {tmp_path}/volume/{name} "
        )
        assert f"--include {weights} " in call


def test_a_checkpoint_that_fails_is_named_and_stops_no_other(folder: Path, tmp_path: Path) -> None:
    checkpoints = "# comment\n\na one/broken@main *\nb one/pickled@v1 *\nc one/good@main */*.safetensors\n"
    status, said, calls = _download(folder, tmp_path, checkpoints)
    assert (status, said) == (1, "Not downloaded: a b")
    assert len(calls) == 3
    assert (tmp_path / "volume/c/unet/weights.safetensors").is_file()


def test_pickles_that_are_named_are_downloaded_to_be_converted(folder: Path, tmp_path: Path) -> None:
    status, said, calls = _download(folder, tmp_path, "a one/pickled@v1 *.bin\n")
    assert (status, said) == (0, "")
    assert "--include *.bin" in calls[0]


def test_the_script_is_what_the_pod_runs(
    resources: Resources, container: Mapping[str, Any], folder: Path
) -> None:
    shell, script, checkpoints, volume = container["command"]
    assert (shell, volume) == ("sh", "/models")
    data = _one(resources, "ConfigMap")["data"]
    assert data["download.sh"] == (folder / "download.sh").read_text()
    assert {script, checkpoints} == {f"/configuration/{name}" for name in data}
