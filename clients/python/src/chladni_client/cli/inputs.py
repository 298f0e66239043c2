"""Files that commands read, or standard input in their place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from chladni_client.files import MAX_UPLOAD_BYTES, FileSource, is_image_id

STDIN: Final = Path("-")

AudioArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="AUDIO",
        help="Audio file: WAV, MP3, FLAC or OGG; - for standard input.",
        dir_okay=False,
    ),
]
ImageArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGE",
        help="PNG that Chladni made; - for standard input.",
        dir_okay=False,
    ),
]

ImageIdArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="IMAGE_ID", help="Identifier of an image, as `chladni images` lists it.")
]


def check_identifiers(texts: Sequence[str], *, hint: str, kind: str = "an image") -> None:
    """Check that texts have the form of identifiers.

    Args:
        texts: The texts.
        hint: The argument that they come from.
        kind: What they identify.

    Raises:
        typer.BadParameter: One has not.
    """
    for text in texts:
        if not is_image_id(text):
            raise typer.BadParameter(f"{text!r} is no identifier of {kind}", param_hint=hint)


def check_inputs(paths: Sequence[Path], *, hint: str) -> None:
    """Check that files exist, and that standard input stands for one of them at most.

    Typer's own check (`exists`) takes ``-`` for the name of a file.

    Args:
        paths: The files.
        hint: The argument that they come from.

    Raises:
        typer.BadParameter: One does not exist, standard input stands for several, or it is a terminal, where
            nobody types such a file.
    """
    for path in paths:
        if path != STDIN and not path.exists():
            raise typer.BadParameter(f"file {str(path)!r} does not exist.", param_hint=f"'{hint}'")
    count = list(paths).count(STDIN)
    if count > 1:
        raise typer.BadParameter("standard input (-) can stand for one file only", param_hint=hint)
    if count and sys.stdin.isatty():
        raise typer.BadParameter("standard input (-) is a terminal; pipe a file into it", param_hint=hint)


def source_of(path: Path) -> FileSource:
    """Return a file to send; the content of standard input, which can be read only once."""
    return sys.stdin.buffer.read(MAX_UPLOAD_BYTES + 1) if path == STDIN else path


def name_of(path: Path) -> str:
    """Return the name of a file for people."""
    return "stdin" if path == STDIN else path.name


def stem_of(path: Path) -> str:
    """Return what the names of files that are made of a file begin with."""
    return "stdin" if path == STDIN else path.stem
