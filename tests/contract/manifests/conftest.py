"""The settings and stubs of the services, with which the manifests are compared."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from chladni_runtime.settings import ServiceSettings, load_settings

REPOSITORY = Path(__file__).parents[3]
DEPLOY = REPOSITORY / "deploy"

Resource = dict[str, Any]


@dataclass(frozen=True)
class Service:
    """A service as its code describes it.

    Attributes:
        name: Name of its image and of its Kubernetes objects.
        grpc_service: Full name of the gRPC service that stands for its health.
    """

    name: str
    grpc_service: str

    @property
    def folder(self) -> str:
        return self.name.replace("-", "_")

    @property
    def package(self) -> str:
        return f"chladni_{self.folder}"

    def settings(self, environ: dict[str, str] | None = None) -> ServiceSettings:
        """Return the settings that the service would read from `environ` as its process's environment.

        Raises:
            SettingsError: The service would refuse to start.
        """
        config = importlib.import_module(f"{self.package}.config")
        (settings_class,) = [
            item
            for item in vars(config).values()
            if isinstance(item, type)
            and issubclass(item, ServiceSettings)
            and item.__module__ == config.__name__
        ]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (environ or {}).items():
                patch.setenv(name, value)
            return load_settings(settings_class, environ or {})

    def ports(self) -> dict[str, int]:
        """Return its ports by the names that the manifests use."""
        settings = self.settings()
        ports = {"grpc": settings.grpc_port, "metrics": settings.metrics_port}
        if hasattr(settings, "http_port"):
            ports["http"] = settings.http_port
        return ports


SERVICES = {
    service.name: service
    for service in (
        Service("audio-features", "chladni.audio.v1.AudioFeatureService"),
        Service("image-generation", "chladni.image.v1.ImageGenerationService"),
        Service("similarity", "chladni.similarity.v1.SimilarityService"),
        Service("gateway", "chladni.gateway.v1.ImageService"),
    )
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `service` once for each, one for a `target` once for each kustomization."""
    if "service" in metafunc.fixturenames:
        metafunc.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
    if "target" in metafunc.fixturenames:
        targets = _kustomizations()
        metafunc.parametrize("target", targets, ids=[str(path.relative_to(DEPLOY)) for path in targets])


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def services() -> dict[str, Service]:
    return SERVICES


@pytest.fixture(scope="session")
def service_of() -> Callable[[str], Service]:
    """Return the service that an image holds, given the image's name with its tag."""
    by_image = {f"chladni/{name}": service for name, service in SERVICES.items()}
    return lambda image: by_image[image.partition(":")[0]]


@pytest.fixture(scope="session")
def model_folders() -> Callable[[Mapping[str, str]], set[str]]:
    """Return the folders of models that settings name, such as ``/models/sdxl-base``."""
    return lambda environ: {
        folder for value in environ.values() for folder in re.findall(r"/models/[\w.-]+", value)
    }


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Return a program beside the interpreter or on the path; skip the test if it is absent."""
    return _tool


@pytest.fixture(scope="session")
def build() -> Callable[[Path], list[Resource]]:
    """Build a kustomization into its resources."""
    return _build


def _kustomizations() -> list[Path]:
    """Return the folders that deploy all services; components and their parts do not."""
    kustomize = DEPLOY / "kustomize"
    return [
        kustomize / "base",
        *sorted(file.parent for file in kustomize.glob("overlays/*/kustomization.yaml")),
    ]


def _tool(*names: str) -> str:
    for name in names:
        if found := shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name):
            return found
    pytest.skip(f"NOT CHECKED: {' or '.join(names)} is not installed; deploy/README.md says how to get it")


@cache
def _build(folder: Path) -> list[Resource]:
    program = Path(_tool("kubectl", "kustomize"))
    command = [program, "kustomize" if program.name == "kubectl" else "build", folder]
    built = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


@pytest.fixture
def resources(target: Path, build: Callable[[Path], list[Resource]]) -> list[Resource]:
    return build(target)


@pytest.fixture
def deployments(resources: list[Resource]) -> dict[str, Any]:
    """Return the deployments by name."""
    return {item["metadata"]["name"]: item for item in resources if item["kind"] == "Deployment"}
