"""The jobs for calibration and training, and the Prometheus: valid, hardened, alone, and resumable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

Resources = list[dict[str, Any]]

# A stand-in for the command that writes down its shard, or joins what it is given.
CALIBRATE = """#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=$2; shift ;;
        --shard) text="shard $2"; shift ;;
        --merge) text=merged ;;
        --name) shift ;;
        */shards/*) read -r line < "$1/text"; parts="$parts, $line" ;;
    esac
    shift
done
mkdir "$out"
echo "$text$parts" > "$out/text"
"""


@pytest.fixture(params=["jobs/calibrate", "jobs/train", "monitoring"])
def resources(
    request: pytest.FixtureRequest, build: Callable[[Path], Resources], repository: Path
) -> Resources:
    return build(repository / "deploy" / request.param)


def _jobs(build: Callable[[Path], Resources], repository: Path) -> list[dict[str, Any]]:
    return [
        item
        for name in ("calibrate", "train")
        for item in build(repository / "deploy/jobs" / name)
        if item["kind"] == "Job"
    ]


@pytest.mark.parametrize("version", ["1.30", "1.32"])
def test_every_resource_is_valid(resources: Resources, version: str) -> None:
    for resource in resources:
        kubernetes_validate.validate(resource, version, strict=True)


def test_pods_are_hardened_and_bounded(resources: Resources) -> None:
    pods = [item["spec"]["template"]["spec"] for item in resources if "template" in item.get("spec", {})]
    assert pods
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()


def test_jobs_go_on_after_an_eviction_and_reach_nobody(
    build: Callable[[Path], Resources], repository: Path
) -> None:
    for job in _jobs(build, repository):
        (rule,) = job["spec"]["podFailurePolicy"]["rules"]
        assert rule["action"] == "Ignore"
        assert rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
        assert job["spec"]["completionMode"] == "Indexed"
        assert any("persistentVolumeClaim" in volume for volume in job["spec"]["template"]["spec"]["volumes"])
    for name in ("calibrate", "train"):
        (policy,) = [
            item for item in build(repository / "deploy/jobs" / name) if item["kind"] == "NetworkPolicy"
        ]
        assert policy["spec"] == {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "policyTypes": ["Ingress", "Egress"],
        }


def test_every_shard_has_a_pod(build: Callable[[Path], Resources], repository: Path) -> None:
    job = _jobs(build, repository)[0]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environ = {item["name"]: item["value"] for item in container["env"]}
    assert int(environ["SHARDS"]) == job["spec"]["completions"]


@pytest.fixture
def calibrate(tmp_path: Path, repository: Path) -> Callable[[int], None]:
    """Run the pod of an index."""
    program = tmp_path / "bin/chladni-calibrate"
    program.parent.mkdir()
    program.write_text(CALIBRATE)
    program.chmod(0o755)
    script = repository / "deploy/jobs/calibrate/calibrate.sh"

    def run(index: int) -> None:
        environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "SHARDS": "3"}
        environ["JOB_COMPLETION_INDEX"] = str(index)
        subprocess.run(["sh", script, tmp_path / "volume"], env=environ, check=True, timeout=20)

    return run


def test_the_last_shard_is_joined_with_the_others(calibrate: Callable[[int], None], tmp_path: Path) -> None:
    calibrate(2)
    calibrate(0)
    assert not (tmp_path / "volume/voices").exists()
    calibrate(1)
    assert (tmp_path / "volume/voices/text").read_text() == "merged, shard 1/3, shard 2/3, shard 3/3\n"


def test_a_pod_that_was_evicted_is_made_good(calibrate: Callable[[int], None], tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "shards/1.unfinished").mkdir(parents=True)  # of a pod that is gone
    (volume / "voices.0.unfinished").mkdir()
    calibrate(0)
    calibrate(1)
    finished = (volume / "shards/1/text").stat().st_mtime_ns
    calibrate(0)  # once more, though its shard is there
    calibrate(2)
    calibrate(2)
    assert (volume / "shards/1/text").stat().st_mtime_ns == finished
    assert (volume / "voices/text").read_text().startswith("merged")


def test_an_image_lists_what_it_holds(repository: Path) -> None:
    program = repository / "deploy/docker/sbom.py"
    done = subprocess.run(
        [sys.executable, program, "chladni/gateway", "0.1.0"], capture_output=True, check=True, timeout=60
    )
    document = json.loads(done.stdout)
    purls = [component["purl"] for component in document["components"]]
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    assert any(purl.startswith("pkg:pypi/grpcio@") for purl in purls)
    assert purls == sorted(purls)


def test_every_image_lists_what_it_holds_under_its_own_name(repository: Path) -> None:
    for path in (repository / "deploy/docker").glob("*.Dockerfile"):
        name = f"chladni/{path.stem}"
        text = path.read_text()
        installed, _, rest = text.rpartition("pip --python")
        assert installed
        assert f"sbom.py {name} 0.1.0 > /opt/chladni/sbom.cdx.json" in rest
        assert f'image.title="{name}"' in rest
