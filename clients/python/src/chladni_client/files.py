"""Files: recordings and images that go to a server, and results that are written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias
from uuid import UUID, uuid4

from chladni_client.errors import InvalidInputError
from chladni_contract.images.file_format import image_format_of
from chladni_contract.images.vector_metadata import vector_format_of

MAX_UPLOAD_BYTES: Final = 32 * 1024 * 1024
"""More than any server takes by default; protects from reading a huge file by mistake."""

AUDIO_SUFFIXES: Final = frozenset(
    f".{name}"
    for name in (
        *(
            "wav",
            "wave",
            "bwf",
            "rf64",
            "w64",
            "aif",
            "aifc",
            "aiff",
            "caf",
            "flac",
            "mp2",
            "mp3",
            "oga",
            "ogg",
        ),
        *("opus", "m4a", "mp4", "aac", "3gp", "amr", "webm", "mka", "mkv"),
    )
)
"""Suffixes of files that may hold audio, in small letters."""

_MAX_DISPLAY_NAME_LENGTH: Final = 255

FileSource: TypeAlias = bytes | str | os.PathLike[str] | BinaryIO
"""The bytes of a file, its path, or an open binary file."""


LARGE_FILE_BYTES: Final = 10 * 1024 * 1024
"""A recording of more bytes is sent in pieces if a part of it is chosen."""


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A file that is sent in pieces.

    Attributes:
        path: Where it is.
        size_bytes: How large it is.
        display_name: Its name without folders.
    """

    path: Path
    size_bytes: int
    display_name: str


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes to send.

    Attributes:
        content: The file's bytes.
        display_name: Name of the file without folders; empty if there is none.
    """

    content: bytes
    display_name: str = ""


def read_upload(source: FileSource) -> Upload:
    """Return the bytes of a file, and its name.

    Raises:
        InvalidInputError: The file has more than `MAX_UPLOAD_BYTES`.
        OSError: The file cannot be read.
    """
    if isinstance(source, bytes):
        upload = Upload(source)
    elif isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            upload = Upload(file.read(MAX_UPLOAD_BYTES + 1), _display_name(source))
    else:
        upload = Upload(source.read(MAX_UPLOAD_BYTES + 1), _display_name(getattr(source, "name", "")))
    if len(upload.content) > MAX_UPLOAD_BYTES:
        raise InvalidInputError(
            f"{upload.display_name or 'The file'} has more than {MAX_UPLOAD_BYTES // 1024**2} MiB, "
            "more than a server accepts at once; send a smaller image, or a shorter recording, or choose a "
            "part of the recording's file by start_seconds and end_seconds (--from and --to).",
            reason="FILE_TOO_LARGE",
        )
    return upload


def large_file_of(source: object) -> LargeFile | None:
    """Return the file of a path if it is a large one.

    Raises:
        OSError: It cannot be read.
    """
    if not isinstance(source, str | os.PathLike):
        return None
    path = Path(source)
    size_bytes = path.stat().st_size
    if not path.is_file() or size_bytes <= LARGE_FILE_BYTES:
        return None
    return LargeFile(path, size_bytes, _display_name(source))


def is_image_id(text: str) -> bool:
    """Return whether a text is an identifier of an image: a UUID in its usual form."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file so that nobody ever sees half of it; returns its path.

    Raises:
        OSError: The file cannot be written.
    """
    destination = Path(path)
    if destination.exists() and not destination.is_file():  # a pipe or a device has no other halves
        destination.write_bytes(content)
        return destination
    target = destination.resolve()  # a link stays a link
    temporary = target.with_name(f".{uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return destination


class ImageFile:
    """Something whose `content` is an encoded image."""

    __slots__ = ()

    content: bytes

    @property
    def format(self) -> str:
        """Format of the file: ``png``, ``jpeg``, ``webp``, ``svg`` or ``pdf``; empty for any other."""
        return image_format_of(self.content) or vector_format_of(self.content)

    @property
    def png(self) -> bytes:
        """The file, a PNG.

        Raises:
            ValueError: It has another format, as was asked for.
        """
        if self.format not in ("png", ""):
            raise ValueError(f"the image is a {self.format.upper()} file; use its content")
        return self.content

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file and return its path; an existing file is replaced in one step.

        Raises:
            OSError: The file cannot be written.
        """
        return write_atomically(path, self.content)


def _display_name(name: object) -> str:
    if not isinstance(name, str | os.PathLike):
        return ""
    text = Path(os.fsdecode(name)).name
    # A file name may hold bytes that are no UTF-8, which no message carries.
    return os.fsencode(text).decode("utf-8", "replace")[-_MAX_DISPLAY_NAME_LENGTH:]
