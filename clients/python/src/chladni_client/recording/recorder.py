"""A recording in the making, and when it is done."""

import io
import wave
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from chladni_client.recording.sources import SoundSource
from chladni_client.types.live import PcmFormat


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound that was recorded.

    Attributes:
        pcm: What the bytes mean.
        content: The samples.
    """

    pcm: PcmFormat
    content: bytes = field(repr=False)

    @property
    def duration_seconds(self) -> float:
        """Length."""
        return len(self.content) / self.pcm.bytes_per_second

    def to_wav(self) -> bytes:
        """Returns it as a WAV file."""
        output = io.BytesIO()
        with wave.open(output, "wb") as file:
            file.setnchannels(self.pcm.channel_count)
            file.setsampwidth(2)
            file.setframerate(self.pcm.sample_rate_hz)
            file.writeframes(self.content)
        return output.getvalue()


def record(
    source: SoundSource,
    *,
    is_stopped: Callable[[], bool],
    max_seconds: float,
    on_chunk: Callable[[bytes], None],
) -> Recording:
    """Returns what a source gives until it is stopped, or ends, or the time is over.

    Args:
        source: What to listen to.
        is_stopped: Asked after every chunk, about ten times a second.
        max_seconds: Longest recording.
        on_chunk: Told every chunk.

    Raises:
        ChladniError: There is nothing to listen to.
    """
    pcm = source.pcm
    frame_bytes = pcm.bytes_per_second // pcm.sample_rate_hz
    max_bytes = int(max_seconds * pcm.sample_rate_hz) * frame_bytes
    content = bytearray()
    with closing(source.chunks()) as chunks:
        for chunk in chunks:
            content += chunk
            on_chunk(chunk)
            if len(content) >= max_bytes or is_stopped():
                break
    return Recording(pcm, bytes(content[:max_bytes]))
