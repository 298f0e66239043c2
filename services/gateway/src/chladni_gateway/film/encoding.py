"""Files of films by FFmpeg's libraries: H.264 and AAC in MP4, whose tables come first so that it streams.

Frames are encoded in segments of their own, without frames that look ahead, and joined without encoding them
again: so a film can go on after its last whole segment, and each frame has its exact time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from chladni_contract.errors import InvalidInputError, Reason

AUDIO_RATE_HZ: Final = 48_000
_AUDIO_BITS_PER_SECOND: Final = 192_000
_AUDIO_FRAME: Final = 1024
_FADE_SECONDS: Final = 0.03
_FORMATS: Final = "wav,w64,aiff,ogg,matroska,amr,caf,mov,flac,mp3,aac"
"""What is read: no playlists, which name other files."""
_VIDEO_OPTIONS: Final = {
    "crf": "18",
    "preset": "veryfast",
    "bf": "0",
    "threads": "2",
    "x264-params": "scenecut=0:rc-lookahead=0:sync-lookahead=0:sliced-threads=0",
}
_COLOR_BT709: Final = 1
_RANGE_LIMITED: Final = 1

Floats = NDArray[np.float32]


class SegmentWriter:
    """Encodes the frames of one segment.

    Args:
        path: The file, which is there when it is closed.
        width_pixels: Width of the frames.
        height_pixels: Their height.
        frames_per_second: Their rate.
    """

    def __init__(self, path: Path, *, width_pixels: int, height_pixels: int, frames_per_second: int) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._container = av.open(str(self._partial), "w", format="mp4")
        self._stream = self._container.add_stream(
            "libx264", rate=frames_per_second, options=dict(_VIDEO_OPTIONS)
        )
        self._stream.width, self._stream.height = width_pixels, height_pixels
        self._stream.pix_fmt = "yuv420p"
        # The muxer takes another time base for its own.
        self._time_base = self._stream.time_base = Fraction(1, frames_per_second)
        context = self._stream.codec_context
        context.gop_size = 2 * frames_per_second
        context.color_range = _RANGE_LIMITED
        context.colorspace = context.color_primaries = context.color_trc = _COLOR_BT709
        self._count = 0

    def write(self, pixels: NDArray[np.uint8]) -> None:
        """Encode the next frame, (H, W, 3)."""
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="itu709")
        frame.pts, frame.time_base = self._count, self._time_base
        self._count += 1
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Finish the file."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        self._partial.replace(self._path)

    def discard(self) -> None:
        """Give the file up."""
        self._container.close()
        self._partial.unlink(missing_ok=True)


def join(
    segments: Sequence[Path],
    audio_path: Path,
    target: Path,
    *,
    frames_per_second: int,
    metadata: Mapping[str, str],
) -> None:
    """Join segments and the sound of a part to its file.

    Args:
        segments: Files of `SegmentWriter`, in order.
        audio_path: File of `extract_audio` or `extract_loop_audio`.
        target: The file, which is there when it is whole.
        frames_per_second: Rate of the frames.
        metadata: Texts by name, such as the title.
    """
    partial = target.with_name(f"{target.name}.partial")
    options = {"movflags": "+faststart+use_metadata_tags", "fflags": "+bitexact"}
    time_base = Fraction(1, frames_per_second)
    with (
        av.open(str(partial), "w", format="mp4", options=options) as output,
        av.open(str(audio_path)) as heard,
    ):
        output.metadata.update(metadata)
        with av.open(str(segments[0])) as first:
            video = output.add_stream_from_template(first.streams.video[0])
        audio = output.add_stream_from_template(heard.streams.audio[0])
        coming = (packet for packet in heard.demux(heard.streams.audio[0]) if packet.size)
        waiting = next(coming, None)
        number = 0
        for path in segments:
            with av.open(str(path)) as segment:
                for packet in segment.demux(segment.streams.video[0]):
                    if not packet.size:
                        continue
                    while waiting is not None and _seconds(waiting) <= number / frames_per_second:
                        waiting.stream = audio
                        output.mux(waiting)
                        waiting = next(coming, None)
                    packet.pts = packet.dts = number
                    packet.duration = 1
                    packet.time_base = time_base
                    packet.stream = video
                    output.mux(packet)
                    number += 1
        while waiting is not None:
            waiting.stream = audio
            output.mux(waiting)
            waiting = next(coming, None)
    partial.replace(target)


def extract_audio(song: Path, target: Path, duration_seconds: float) -> None:
    """Encode the sound of a whole song as AAC, exactly as long as its film.

    Raises:
        InvalidInputError: The file holds no sound.
    """
    left = round(duration_seconds * AUDIO_RATE_HZ)
    with _AudioWriter(target) as writer:
        for samples in _decoded(song):
            writer.write(samples[:, :left])
            left -= min(left, samples.shape[1])
            if not left:
                break
        writer.write(np.zeros((2, left), np.float32))


def extract_loop_audio(song: Path, target: Path, start_seconds: float, duration_seconds: float) -> None:
    """Encode the sound of a loop as AAC; its end fades into what precedes its beginning, without a click.

    Raises:
        InvalidInputError: The file holds no sound.
    """
    fade = round(_FADE_SECONDS * AUDIO_RATE_HZ)
    first = round(start_seconds * AUDIO_RATE_HZ)
    count = round(duration_seconds * AUDIO_RATE_HZ)
    wanted = np.zeros((2, fade + count), np.float32)
    position = -(first - fade)
    for samples in _decoded(song):
        low, high = max(0, position), min(wanted.shape[1], position + samples.shape[1])
        if low < high:
            wanted[:, low:high] = samples[:, low - position : high - position]
        position += samples.shape[1]
        if position >= wanted.shape[1]:
            break
    loop = wanted[:, fade:]
    rising = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
    loop[:, -fade:] = loop[:, -fade:] * rising[::-1] + wanted[:, :fade] * rising
    with _AudioWriter(target) as writer:
        writer.write(loop)


class _AudioWriter:
    """Encodes stereo samples as AAC.

    Args:
        target: The file, which is there when it is whole.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(f"{target.name}.partial")
        self._waiting: list[Floats] = []
        self._count = self._position = 0

    def __enter__(self) -> Self:
        self._container = av.open(str(self._partial), "w", format="mp4")
        self._stream = self._container.add_stream("aac", rate=AUDIO_RATE_HZ, layout="stereo")
        self._stream.bit_rate = _AUDIO_BITS_PER_SECOND
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._encode(np.concatenate(self._waiting, axis=1) if self._waiting else np.zeros((2, 0)))
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()
        if kind is None:
            self._partial.replace(self._target)
        else:
            self._partial.unlink(missing_ok=True)

    def write(self, samples: Floats) -> None:
        """Encode the next samples, (2, n)."""
        self._waiting.append(samples)
        self._count += samples.shape[1]
        if self._count >= 64 * _AUDIO_FRAME:
            whole = np.concatenate(self._waiting, axis=1)
            cut = whole.shape[1] // _AUDIO_FRAME * _AUDIO_FRAME
            self._encode(whole[:, :cut])
            self._waiting, self._count = [whole[:, cut:]], whole.shape[1] - cut

    def _encode(self, samples: NDArray[np.float64] | Floats) -> None:
        for start in range(0, samples.shape[1], _AUDIO_FRAME):
            part = np.ascontiguousarray(samples[:, start : start + _AUDIO_FRAME], dtype=np.float32)
            frame = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate = AUDIO_RATE_HZ
            frame.time_base, frame.pts = Fraction(1, AUDIO_RATE_HZ), self._position
            self._position += part.shape[1]
            for packet in self._stream.encode(frame):
                self._container.mux(packet)


def _decoded(song: Path) -> Iterator[Floats]:
    """Yield the samples of a song, (2, n) each; damaged packets are left out.

    Raises:
        InvalidInputError: The file holds no sound.
    """
    resampler = AudioResampler(format="fltp", layout="stereo", rate=AUDIO_RATE_HZ)
    has_audio = False
    try:
        with (
            song.open("rb") as file,
            av.open(file, "r", options={"format_whitelist": _FORMATS}, metadata_errors="ignore") as container,
        ):
            if not container.streams.audio:
                raise InvalidInputError(Reason.CORRUPT_AUDIO, "The song holds no sound.", field="content")
            for packet in container.demux(container.streams.audio[0]):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    continue
                for frame in frames:
                    frame.pts = None
                    for resampled in resampler.resample(frame):
                        has_audio = True
                        yield resampled.to_ndarray().astype(np.float32)
            for resampled in resampler.resample(None):
                yield resampled.to_ndarray().astype(np.float32)
    except FFmpegError:
        if not has_audio:
            raise InvalidInputError(
                Reason.CORRUPT_AUDIO, "The song cannot be decoded.", field="content"
            ) from None


def _seconds(packet: av.Packet[Any]) -> float:
    return float((packet.pts or 0) * (packet.time_base or 0))
