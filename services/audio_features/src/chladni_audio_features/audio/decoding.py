"""Decoding of audio files: bytes in memory to mono samples at the analysis rate."""

from __future__ import annotations

import logging
import mmap
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import soxr

from chladni_audio_features.audio import errors, ffmpeg
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ, AudioClip, ClipPart, SourceFormat
from chladni_audio_features.audio.containers.recognition import Container, recognise_file
from chladni_audio_features.audio.containers.wav import WavHeader, read_wav_header
from chladni_audio_features.audio.errors import CorruptAudioError, EmptyAudioError, TruncatedAudioError
from chladni_audio_features.audio.ffmpeg import DecodingTask, decode_file
from chladni_audio_features.audio.limits import (
    DecodingLimits,
    check_layout,
    check_not_too_short,
    check_part,
    check_size,
)
from chladni_audio_features.audio.pcm import FILE_FIELDS, PcmEncoding, PcmFormat, PcmReader, read_part
from chladni_contract.warnings import ServiceWarning, WarningReason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.process_pool import (
    ProcessEndedError,
    ProcessLimits,
    ProcessPool,
    ProcessTimeoutError,
)

_log = logging.getLogger(__name__)

PROCESS_LIMITS: Final = ProcessLimits(cpu_seconds=10.0, wall_seconds=30.0, memory_bytes=256 * 1024 * 1024)
"""What the decoding of one file may take. An hour of Opus takes 1 s if a part is chosen, 30 s of it 0.1 s."""

_RESAMPLING_QUALITY: Final = "HQ"
_OGG_PAGE_BYTES: Final = 27
_PCM_ENCODINGS: Final = {
    "PCM_8": PcmEncoding.UINT8,
    "PCM_16": PcmEncoding.INT16,
    "PCM_24": PcmEncoding.INT24,
    "PCM_32": PcmEncoding.INT32,
    "FLOAT_32": PcmEncoding.FLOAT32,
    "FLOAT_64": PcmEncoding.FLOAT64,
}
"""Codings of WAV files that NumPy reads, in a tenth of the time that FFmpeg and another process take."""
_RESULT_TYPES: Final = (
    AudioClip,
    SourceFormat,
    Container,
    ServiceWarning,
    WarningReason,
    *(
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.AudioError)
    ),
)


def new_process_pool(process_count: int) -> ProcessPool:
    """Return the processes that files are decoded in, not started yet."""
    return ProcessPool(
        process_count,
        limits=PROCESS_LIMITS,
        modules=[ffmpeg.__name__],
        warm_up=ffmpeg.warm_up,
        result_types=_RESULT_TYPES,
    )


class AudioDecoder:
    """Decodes audio files within limits.

    Stateless after construction, hence safe to share between threads.

    Args:
        limits: What a clip may be.
        sample_rate_hz: What `decode` resamples to.
        processes: Where FFmpeg's libraries run, which is the place for files from anyone; `None` means in
            this
            process, for files of one's own.
    """

    def __init__(
        self,
        limits: DecodingLimits,
        *,
        sample_rate_hz: int = ANALYSIS_SAMPLE_RATE_HZ,
        processes: ProcessPool | None = None,
    ) -> None:
        self._limits = limits
        self._sample_rate_hz = sample_rate_hz
        self._processes = processes

    @property
    def limits(self) -> DecodingLimits:
        """What a clip may be."""
        return self._limits

    def decode(self, data: bytes) -> AudioClip:
        """Decode a file and resample it; see `read`.

        Returns:
            The audio in mono at the decoder's sample rate. Silence is audio.

        Raises:
            AudioError: one of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
        """
        return resampled(self.read(data), self._sample_rate_hz)

    def read(
        self, file: bytes | Path, part: ClipPart | None = None, *, token: CancellationToken | None = None
    ) -> AudioClip:
        """Decode a file, or a part of it, at the sample rate it has.

        The limits are checked while decoding, whatever the header says: memory stays bounded by the longest
        allowed audio whatever the file contains. Channels are averaged, unless they cancel each other.

        Args:
            file: the bytes of the whole file, or where it is, and then only what is needed is read; its
                kind is recognised by content.
            part: which part is meant; `None` for all of it.
            token: whether the audio is still wanted.

        Returns:
            The audio in mono at the file's sample rate. Silence is audio.

        Raises:
            AudioError: one of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
        """
        data = _mapped(file) if isinstance(file, Path) else file
        check_size(data, limits=self._limits, part=part)
        if part is not None:
            check_part(part, limits=self._limits)
        kind = recognise_file(data)
        if kind.demuxer == "wav":
            header = self._read_wav_header(data)
            encoding = _PCM_ENCODINGS.get(header.codec)
            if encoding is not None:
                return self._read_samples(data, header, encoding, part)
        elif kind.container is Container.OGG:
            _check_last_page(data)
        clip = self._run(file, len(data), DecodingTask(kind, self._limits, part), token)
        check_not_too_short(clip.duration_seconds, limits=self._limits)
        return clip

    def _read_wav_header(self, data: bytes) -> WavHeader:
        header = read_wav_header(data)
        check_layout(sample_rate_hz=header.sample_rate_hz, channels=header.channels, limits=self._limits)
        if header.frames == 0:
            raise EmptyAudioError("the WAV file holds no samples; record it again")
        return header

    def _read_samples(
        self, data: bytes, header: WavHeader, encoding: PcmEncoding, part: ClipPart | None
    ) -> AudioClip:
        """Return the audio of a WAV file whose samples need no decoder."""
        pcm_format = PcmFormat(header.sample_rate_hz, header.channels, encoding)
        reader = PcmReader(pcm_format, limits=self._limits, fields=FILE_FIELDS)
        end = header.start + header.frames * reader.frame_bytes
        source = SourceFormat(Container.WAV, header.codec, header.sample_rate_hz, header.channels, 0.0)
        return read_part(reader, memoryview(data)[header.start : end], source, limits=self._limits, part=part)

    def _run(
        self, file: bytes | Path, size_bytes: int, task: DecodingTask, token: CancellationToken | None
    ) -> AudioClip:
        if self._processes is None:
            return decode_file(file, task)
        name = task.kind.container.value
        try:
            content = file if isinstance(file, Path) else pickle.PickleBuffer(file)
            return self._processes.run(decode_file, content, task, token=token)
        except ProcessTimeoutError as error:
            _log.warning("decoding took too long", extra={"format": name, "size_bytes": size_bytes})
            raise CorruptAudioError(
                f"decoding the {name} file takes more than {error.limit_seconds:g} s, which no sound file "
                f"needs; it "
                "is damaged: convert it, for example with `ffmpeg -i FILE audio.flac`",
                metadata={"timeout_seconds": error.limit_seconds},
            ) from None
        except MemoryError:
            max_bytes = self._processes.limits.memory_bytes
            raise CorruptAudioError(
                f"decoding the {name} file takes more than {max_bytes} bytes of memory, which no sound file "
                f"needs; it "
                "is damaged: convert it, for example with `ffmpeg -i FILE audio.flac`",
                metadata={"max_bytes": max_bytes},
            ) from None
        except ProcessEndedError:
            _log.warning("a decoding process ended", extra={"format": name, "size_bytes": size_bytes})
            raise CorruptAudioError(
                f"the {name} file makes the decoder fail; it is damaged: convert it, for example with "
                "`ffmpeg -i FILE audio.flac`"
            ) from None


def resampled(clip: AudioClip, sample_rate_hz: int) -> AudioClip:
    """Return the same audio at another sample rate."""
    if clip.sample_rate_hz == sample_rate_hz:
        return clip
    samples: npt.NDArray[np.float32] = soxr.resample(
        clip.samples, clip.sample_rate_hz, sample_rate_hz, quality=_RESAMPLING_QUALITY
    )
    return replace(clip, samples=samples, sample_rate_hz=sample_rate_hz)


def _mapped(file: Path) -> bytes:
    """Return a file of which only the pages are in memory that are read; what reads bytes can read it too."""
    with file.open("rb") as opened:
        if not file.stat().st_size:
            return b""
        return cast("bytes", mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ))


def _check_last_page(data: bytes) -> None:
    """Check that the last page of an OGG file is whole; whether it is marked as the last is no matter.

    Raises:
        TruncatedAudioError: The file ends within it.
    """
    start = data.rfind(b"OggS")
    end = len(data) + 1
    if start + _OGG_PAGE_BYTES <= len(data):
        (segment_count,) = struct.unpack_from("B", data, start + _OGG_PAGE_BYTES - 1)
        lacing = data[start + _OGG_PAGE_BYTES : start + _OGG_PAGE_BYTES + segment_count]
        if len(lacing) == segment_count:
            end = start + _OGG_PAGE_BYTES + segment_count + sum(lacing)
    if end > len(data):
        raise TruncatedAudioError(
            "the OGG file ends within a page; it is cut short or still being written: send the complete "
            "file, or keep what there is with `ffmpeg -i FILE audio.flac`"
        )
