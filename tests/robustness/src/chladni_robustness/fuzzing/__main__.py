"""Fuzzes what reads strangers' input, for a time each, and keeps what it found. See `make fuzz`.

The corpus and whatever broke a target lie in ``build/fuzz/<target>``; a later run goes on from there. Without
a name, each target is fuzzed in turn, in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chladni_robustness.fuzzing.seeds import SEEDS

TARGETS: Final = tuple(SEEDS)
_INSTRUMENTED: Final[Mapping[str, tuple[str, ...]]] = {
    "audio": ("chladni_audio_features.audio",),
    "images": ("chladni_similarity.images", "chladni_image_generation.image_codec"),
    "extraction-messages": ("chladni_audio_features.grpc_api", "chladni_runtime.server.validation"),
    "generation-messages": ("chladni_image_generation.grpc_api", "chladni_runtime.server.validation"),
    "similarity-messages": ("chladni_similarity.grpc_api", "chladni_runtime.server.validation"),
    "creation-messages": ("chladni_gateway.grpc_api", "chladni_gateway.domain"),
    "forms": ("chladni_gateway.rest",),
    "json": ("chladni_gateway.rest",),
    "tokens": ("chladni_gateway.access", "chladni_gateway.sessions", "chladni_similarity.grpc_api.pages"),
    "settings": ("chladni_runtime",),
}
"""Packages whose branches guide the fuzzer of a target, beside those of the contract."""
_MAX_INPUT_BYTES: Final = 64 * 1024
_INPUT_SECONDS: Final = 10
_MEMORY_MIB: Final = 2048


def main() -> int:
    """Run the program; return its exit status: 1 if something was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", default="", choices=("", *TARGETS), help="what to fuzz (default: each)")
    parser.add_argument("--seconds", type=int, default=60, help="time for a target (default: 60)")
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"), help="where the corpora are")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        _fuzz(arguments.target, arguments.seconds, arguments.output / arguments.target)
    found = [
        name
        for name in ([arguments.target] if arguments.target else TARGETS)
        if not _fuzz_apart(name, arguments.seconds, arguments.output)
    ]
    print(f"broken: {', '.join(found)}; {arguments.output} has the inputs" if found else "nothing was found")
    return 1 if found else 0


def _fuzz_apart(name: str, seconds: int, output: Path) -> bool:
    """Fuzz a target in another process; return whether nothing was found."""
    folder = output / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]()):
        (folder / "corpus" / f"seed-{number:02d}").write_bytes(seed)
    print(f"{name}: {seconds} s", flush=True)
    command = [sys.executable, "-m", __package__ or "", "--target", name, "--seconds", str(seconds)]
    with (folder / "log").open("wb") as log:
        done = subprocess.run(  # noqa: S603 - the command is ours
            [*command, "--output", str(output), "--in-process"], stdout=log, stderr=log, check=False
        )
    lines = (folder / "log").read_text(errors="replace").splitlines()
    print(f"  {next((line for line in reversed(lines) if line.startswith(('Done', '#'))), 'no run')}")
    if done.returncode:
        print("\n".join(f"  {line}" for line in lines[-12:]), flush=True)
    return done.returncode == 0


def _fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz a target in this process, which ends with it."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["chladni_contract", *_INSTRUMENTED.get(name, ())]):
        targets = importlib.import_module("chladni_robustness.fuzzing.targets")
        target = targets.target_of(name)
    options = {
        "max_total_time": seconds,
        "max_len": _MAX_INPUT_BYTES,
        "timeout": _INPUT_SECONDS,
        "rss_limit_mb": _MEMORY_MIB,
        "artifact_prefix": f"{folder}/found-",
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(folder / "corpus")], target
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
