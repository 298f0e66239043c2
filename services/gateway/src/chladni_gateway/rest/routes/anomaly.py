"""`/api/v1/anomaly`: whether a machine sounds as it should, and what is normal for it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from chladni_contract.errors import Reason
from chladni_contract.images.file_format import image_format_of
from chladni_gateway.domain.anomaly import AnomalyQuery, DeviatingAttribute, NewNormalSet, NormalSet
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.forms.fields import Number, TrueOrFalse
from chladni_gateway.rest.forms.uploads import UploadForm
from chladni_gateway.rest.openapi import API, json_example
from chladni_gateway.rest.requests import while_connected
from chladni_gateway.rest.routes.responses import OF_A_SERVICE, OF_AN_UPLOAD, OF_THE_AUDIO, error_responses
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

    from chladni_gateway.application import Application
    from chladni_gateway.domain.anomaly import Judgement
    from chladni_gateway.rest.forms.uploads import UploadReader

ANOMALY_PATH: Final = f"{API}/anomaly"
NORMAL_SETS_PATH: Final = f"{ANOMALY_PATH}/normal-sets"

_MAX_FILES: Final = 64
_PAGE_SIZE: Final = 100
_MAX_DESCRIPTION_LENGTH: Final = 500
_OF_A_NORMAL_SET: Final = frozenset({Reason.UNKNOWN_NORMAL_SET})
_MIN_SHAFT_HZ: Final = 0.5
_MAX_SHAFT_HZ: Final = 150.0
_SHAFT: Final[JsonDict] = {"minimum": _MIN_SHAFT_HZ, "maximum": _MAX_SHAFT_HZ}
_ATTRIBUTE: Final = {
    "name": "roughness",
    "z_score": 8.4,
    "description": "Rougher than normal: roughness is 0.31, normally 0.12 ± 0.023.",
    "value": 0.31,
    "normal_mean": 0.12,
    "normal_deviation": 0.023,
    "unit": "1",
}
_JUDGEMENT: Final = {
    "result": "NEEDS MAINTENANCE",
    "score": 11.7,
    "distance": 8.1,
    "percentile": 100.0,
    "normal_set": "pump",
    "backend": "fusion",
    "window_count": 1,
    "attributes": [_ATTRIBUTE],
    "error_map": "data:image/png;base64,iVBORw0KGgo=",
}
_NORMAL_SET: Final = {
    "name": "pump",
    "description": "Pump 3, after its service",
    "clip_count": 6,
    "window_count": 36,
    "encoder": "mel-statistics",
    "backend": "fusion",
    "shaft_speed_hz": 24.5,
    "audio_seconds": 60.0,
    "create_time": "2026-11-30T12:00:00Z",
}


Name = Annotated[
    str,
    Path(
        pattern="^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Name of a normal set: lower-case letters, digits, '-' or '_'.",
        examples=["pump"],
    ),
]


class AnomalyForm(UploadForm):
    """The form of `POST /api/v1/anomaly`; the file is audio, or a spectrogram image."""

    examples: ClassVar[Mapping[str, Any]] = {
        "pump": {"summary": "By a normal set", "value": {"file": "pump.wav", "normal_set": "pump"}}
    }

    normal_set: str = Field(
        "", description="Normal set by its name; may be left out if there is one.", examples=["pump"]
    )
    backend: str = Field(
        "",
        description="How distance is measured: fusion, mahalanobis, cosine-knn, density-knn or pca-residual; "
        "by default the normal set's own way.",
        examples=["mahalanobis"],
    )
    shaft_speed_hz: Number = Field(
        None,
        description="Revolutions of the shaft per second; by default the normal set's.",
        examples=[24.5],
        json_schema_extra=_SHAFT,
    )
    with_error_map: TrueOrFalse = Field(
        False, description="Whether to draw where the audio differs from normal.", examples=["true"]
    )


class NormalSetForm(UploadForm):
    """The form of `POST /api/v1/anomaly/normal-sets`; `file` comes once for each clip or image."""

    max_files: ClassVar[int] = _MAX_FILES
    examples: ClassVar[Mapping[str, Any]] = {
        "pump": {"summary": "A minute of a pump", "value": {"file": "pump.wav", "name": "pump"}}
    }

    name: str = Field(
        "",
        description="Its name: lower-case letters, digits, '-' or '_'.",
        examples=["pump"],
        json_schema_extra={"maxLength": 63},
    )
    description: str = Field(
        "",
        description="One sentence for people.",
        examples=["Pump 3, after its service"],
        json_schema_extra={"maxLength": _MAX_DESCRIPTION_LENGTH},
    )
    encoder: str = Field(
        "",
        description="What turns audio into vectors: mel-statistics, the default, or efficientnet-lite0.",
        examples=["mel-statistics"],
    )
    backend: str = Field("", description="How distance is measured; fusion by default.", examples=["fusion"])
    shaft_speed_hz: Number = Field(
        None, description="Revolutions per second.", examples=[24.5], json_schema_extra=_SHAFT
    )
    replace: TrueOrFalse = Field(
        False, description="Whether one of the same name is replaced.", examples=["true"]
    )


class JudgementBody(BaseModel):
    """How far a machine is from normal operation."""

    result: str = Field(
        description="NORMAL (score below 9), NEEDS MAINTENANCE (below 15) or SEVERE ANOMALY.",
        examples=["NEEDS MAINTENANCE"],
    )
    score: float = Field(
        description="Distance, scaled so that 99 of 100 normal clips are below 9.", examples=[11.7]
    )
    distance: float = Field(description="Mahalanobis distance, not scaled.", examples=[8.1])
    percentile: float = Field(
        description="Percentage of held-out normal audio that is nearer.", examples=[100.0]
    )
    normal_set: str = Field(description="Normal set that was used.", examples=["pump"])
    backend: str = Field(description="How distance was measured.", examples=["fusion"])
    window_count: int = Field(description="Windows of ten seconds that were judged.", examples=[1])
    attributes: list[DeviatingAttribute] = Field(description="What left its normal range, farthest first.")
    error_map: str | None = Field(
        description="The spectrogram with red where it differs, as a data URL; null unless asked for."
    )


class NormalSetList(BaseModel):
    """The normal sets of a server."""

    normal_sets: list[NormalSet] = Field(description="The normal sets, by name.")


class DeletedNormalSet(BaseModel):
    """What became of a normal set."""

    deleted: bool = Field(description="Whether there was one.", examples=[True])


def anomaly_routes(application: Application, *, uploads: UploadReader) -> APIRouter:
    """Return the routes of machine listening.

    Args:
        application: What the gateway does.
        uploads: Reads audio and images.
    """
    router = APIRouter()
    limits = application.limits
    judge = application.machine_judge

    def deadline() -> Deadline:
        return Deadline.after(limits.comparison_timeout_seconds)

    @router.post(
        ANOMALY_PATH,
        summary="Score whether a machine sounds as it should",
        operation_id="scoreAnomaly",
        responses={
            200: {"content": json_example(_JUDGEMENT)},
            **error_responses(
                OF_AN_UPLOAD, OF_A_SERVICE, OF_THE_AUDIO, _OF_A_NORMAL_SET, {Reason.INVALID_IMAGE}
            ),
        },
        openapi_extra={"requestBody": AnomalyForm.request_body()},
    )
    async def score(request: Request) -> JudgementBody:
        """Score the distance of audio, or of a gray spectrogram image, to a machine's normal operation."""
        form = await uploads.read(request, AnomalyForm)
        with at_stage(Stage.VALIDATION):
            check_clip(form.chosen_clip, max_audio_bytes=limits.max_audio_bytes)
            _check_shaft(form.shaft_speed_hz)
        is_image = bool(image_format_of(form.clip.content))
        query = AnomalyQuery(
            clip=None if is_image else form.chosen_clip,
            spectrogram=form.clip.content if is_image else None,
            normal_set=form.normal_set,
            backend=form.backend,
            shaft_speed_hz=form.shaft_speed_hz,
            with_error_map=form.with_error_map,
        )
        with at_stage(Stage.SIMILARITY):
            found = await while_connected(request.receive, judge.judge(query, deadline()))
        return _to_body(found)

    @router.post(
        NORMAL_SETS_PATH,
        summary="Learn the normal operation of a machine",
        operation_id="createNormalSet",
        responses={
            200: {"content": json_example(_NORMAL_SET)},
            **error_responses(
                OF_AN_UPLOAD,
                OF_A_SERVICE,
                OF_THE_AUDIO,
                {
                    Reason.INVALID_IMAGE,
                    Reason.NORMAL_SET_EXISTS,
                    Reason.NORMAL_SETS_FULL,
                    Reason.STORAGE_UNAVAILABLE,
                },
            ),
        },
        openapi_extra={"requestBody": NormalSetForm.request_body()},
    )
    async def create(request: Request) -> NormalSet:
        """Learn normal operation from about a minute of audio in one or more files, or from images."""
        form = await uploads.read(request, NormalSetForm)
        with at_stage(Stage.VALIDATION):
            for clip in form.clips:
                check_clip(clip, max_audio_bytes=limits.max_audio_bytes)
            _check_shaft(form.shaft_speed_hz)
        new = NewNormalSet(
            name=form.name,
            description=form.description,
            clips=[clip for clip in form.clips if not image_format_of(clip.content)],
            spectrograms=[clip.content for clip in form.clips if image_format_of(clip.content)],
            encoder=form.encoder,
            backend=form.backend,
            shaft_speed_hz=form.shaft_speed_hz,
            replace=form.replace,
        )
        until = Deadline.after(limits.creation_timeout_seconds)
        with at_stage(Stage.SIMILARITY):
            return await while_connected(request.receive, judge.create_normal_set(new, until))

    @router.get(
        NORMAL_SETS_PATH,
        summary="List normal sets",
        operation_id="listNormalSets",
        responses={
            200: {"content": json_example({"normal_sets": [_NORMAL_SET]})},
            **error_responses(OF_A_SERVICE),
        },
    )
    async def list_all() -> NormalSetList:
        """List the normal sets of this server, by name."""
        normal_sets: list[NormalSet] = []
        token = ""
        until = deadline()
        with at_stage(Stage.SIMILARITY):
            while True:
                page = await judge.list_normal_sets(_PAGE_SIZE, token, until)
                normal_sets += page.normal_sets
                token = page.next_page_token
                if not token:
                    return NormalSetList(normal_sets=normal_sets)

    @router.get(
        f"{NORMAL_SETS_PATH}/{{name}}",
        summary="Describe a normal set",
        operation_id="getNormalSet",
        responses={
            200: {"content": json_example(_NORMAL_SET)},
            **error_responses(OF_A_SERVICE, _OF_A_NORMAL_SET, {Reason.INVALID_FIELD}),
        },
    )
    async def get(name: Name) -> NormalSet:
        """Describe a normal set of this server."""
        with at_stage(Stage.SIMILARITY):
            return await judge.get_normal_set(name, deadline())

    @router.delete(
        f"{NORMAL_SETS_PATH}/{{name}}",
        summary="Delete a normal set",
        operation_id="deleteNormalSet",
        responses={
            200: {"content": json_example({"deleted": True})},
            **error_responses(OF_A_SERVICE, {Reason.INVALID_FIELD, Reason.STORAGE_UNAVAILABLE}),
        },
    )
    async def delete(name: Name) -> DeletedNormalSet:
        """Delete a normal set of this server; one that does not exist is no error."""
        with at_stage(Stage.SIMILARITY):
            return DeletedNormalSet(deleted=await judge.delete_normal_set(name, deadline()))

    return router


def _check_shaft(speed_hz: float | None) -> None:
    if speed_hz is not None:
        validator = RequestValidator()
        validator.check_range(
            "shaft_speed_hz", speed_hz, minimum=_MIN_SHAFT_HZ, maximum=_MAX_SHAFT_HZ, unit="Hz"
        )
        validator.raise_if_invalid()


def _to_body(found: Judgement) -> JudgementBody:
    error_map = None
    if found.error_map is not None:
        encoded = base64.b64encode(found.error_map.content).decode()
        error_map = f"data:{found.error_map.media_type};base64,{encoded}"
    return JudgementBody(
        result=found.label,
        score=found.score,
        distance=found.distance,
        percentile=found.percentile,
        normal_set=found.normal_set,
        backend=found.backend,
        window_count=found.window_count,
        attributes=list(found.attributes),
        error_map=error_map,
    )
