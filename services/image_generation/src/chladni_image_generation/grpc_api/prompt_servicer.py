"""The gRPC service of prompts: validate, call, convert."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc
import numpy as np

from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc
from chladni.music.v1 import music_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.music_features import to_features
from chladni_contract.tensors import to_array, to_tensor
from chladni_image_generation.generation import MAX_SEED
from chladni_image_generation.prompts.features import MusicFeatures, read_features
from chladni_image_generation.prompts.registry import WriterRegistry
from chladni_image_generation.prompts.scoring import score_prompts
from chladni_image_generation.prompts.similarity import text_similarity
from chladni_image_generation.prompts.word_map import (
    DEFAULT_WEIGHT,
    WORD_MAP,
    FloatArray,
    blend,
    load_word_map,
)
from chladni_image_generation.prompts.writing import (
    DEFAULT_COUNTS,
    DEFAULT_TEMPERATURES,
    PromptOrder,
    PromptStyle,
)
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.request_context import cancellation_of
from chladni_runtime.server.validation import RequestValidator

Context = grpc.aio.ServicerContext[Any, Any]

MAX_PROMPTS: Final = 16
MAX_SCORED: Final = 64
MAX_REFERENCES: Final = 256
MAX_CHARACTERS: Final = 2000
_MAX_TEMPERATURE: Final = 2.0
_TIMEOUT_SECONDS: Final = 120.0
_STYLES: Final = {
    PromptStyle.CONVERGENT: prompt_pb2.PROMPT_STYLE_CONVERGENT,
    PromptStyle.DIVERGENT: prompt_pb2.PROMPT_STYLE_DIVERGENT,
}


class PromptServicer(prompt_service_pb2_grpc.PromptServiceServicer):
    """Serves writers of prompts, and their scores.

    Args:
        writers: The writers by name.
        workers: Threads for scores.
        writer_workers: Threads of each writer by its name, so that one whose server hangs keeps none from the
            others.
    """

    def __init__(
        self, writers: WriterRegistry, *, workers: WorkerPool, writer_workers: Mapping[str, WorkerPool]
    ) -> None:
        self._writers = writers
        self._workers = workers
        self._writer_workers = writer_workers

    async def WritePrompts(
        self, request: prompt_pb2.WritePromptsRequest, context: Context
    ) -> prompt_pb2.WritePromptsResponse:
        """Write convergent and divergent prompts."""
        seed = request.seed if request.HasField("seed") else secrets.randbelow(MAX_SEED + 1)
        orders = _read_orders(request, seed)
        writer = self._writers.find(request.writer)
        deadline = time.monotonic() + min(context.time_remaining() or _TIMEOUT_SECONDS, _TIMEOUT_SECONDS)

        def work() -> prompt_pb2.WritePromptsResponse:
            started_at = time.perf_counter()
            response = prompt_pb2.WritePromptsResponse(writer=writer.name, model=writer.model)
            for order in orders:
                remaining = max(0.0, deadline - time.monotonic())
                response.prompts.extend(
                    prompt_pb2.Prompt(text=text, style=_STYLES[order.style], temperature=order.temperature)
                    for text in writer.write(order, timeout_seconds=remaining)
                )
            if writer.takes_seed:
                response.seed = seed
            response.features.CopyFrom(request.features)
            response.time_course = request.time_course
            response.processing_time.FromNanoseconds(round((time.perf_counter() - started_at) * 1e9))
            return response

        with cancellation_of(context) as token:
            return await self._writer_workers[writer.name].run(token, work)

    async def ScorePrompts(
        self, request: prompt_pb2.ScorePromptsRequest, context: Context
    ) -> prompt_pb2.ScorePromptsResponse:
        """Score prompts."""
        _check_texts(request)
        features = _features_of(request.features) if request.HasField("features") else None

        def work() -> prompt_pb2.ScorePromptsResponse:
            scored = score_prompts(
                list(request.prompts),
                similarity=text_similarity(),
                features=features,
                references=list(request.reference_prompts),
            )
            return prompt_pb2.ScorePromptsResponse(
                scores=[
                    prompt_pb2.PromptScore(
                        originality=score.originality,
                        elaboration=score.elaboration,
                        alignment=score.alignment,
                        coherence=score.coherence,
                    )
                    for score in scored.scores
                ],
                vendi_score=scored.vendi_score,
                similarity=scored.similarity,
            )

        with cancellation_of(context) as token:
            return await self._workers.run(token, work)

    async def EmbedPrompts(
        self, request: prompt_pb2.EmbedPromptsRequest, context: Context
    ) -> prompt_pb2.EmbedPromptsResponse:
        """Map prompts into the space of descriptors."""
        audio, weight = _read_blend(request)

        def work() -> prompt_pb2.EmbedPromptsResponse:
            word_map = load_word_map()
            words = [word_map.embed(prompt) for prompt in request.prompts]
            return prompt_pb2.EmbedPromptsResponse(
                embeddings=[
                    tensor_pb2.Embedding(
                        space=DESCRIPTOR_SPACE,
                        values=to_tensor(blend(one if audio is None else audio, one, weight)),
                    )
                    for one in words
                ],
                word_map=WORD_MAP,
                weight=weight,
            )

        with cancellation_of(context) as token:
            return await self._workers.run(token, work)


def _read_blend(request: prompt_pb2.EmbedPromptsRequest) -> tuple[FloatArray | None, float]:
    """Return the embedding of the sound, and the weight of the prompts.

    Raises:
        InvalidFieldsError: A value lies outside its range.
        InvalidInputError: The embedding is malformed.
    """
    validator = RequestValidator()
    validator.check_range("prompts", len(request.prompts), minimum=1, maximum=MAX_SCORED, unit="prompts")
    _check_each(validator, "prompts", request.prompts)
    weight = request.weight if request.HasField("weight") else DEFAULT_WEIGHT
    validator.check_range("weight", weight, minimum=0.0, maximum=1.0)
    has_audio = request.HasField("audio_embedding")
    validator.check(
        "audio_embedding.space",
        valid=not has_audio or request.audio_embedding.space == DESCRIPTOR_SPACE,
        description=f"must be {DESCRIPTOR_SPACE!r}, the space that words are mapped into.",
    )
    validator.raise_if_invalid()
    if not has_audio:
        return None, 1.0
    values = to_array(
        request.audio_embedding.values,
        field="audio_embedding.values",
        dtype=np.float32,
        shape=(COMPONENT_COUNT,),
    )
    return values.astype(np.float64), weight


def _read_orders(request: prompt_pb2.WritePromptsRequest, seed: int) -> list[PromptOrder]:
    """Return what is to be written, style by style.

    Raises:
        InvalidFieldsError: A value lies outside its range.
        InvalidInputError: A feature is wrong.
    """
    validator = RequestValidator()
    validator.check(
        "audio",
        valid=not request.HasField("audio"),
        description="is what the gateway takes; send it there, or the features of the clip here.",
    )
    validator.check(
        "with_time_course",
        valid=not request.with_time_course,
        description="is what the gateway takes; send time_course here.",
    )
    validator.require("features", present=request.HasField("features"), hint="AnalyzeMusic finds them")
    validator.check_range("seed", seed, minimum=0, maximum=MAX_SEED)
    validator.check_length("time_course", request.time_course, maximum=MAX_CHARACTERS)
    wanted = []
    for style in PromptStyle:
        count = _given(request, f"{style}_count", DEFAULT_COUNTS[style])
        temperature = _given(request, f"{style}_temperature", DEFAULT_TEMPERATURES[style])
        validator.check_range(f"{style}_count", count, minimum=0, maximum=MAX_PROMPTS)
        validator.check_range(f"{style}_temperature", temperature, minimum=0.0, maximum=_MAX_TEMPERATURE)
        wanted.append((style, count, temperature))
    validator.check(
        "convergent_count",
        valid=any(count for _, count, _ in wanted),
        description="and divergent_count are 0; one of them must be 1 or more.",
    )
    validator.raise_if_invalid()
    features = _features_of(request.features)
    return [
        PromptOrder(
            features=features,
            style=style,
            count=int(count),
            temperature=float(temperature),
            seed=seed,
            time_course=request.time_course,
        )
        for style, count, temperature in wanted
        if count
    ]


def _given(request: prompt_pb2.WritePromptsRequest, field: str, default: float) -> Any:
    return getattr(request, field) if request.HasField(field) else default


def _features_of(message: music_pb2.MusicFeatures) -> MusicFeatures:
    return read_features(to_features(message))


def _check_texts(request: prompt_pb2.ScorePromptsRequest) -> None:
    validator = RequestValidator()
    count = len(request.prompts)
    validator.check_range("prompts", count, minimum=1, maximum=MAX_SCORED, unit="prompts")
    references = len(request.reference_prompts)
    validator.check_range("reference_prompts", references, minimum=0, maximum=MAX_REFERENCES, unit="prompts")
    _check_each(validator, "prompts", request.prompts)
    _check_each(validator, "reference_prompts", request.reference_prompts)
    validator.raise_if_invalid()


def _check_each(validator: RequestValidator, field: str, texts: Iterable[str]) -> None:
    for index, text in enumerate(texts):
        validator.require(f"{field}[{index}]", present=bool(text.strip()), hint="a prompt has words")
        validator.check_length(f"{field}[{index}]", text, maximum=MAX_CHARACTERS)
