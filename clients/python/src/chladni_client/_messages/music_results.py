"""From messages to results: music and prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni_client._messages.audio_results import to_audio_properties, to_warnings
from chladni_client.types.music import (
    Beats,
    Chord,
    Dynamics,
    KeyCandidate,
    Mood,
    MusicAnalysis,
    Prompt,
    PromptScore,
    PromptScores,
    PromptStyle,
    TempoCandidate,
    WrittenPrompts,
)
from chladni_contract.music_features import to_features

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

_STYLES: Final = {
    prompt_pb2.PROMPT_STYLE_CONVERGENT: PromptStyle.CONVERGENT,
    prompt_pb2.PROMPT_STYLE_DIVERGENT: PromptStyle.DIVERGENT,
}
_TONALITIES: Final = {music_pb2.TONALITY_MAJOR: "major", music_pb2.TONALITY_MINOR: "minor"}
_COURSES: Final = {
    music_pb2.DYNAMICS_COURSE_STEADY: "steady",
    music_pb2.DYNAMICS_COURSE_CRESCENDO: "crescendo",
    music_pb2.DYNAMICS_COURSE_DIMINUENDO: "diminuendo",
    music_pb2.DYNAMICS_COURSE_SWELL: "swell",
    music_pb2.DYNAMICS_COURSE_DIP: "dip",
}


def to_music_analysis(response: music_pb2.AnalyzeMusicResponse) -> MusicAnalysis:
    """Return the analysis of a message."""
    return MusicAnalysis(
        audio=to_audio_properties(response.audio),
        keys=tuple(
            KeyCandidate(key.key, key.confidence, _TONALITIES.get(key.tonality, ""), key.tonic)
            for key in response.keys
        ),
        tempos=tuple(TempoCandidate(tempo.beats_per_minute, tempo.confidence) for tempo in response.tempos),
        time_signature=response.meter.signature,
        time_signature_confidence=response.meter.confidence,
        beats=Beats(
            tuple(map(_seconds, response.beats.times)),
            tuple(map(_seconds, response.beats.downbeats)),
            response.beats.confidence,
            response.beats.downbeat_confidence,
        ),
        mood=Mood(
            response.mood.valence,
            response.mood.arousal,
            tuple(response.mood.words),
            response.mood.confidence,
        ),
        melody=tuple((_seconds(point.time), point.cents) for point in response.contour.points),
        melody_confidence=response.contour.confidence,
        chords=tuple(
            Chord(
                _seconds(chord.start),
                _seconds(chord.end),
                chord.symbol,
                chord.roman_numeral,
                chord.confidence,
            )
            for chord in response.chords
        ),
        dynamics=Dynamics(
            tuple((_seconds(point.time), point.level_dbfs) for point in response.dynamics.points),
            _COURSES.get(response.dynamics.course, ""),
            response.dynamics.confidence,
            response.dynamics.marking,
            response.dynamics.range_db,
        ),
        abc_notation=response.abc_notation,
        features=to_features(response.features),
        warnings=to_warnings(response.warnings),
    )


def to_written_prompts(response: prompt_pb2.WritePromptsResponse) -> WrittenPrompts:
    """Return the prompts of a message."""
    return WrittenPrompts(
        prompts=tuple(
            Prompt(prompt.text, _STYLES.get(prompt.style, PromptStyle.UNKNOWN), prompt.temperature)
            for prompt in response.prompts
        ),
        writer=response.writer,
        model=response.model,
        seed=response.seed if response.HasField("seed") else None,
        features=to_features(response.features),
        time_course=response.time_course,
    )


def to_prompt_scores(response: prompt_pb2.ScorePromptsResponse) -> PromptScores:
    """Return the scores of a message."""
    return PromptScores(
        scores=tuple(
            PromptScore(
                score.originality,
                score.elaboration,
                score.alignment if score.HasField("alignment") else None,
                score.coherence,
            )
            for score in response.scores
        ),
        vendi_score=response.vendi_score,
        similarity=response.similarity,
    )


def _seconds(duration: Duration) -> float:
    return duration.ToNanoseconds() / 1e9
