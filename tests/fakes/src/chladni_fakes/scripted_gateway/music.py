"""The scripted gateway: its analysis of music, and its prompts."""

from __future__ import annotations

import grpc
from google.protobuf import duration_pb2

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni.music.v1 import music_pb2 as features_pb2
from chladni_fakes.scripted_gateway.messages import audio_properties
from chladni_fakes.scripted_gateway.script import Script


class ScriptedMusic(music_grpc.MusicServiceServicer):
    """The gateway's analysis of music."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def AnalyzeMusic(
        self, request: music_pb2.AnalyzeMusicRequest, context: grpc.ServicerContext
    ) -> music_pb2.AnalyzeMusicResponse:
        with self.script.answering(request, context):
            return music_pb2.AnalyzeMusicResponse(
                audio=audio_properties(),
                keys=[
                    music_pb2.KeyCandidate(
                        key="A minor", confidence=0.75, tonality=music_pb2.TONALITY_MINOR, tonic=9
                    )
                ],
                tempos=[music_pb2.TempoCandidate(beats_per_minute=120.0, confidence=0.5)],
                meter=music_pb2.Meter(signature="4/4", confidence=0.5),
                beats=music_pb2.Beats(times=[duration_pb2.Duration(nanos=500_000_000)], confidence=0.5),
                mood=music_pb2.Mood(valence=-0.5, arousal=0.25, words=["dark"], confidence=0.5),
                chords=[music_pb2.Chord(symbol="Am", roman_numeral="i", confidence=0.5)],
                abc_notation="X:1\nK:Am\nA4 |]\n",
                features=features_pb2.MusicFeatures(key="A minor", time_signature="4/4", mood=["dark"]),
            )


class ScriptedPrompts(prompt_grpc.PromptServiceServicer):
    """The gateway's prompts: their text depends on the features and the seed alone."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def WritePrompts(
        self, request: prompt_pb2.WritePromptsRequest, context: grpc.ServicerContext
    ) -> prompt_pb2.WritePromptsResponse:
        with self.script.answering(request, context):
            response = prompt_pb2.WritePromptsResponse(
                writer="grammar", model="scripted", seed=request.seed, features=request.features
            )
            if request.HasField("audio"):
                response.features.key = "A minor"
            for number in range(5):
                style = "CONVERGENT" if number < 3 else "DIVERGENT"
                response.prompts.add(
                    text=f"prompt {number}, seed {request.seed}, in {response.features.key}",
                    style=prompt_pb2.PromptStyle.Value(f"PROMPT_STYLE_{style}"),
                    temperature=0.4 if number < 3 else 0.8,
                )
            return response

    def ScorePrompts(
        self, request: prompt_pb2.ScorePromptsRequest, context: grpc.ServicerContext
    ) -> prompt_pb2.ScorePromptsResponse:
        with self.script.answering(request, context):
            score = prompt_pb2.PromptScore(originality=0.5, elaboration=0.25, coherence=1.0)
            if request.HasField("features"):
                score.alignment = 0.75
            return prompt_pb2.ScorePromptsResponse(
                scores=[score] * len(request.prompts), vendi_score=1.5, similarity="lexical"
            )

    def EmbedPrompts(
        self, request: prompt_pb2.EmbedPromptsRequest, context: grpc.ServicerContext
    ) -> prompt_pb2.EmbedPromptsResponse:
        with self.script.answering(request, context):
            return prompt_pb2.EmbedPromptsResponse(
                embeddings=[request.audio_embedding] * len(request.prompts), word_map="scripted", weight=1.0
            )
