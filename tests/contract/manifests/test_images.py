"""The container images and the compose file hold what the services need, and nothing more."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from packaging.requirements import Requirement

USES_TORCH = {"image-generation", "similarity"}


@pytest.fixture
def dockerfile(service: Any, repository: Path) -> Path:
    return repository / f"deploy/docker/{service.name}.Dockerfile"


@pytest.fixture
def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continuation lines joined and comments dropped."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def _values(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [value for instruction, value in instructions if instruction == name]


@pytest.fixture(scope="module")
def compose(repository: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((repository / "deploy/compose.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def compose_with_recipes(compose: Mapping[str, Any], repository: Path) -> dict[str, Any]:
    """The services of `compose.yaml` and `compose.recipes.yaml` together."""
    added = yaml.safe_load((repository / "deploy/compose.recipes.yaml").read_text())["services"]
    services = dict(compose["services"])
    for name, described in added.items():
        extended = described.pop("extends", {"file": "compose.yaml", "service": name})
        assert extended["file"] == "compose.yaml"
        services[name] = _merged(compose["services"][extended["service"]], described)
    return services


def _merged(one: Any, other: Any) -> Any:
    """Return two parts of compose files as one: maps by key, lists joined, of other values the later one."""
    if isinstance(one, dict):
        return {
            key: _merged(one[key], other[key]) if key in one and key in other else (one | other)[key]
            for key in one | other
        }
    return one + other if isinstance(one, list) else other


def test_hadolint_has_nothing_to_say(dockerfile: Path, tool: Callable[[str], str]) -> None:
    linted = subprocess.run(
        [tool("hadolint"), dockerfile], capture_output=True, text=True, timeout=60, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_an_image_runs_its_service_without_a_shell(
    service: Any, instructions: list[tuple[str, str]], repository: Path
) -> None:
    (entrypoint,) = _values(instructions, "ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "-m", service.package]
    assert (repository / f"services/{service.folder}/src/{service.package}/__main__.py").is_file()


def test_an_image_runs_as_an_unprivileged_user(instructions: list[tuple[str, str]]) -> None:
    assert _values(instructions, "USER") == ["10001:10001"]
    names = [instruction for instruction, _ in instructions]
    assert "RUN" not in names[names.index("USER") :]


def test_an_image_exposes_the_ports_of_its_service(service: Any, instructions: list[tuple[str, str]]) -> None:
    (exposed,) = _values(instructions, "EXPOSE")
    assert {int(port) for port in exposed.split()} == set(service.ports().values())


def test_a_service_accepts_the_environment_of_its_image(
    service: Any, instructions: list[tuple[str, str]]
) -> None:
    environ = dict(pair.split("=", 1) for pair in _values(instructions, "ENV")[-1].split())
    assert environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environ["PYTHONUNBUFFERED"] == "1"
    assert service.settings(environ).host == "0.0.0.0"


def test_an_image_holds_its_own_service_only(
    service: Any, instructions: list[tuple[str, str]], repository: Path
) -> None:
    from_context = [v.split() for v in _values(instructions, "COPY") if not v.startswith("--from")]
    sources = {source for words in from_context for source in words[:-1]}
    assert sources == {
        "requirements/constraints.txt",
        "protos/gen/python",
        "protos/contract",
        "services/runtime",
        f"services/{service.folder}",
        "deploy/docker/healthcheck.py",
        "deploy/docker/sbom.py",
    }
    assert [source for source in sources if not (repository / source).exists()] == []


def test_only_the_services_with_torch_models_install_torch(
    service: Any, instructions: list[tuple[str, str]]
) -> None:
    uses_torch = service.name in USES_TORCH
    assert ("torch" in _dependencies(f"chladni-{service.name}")) == uses_torch
    installs = [line for line in _values(instructions, "RUN") if re.search(r"\btorch\b", line)]
    assert len(installs) == (1 if uses_torch else 0)
    assert all("${TORCH_INDEX_ARGUMENTS}" in line for line in installs)


def test_the_image_of_audio_features_holds_what_analyses_music(
    services: Mapping[str, Any], repository: Path
) -> None:
    assert services["audio-features"].settings().music
    dockerfile = (repository / "deploy/docker/audio-features.Dockerfile").read_text()
    assert 'ARG EXTRAS="[music]"' in dockerfile


def _dependencies(distribution: str) -> set[str]:
    """Return the names of everything that installing a distribution brings."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        requirements = [Requirement(text) for text in importlib.metadata.requires(name) or []]
        waiting += [item.name for item in requirements if not item.marker or item.marker.evaluate()]
    return found


def test_dockerfiles_name_no_host(repository: Path) -> None:
    for path in filter(Path.is_file, (repository / "deploy/docker").iterdir()):
        assert "://" not in path.read_text(), path.name


def test_the_build_context_holds_nothing_else(repository: Path) -> None:
    lines = (repository / ".dockerignore").read_text().split("\n")
    assert next(line for line in lines if line and not line.startswith("#")) == "*"


def test_the_health_check_asks_its_service(service: Any, instructions: list[tuple[str, str]]) -> None:
    (health_check,) = _values(instructions, "HEALTHCHECK")
    command = json.loads(health_check.partition("CMD ")[2])
    assert command[1:] == [
        "/opt/chladni/healthcheck.py",
        f"127.0.0.1:{service.ports()['grpc']}",
        service.grpc_service,
    ]


def test_the_health_check_believes_only_a_service_that_is_serving(repository: Path) -> None:
    program = repository / "deploy/docker/healthcheck.py"
    health = HealthServicer()
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    health.set("loading", health_pb2.HealthCheckResponse.NOT_SERVING)
    health.set("ready", health_pb2.HealthCheckResponse.SERVING)

    def exit_status(service: str) -> int:
        command: list[str | Path] = [sys.executable, program, address, service]
        return subprocess.run(command, timeout=60, check=False).returncode

    assert {name: exit_status(name) for name in ("ready", "loading", "unknown")} == {
        "ready": 0,
        "loading": 1,
        "unknown": 1,
    }
    server.stop(None).wait()
    assert exit_status("ready") == 1


def test_compose_runs_each_service_from_its_own_image(
    service: Any, compose: Mapping[str, Any], repository: Path
) -> None:
    described = compose["services"][service.name]
    assert described["image"].startswith(f"chladni/{service.name}:")
    assert described["build"]["context"] == ".."
    assert described["build"]["dockerfile"] == f"deploy/docker/{service.name}.Dockerfile"
    assert (repository / described["build"]["dockerfile"]).is_file()


def test_compose_hardens_and_bounds_each_service(service: Any, compose: Mapping[str, Any]) -> None:
    described = compose["services"][service.name]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert described["tmpfs"]
    assert {"cpus", "memory"} <= described["deploy"]["resources"]["limits"].keys()
    assert "privileged" not in described


def test_compose_gives_large_files_room(service: Any, compose: Mapping[str, Any]) -> None:
    # What is in a tmpfs counts as memory of its container.
    described = compose["services"][service.name]
    limits = getattr(service.settings(described.get("environment", {})), "spool_limits", None)
    (options,) = [item.partition(":")[2] for item in described["tmpfs"] if item.startswith("/tmp:")]
    size_mib = int(dict(option.split("=") for option in options.split(","))["size"].removesuffix("m"))
    memory = described["deploy"]["resources"]["limits"]["memory"]
    memory_mib = int(memory[:-1]) * {"M": 1, "G": 1024}[memory[-1]]
    if limits is not None:
        needed_bytes = limits.max_files * limits.max_bytes + limits.min_free_bytes
        assert size_mib * 2**20 >= needed_bytes
    assert memory_mib >= size_mib + 768


def test_services_accept_their_environment_in_compose(service: Any, compose: Mapping[str, Any]) -> None:
    described = compose["services"][service.name]
    settings = service.settings(described.get("environment", {}))
    grace_seconds = int(described["stop_grace_period"].removesuffix("s"))
    assert settings.drain_delay_seconds + settings.drain_timeout_seconds + 5 <= grace_seconds


def test_compose_publishes_the_gateway_on_loopback_alone(
    compose: Mapping[str, Any], services: Mapping[str, Any]
) -> None:
    published = {name: described.get("ports", []) for name, described in compose["services"].items()}
    ports = published.pop("gateway")
    assert not any(published.values())
    assert all(port.startswith("127.0.0.1:${") for port in ports)
    expected = services["gateway"].ports()
    assert {int(port.rpartition(":")[2]) for port in ports} == {expected["http"], expected["grpc"]}


def test_compose_tells_similarity_where_audio_features_is(
    compose: Mapping[str, Any], services: Mapping[str, Any]
) -> None:
    environ = compose["services"]["similarity"]["environment"]
    port = services["audio-features"].ports()["grpc"]
    assert environ["CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET"] == f"dns:///audio-features:{port}"


def test_compose_starts_the_gateway_after_the_models(
    compose: Mapping[str, Any], services: Mapping[str, Any]
) -> None:
    gateway = compose["services"]["gateway"]
    others = services.keys() - {"gateway"}
    assert gateway["depends_on"] == {name: {"condition": "service_healthy"} for name in others}
    for name in others:
        target = gateway["environment"][f"CHLADNI_GATEWAY_{services[name].folder.upper()}_TARGET"]
        assert target == f"dns:///{name}:{services[name].ports()['grpc']}"


def test_compose_with_recipes_accepts_every_environment(
    compose_with_recipes: Mapping[str, Any], service_of: Callable[[str], Any]
) -> None:
    for described in compose_with_recipes.values():
        service_of(described["image"]).settings(described["environment"])


def test_compose_with_recipes_adds_one_image_generation_that_the_gateway_knows(
    compose: Mapping[str, Any], compose_with_recipes: Mapping[str, Any], services: Mapping[str, Any]
) -> None:
    (added,) = compose_with_recipes.keys() - compose["services"].keys()
    assert compose_with_recipes[added]["image"] == compose["services"]["image-generation"]["image"]
    environ = compose_with_recipes["gateway"]["environment"]
    port = services["image-generation"].ports()["grpc"]
    assert environ["CHLADNI_GATEWAY_FURTHER_IMAGE_GENERATION_TARGETS"] == f"dns:///{added}:{port}"
    assert compose_with_recipes[added]["networks"] == ["models"]
    assert "ports" not in compose_with_recipes[added]


def test_compose_with_recipes_mounts_models_where_settings_name_them(
    compose_with_recipes: Mapping[str, Any],
    model_folders: Callable[[Mapping[str, str]], set[str]],
) -> None:
    having = {
        name for name, described in compose_with_recipes.items() if model_folders(described["environment"])
    }
    assert having == {"audio-features", "image-generation-recipes"}
    for name, described in compose_with_recipes.items():
        mounted = [volume for volume in described.get("volumes", []) if ":/models" in volume]
        assert bool(mounted) == (name in having)
        assert all(volume.startswith("${CHLADNI_MODELS:?") for volume in mounted)
        assert all(volume.endswith(":/models:ro") for volume in mounted)


def test_compose_with_recipes_builds_clap_into_audio_features(
    compose_with_recipes: Mapping[str, Any], repository: Path
) -> None:
    described = compose_with_recipes["audio-features"]
    assert described["image"].endswith("-clap")
    assert described["build"]["args"]["EXTRAS"] == "[clap,music]"
    dockerfile = (repository / described["build"]["dockerfile"]).read_text()
    assert all(f"ARG {name}=" in dockerfile for name in described["build"]["args"])
    project = tomllib.loads((repository / "services/audio_features/pyproject.toml").read_text())["project"]
    assert {"clap", "music"} <= project["optional-dependencies"].keys()
