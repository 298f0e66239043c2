"""What the services use: memory and descriptors must be as flat at the end as at the beginning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chladni_local.cluster import LocalCluster

SERVICES: Final = ("audio-features", "image-generation", "similarity", "gateway")
_MAX_GROWTH_KIB: Final = 256 * 1024
_MAX_DESCRIPTORS: Final = 64


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses.

    Attributes:
        process_id: The process.
        memory_kib: Resident memory.
        descriptors: Open files and sockets.
    """

    process_id: int
    memory_kib: int
    descriptors: int


def usage_of(cluster: LocalCluster) -> dict[str, Usage]:
    """Return what each service uses that runs."""
    found = {name: _usage(cluster.process(name).pid) for name in SERVICES}
    return {name: usage for name, usage in found.items() if usage is not None}


def growth_of(before: dict[str, Usage], after: dict[str, Usage]) -> list[str]:
    """Return what has grown too much, in words, of those services that are still the same process."""
    faults = []
    for name, old in before.items():
        new = after[name]
        if new.process_id != old.process_id:
            continue
        if new.memory_kib > old.memory_kib + _MAX_GROWTH_KIB:
            faults.append(f"{name} grew from {old.memory_kib} to {new.memory_kib} KiB")
        if new.descriptors > old.descriptors + _MAX_DESCRIPTORS:
            faults.append(f"{name} went from {old.descriptors} to {new.descriptors} open files")
    return faults


def _usage(process_id: int) -> Usage | None:
    """Return what a process uses; `None` if it has ended."""
    process = Path(f"/proc/{process_id}")
    try:
        text = (process / "status").read_text()
        descriptors = len(list((process / "fd").iterdir()))
    except OSError:
        return None
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if "VmRSS" not in lines:  # It has ended, and its parent has not yet asked how.
        return None
    return Usage(process_id, int(lines["VmRSS"].split()[0]), descriptors)
