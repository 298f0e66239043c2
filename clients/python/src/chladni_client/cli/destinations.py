"""Where images are written: files, folders and standard output."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from chladni_client.cli.inputs import STDIN, name_of, stem_of
from chladni_client.files import write_atomically
from chladni_client.types.images import ImageFormat

STDOUT: Final = Path("-")
_NAMES_OF_STDOUT: Final = frozenset(map(Path, ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")))
_FORMATS: Final = {
    ".png": ImageFormat.PNG,
    ".jpg": ImageFormat.JPEG,
    ".jpeg": ImageFormat.JPEG,
    ".webp": ImageFormat.WEBP,
    ".svg": ImageFormat.SVG,
    ".pdf": ImageFormat.PDF,
}
_HINT: Final = "'--output'"


def destinations_of(clips: Sequence[Path], output: Path | None, *, images_per_clip: int = 1) -> list[Path]:
    """Return the path of each image: those of the first clip, those of the second, and so on.

    Clips of one stem keep their suffix in the names of their images, and those of one name get numbers, so
    that none replaces another.

    Args:
        clips: The clips.
        output: A file, a folder, or standard output; `None` means this folder.
        images_per_clip: Images of each clip.

    Raises:
        typer.BadParameter: The output is one file for several images, or neither a folder nor a file of a
            format that images are written in.
    """
    if output is not None and is_file_name(output):
        if len(clips) * images_per_clip > 1:
            raise typer.BadParameter("for several images it must be a folder", param_hint=_HINT)
        check_writable(output)
        return [STDOUT if output in _NAMES_OF_STDOUT else output]
    folder = output or Path()
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{str(folder)!r} is no folder", param_hint=_HINT)
    endings = [f"-{number}" for number in range(1, images_per_clip + 1)] if images_per_clip > 1 else [""]
    return [folder / f"{name}{ending}.png" for name in _distinct_names(clips) for ending in endings]


def is_file_name(output: Path) -> bool:
    """Return whether an output names a file, and not a folder.

    Raises:
        typer.BadParameter: It ends like a file, but of no format that images are written in.
    """
    if output in _NAMES_OF_STDOUT:
        return True
    if output.is_dir():
        return False
    if output.suffix.lower() in _FORMATS or (output.exists() and not output.is_file()):
        return True  # a pipe or a device takes what comes
    if output.suffix:
        raise typer.BadParameter(
            f"{str(output)!r} ends in {output.suffix!r}: images are written as .png, .jpg or .webp (those of "
            "the look plate also as .svg or .pdf), or into a folder (make it first if its name has a dot)",
            param_hint=_HINT,
        )
    return False


def check_writable(output: Path) -> None:
    """Check that standard output is no terminal if an image is to be written there.

    Raises:
        typer.BadParameter: It is one, which would show the bytes of the image.
    """
    if output in _NAMES_OF_STDOUT and sys.stdout.isatty():
        raise typer.BadParameter(
            "standard output is a terminal; send it to a file or another program", param_hint=_HINT
        )


def image_format_of(destination: Path) -> ImageFormat | None:
    """Return the format that the name of a file asks for; `None` for the server's."""
    image_format = _FORMATS.get(destination.suffix.lower())
    return None if image_format is ImageFormat.PNG else image_format


def prepare(destination: Path) -> None:
    """Make the folder of a file, and check that the file can be written before work is done for it.

    Raises:
        OSError: It cannot.
    """
    if destination == STDOUT:
        return
    folder = destination.parent
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "The folder cannot be written", str(folder))


def write(destination: Path, content: bytes) -> None:
    """Write a file, or standard output.

    Raises:
        OSError: It cannot be written.
    """
    if destination == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_atomically(destination, content)


def _distinct_names(clips: Sequence[Path]) -> list[str]:
    """Return a name for the images of each clip; no two are equal, whatever the case of their letters."""
    stems = Counter(stem_of(clip).casefold() for clip in clips)
    names: list[str] = []
    taken: set[str] = set()
    for clip in clips:
        name = stem_of(clip) if stems[stem_of(clip).casefold()] == 1 or clip == STDIN else name_of(clip)
        number = 2
        candidate = name
        while candidate.casefold() in taken:
            candidate, number = f"{name}-{number}", number + 1
        taken.add(candidate.casefold())
        names.append(candidate)
    return names
