"""Texts of servers and files, as a terminal may show them and in the words of the command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rich.markup import escape

from chladni_contract.printable import printable

_OPTIONS: Final = {
    "guidance_scale": "--guidance",
    "width_pixels": "--width",
    "height_pixels": "--height",
    "initial_latents": "--latents",
    "bypass_cache": "--no-cache",
    "image_format": "--output",
    "encoding": "--output",
    "session_token": "--session-token",
    "max_results": "--limit",
    "after_number": "--after",
    "mel_bin_count": "--mel-bins",
    "fft_size": "--fft",
}
_ARGUMENTS: Final = {
    "audio": "AUDIO",
    "clip": "AUDIO",
    "image_id": "IMAGE_ID",
    "image_ids": "IMAGES",
    "job_id": "JOB_ID",
    "first": "FIRST",
    "second": "SECOND",
}
_ENDINGS: Final = ("content", "format", "file", "image_id", "source")
"""Fields of a message that the command names by the option or the argument that the message came from."""
_SEVERAL_WORDS: Final = re.compile(r"\b(?:[a-z]\w*\.)*[a-z]+(?:_[a-z]+)+\b")
_OPTION_AND_COLON: Final = re.compile(r"(--[a-z-]+|\b[A-Z_]+): (is|must|has)\b")


def shown(text: str) -> str:
    """Return a text of unknown origin for markup of Rich: no markup, and no command to the terminal."""
    return escape(printable(text))


def option_of(field: str) -> str:
    """Return the option or argument of the command by which a field of a request is chosen.

    Args:
        field: Path of the field, such as ``options.guidance_scale`` or ``first.file``.
    """
    names = field.split(".")
    while len(names) > 1 and names[-1] in _ENDINGS:
        names.pop()
    name = names[-1]
    return _ARGUMENTS.get(name) or _OPTIONS.get(name) or f"--{name.replace('_', '-')}"


def in_words_of_options(message: str, fields: Iterable[str] = ()) -> str:
    """Return a message of a server with the options of the command in place of the fields of a request.

    Args:
        message: The message.
        fields: Paths of the fields that it is about.
    """
    for field in sorted(fields, key=len, reverse=True):
        message = re.sub(rf"(?<![\w.-]){re.escape(field)}(?![\w-])", option_of(field), message)
    return _OPTION_AND_COLON.sub(r"\1 \2", _SEVERAL_WORDS.sub(_known_option, message))


def _known_option(match: re.Match[str]) -> str:
    name = match[0].rpartition(".")[2]
    is_option = name in _OPTIONS or name in _ARGUMENTS or name in _FURTHER
    return option_of(match[0]) if is_option else match[0]


_FURTHER: Final = frozenset({"negative_prompt", "noise_mode", "noise_weight", "refiner_start"})
