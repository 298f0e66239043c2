"""Files that commands read, or standard input in their place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from chladni_client.files import AUDIO_SUFFIXES, MAX_UPLOAD_BYTES, FileSource, is_image_id

STDIN: Final = Path("-")

_IMAGE_BEGINNINGS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_AUDIO_BEGINNINGS: Final = (
    b"RF64",
    b"fLaC",
    b"OggS",
    b"ID3",
    b"\xff\xfb",
    b"\x1aE\xdf\xa3",
    b"#!AMR",
    b"caff",
)
_ISO_IMAGES: Final = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")

AudioArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="AUDIO",
        help="Audio file; - for standard input.",
    ),
]
ImageArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGE",
        help="Image that Chladni made; - for standard input.",
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
        typer.BadParameter: One does not exist or is a folder, standard input stands for several, or it is a
            terminal, where nobody types such a file.
    """
    for path in paths:
        if path.is_dir():
            raise typer.BadParameter(f"{str(path)!r} is a folder; name a file.", param_hint=f"'{hint}'")
        if path != STDIN and not path.exists():
            raise typer.BadParameter(f"file {str(path)!r} does not exist.", param_hint=f"'{hint}'")
    count = list(paths).count(STDIN)
    if count > 1:
        raise typer.BadParameter("standard input (-) can stand for one file only", param_hint=hint)
    if count and sys.stdin.isatty():
        raise typer.BadParameter("standard input (-) is a terminal; pipe a file into it", param_hint=hint)


def clips_in(paths: Sequence[Path], *, hint: str) -> list[Path]:
    """Return audio files, with those inside of it in place of each folder, sorted by their names.

    Args:
        paths: Files, folders, or standard input.
        hint: The argument that they come from.

    Raises:
        typer.BadParameter: A file does not exist, a folder holds no audio file, or standard input cannot be
            read.
    """
    clips: list[Path] = []
    for path in paths:
        if not path.is_dir():
            clips.append(path)
            continue
        found = sorted(
            file for file in path.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()
        )
        if not found:
            raise typer.BadParameter(
                f"the folder {str(path)!r} holds no file with a suffix of audio, such as .wav or .mp3",
                param_hint=f"'{hint}'",
            )
        clips += found
    check_inputs(clips, hint=hint)
    return clips


def is_audio(path: Path, content: bytes) -> bool:
    """Return whether a file that may be an image or audio is audio.

    Args:
        path: Its name, whose suffix says so if the content is of no known image.
        content: Its beginning.
    """
    if content.startswith(_IMAGE_BEGINNINGS) or (content[4:8] == b"ftyp" and content[8:12] in _ISO_IMAGES):
        return False
    if content.startswith((b"RIFF", b"FORM")):
        return content[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    return path.suffix.lower() in AUDIO_SUFFIXES or content.startswith(_AUDIO_BEGINNINGS)


def source_of(path: Path) -> FileSource:
    """Return a file to send; the content of standard input, which can be read only once."""
    return sys.stdin.buffer.read(MAX_UPLOAD_BYTES + 1) if path == STDIN else path


def name_of(path: Path) -> str:
    """Return the name of a file for people."""
    return "stdin" if path == STDIN else path.name


def stem_of(path: Path) -> str:
    """Return what the names of files that are made of a file begin with."""
    return "stdin" if path == STDIN else path.stem
