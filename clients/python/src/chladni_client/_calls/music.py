"""Music: its analysis, and prompts for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni.music.v1 import music_pb2 as music_features_pb2
from chladni_client._calls.base import Calls
from chladni_client._messages import requests
from chladni_client._messages.music_results import to_music_analysis, to_prompt_scores, to_written_prompts
from chladni_client.errors import InvalidInputError
from chladni_contract import errors as contract_errors
from chladni_contract.errors import FieldViolation
from chladni_contract.music_features import to_features_message

if TYPE_CHECKING:
    from chladni_client.types.audio import AudioInput
    from chladni_client.types.music import MusicAnalysis, PromptScores, WrittenPrompts


class MusicCalls(Calls):
    """What is heard in music, and prompts for it."""

    async def analyze_music(
        self,
        audio: AudioInput,
        *,
        sample_rate_hz: int | None = None,
        timeout_seconds: float | None = None,
    ) -> MusicAnalysis:
        """Return what is heard in music: key, tempo, meter, beats, chords, melody, dynamics and mood.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = music_pb2.AnalyzeMusicRequest(audio=await requests.to_audio_clip(audio, sample_rate_hz))
        stub: music_grpc.MusicServiceAsyncStub = music_grpc.MusicServiceStub(self._gateway.channel)
        return to_music_analysis(await self._call(stub.AnalyzeMusic, request, timeout_seconds))

    async def write_prompts(
        self,
        audio: AudioInput | None = None,
        *,
        features: Mapping[str, Any] | None = None,
        sample_rate_hz: int | None = None,
        convergent_count: int | None = None,
        divergent_count: int | None = None,
        convergent_temperature: float | None = None,
        divergent_temperature: float | None = None,
        seed: int | None = None,
        writer: str = "",
        with_time_course: bool = False,
        timeout_seconds: float | None = None,
    ) -> WrittenPrompts:
        """Return prompts for music, to give to image models.

        Args:
            audio: As for `create_image`; or give `features`.
            features: Features of the music, as `MusicAnalysis.features` has them.
            sample_rate_hz: As for `create_image`.
            convergent_count: Prompts that keep to the music; 3 if absent.
            divergent_count: Prompts that associate freely; 2 if absent.
            convergent_temperature: 0 to 2; 0.4 if absent.
            divergent_temperature: 0 to 2; 0.8 if absent.
            seed: Seed, for writers that take one; drawn by the server if absent.
            writer: ``grammar``, ``anthropic``, ``openai`` or ``local``; the server's default if empty.
            with_time_course: Whether the writer is told the course of `audio` over time, too.
            timeout_seconds: Time for the call; `Timeouts.creation_seconds` if absent.

        Raises:
            TypeError: Neither audio nor features are given, or both.
            InvalidInputError: A feature is unknown, or has a value of the wrong type.
        """
        if (audio is None) is (features is None):
            raise TypeError("give either audio or features")
        request = prompt_pb2.WritePromptsRequest(
            convergent_count=convergent_count,
            divergent_count=divergent_count,
            convergent_temperature=convergent_temperature,
            divergent_temperature=divergent_temperature,
            seed=seed,
            writer=writer,
            with_time_course=with_time_course,
            audio=await requests.to_optional_clip(audio, sample_rate_hz),
            features=_to_features(features),
        )
        seconds = self._timeouts.creation_seconds if timeout_seconds is None else timeout_seconds
        return to_written_prompts(await self._call(self._prompt_stub.WritePrompts, request, seconds))

    async def score_prompts(
        self,
        prompts: Sequence[str],
        *,
        features: Mapping[str, Any] | None = None,
        reference_prompts: Sequence[str] = (),
        timeout_seconds: float | None = None,
    ) -> PromptScores:
        """Return how original, elaborate, fitting and coherent prompts are.

        Args:
            prompts: 1 to 64 prompts.
            features: Features of the music that they are for; without them there is no alignment.
            reference_prompts: Prompts of other music, against which originality is measured too.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = prompt_pb2.ScorePromptsRequest(
            prompts=prompts,
            reference_prompts=reference_prompts,
            features=_to_features(features),
        )
        return to_prompt_scores(await self._call(self._prompt_stub.ScorePrompts, request, timeout_seconds))

    @property
    def _prompt_stub(self) -> prompt_grpc.PromptServiceAsyncStub:
        return prompt_grpc.PromptServiceStub(self._gateway.channel)


def _to_features(values: Mapping[str, Any] | None) -> music_features_pb2.MusicFeatures | None:
    if values is None:
        return None
    try:
        return to_features_message(values)
    except contract_errors.InvalidInputError as error:
        field = error.metadata["field"]
        violation = FieldViolation(field, str(error).removeprefix(f"{field} "))
        raise InvalidInputError(str(error), reason="INVALID_FIELD", violations=[violation]) from None
