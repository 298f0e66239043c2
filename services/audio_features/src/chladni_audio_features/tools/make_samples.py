"""Write the sample sounds.

    python -m chladni_audio_features.tools.make_samples --output tests/fixtures/samples

Needs espeak-ng. The same versions of the tools give the same bytes.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from chladni_audio_features.tools.ogg_serials import with_serial
from chladni_audio_features.tools.sample_sounds import (
    Render,
    calm_major,
    dark_drone,
    drum_loop,
    fast_minor,
    speech,
    worn_machine,
)
from chladni_audio_features.training.synthesis.speech import Utterance

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


def encode(samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]], *, rate_hz: int, suffix: str) -> bytes:
    """Encode a sound as WAV (16 bit), FLAC (16 bit), MP3 or OGG/Vorbis."""
    file = io.BytesIO()
    subtype = "PCM_16" if suffix in (".wav", ".flac") else None
    soundfile.write(file, samples, rate_hz, format=suffix.removeprefix(".").upper(), subtype=subtype)
    encoded = file.getvalue()
    return with_serial(encoded, _OGG_SERIAL) if suffix == ".ogg" else encoded


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--output", type=Path, default=Path("tests/fixtures/samples"), help="folder to write to"
    )
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        path = options.output / sample.name
        sound = sample.render(sample.sample_rate_hz)
        path.write_bytes(encode(sound, rate_hz=sample.sample_rate_hz, suffix=path.suffix))
        seconds = len(sound) / sample.sample_rate_hz
        print(f"{path.name:<28}{seconds:6.2f} s{path.stat().st_size:>9} bytes")


if __name__ == "__main__":
    main()
