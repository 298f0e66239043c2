"""The analysis of music, scripted; plain attributes decide what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.music.v1 import music_pb2 as features_pb2

if TYPE_CHECKING:
    from chladni_contract.errors import ChladniError


class ScriptedMusic(music_grpc.MusicServiceServicer):
    """The same analysis of any bytes.

    Attributes:
        error: Raised instead, if set.
        requests: Every request so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.error: ChladniError | None = None
        self.requests: list[music_pb2.AnalyzeMusicRequest] = []

    async def AnalyzeMusic(
        self,
        request: music_pb2.AnalyzeMusicRequest,
        context: Any,
    ) -> music_pb2.AnalyzeMusicResponse:
        """Answer with a bar in A minor."""
        self.requests.append(request)
        if self.error:
            raise self.error
        return music_pb2.AnalyzeMusicResponse(
            keys=[
                music_pb2.KeyCandidate(
                    key="A minor", confidence=0.75, tonality=music_pb2.TONALITY_MINOR, tonic=9
                )
            ],
            tempos=[music_pb2.TempoCandidate(beats_per_minute=120.0, confidence=0.5)],
            meter=music_pb2.Meter(signature="4/4", confidence=0.5),
            beats=music_pb2.Beats(times=[Duration(), Duration(nanos=500_000_000)], downbeats=[Duration()]),
            chords=[music_pb2.Chord(end=Duration(seconds=2), symbol="Am", roman_numeral="i", confidence=0.5)],
            dynamics=music_pb2.Dynamics(course=music_pb2.DYNAMICS_COURSE_CRESCENDO, marking="mf"),
            abc_notation="X:1\nK:Am\nA4 |]\n",
            features=features_pb2.MusicFeatures(
                key="A minor",
                tonality="minor",
                tempo_bpm=120.0,
                time_signature="4/4",
                harmonic_progression="i",
            ),
        )
