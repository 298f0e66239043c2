"""Music: what is heard in it, and the prompts that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chladni_client.types.audio import AudioProperties, ServerWarning


@dataclass(frozen=True, slots=True)
class KeyCandidate:
    """A key that music may be in.

    Attributes:
        key: The key as musicians write it, such as ``A minor``.
        confidence: 0 to 1.
        tonality: ``major`` or ``minor``.
        tonic: Pitch class of the tonic, 0 for C to 11 for B.
    """

    key: str
    confidence: float
    tonality: str
    tonic: int


@dataclass(frozen=True, slots=True)
class TempoCandidate:
    """A tempo that music may have.

    Attributes:
        beats_per_minute: Quarter notes a minute; dotted ones in 6/8.
        confidence: 0 to 1.
    """

    beats_per_minute: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats and bars.

    Attributes:
        times: Seconds from the beginning of the clip.
        downbeats: Those of the beats that begin a bar.
        confidence: 0 to 1.
        downbeat_confidence: 0 to 1.
    """

    times: tuple[float, ...]
    downbeats: tuple[float, ...]
    confidence: float
    downbeat_confidence: float


@dataclass(frozen=True, slots=True)
class Mood:
    """Mood by the circumplex of affect.

    Attributes:
        valence: -1 (unpleasant) to 1 (pleasant).
        arousal: -1 (calm) to 1 (excited).
        words: Words for it, the fittest first.
        confidence: 0 to 1.
    """

    valence: float
    arousal: float
    words: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord and its time.

    Attributes:
        start: Seconds from the beginning of the clip.
        end: Likewise.
        symbol: Such as ``Am7``; ``N`` if none sounds.
        roman_numeral: Such as ``vi7``; empty if none sounds.
        confidence: 0 to 1.
    """

    start: float
    end: float
    symbol: str
    roman_numeral: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Dynamic intensity.

    Attributes:
        levels: Pairs of seconds and dB relative to full scale.
        course: ``steady``, ``crescendo``, ``diminuendo``, ``swell`` or ``dip``.
        confidence: 0 to 1, in the course.
        marking: ``pp`` to ``ff``.
        range_db: Range of the level.
    """

    levels: tuple[tuple[float, float], ...]
    course: str
    confidence: float
    marking: str
    range_db: float


@dataclass(frozen=True, slots=True)
class MusicAnalysis:
    """What is heard in music.

    Attributes:
        audio: What was found in the file.
        keys: Keys, the most confident first; empty without notes.
        tempos: Tempos, the most confident first; empty without a regular beat.
        time_signature: Such as ``3/4``; ``none`` without a regular beat.
        time_signature_confidence: 0 to 1.
        beats: Beats and bars.
        mood: Mood.
        melody: Pairs of seconds and cents above A4, 20 milliseconds apart; nothing if no melody sounds.
        melody_confidence: 0 to 1.
        chords: Chords in order, without gaps.
        dynamics: Dynamic intensity.
        abc_notation: The melody in ABC notation; empty if none was found.
        features: All of it in a few words, by the names that `write_prompts` takes.
        warnings: What the caller should know of the audio.
    """

    audio: AudioProperties
    keys: tuple[KeyCandidate, ...]
    tempos: tuple[TempoCandidate, ...]
    time_signature: str
    time_signature_confidence: float
    beats: Beats
    mood: Mood
    melody: tuple[tuple[float, float], ...] = field(repr=False)
    melody_confidence: float
    chords: tuple[Chord, ...]
    dynamics: Dynamics = field(repr=False)
    abc_notation: str
    features: Mapping[str, Any]
    warnings: tuple[ServerWarning, ...] = ()


class PromptStyle(StrEnum):
    """Style of thinking that a prompt follows."""

    UNKNOWN = ""
    CONVERGENT = "convergent"
    DIVERGENT = "divergent"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt for an image model.

    Attributes:
        text: The prompt.
        style: Whether it keeps to the music or associates freely.
        temperature: Temperature that it was written with.
    """

    text: str
    style: PromptStyle
    temperature: float

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class WrittenPrompts:
    """Prompts for one piece of music.

    Attributes:
        prompts: The prompts, convergent ones first.
        writer: Writer that was used.
        model: Model that the writer used.
        seed: Seed in use; `None` if the writer takes none.
        features: Features that they were written for.
        time_course: Course over time that the writer was told; empty for none.
    """

    prompts: tuple[Prompt, ...]
    writer: str
    model: str
    seed: int | None
    features: Mapping[str, Any]
    time_course: str = ""


@dataclass(frozen=True, slots=True)
class PromptScore:
    """Scores of one prompt, each in [0, 1], more is better.

    Attributes:
        originality: How unusual it is.
        elaboration: How much detail it gives.
        alignment: How well it fits the features; `None` without features.
        coherence: How well it hangs together.
    """

    originality: float
    elaboration: float
    alignment: float | None
    coherence: float


@dataclass(frozen=True, slots=True)
class PromptScores:
    """Scores of several prompts.

    Attributes:
        scores: One for each, in order.
        vendi_score: How many different prompts there are in effect, 1 to their number.
        similarity: What similarity was measured by; ``lexical`` compares words and does not know paraphrases.
    """

    scores: tuple[PromptScore, ...]
    vendi_score: float
    similarity: str
