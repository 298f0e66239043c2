"""Prompts, scripted; plain attributes decide what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc

if TYPE_CHECKING:
    from chladni_contract.errors import ChladniError


class ScriptedPrompts(prompt_grpc.PromptServiceServicer):
    """Numbered prompts, and scores that fall from prompt to prompt.

    Attributes:
        error: Raised instead, if set.
        requests: Every request so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.error: ChladniError | None = None
        self.requests: list[
            prompt_pb2.WritePromptsRequest | prompt_pb2.ScorePromptsRequest | prompt_pb2.EmbedPromptsRequest
        ] = []

    async def WritePrompts(
        self,
        request: prompt_pb2.WritePromptsRequest,
        context: Any,
    ) -> prompt_pb2.WritePromptsResponse:
        """Answer with as many prompts as are wanted."""
        self._take(request)
        convergent = request.convergent_count if request.HasField("convergent_count") else 3
        divergent = request.divergent_count if request.HasField("divergent_count") else 2
        styles = [prompt_pb2.PROMPT_STYLE_CONVERGENT] * convergent
        styles += [prompt_pb2.PROMPT_STYLE_DIVERGENT] * divergent
        key = request.features.key or "no key"
        return prompt_pb2.WritePromptsResponse(
            prompts=[
                prompt_pb2.Prompt(
                    text=f"prompt {number} in {key}",
                    style=style,
                    temperature=0.4 if style == prompt_pb2.PROMPT_STYLE_CONVERGENT else 0.8,
                )
                for number, style in enumerate(styles)
            ],
            writer=request.writer or "grammar",
            model="scripted",
            seed=request.seed if request.HasField("seed") else 7,
            features=request.features,
            time_course=request.time_course,
        )

    async def ScorePrompts(
        self,
        request: prompt_pb2.ScorePromptsRequest,
        context: Any,
    ) -> prompt_pb2.ScorePromptsResponse:
        """Answer with a score for each prompt."""
        self._take(request)
        return prompt_pb2.ScorePromptsResponse(
            scores=[
                prompt_pb2.PromptScore(
                    originality=1.0 / (1 + place),
                    elaboration=0.5,
                    alignment=0.75 if request.HasField("features") else None,
                    coherence=0.25,
                )
                for place in range(len(request.prompts))
            ],
            vendi_score=1.0,
            similarity="lexical",
        )

    async def EmbedPrompts(
        self,
        request: prompt_pb2.EmbedPromptsRequest,
        context: Any,
    ) -> prompt_pb2.EmbedPromptsResponse:
        """Answer with the embedding of the sound for each prompt."""
        self._take(request)
        return prompt_pb2.EmbedPromptsResponse(
            embeddings=[request.audio_embedding] * len(request.prompts),
            word_map="scripted-words",
            weight=0.5,
        )

    def _take(
        self,
        request: prompt_pb2.WritePromptsRequest
        | prompt_pb2.ScorePromptsRequest
        | prompt_pb2.EmbedPromptsRequest,
    ) -> None:
        self.requests.append(request)
        if self.error:
            raise self.error
