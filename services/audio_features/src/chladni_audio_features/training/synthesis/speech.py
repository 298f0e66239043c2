"""Speech through espeak-ng, when it is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from chladni_audio_features.training.synthesis.timbres import Samples

_PROGRAM = "espeak-ng"


class SpeechUnavailableError(RuntimeError):
    """espeak-ng is not installed."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What is said and how.

    Attributes:
        text: the sentence.
        voice: espeak-ng voice, such as "en-gb" or "fr-fr+f3".
        words_per_minute: pace.
        pitch: 0 to 99, 50 is the voice's own.
    """

    text: str
    voice: str
    words_per_minute: int = 160
    pitch: int = 50


# Pangrams and proverbs: short, and rich in sounds.
SENTENCES: tuple[tuple[str, str], ...] = (
    ("en-gb", "The quick brown fox jumps over the lazy dog."),
    ("en-us", "Sand dances where the plate is silent."),
    ("en-gb-scotland", "Who sows the wind shall reap the whirlwind."),
    ("de", "Wer zuletzt lacht, lacht am besten."),
    ("fr-fr", "Portez ce vieux whisky au juge blond qui fume."),
    ("it", "Chi va piano va sano e va lontano."),
    ("es", "El agua que no has de beber, déjala correr."),
    ("pt-br", "Devagar se vai ao longe."),
    ("sv", "Flygande bäckasiner söka hwila på mjuka tuvor."),
    ("pl", "Gdzie kucharek sześć, tam nie ma co jeść."),
    ("tr", "Damlaya damlaya göl olur."),
    ("nl", "Al doende leert men."),
)
_VARIANTS = ("", "", "+f2", "+f3", "+f5", "+m3", "+m7", "+croak", "+whisper")


def has_speech() -> bool:
    """Recognise whether espeak-ng is installed."""
    return shutil.which(_PROGRAM) is not None


def random_utterance(rng: np.random.Generator) -> Utterance:
    """Draw a sentence, a voice, a pace and a pitch."""
    voice, text = SENTENCES[rng.integers(len(SENTENCES))]
    return Utterance(
        text=text,
        voice=voice + str(rng.choice(_VARIANTS)),
        words_per_minute=int(rng.integers(110, 230)),
        pitch=int(rng.integers(15, 90)),
    )


def speak(utterance: Utterance, *, rate_hz: int) -> Samples:
    """Speak a sentence.

    Raises:
        SpeechUnavailableError: espeak-ng is not installed.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise SpeechUnavailableError("install espeak-ng to make speech")
    command = [
        program,
        "-v",
        utterance.voice,
        "-s",
        str(utterance.words_per_minute),
        "-p",
        str(utterance.pitch),
        "--stdout",
        utterance.text,
    ]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603
    samples, source_rate_hz = soundfile.read(io.BytesIO(spoken), dtype="float64")
    resampled: Samples = soxr.resample(samples, source_rate_hz, rate_hz, quality="HQ")
    return resampled
