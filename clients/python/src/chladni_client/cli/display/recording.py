"""The level of a recording while it lasts, on standard error: a meter on a terminal, a line elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from chladni_client.recording.recorder import SILENCE_DBFS, level_of
from chladni_client.recording.spectrum import LiveSpectrum
from chladni_client.types.live import AudioLevel, PcmFormat

_METER_WIDTH: Final = 30
_SPECTRUM_WIDTH: Final = 24
_QUIETEST_DBFS: Final = -60.0
_LOUD_DBFS: Final = -12.0
_CLIPPING_DBFS: Final = -1.0


class RecordingDisplay:
    """Shows how long and how loud a recording is, and its spectrum if there is one.

    Args:
        console: Where to.
        pcm: What the bytes of the sound mean.
        spectrum: Where the spectrum comes from.
        is_quiet: Whether to show nothing at all.
    """

    def __init__(self, console: Console, pcm: PcmFormat, spectrum: LiveSpectrum, *, is_quiet: bool) -> None:
        self._console = console
        self._pcm = pcm
        self._spectrum = spectrum
        self._is_quiet = is_quiet
        self._byte_count = 0
        self._peak_dbfs = SILENCE_DBFS
        has_meter = console.is_terminal and not is_quiet
        self._live = Live(console=console, transient=True) if has_meter else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if error is None and not self._is_quiet:
            self._console.print(
                f"recorded {self._seconds:.1f} s, peak {self._peak_dbfs:z.1f} dB", highlight=False
            )

    @property
    def peak_dbfs(self) -> float:
        """Largest magnitude so far, in dB relative to full scale."""
        return self._peak_dbfs

    def show(self, chunk: bytes) -> None:
        """Show the next stretch of the sound."""
        level = level_of(chunk)
        self._byte_count += len(chunk)
        self._peak_dbfs = max(self._peak_dbfs, level.peak_dbfs)
        if self._live is not None:
            self._live.update(self._line(level), refresh=True)

    @property
    def _seconds(self) -> float:
        return self._byte_count / self._pcm.bytes_per_second

    def _line(self, level: AudioLevel) -> Text:
        line = Text.assemble(("● ", "bold red"), f"{self._seconds:5.1f} s  ")
        line.append_text(meter(level))
        line.append(f" {level.rms_dbfs:z6.1f} dB  ", "dim")
        line.append(self._spectrum.drawn(_SPECTRUM_WIDTH), "cyan")
        return line


def meter(level: AudioLevel) -> Text:
    """Return a level as a bar from -60 dB to full scale: green, yellow if loud, red if it clips."""
    part = min(1.0, max(0.0, 1 - level.rms_dbfs / _QUIETEST_DBFS))
    filled = round(part * _METER_WIDTH)
    style = "green"
    if level.peak_dbfs >= _CLIPPING_DBFS:
        style = "red"
    elif level.rms_dbfs >= _LOUD_DBFS:
        style = "yellow"
    return Text.assemble(("█" * filled, style), ("░" * (_METER_WIDTH - filled), "dim"))
