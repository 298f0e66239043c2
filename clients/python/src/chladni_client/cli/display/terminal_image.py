"""An image on a terminal: by kitty's protocol, as sixels, or as half blocks of two colours each."""

from __future__ import annotations

import base64
import io
import os
import select
import sys
import time
from enum import StrEnum
from typing import Final

import numpy as np
from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

_KITTY_CHUNK: Final = 4096
_ESCAPE: Final = "\x1b"
_ANSWER_SECONDS: Final = 0.2
_LONGEST_ANSWER: Final = 64
_SIXEL_SIDE_PIXELS: Final = 512
_SIXEL_COLOURS: Final = 64
_SIXEL_ROWS: Final = 6
_SIXEL_ATTRIBUTE: Final = b"4"
_MAX_COLUMNS: Final = 64


class Protocol(StrEnum):
    """How a terminal is given an image."""

    KITTY = "kitty"
    SIXEL = "sixel"
    BLOCKS = "blocks"


def show_image(content: bytes) -> None:
    """Draw an image on the terminal; does nothing if standard output is none.

    The environment variable ``CHLADNI_SHOW`` (``kitty``, ``sixel`` or ``blocks``) names the protocol for
    terminals that are taken for others.
    """
    console = Console()
    if not console.is_terminal:
        return
    image = Image.open(io.BytesIO(content)).convert("RGB")
    match _protocol():
        case Protocol.KITTY:
            sys.stdout.write(kitty(image, columns=_columns(console)) + "\n")
        case Protocol.SIXEL:
            sys.stdout.write(sixel(image) + "\n")
        case Protocol.BLOCKS:
            console.print(Blocks(image, columns=_columns(console)))
    sys.stdout.flush()


def kitty(image: Image.Image, *, columns: int) -> str:
    """Return the commands of kitty's graphics protocol for an image, scaled to a number of columns."""
    file = io.BytesIO()
    image.save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode()
    chunks = [text[begin : begin + _KITTY_CHUNK] for begin in range(0, len(text), _KITTY_CHUNK)]
    commands = []
    for number, chunk in enumerate(chunks, start=1):
        keys = f"a=T,f=100,c={columns}," if number == 1 else ""
        commands.append(f"{_ESCAPE}_G{keys}m={int(number < len(chunks))};{chunk}{_ESCAPE}\\")
    return "".join(commands)


def sixel(image: Image.Image) -> str:
    """Return the sixels of an image: bands of six rows, in each of them one colour after another."""
    image = image.copy()
    image.thumbnail((_SIXEL_SIDE_PIXELS, _SIXEL_SIDE_PIXELS))
    indexed = image.quantize(_SIXEL_COLOURS)
    palette = np.asarray(indexed.getpalette() or []).reshape(-1, 3) * 100 // 255
    pixels = np.asarray(indexed)
    parts = [f'{_ESCAPE}Pq"1;1;{image.width};{image.height}']
    parts += [f"#{index};2;{';'.join(map(str, colour))}" for index, colour in enumerate(palette)]
    for top in range(0, image.height, _SIXEL_ROWS):
        band = pixels[top : top + _SIXEL_ROWS]
        weights = (1 << np.arange(len(band)))[:, np.newaxis]
        for index in np.unique(band):
            bits = ((band == index) * weights).sum(axis=0)
            parts.append(f"#{index}" + "".join(map(_run, *_runs_of(bits))) + "$")
        parts.append("-")
    return "".join(parts) + f"{_ESCAPE}\\"


class Blocks:
    """An image in characters, each of which shows two pixels: its upper half and the colour behind it.

    Args:
        image: The image.
        columns: Its width in characters.
    """

    def __init__(self, image: Image.Image, *, columns: int) -> None:
        rows = max(2, round(columns * image.height / image.width / 2) * 2)
        self._pixels = np.asarray(image.resize((columns, rows), Image.Resampling.LANCZOS))

    def __rich_console__(self, _console: object, _options: object) -> list[Segment]:
        segments = []
        for upper, lower in zip(self._pixels[::2], self._pixels[1::2], strict=True):
            for above, below in zip(upper, lower, strict=True):
                style = Style(color=Color.from_rgb(*above.tolist()), bgcolor=Color.from_rgb(*below.tolist()))
                segments.append(Segment("▀", style))
            segments.append(Segment.line())
        return segments


def _columns(console: Console) -> int:
    return max(2, min(_MAX_COLUMNS, console.width - 1, 2 * (console.height - 2)))


def _protocol() -> Protocol:
    chosen = os.environ.get("CHLADNI_SHOW", "")
    if chosen in list(Protocol):
        return Protocol(chosen)
    program, term = os.environ.get("TERM_PROGRAM", ""), os.environ.get("TERM", "")
    if "KITTY_WINDOW_ID" in os.environ or "kitty" in term or program in ("ghostty", "WezTerm"):
        return Protocol.KITTY
    return Protocol.SIXEL if _takes_sixels() else Protocol.BLOCKS


def _takes_sixels() -> bool:
    """Ask the terminal for its attributes; those that draw sixels answer with number 4 among them."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        import termios  # noqa: PLC0415 - not on every system
        import tty  # noqa: PLC0415
    except ImportError:
        return False
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write(f"{_ESCAPE}[c")
        sys.stdout.flush()
        answer = b""
        until = time.monotonic() + _ANSWER_SECONDS
        while not answer.endswith(b"c") and len(answer) < _LONGEST_ANSWER:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                break
            answer += os.read(descriptor, 1)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    return _SIXEL_ATTRIBUTE in answer.strip(b"\x1b[?c").split(b";")


def _runs_of(bits: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the values and the lengths of the runs of equal numbers."""
    begins = np.flatnonzero(np.diff(bits, prepend=-1))
    lengths = np.diff(np.append(begins, len(bits)))
    return bits[begins].tolist(), lengths.tolist()


def _run(value: int, length: int) -> str:
    character = chr(63 + value)
    return f"!{length}{character}" if length > 3 else character * length
