"""Build the container images for real, with buildah, and run them as a cluster does, with podman.

    python deploy/docker/images_check.py gateway similarity --base localhost/python:3.11

Each image is built, started with a read-only root, without capabilities and as its own user, asked for its
health by its own health check, looked at from inside, and stopped by SIGTERM. Afterwards the containers are
gone; the images stay, for the cache of their layers.

What it does not show: an image with CUDA, another registry or platform, and what a kubelet enforces beyond
that. Nothing behind the gateway runs: its health is that of a gateway alone.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = ("buildah", "podman", "runc")
# Without systemd: podman keeps cgroups and events by itself, and runs no timers for health checks.
PODMAN: Final = ("podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=file")
START_SECONDS: Final = 180.0
STOP_SECONDS: Final = 30
USER: Final = "10001"
LIMIT: Final = 4096
"""Files and processes of a container."""


@dataclass(frozen=True, slots=True)
class Image:
    """One of the images.

    Attributes:
        name: Name of its Dockerfile.
        health: gRPC service that stands for its health.
        variables: Beginning of the names of its settings.
        first_port: Port of its gRPC server here; that of its metrics, and of its page, follow.
        volumes: Folders that it writes to beside `/tmp`.
    """

    name: str
    health: str
    variables: str
    first_port: int
    volumes: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Tag of what is built here."""
        return f"localhost/chladni/{self.name}:check"

    @property
    def container(self) -> str:
        """Name of its container."""
        return f"chladni-check-{self.name}"


IMAGES: Final = {
    image.name: image
    for image in (
        Image(
            "gateway",
            "chladni.gateway.v1.ImageService",
            "CHLADNI_GATEWAY_",
            18_050,
            ("/var/lib/chladni/images",),
        ),
        Image("audio-features", "chladni.audio.v1.AudioFeatureService", "CHLADNI_AUDIO_FEATURES_", 18_060),
        Image(
            "image-generation",
            "chladni.image.v1.ImageGenerationService",
            "CHLADNI_IMAGE_GENERATION_",
            18_070,
        ),
        Image("similarity", "chladni.similarity.v1.SimilarityService", "CHLADNI_SIMILARITY_", 18_080),
    )
}


class FailedCheckError(Exception):
    """An image is not as it should be."""


def main(arguments: list[str] | None = None) -> int:
    """Run the check, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=["gateway"], metavar="NAME", help=", ".join(IMAGES))
    parser.add_argument("--base", default="", help="base image, if not that of the Dockerfiles")
    parser.add_argument(
        "--build-options", default="", help="further options of `buildah bud`, such as --volume for pip.conf"
    )
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.names) - IMAGES.keys():
        parser.error(f"there is no image {', '.join(sorted(unknown))}, only {', '.join(IMAGES)}")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        print(f"SKIPPED: {', '.join(missing)} not installed; no image was built. {' '.join(PROGRAMS)} are "
              "Debian packages.")  # fmt: skip
        return 0
    try:
        lint([IMAGES[name] for name in parsed.names])
    except FailedCheckError as error:
        print(f"hadolint: FAILED: {error}", file=sys.stderr)
        return 1
    for name in parsed.names:
        try:
            check(IMAGES[name], base=parsed.base, build_options=shlex.split(parsed.build_options))
        except FailedCheckError as error:
            print(f"{name}: FAILED: {error}", file=sys.stderr)
            return 1
    return 0


def lint(images: list[Image]) -> None:
    """Run hadolint over the Dockerfiles, if it is installed.

    Raises:
        FailedCheckError: It finds something.
    """
    if shutil.which("hadolint") is None:
        print("hadolint: SKIPPED, it is not installed")
        return
    files = [str(REPOSITORY / f"deploy/docker/{image.name}.Dockerfile") for image in images]
    run("hadolint", *files)
    print(f"hadolint: {len(files)} Dockerfiles are clean")


def check(image: Image, *, base: str, build_options: list[str]) -> None:
    """Build an image, run it, and look at it.

    Raises:
        FailedCheckError: Something is wrong.
    """
    started_at = time.monotonic()
    run(
        "buildah", "bud", "--isolation=chroot", "--format=docker", "--layers", *build_options,
        *(["--build-arg", f"PYTHON_IMAGE={base}"] if base else []), "--build-arg", "REVISION=check",
        "--file", f"deploy/docker/{image.name}.Dockerfile", "--tag", image.tag, ".",
    )  # fmt: skip
    [described] = json.loads(run(*PODMAN, "image", "inspect", image.tag))
    size_mib = described["Size"] / 2**20
    print(f"{image.name}: built in {time.monotonic() - started_at:.0f} s, {size_mib:.0f} MiB")
    expect(described["Config"]["User"] == f"{USER}:{USER}", "the image runs as another user")
    expect(
        described["Labels"].get("org.opencontainers.image.title") == f"chladni/{image.name}",
        "the label of its title is missing",
    )
    run(*PODMAN, "rm", "--force", "--volumes", "--ignore", image.container)
    try:
        run(*PODMAN, *start_arguments(image), image.tag)
        seconds = wait_until_healthy(image)
        print(f"{image.name}: healthy after {seconds:.0f} s")
        look_inside(image)
        run(*PODMAN, "stop", f"--time={STOP_SECONDS}", image.container)
        [stopped] = json.loads(run(*PODMAN, "container", "inspect", image.container))
        status = stopped["State"]["ExitCode"]
        expect(status == 0, f"SIGTERM ended it with {status}, not with 0 within {STOP_SECONDS} s")
        print(f"{image.name}: ended by SIGTERM with 0")
    finally:
        run(*PODMAN, "rm", "--force", "--volumes", "--ignore", image.container)


def start_arguments(image: Image) -> list[str]:
    """Return the arguments that start a container as the manifests do: read-only, without capabilities."""
    settings = {"HOST": "127.0.0.1", "GRPC_PORT": image.first_port, "METRICS_PORT": image.first_port + 1}
    if image.name == "gateway":
        settings["HTTP_PORT"] = image.first_port + 2
    return [
        "run", "--detach", f"--name={image.container}", "--network=host", "--no-healthcheck", "--read-only",
        "--cap-drop=all", "--security-opt=no-new-privileges",
        # A machine may allow less than podman would ask for.
        f"--ulimit=nofile={LIMIT}:{LIMIT}", f"--ulimit=nproc={LIMIT}:{LIMIT}",
        "--tmpfs=/tmp", *(f"--volume={folder}" for folder in image.volumes),
        *(f"--env={image.variables}{name}={value}" for name, value in settings.items()),
    ]  # fmt: skip


def wait_until_healthy(image: Image) -> float:
    """Return the time in seconds that it takes until the image's own health check says so.

    Raises:
        FailedCheckError: It does not in time, or the container has ended.
    """
    started_at = time.monotonic()
    while (seconds := time.monotonic() - started_at) < START_SECONDS:
        asked = execute(image, "python", "/opt/chladni/healthcheck.py", f"127.0.0.1:{image.first_port}",
                        image.health)  # fmt: skip
        if asked.returncode == 0:
            return seconds
        [described] = json.loads(run(*PODMAN, "container", "inspect", image.container))
        if not described["State"]["Running"]:
            break
        time.sleep(1.0)
    logs = subprocess.run(  # noqa: S603 - as below
        [*PODMAN, "logs", "--tail=20", image.container], capture_output=True, text=True, check=False
    )
    raise FailedCheckError(f"it is not healthy after {seconds:.0f} s:\n{logs.stdout}{logs.stderr}")


def look_inside(image: Image) -> None:
    """Check user, root file system and the list of what the image holds.

    Raises:
        FailedCheckError: Something is wrong.
    """
    expect(execute(image, "id", "-u").stdout.strip() == USER, "it runs as another user")
    expect(execute(image, "touch", "/opt/chladni/x").returncode != 0, "its root can be written to")
    listed = json.loads(execute(image, "cat", "/opt/chladni/sbom.cdx.json").stdout)
    packages = {item["name"] for item in listed["components"]}
    own = f"chladni-{image.name}"
    expect(own in packages, f"its SBOM does not list {own}")
    expect(execute(image, "python", "-c", "import pip").returncode != 0, "pip is in its environment")
    print(f"{image.name}: user {USER}, read-only root, SBOM of {len(packages)} packages")


def expect(condition: bool, problem: str) -> None:
    """Require a condition.

    Raises:
        FailedCheckError: It does not hold.
    """
    if not condition:
        raise FailedCheckError(problem)


def execute(image: Image, *command: str) -> subprocess.CompletedProcess[str]:
    """Return the outcome of a command inside the container."""
    return subprocess.run(  # noqa: S603 - the commands are those above
        [*PODMAN, "exec", image.container, *command], capture_output=True, text=True, check=False
    )


def run(*command: str) -> str:
    """Return the output of a command.

    Raises:
        FailedCheckError: It failed.
    """
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603 - as above
    if done.returncode:
        raise FailedCheckError(f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
