# ruff: noqa: INP001 - a program, no part of a package
"""Build the examples of other languages whose tools are installed, and run each against a scripted gateway.

    python clients/check_examples.py [cpp] [go] [java] [typescript]

Each example must turn a file into the scripted image, try again what was refused for the moment,
report an error by its reason, and write nothing of an image that is too large for an event.
A language whose tools are missing is skipped, which is said.
Programs are built in build/clients.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1.health import HealthServicer

from chladni_fakes.scripted_gateway.messages import png_of, rich_error
from chladni_fakes.scripted_gateway.script import Script
from chladni_fakes.scripted_gateway.server import start_server

REPOSITORY: Final = Path(__file__).resolve().parents[1]
CLIENTS: Final = REPOSITORY / "clients"
PROTOS: Final = REPOSITORY / "protos"
BUILD: Final = REPOSITORY / "build" / "clients"
# Jars of Debian's libgrpc-java and what it needs; a project would name grpc-netty, grpc-protobuf, grpc-stub.
JAR_FOLDER: Final = Path("/usr/share/java")
JARS: Final = (
    "geronimo-annotation-1.3-spec",
    *(f"grpc-{name}" for name in ("api", "context", "core", "netty", "protobuf", "protobuf-lite", "stub")),
    *("gson", "guava", "jctools-core"),
    *(f"netty-{name}" for name in ("buffer", "codec", "codec-http", "codec-http2", "codec-socks", "common")),
    *(f"netty-{name}" for name in ("handler", "handler-proxy", "resolver", "transport")),
    *("netty-transport-native-unix-common", "perfmark-api", "protobuf"),
)
# Debian's Go packages of gRPC, in GOPATH mode; a project would have a go.mod.
GO_FOLDER: Final = Path("/usr/share/gocode")
GO_PACKAGES: Final = ("grpc", "protobuf/types/known/structpb", "genproto/googleapis/rpc/errdetails")
_TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True)
class Language:
    """An example in a language.

    Attributes:
        programs: Programs that must be on PATH.
        files: Files that must exist.
        build: Builds the example and returns the command that runs it.
    """

    programs: Sequence[str]
    files: Sequence[Path]
    build: Callable[[], list[str]]

    @property
    def missing(self) -> list[str]:
        """What is not installed."""
        programs = [program for program in self.programs if shutil.which(program) is None]
        return programs + [str(file) for file in self.files if not file.exists()]


def googleapis() -> Path:
    """Return the folder that holds google/rpc/*.proto; googleapis-common-protos brings them."""
    spec = importlib.util.find_spec("google.rpc")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("googleapis-common-protos is not installed; run: make setup")
    return Path(next(iter(spec.submodule_search_locations))).parents[1]


def run(
    command: Sequence[str | Path], folder: Path = REPOSITORY, extra: Mapping[str, str] | None = None
) -> None:
    """Run a program of the build; its output is shown only if it fails.

    Raises:
        SystemExit: It fails.
    """
    ran = subprocess.run(  # noqa: S603 - the programs are named here
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | dict(extra or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{ran.stdout}")


def contracts() -> list[str]:
    """Return the names of the contracts."""
    return sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / "chladni").rglob("*.proto"))


def build_cpp() -> list[str]:
    """Build the example in C++."""
    folder = BUILD / "cpp"
    run(["cmake", "-S", CLIENTS / "cpp", "-B", folder, f"-DGOOGLEAPIS={googleapis()}"])
    run(["cmake", "--build", folder, "-j", str(os.cpu_count() or 1)])
    return [str(folder / "create_image")]


def build_go() -> list[str]:
    """Build the example in Go."""
    folder = BUILD / "go"
    (folder / "src").mkdir(parents=True, exist_ok=True)
    run(["protoc", "-I", PROTOS, f"--go_out=plugins=grpc:{folder / 'src'}", *contracts()])
    run(
        ["go", "build", "-o", folder / "create_image", CLIENTS / "go" / "main.go"],
        extra={"GO111MODULE": "off", "GOPATH": os.pathsep.join(map(str, [folder, GO_FOLDER]))},
    )
    return [str(folder / "create_image")]


def build_java() -> list[str]:
    """Build the example in Java."""
    stubs, classes = BUILD / "java" / "stubs", BUILD / "java" / "classes"
    for folder in (stubs, classes):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    plugin = f"--plugin=protoc-gen-grpc={shutil.which('grpc_java_plugin')}"
    run(["protoc", "-I", PROTOS, f"--java_out={stubs}", f"--grpc_out={stubs}", plugin, *contracts()])
    details = ["google/rpc/status.proto", "google/rpc/error_details.proto"]
    run(["protoc", "-I", googleapis(), f"--java_out={stubs}", *details])
    path = os.pathsep.join(map(str, [*jars(), classes]))
    sources = [*stubs.rglob("*.java"), CLIENTS / "java" / "CreateImage.java"]
    run(["javac", "-nowarn", "-d", classes, "-cp", path, *sources])
    return ["java", "-cp", path, "CreateImage"]


def jars() -> list[Path]:
    """Return the jars that the example in Java needs."""
    return [JAR_FOLDER / f"{name}.jar" for name in JARS]


def build_typescript() -> list[str]:
    """Build the example in TypeScript, and check its types."""
    folder = BUILD / "typescript" / "clients" / "typescript"
    shutil.copytree(CLIENTS / "typescript", folder, dirs_exist_ok=True, ignore=_left_out)
    # The example finds the contracts where the repository has them.
    link = BUILD / "typescript" / "protos"
    if not link.exists():
        link.symlink_to(PROTOS)
    run(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder)
    run(["npm", "run", "--silent", "generate"], folder, {"GOOGLEAPIS": str(googleapis())})
    run(["npm", "run", "--silent", "check"], folder)
    return [str(folder / "node_modules" / ".bin" / "tsx"), str(folder / "create_image.ts")]


def _left_out(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in {"node_modules", "generated"}]


LANGUAGES: Final[Mapping[str, Language]] = {
    "cpp": Language(("cmake", "pkg-config", "protoc", "grpc_cpp_plugin", "c++"), (), build_cpp),
    "go": Language(
        ("go", "protoc", "protoc-gen-go"),
        [GO_FOLDER / "src" / "google.golang.org" / name for name in GO_PACKAGES],
        build_go,
    ),
    "java": Language(("java", "javac", "protoc", "grpc_java_plugin"), jars(), build_java),
    "typescript": Language(("node", "npm"), (), build_typescript),
}


def check(command: Sequence[str]) -> None:
    """Require that an example makes the image, tries again, and reports an error by its reason.

    Raises:
        SystemExit: It does not.
    """
    script = Script()
    server, target = start_server(script, HealthServicer())
    try:
        with tempfile.TemporaryDirectory() as name:
            audio, image = Path(name) / "voice.wav", Path(name) / "voice.png"
            audio.write_bytes(b"RIFF, or so")
            script.errors.append(rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING", retry_seconds=0.1))
            made = _run_example([*command, str(audio), str(image), target])
            script.errors.append(rich_error(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_AUDIO"))
            refused = _run_example([*command, str(audio), str(image), target])
            tries = script.requests[:-1]
            script.events[-1].created.ClearField("file")
            too_large = Path(name) / "large.png"
            left_out = _run_example([*command, str(audio), str(too_large), target])
            wanted = {
                "ends with 0": made.returncode == 0,
                "writes the image": image.exists() and image.read_bytes() == png_of(),
                "reports progress": "step" in made.stdout,
                "sends the file": all(request.audio.content == audio.read_bytes() for request in tries),
                "sends its name": all(request.audio.display_name == audio.name for request in tries),
                "tries again as the same request": len(tries) == 2
                and tries[0].request_id == tries[1].request_id != "",
                "has a deadline": None not in script.remaining_seconds,
                "ends with 1 after an error": refused.returncode == 1,
                "reports the reason of an error": "reason CORRUPT_AUDIO" in refused.stderr,
                "ends with 1 if the image is too large for an event": left_out.returncode == 1,
                "writes nothing then": not too_large.exists(),
            }
            if missed := [what for what, holds in wanted.items() if not holds]:
                raise SystemExit(f"The example misses: {', '.join(missed)}\n{made}\n{refused}\n{left_out}")
    finally:
        server.stop(None).wait()


def _run_example(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the programs are named here
        command,
        cwd=REPOSITORY,
        env=os.environ | {"GRPC_GO_RETRY": "on"},  # grpc-go before 1.40 repeats only if it is told to
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help="languages (default: all)")
    chosen = parser.parse_args(arguments).languages or list(LANGUAGES)
    if unknown := [name for name in chosen if name not in LANGUAGES]:
        parser.error(f"There is no example in {', '.join(unknown)}; there are {', '.join(LANGUAGES)}.")
    for name in chosen:
        if missing := LANGUAGES[name].missing:
            print(f"{name}: SKIPPED, not installed: {', '.join(missing)}", flush=True)
            continue
        check(LANGUAGES[name].build())
        print(
            f"{name}: the example makes an image, tries again, and reports an error by its reason", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
