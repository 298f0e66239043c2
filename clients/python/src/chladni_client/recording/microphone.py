"""The microphone, through PortAudio (https://python-sounddevice.readthedocs.io)."""

from __future__ import annotations

from collections.abc import Generator
from importlib import import_module
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Final

from chladni_client.errors import NotInstalledError
from chladni_client.recording.sources import CHUNKS_PER_SECOND
from chladni_client.types.live import PcmFormat

_SILENT_SECONDS: Final = 5.0
_ALTERNATIVE: Final = "or let a file play its part: --wav FILE"


class Microphone:
    """A microphone of this machine, one channel at its own sample rate.

    Args:
        device: Part of its name, or its number; empty for the system's choice.

    Raises:
        NotInstalledError: What is needed to use one is missing, or there is none.
    """

    def __init__(self, device: str = "") -> None:
        self._sounddevice = _sounddevice()
        self._device: str | int | None = int(device) if device.isdecimal() else device or None
        try:
            found = self._sounddevice.query_devices(self._device, "input")
        except (self._sounddevice.PortAudioError, ValueError) as error:
            raise _no_microphone(error) from error
        self._pcm = PcmFormat(int(found["default_samplerate"]))

    @property
    def pcm(self) -> PcmFormat:
        """What the bytes mean."""
        return self._pcm

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield what is heard, a tenth of a second at a time."""
        heard: SimpleQueue[bytes] = SimpleQueue()

        def take(samples: Any, _frame_count: int, _time: Any, _status: Any) -> None:
            heard.put(bytes(samples))

        try:
            with self._sounddevice.RawInputStream(
                samplerate=self._pcm.sample_rate_hz,
                channels=self._pcm.channel_count,
                dtype="int16",
                blocksize=self._pcm.sample_rate_hz // CHUNKS_PER_SECOND,
                device=self._device,
                callback=take,
            ):
                while True:
                    yield heard.get(timeout=_SILENT_SECONDS)
        except (self._sounddevice.PortAudioError, Empty) as error:
            raise _no_microphone(error) from error


def _sounddevice() -> ModuleType:
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise NotInstalledError(
            "Recording needs the package sounddevice: pip install 'chladni-client[live]'.",
            reason="NOT_INSTALLED",
        ) from error
    except OSError as error:
        raise NotInstalledError(
            "Recording needs the library PortAudio: install it (Debian and Ubuntu: apt install "
            "libportaudio2; Fedora: dnf install portaudio; macOS: brew install portaudio), "
            f"{_ALTERNATIVE}.",
            reason="NOT_INSTALLED",
        ) from error


def _no_microphone(error: Exception) -> NotInstalledError:
    why = str(error) or f"it gave nothing for {_SILENT_SECONDS:g} s"
    return NotInstalledError(
        f"No microphone can be used ({why}): connect one and allow its use, choose one with --device, "
        f"{_ALTERNATIVE}.",
        reason="NO_MICROPHONE",
    )
