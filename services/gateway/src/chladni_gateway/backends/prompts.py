"""The client of the prompts that image-generation writes and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni_contract.music_features import to_features, to_features_message
from chladni_gateway.backends.messages import to_embedding, to_embedding_message
from chladni_gateway.domain.prompts import (
    EmbeddedPrompts,
    PromptScore,
    PromptScores,
    WrittenPrompt,
    WrittenPrompts,
)
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from chladni_gateway.domain.audio import Embedding
    from chladni_gateway.domain.prompts import PromptQuery
    from chladni_runtime.execution.deadlines import Deadline

_SERVICE: Final = prompt_pb2.DESCRIPTOR.services_by_name["PromptService"]
_STYLES: Final = {
    prompt_pb2.PROMPT_STYLE_UNSPECIFIED: "",
    prompt_pb2.PROMPT_STYLE_CONVERGENT: "convergent",
    prompt_pb2.PROMPT_STYLE_DIVERGENT: "divergent",
}


class PromptClient(BackendClient["prompt_grpc.PromptServiceAsyncStub"]):
    """Writes and scores prompts; a `PromptBackend`. The gateway's own gRPC calls the methods for messages.

    Args:
        target: gRPC target of image-generation.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="image-generation",
            service=_SERVICE,
            target=target,
            make_stub=prompt_grpc.PromptServiceStub,
            security=security,
        )

    async def write(
        self, request: prompt_pb2.WritePromptsRequest, deadline: Deadline
    ) -> prompt_pb2.WritePromptsResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.WritePrompts, request, deadline)

    async def score(
        self, request: prompt_pb2.ScorePromptsRequest, deadline: Deadline
    ) -> prompt_pb2.ScorePromptsResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.ScorePrompts, request, deadline)

    async def embed(
        self, request: prompt_pb2.EmbedPromptsRequest, deadline: Deadline
    ) -> prompt_pb2.EmbedPromptsResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.EmbedPrompts, request, deadline)

    async def write_prompts(self, query: PromptQuery, deadline: Deadline) -> WrittenPrompts:
        """Return prompts for music.

        Raises:
            ChladniError: A value is wrong, the writer cannot be used or refuses, or the service failed.
        """
        request = prompt_pb2.WritePromptsRequest(
            features=to_features_message(query.music.features),
            convergent_count=query.convergent_count,
            divergent_count=query.divergent_count,
            convergent_temperature=query.convergent_temperature,
            divergent_temperature=query.divergent_temperature,
            seed=query.seed,
            writer=query.writer,
            time_course=query.music.time_course,
        )
        response = await self.write(request, deadline)
        return WrittenPrompts(
            prompts=tuple(
                WrittenPrompt(prompt.text, _STYLES.get(prompt.style, ""), prompt.temperature)
                for prompt in response.prompts
            ),
            writer=response.writer,
            model=response.model,
            seed=response.seed if response.HasField("seed") else None,
            features=to_features(response.features),
            time_course=response.time_course,
            processing_seconds=response.processing_time.ToNanoseconds() / 1e9,
        )

    async def score_prompts(
        self,
        prompts: Sequence[str],
        deadline: Deadline,
        *,
        features: Mapping[str, Any] | None = None,
        references: Sequence[str] = (),
    ) -> PromptScores:
        """Return the scores of 1 to 64 prompts.

        Raises:
            ChladniError: A value is wrong, or the service failed.
        """
        request = prompt_pb2.ScorePromptsRequest(
            prompts=prompts,
            reference_prompts=references,
            features=None if features is None else to_features_message(features),
        )
        response = await self.score(request, deadline)
        return PromptScores(
            scores=tuple(
                PromptScore(
                    originality=score.originality,
                    elaboration=score.elaboration,
                    alignment=score.alignment if score.HasField("alignment") else None,
                    coherence=score.coherence,
                )
                for score in response.scores
            ),
            vendi_score=response.vendi_score,
            similarity=response.similarity,
        )

    async def embed_prompts(
        self, prompts: Sequence[str], audio: Embedding, deadline: Deadline
    ) -> EmbeddedPrompts:
        """Return 1 to 64 prompts in the space of descriptors, blended with the embedding of a sound.

        Raises:
            ChladniError: The embedding is of another space, or the service failed.
        """
        request = prompt_pb2.EmbedPromptsRequest(prompts=prompts, audio_embedding=to_embedding_message(audio))
        response = await self.embed(request, deadline)
        return EmbeddedPrompts(
            tuple(map(to_embedding, response.embeddings)), response.word_map, response.weight
        )
