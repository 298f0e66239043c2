"""Write the sample sounds.

    python -m chladni_audio_features.tools.make_samples --output tests/fixtures/samples

Needs espeak-ng. The same versions of the tools give the same bytes.
"""

from __future__ import annotations

import argparse
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from chladni_audio_features.analysis.spectrogram import MelSettings, MelTransform, log_mel_spectrogram
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.rendering import Colormap, render_spectrogram
from chladni_audio_features.tools.sample_clips import (
    Render,
    calm_major,
    dark_drone,
    drum_loop,
    fast_minor,
    faulty_gearbox,
    healthy_gearbox,
    speech,
    worn_machine,
)
from chladni_audio_features.training.synthesis.speech import Utterance

_PAGE_HEADER_BYTES = 27
_SERIAL_OFFSET, _CHECKSUM_OFFSET = 14, 22
_POLYNOMIAL = 0x04C11DB7
_OGG_SERIAL = 1787  # when Chladni published the figures


@dataclass(frozen=True)
class Sample:
    """A file to write.

    Attributes:
        name: file name; its suffix is the format.
        render: makes the sound.
        sample_rate_hz: rate to make it at.
    """

    name: str
    render: Render
    sample_rate_hz: int


SAMPLES = (
    Sample(
        "speech_english.wav",
        speech(
            Utterance(
                voice="en-gb",
                text="The sand dances where the plate sings, and rests where it is still.",
                words_per_minute=150,
            )
        ),
        16000,
    ),
    Sample(
        "speech_french.mp3",
        speech(
            Utterance(
                voice="fr-fr+f3",
                text="Le sable danse où la plaque chante, et dort où elle se tait.",
                words_per_minute=165,
                pitch=65,
            )
        ),
        22050,
    ),
    Sample(
        "speech_german.ogg",
        speech(
            Utterance(
                voice="de+m7",
                text="Der Sand tanzt, wo die Platte singt, und ruht, wo sie schweigt.",
                words_per_minute=135,
                pitch=25,
            )
        ),
        22050,
    ),
    Sample("music_calm_major.ogg", calm_major, 44100),
    Sample("music_fast_minor.mp3", fast_minor, 44100),
    Sample("music_drum_loop.flac", drum_loop, 22050),
    Sample("music_dark_drone.ogg", dark_drone, 44100),
    Sample("machine_worn_bearing.flac", worn_machine, 16000),
)

MACHINE_SAMPLES = (
    Sample("gearbox_healthy.flac", healthy_gearbox, 16000),
    Sample("gearbox_faulty.flac", faulty_gearbox, 16000),
)
"""Each with its gray spectrogram, as machine listening sees it."""

_MACHINE_SIDE_PIXELS = 224


def encode(samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]], *, rate_hz: int, suffix: str) -> bytes:
    """Encode a sound as WAV (16 bit), FLAC (16 bit), MP3 or OGG/Vorbis."""
    file = io.BytesIO()
    subtype = "PCM_16" if suffix in (".wav", ".flac") else None
    soundfile.write(file, samples, rate_hz, format=suffix.removeprefix(".").upper(), subtype=subtype)
    encoded = file.getvalue()
    return with_serial(encoded, _OGG_SERIAL) if suffix == ".ogg" else encoded


def with_serial(file: bytes, serial: int) -> bytes:
    """Return an OGG file of one stream with another serial number.

    Encoders draw the serial number of a stream at random, so that no two runs give the same file. A file
    with one stream may have any number; this sets it and corrects the checksums of the pages.
    """
    table = [_remainder(byte) for byte in range(256)]
    changed = bytearray(file)
    position = 0
    while position < len(changed):
        segments = changed[position + _PAGE_HEADER_BYTES - 1]
        lacing = changed[position + _PAGE_HEADER_BYTES : position + _PAGE_HEADER_BYTES + segments]
        end = position + _PAGE_HEADER_BYTES + segments + sum(lacing)
        struct.pack_into("<I", changed, position + _SERIAL_OFFSET, serial)
        struct.pack_into("<I", changed, position + _CHECKSUM_OFFSET, 0)
        checksum = 0
        for byte in changed[position:end]:
            checksum = (checksum << 8 & 0xFFFFFFFF) ^ table[checksum >> 24 ^ byte]
        struct.pack_into("<I", changed, position + _CHECKSUM_OFFSET, checksum)
        position = end
    return bytes(changed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--output", type=Path, default=Path("tests/fixtures/samples"), help="folder to write to"
    )
    parser.add_argument("--machines", type=Path, help="folder to write machines to, in place of the others")
    options = parser.parse_args(arguments)
    folder: Path = options.machines or options.output
    folder.mkdir(parents=True, exist_ok=True)
    for sample in MACHINE_SAMPLES if options.machines else SAMPLES:
        path = folder / sample.name
        clip = sample.render(sample.sample_rate_hz)
        path.write_bytes(encode(clip, rate_hz=sample.sample_rate_hz, suffix=path.suffix))
        seconds = len(clip) / sample.sample_rate_hz
        if options.machines:
            path.with_suffix(".png").write_bytes(machine_spectrogram(path.read_bytes()))
        print(f"{path.name:<28}{seconds:6.2f} s{path.stat().st_size:>9} bytes")


def machine_spectrogram(file: bytes) -> bytes:
    """Return the spectrogram of a file as machine listening sees it, a PNG of 224 x 224 gray pixels."""
    samples, rate_hz = soundfile.read(io.BytesIO(file), dtype="float32")
    resampled = soxr.resample(samples, rate_hz, ANALYSIS_SAMPLE_RATE_HZ)
    transform = MelTransform(MelSettings(max_frequency_hz=8000.0))
    return render_spectrogram(
        log_mel_spectrogram(transform.power_of_clip(resampled)).scaled,
        width_pixels=_MACHINE_SIDE_PIXELS,
        height_pixels=_MACHINE_SIDE_PIXELS,
        colormap=Colormap.GRAY,
    )


def _remainder(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ _POLYNOMIAL if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


if __name__ == "__main__":
    main()
