"""The licence of a checkpoint, as it was published with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chladni_image_generation.models.files import ModelFiles

_FENCE: Final = "---"
_MAX_LENGTH: Final = 100


def licence_of(files: ModelFiles) -> str:
    """Returns what the manifest says, else what the front matter of the model card says; empty for neither.

    A card that says ``other`` names the licence in a field of its own.
    """
    told = files.manifest.get("licence")
    if told:
        return str(told)[:_MAX_LENGTH]
    front_matter = dict(_front_matter(files.directory / "README.md"))
    name = front_matter.get("license", "")
    return front_matter.get("license_name", name) if name == "other" else name


def _front_matter(path: Path) -> Iterator[tuple[str, str]]:
    """Gives the fields of one line each that a model card begins with, between two fences."""
    if not path.is_file():
        return
    lines = iter(path.read_text(encoding="utf-8", errors="replace").splitlines())
    if next(lines, "").strip() != _FENCE:
        return
    for line in lines:
        if line.strip() == _FENCE:
            return
        name, _, value = line.partition(":")
        yield name.strip(), value.strip().strip("'\"")[:_MAX_LENGTH]
