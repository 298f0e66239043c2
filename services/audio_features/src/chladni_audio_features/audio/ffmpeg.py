"""Decoding by FFmpeg's libraries: bytes in memory to mono samples at the rate of the file.

`decode_file` is made to run in a process of its own (`chladni_runtime.execution.process_pool`): the libraries
are written in C and read hostile bytes. Only the reader of the recognised container and the listed codecs are
ever used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import av.logging
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from chladni_audio_features.audio.clip import AudioClip, ClipPart, SourceFormat
from chladni_audio_features.audio.containers.recognition import Container, FileKind
from chladni_audio_features.audio.errors import (
    AudioTooLongError,
    CorruptAudioError,
    EmptyAudioError,
    TruncatedAudioError,
    UnsupportedFormatError,
)
from chladni_audio_features.audio.limits import (
    DecodingLimits,
    check_layout,
    check_samples,
    part_after_end,
    too_long,
)
from chladni_audio_features.audio.mixing import CancellationMeter, channels_last, mix_channels, to_float
from chladni_audio_features.audio.packet_times import PacketTimes
from chladni_contract.warnings import ServiceWarning, WarningReason, new_warning

_PCM_TYPES: Final = ("s16", "s24", "s32", "f32", "f64")
CODECS: Final = frozenset(
    {"flac", "mp3", "mp3float", "mp2", "mp2float", "vorbis", "opus", "aac", "alac", "amrnb", "amrwb"}
    | {"pcm_s8", "pcm_u8", "pcm_alaw", "pcm_mulaw"}
    | {f"pcm_{kind}{order}" for kind in _PCM_TYPES for order in ("le", "be")}
)
"""Names of the decoders that are used."""

_EXACT_CODECS: Final = ("flac", "pcm_")
"""Beginnings of the names of codecs whose length a header declares to the sample."""

_OPTIONS: Final = {"codec_whitelist": ",".join(sorted(CODECS)), "max_streams": "64"}
_WAV_OPTIONS: Final = {**_OPTIONS, "probesize": "4096"}
"""A WAV might hold other codecs that pass for PCM, and FFmpeg looks for them for 6 ms."""
_BLOCK_FRAMES: Final = 65536
_RUN_UP_SECONDS: Final = 1.0  # Decoded before a part, so that decoders that look back have settled.
_RESAMPLING_QUALITY: Final = "HQ"
_KEEPING: Final = "keep what there is with `ffmpeg -i FILE audio.flac`"
_CUT: Final = f"it is cut short or damaged: send the complete file, or {_KEEPING}"
_CONVERSION: Final = "convert it, for example with `ffmpeg -i FILE audio.flac`"


@dataclass(frozen=True, slots=True)
class DecodingTask:
    """What is to be decoded, and how.

    Attributes:
        kind: What the file is.
        limits: What it may be.
        part: Which part of it; `None` for all of it.
        channel: Which channel; `None` for their average.
    """

    kind: FileKind
    limits: DecodingLimits
    part: ClipPart | None = None
    channel: int | None = None


def warm_up() -> None:
    """Load and initialise what decoding needs."""
    av.logging.set_level(av.logging.ERROR)
    for name in CODECS:
        av.Codec(name, "r")


def decode_file(content: bytes | memoryview | Path, task: DecodingTask) -> AudioClip:
    """Decode a file at the sample rate it has, in mono.

    Packets that cannot be decoded are left out, and warned of.

    Args:
        content: The whole file, or where it is.
        task: What it is, and how it is decoded.

    Raises:
        AudioError: One of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
    """
    # Errors that decoders conceal are in FFmpeg's log only.
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as log:
        options = _WAV_OPTIONS if task.kind.container is Container.WAV else _OPTIONS
        try:
            with ExitStack() as stack:
                file: Any = (
                    stack.enter_context(content.open("rb"))
                    if isinstance(content, Path)
                    else _MemoryFile(content)
                )
                container = stack.enter_context(
                    av.open(file, "r", format=task.kind.demuxer, options=options, metadata_errors="ignore")
                )
                stream, warnings = _choose_stream(container, task)
                decoding = _Decoding(container, stream, task, log)
                decoding.run()
        except FFmpegError as error:
            raise CorruptAudioError(
                f"the {task.kind.container.value} file cannot be read: its header is damaged or cut short; "
                f"send the complete file, or {_CONVERSION}"
            ) from error
    if decoding.meter.loudest_channel is not None and task.channel is None:
        again = DecodingTask(task.kind, task.limits, task.part, decoding.meter.loudest_channel)
        clip = decode_file(content, again)
        return AudioClip(
            clip.samples, clip.sample_rate_hz, clip.source, (*clip.warnings, decoding.meter.warning())
        )
    return decoding.clip(warnings)


def _choose_stream(
    container: InputContainer, task: DecodingTask
) -> tuple[AudioStream, tuple[ServiceWarning, ...]]:
    """Return the first audio stream, and what is to be said of the others.

    Raises:
        UnsupportedFormatError: There is none, or its codec is not read.
        AudioLayoutError: Its sample rate or its number of channels is outside the limits.
    """
    name = task.kind.container.value
    streams = container.streams.audio
    if not streams:
        others = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise UnsupportedFormatError(
            f"the {name} file holds no audio ({others}); send one with an audio track",
            metadata={"container": name},
        )
    stream = streams[0]
    codec = _codec_name(stream)
    if codec not in CODECS:
        raise UnsupportedFormatError(
            f"the {name} file holds {codec or 'an unknown codec'}, which is not read; {_CONVERSION}",
            metadata={"container": name, "codec": codec},
        )
    if not stream.channels or not stream.sample_rate:  # what FFmpeg leaves of a codec header that it refuses
        raise CorruptAudioError(
            f"the header of the {name} file's {codec} is damaged; send another copy, or {_CONVERSION}"
        )
    check_layout(sample_rate_hz=stream.sample_rate, channels=stream.channels, limits=task.limits)
    if len(streams) == 1:
        return stream, ()
    warning = new_warning(
        WarningReason.SEVERAL_AUDIO_STREAMS,
        f"The file holds {len(streams)} audio streams; the first one was used.",
        count=len(streams),
    )
    return stream, (warning,)


class _Decoding:
    """The decoding of one stream."""

    def __init__(
        self, container: InputContainer, stream: AudioStream, task: DecodingTask, log: list[Any]
    ) -> None:
        self._container = container
        self._stream = stream
        self._task = task
        self._log = log
        self._part = task.part or ClipPart()
        self._codec = _codec_name(stream)
        # Of the first frame; probing may have met a file of another rate that is joined to this one.
        self._rate_hz: int = stream.sample_rate
        self._channels = 0
        self._tick_seconds = float(stream.time_base or 0)
        self._position = 0.0  # seconds decoded or passed over
        self._kept_seconds = 0.0
        self._waiting: list[npt.NDArray[Any]] = []
        self._waiting_format: tuple[int, str] = (self._rate_hz, "")
        self._segments: list[tuple[int, list[npt.NDArray[np.float32]]]] = []
        self._packet_count = 0
        self._faults: list[float] = []  # seconds at which something could not be decoded
        self._lost_seconds = self._frame_seconds = 0.0
        self._ended_early = False
        self._times = PacketTimes(self._tick_seconds)
        self.meter = CancellationMeter()

    def run(self) -> None:
        """Decode up to the end, of the part or of the stream."""
        stream = self._stream
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"err_detect": "crccheck"}
        self._check_declared()
        self._log.clear()
        end = self._part.end_seconds
        has_ended = False
        for packet in self._packets():
            for frame in self._decode(packet):
                self._take(frame)
            self._position = self._times.position_after(packet, self._position)
            if end is not None and self._position >= end:
                has_ended = True
                break
        self._convert_waiting()
        if not has_ended:
            self._check_end()

    def clip(self, warnings: tuple[ServiceWarning, ...]) -> AudioClip:
        """Return what was decoded."""
        samples = self._joined()
        return AudioClip(
            samples=samples,
            sample_rate_hz=self._rate_hz,
            source=SourceFormat(
                container=self._task.kind.container,
                codec=self._codec.removesuffix("float").upper(),
                sample_rate_hz=self._rate_hz,
                channels=self._channels,
                duration_seconds=len(samples) / self._rate_hz,
                start_seconds=None if self._task.part is None else self._part.start_seconds,
            ),
            warnings=(*warnings, *self._fault_warnings()),
        )

    @property
    def _declared_seconds(self) -> float | None:
        """Length that the header declares, if it is to be believed."""
        stream = self._stream
        if not self._task.kind.declares_length or stream.duration is None or stream.duration <= 0:
            return None
        return float(stream.duration * (stream.time_base or 0))

    def _check_declared(self) -> None:
        declared = self._declared_seconds
        limits = self._task.limits
        if declared is None:
            return
        if self._part.start_seconds >= declared:
            raise part_after_end(self._part, declared)
        remaining = min(self._part.end_seconds or declared, declared) - self._part.start_seconds
        if remaining > limits.max_duration_seconds + 0.5 / self._rate_hz:
            raise too_long(f"{remaining:.2f} s long", limits=limits, duration_seconds=remaining)

    def _packets(self) -> Iterator[Any]:
        """Yield the packets that are to be decoded; those long before the part are passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                self._ended_early = True
                return
            self._packet_count += packet.size > 0
            if not self._pass_over(packet):
                yield packet

    def _pass_over(self, packet: Any) -> bool:
        """Count a packet that lies long before the part as decoded."""
        last_start = self._part.start_seconds - _RUN_UP_SECONDS
        if not _RUN_UP_SECONDS <= self._position <= last_start or not packet.duration:
            return False
        end = self._times.end_of(packet, self._position + packet.duration * self._tick_seconds)
        if end > last_start:
            return False
        self._position, self._times.has_jumped = end, True
        return True

    def _decode(self, packet: Any) -> list[AudioFrame]:
        try:
            frames: list[AudioFrame] = packet.decode()
        except FFmpegError:
            self._note_fault()
            self._lost_seconds += (packet.duration or 0) * self._tick_seconds
            frames = []
        else:
            if self._log or any(frame.is_corrupt for frame in frames):
                self._note_fault()
        self._log.clear()
        return frames

    def _note_fault(self) -> None:
        if self._position >= self._part.start_seconds:
            self._faults.append(self._position)

    def _take(self, frame: AudioFrame) -> None:
        """Keep what lies within the part."""
        rate_hz = frame.sample_rate
        if not self._channels:
            self._rate_hz, self._channels = rate_hz, frame.layout.nb_channels
        begin, seconds = self._position, frame.samples / rate_hz
        self._position += seconds
        self._frame_seconds = max(self._frame_seconds, seconds)
        first = max(0, round((self._part.start_seconds - begin) * rate_hz))
        last = frame.samples
        if self._part.end_seconds is not None:
            last = min(last, round((self._part.end_seconds - begin) * rate_hz))
        if first >= last:
            return
        self._kept_seconds += (last - first) / rate_hz
        limits = self._task.limits
        if self._kept_seconds > limits.max_duration_seconds + 0.5 / rate_hz:
            raise self._too_long()
        frame_format = (rate_hz, frame.format.name)
        is_full = len(self._waiting) * frame.samples > _BLOCK_FRAMES
        if is_full or self._waiting_format != frame_format:
            self._convert_waiting()
            self._waiting_format = frame_format
        samples = channels_last(frame.to_ndarray(), frame.samples, is_planar=frame.format.is_planar)
        self._waiting.append(samples[first:last])

    def _too_long(self) -> AudioTooLongError:
        limits = self._task.limits
        if self._declared_seconds is not None:
            return too_long("longer than its header says", limits=limits)
        seconds = (self._container.duration or 0) / av.time_base  # an estimate
        if seconds > limits.max_duration_seconds:
            return too_long(f"about {seconds:.0f} s long", limits=limits, duration_seconds=round(seconds, 3))
        return too_long(f"longer than {self._position:.0f} s", limits=limits)

    def _convert_waiting(self) -> None:
        """Convert, check and mix what was decoded; many frames at a time, because frames are small."""
        if not self._waiting:
            return
        rate_hz = self._waiting_format[0]
        groups: list[list[npt.NDArray[Any]]] = []
        for block in self._waiting:
            if groups and groups[-1][0].shape[1] == block.shape[1]:
                groups[-1].append(block)
            else:
                groups.append([block])
        self._waiting = []
        for group in groups:
            samples = to_float(np.concatenate(group))
            check_samples(samples, max_amplitude=self._task.limits.max_amplitude)
            channel = self._task.channel
            mix = mix_channels(samples) if channel is None else samples[:, min(channel, samples.shape[1] - 1)]
            if channel is None:
                self.meter.add(samples, mix)
            if not self._segments or self._segments[-1][0] != rate_hz:
                self._segments.append((rate_hz, []))
            self._segments[-1][1].append(np.ascontiguousarray(mix))

    def _joined(self) -> npt.NDArray[np.float32]:
        """Return all samples at the rate of the stream; links of a chain may have others."""
        parts = []
        for rate_hz, blocks in self._segments:
            samples = np.concatenate(blocks)
            if rate_hz != self._rate_hz:
                samples = soxr.resample(samples, rate_hz, self._rate_hz, quality=_RESAMPLING_QUALITY)
            parts.append(samples)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _check_end(self) -> None:
        """Check that the stream was not cut short, and that there is something of it."""
        name = self._task.kind.container.value
        if not self._position and self._faults:
            raise CorruptAudioError(
                f"none of the {self._packet_count} packets of the {name} file can be decoded; it is damaged: "
                f"send another copy, or {_CONVERSION}",
                metadata={"found": 0, "declared": self._packet_count},
            )
        declared = self._declared_seconds
        if not self._position:
            if declared or self._ended_early:
                raise TruncatedAudioError(
                    f"the {name} file ends before its audio begins, or is damaged; send the complete file"
                )
            raise EmptyAudioError(f"the {name} file holds no samples; record it again")
        if self._part.start_seconds and not self._kept_seconds:
            raise part_after_end(self._part, self._position)
        expected_packets = self._task.kind.packet_count or 0
        if self._packet_count < expected_packets:
            if self._task.kind.is_cut:
                raise TruncatedAudioError(
                    f"the {name} file declares {expected_packets} frames and holds {self._packet_count}; "
                    f"{_CUT}",
                    metadata={"declared": expected_packets, "found": self._packet_count},
                )
            self._note_fault()
        tolerance = 0.5 / self._rate_hz if self._codec.startswith(_EXACT_CODECS) else self._frame_seconds
        if declared is not None and declared - self._position - self._lost_seconds > tolerance:
            raise TruncatedAudioError(
                f"the {name} file declares {declared:.2f} s and ends after {self._position:.2f} s; {_CUT}",
                metadata={
                    "declared": round(declared * self._rate_hz),
                    "found": round(self._position * self._rate_hz),
                },
            )

    def _fault_warnings(self) -> Iterator[ServiceWarning]:
        if self._faults:
            count, first = len(self._faults), round(self._faults[0], 3)
            places = "One place" if count == 1 else f"{count} places"
            yield new_warning(
                WarningReason.AUDIO_DAMAGED,
                f"{places} of the audio could not be decoded as they should, the first one at {first:.2f} s; "
                "what is there may be missing or sound wrong. If that matters, send another copy.",
                count=count,
                first_seconds=first,
            )
        if self._ended_early:
            yield new_warning(
                WarningReason.AUDIO_INCOMPLETE,
                f"The file cannot be read to its end; {self._position:.2f} s of its audio are there. If that "
                "matters, send the complete file.",
                duration_seconds=round(self._position, 3),
            )


class _MemoryFile:
    """Bytes as a file for FFmpeg; unlike `io.BytesIO` it does not copy a memoryview."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = memoryview(content)
        self._position = 0

    def read(self, size: int) -> bytes:
        part = bytes(self._content[self._position : self._position + size])
        self._position += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._content)}[whence]
        self._position = min(max(0, base + offset), len(self._content))
        return self._position

    def tell(self) -> int:
        return self._position


def _codec_name(stream: AudioStream) -> str:
    return "" if stream.codec_context is None else stream.codec_context.name
