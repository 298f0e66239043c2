"""`POST /api/v1/music`: what is heard in the music of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.forms.uploads import UploadForm
from chladni_gateway.rest.openapi import API
from chladni_gateway.rest.requests import while_connected
from chladni_gateway.rest.routes.responses import OF_A_SERVICE, OF_AN_UPLOAD, OF_THE_AUDIO, error_responses
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chladni_gateway.application import Application
    from chladni_gateway.domain.audio import AudioClip
    from chladni_gateway.rest.forms.uploads import UploadReader


class MusicForm(UploadForm):
    """The form of `POST /api/v1/music`."""

    examples: ClassVar[Mapping[str, Any]] = {
        "song": {"summary": "A part of a song", "value": {"file": "song.ogg"}}
    }


_SCHEMA: Final = {
    "type": "object",
    "description": "The fields of `chladni.audio.v1.AnalyzeMusicResponse`; times are seconds.",
    "properties": {
        **{name: {"type": "object"} for name in ("audio", "meter", "beats", "mood", "contour", "dynamics")},
        **{name: {"type": "array", "items": {"type": "object"}} for name in ("keys", "tempos", "chords")},
        "abc_notation": {"type": "string"},
        "features": {
            "type": "object",
            "description": "The features in a few words, as `POST /api/v1/prompts` takes them.",
        },
        "processing_time": {"type": "number"},
    },
    "required": ["keys", "tempos", "chords", "abc_notation", "features"],
}
_EXAMPLE: Final = {
    "keys": [{"key": "A minor", "confidence": 0.93, "tonality": "minor", "tonic": 9}],
    "tempos": [{"beats_per_minute": 108.2, "confidence": 0.88}],
    "meter": {"signature": "3/4", "confidence": 0.97},
    "beats": {"times": [0.0, 0.56], "downbeats": [0.0], "confidence": 0.9, "downbeat_confidence": 0.8},
    "mood": {"valence": -0.4, "arousal": 0.2, "words": ["dark", "tense", "restless"], "confidence": 0.7},
    "contour": {
        "points": [{"time": 0.1, "cents": 12.0, "confidence": 0.9}],
        "confidence": 0.9,
        "single_voice": False,
    },
    "chords": [{"start": 0.0, "end": 1.66, "symbol": "Am", "roman_numeral": "i", "confidence": 0.95}],
    "dynamics": {
        "points": [{"time": 0.0, "level_dbfs": -18.2}],
        "course": "steady",
        "confidence": 0.9,
        "marking": "mf",
        "range_db": 4.1,
    },
    "features": {"key": "A minor", "tempo_bpm": 108.2, "mood": ["dark", "tense", "restless"]},
    "abc_notation": "X:1\nT:Melody\nM:3/4\nL:1/16\nQ:1/4=108\nK:Am\nA8 c4 |]\n",
    "processing_time": 0.6,
}


def music_routes(application: Application, *, uploads: UploadReader) -> APIRouter:
    """Return the routes of music.

    Args:
        application: What the gateway does.
        uploads: Reads recordings.
    """
    router = APIRouter()
    limits = application.limits

    async def analyze(clip: AudioClip) -> dict[str, Any]:
        deadline = Deadline.after(limits.comparison_timeout_seconds)
        with at_stage(Stage.AUDIO_FEATURES):
            return await application.music_analyzer.analyze_music(clip, deadline)

    @router.post(
        f"{API}/music",
        summary="Analyse music",
        operation_id="analyzeMusic",
        responses={
            200: {"content": {"application/json": {"schema": _SCHEMA, "example": _EXAMPLE}}},
            **error_responses(OF_AN_UPLOAD, OF_A_SERVICE, OF_THE_AUDIO),
        },
        openapi_extra={"requestBody": MusicForm.request_body()},
    )
    async def music(request: Request) -> JSONResponse:
        """Find key, tempo, meter, beats, chords, melody, dynamics and mood; write the melody in ABC notation.

        The fields are those of `AnalyzeMusicResponse`, times in seconds; `features` sums them up for prompts.
        """
        form = await uploads.read(request, MusicForm)
        with at_stage(Stage.VALIDATION):
            check_clip(form.chosen_clip, max_audio_bytes=limits.max_audio_bytes)
        fields = await while_connected(request.receive, analyze(form.chosen_clip))
        return JSONResponse(fields, headers={"Cache-Control": "no-store"})

    return router
