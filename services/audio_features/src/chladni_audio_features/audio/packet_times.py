"""Where packets that are passed over lie in the audio, by their timestamps."""

from __future__ import annotations

from typing import Any, Final

_LARGEST_DRIFT_SECONDS: Final = 0.5
"""How far the timestamp of a packet may differ from the sum of the durations before it."""


class PacketTimes:
    """How timestamps of packets relate to positions in the decoded audio.

    Durations of Vorbis, whose blocks vary, do not add up. Timestamps that jump, as between the links of a
    chained file, say nothing.

    Args:
        tick_seconds: Unit of the timestamps.
    """

    def __init__(self, tick_seconds: float) -> None:
        self.has_jumped = False
        """Whether the packets before the next one were passed over."""
        self._tick_seconds = tick_seconds
        self._offset: float | None = None

    def position_after(self, packet: Any, position: float) -> float:
        """Return the position after a packet was decoded, whose samples lead to `position`.

        The first packet that is decoded after others were passed over gives other samples than in its place.
        """
        if self.has_jumped:
            self.has_jumped = False
            return self.end_of(packet, position)
        if packet.pts is not None and packet.duration:
            self._offset = (packet.pts + packet.duration) * self._tick_seconds - position
        return position

    def end_of(self, packet: Any, expected: float) -> float:
        """Return where a packet ends by its timestamp, or as expected if that says nothing."""
        if packet.pts is None or not packet.duration or self._offset is None:
            return expected
        stamped = float((packet.pts + packet.duration) * self._tick_seconds) - self._offset
        return stamped if abs(stamped - expected) < _LARGEST_DRIFT_SECONDS else expected
