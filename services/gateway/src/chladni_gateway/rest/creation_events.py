"""The events of a creation, as server-sent events."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chladni_gateway.creation.job import Cancelled, Done, Failed, NumberedEvent
from chladni_gateway.domain.events import (
    Accepted,
    Analyzed,
    Created,
    CreationEvent,
    Drafted,
    FellBack,
    Progressed,
    Queued,
    Started,
)
from chladni_gateway.rest.errors import error_detail
from chladni_gateway.rest.schemas import to_created_image
from chladni_gateway.rest.sse import ServerEvent

if TYPE_CHECKING:
    from datetime import datetime

    from chladni_gateway.domain.images import Image


def to_server_event(event: CreationEvent) -> ServerEvent:
    """Return an event of a creation as the REST API sends it."""
    name, data = _name_and_data(event)
    return ServerEvent(name, {**_stages_of(event), **data})


def to_job_server_event(numbered: NumberedEvent, *, finished_at: datetime | None) -> ServerEvent:
    """Return an event of a job as the REST API sends it.

    Args:
        numbered: The event.
        finished_at: When the job ended; `None` if it has not.
    """
    number, event = numbered
    match event:
        case Failed(error):
            detail = error_detail(error, at=finished_at).model_dump(mode="json")
            return ServerEvent("failed", {"stage": detail["stage"], "error": detail}, number)
        case Cancelled(stage):
            return ServerEvent("cancelled", {"stage": stage.value}, number)
    name, data = _name_and_data(event)
    return ServerEvent(name, {**_stages_of(event), **data}, number)


def _stages_of(event: CreationEvent | Done) -> dict[str, str]:
    part = "" if isinstance(event, Accepted | Analyzed) else event.part
    return {"stage": event.stage.value} | ({"part": part} if part else {})


def _name_and_data(event: CreationEvent | Done) -> tuple[str, dict[str, Any]]:
    match event:
        case Accepted() | Analyzed():
            return _beginning(event)
        case Queued():
            return "queued", {"position": event.position}
        case Started():
            return "started", {
                "seed": event.seed,
                "total_steps": event.total_steps,
                "model": event.model,
                "guidance_scale": event.guidance_scale,
            }
        case Progressed():
            return "progress", {
                "step": event.step,
                "total_steps": event.total_steps,
                "elapsed_seconds": event.elapsed_seconds,
                "remaining_seconds": event.remaining_seconds,
                "preview": None if event.preview is None else _data_url(event.preview),
            }
        case Drafted() | FellBack():
            return _turn(event)
        case Created() | Done():
            return "created", to_created_image(event.record).model_dump(mode="json")


def _beginning(event: Accepted | Analyzed) -> tuple[str, dict[str, Any]]:
    if isinstance(event, Accepted):
        return "accepted", {"operation_id": str(event.operation_id), "seed": event.seed}
    return "analyzed", {
        "audio": asdict(event.audio),
        "descriptors": [asdict(descriptor) for descriptor in event.descriptors],
        "warnings": [asdict(warning) for warning in event.warnings],
    }


def _turn(event: Drafted | FellBack) -> tuple[str, dict[str, Any]]:
    if isinstance(event, FellBack):
        return "fell_back", {"reason": event.reason, "fallback": event.fallback}
    return "drafted", {
        "image": None if event.image is None else _data_url(event.image),
        "provenance": None if event.provenance is None else asdict(event.provenance),
    }


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.content).decode()}"
