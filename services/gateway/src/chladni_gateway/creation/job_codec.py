"""Jobs and their events as bytes for the store: JSON, which later versions of the gateway read too."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from types import GenericAlias
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter

from chladni_contract.errors import ChladniError, FieldViolation, Reason
from chladni_gateway.creation.job import Cancelled, Done, Failed, JobEvent
from chladni_gateway.domain.events import Accepted, Analyzed, Drafted, FellBack, Progressed, Queued, Started
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.storage.job_store import StoredEvent

_BYTES: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__.lower(): kind
    for kind in (Accepted, Analyzed, Drafted, FellBack, Queued, Started, Progressed, Done, Cancelled)
}


def _tuple_of(kind: type[Any]) -> Any:
    return GenericAlias(tuple, (kind,))


# Of a tuple, since the configuration of a dataclass cannot be given from outside.
_EVENTS: Final[dict[str, TypeAdapter[tuple[Any]]]] = {
    name: TypeAdapter(_tuple_of(kind), config=_BYTES) for name, kind in _KINDS.items()
}


@dataclass(frozen=True, slots=True)
class JobDetails:
    """What a job needs beside its recording.

    Attributes:
        request: What was asked for; its clip has no content.
        seed: Seed that was drawn for it.
        digest: Digest of everything that decides the image; empty if the request has no name.
    """

    request: CreationRequest
    seed: int
    digest: str = ""

    def with_clip(self, content: bytes) -> CreationRequest:
        """Return the request with the recording."""
        return replace(self.request, clip=replace(self.request.clip, content=content))


_DETAILS: Final = TypeAdapter(tuple[JobDetails], config=_BYTES)


def encode_details(details: JobDetails) -> bytes:
    """Return what a job needs, without its recording, as bytes."""
    return _DETAILS.dump_json((replace(details, request=details.with_clip(b"")),))


def decode_details(content: bytes) -> JobDetails:
    """Return what `encode_details` encoded."""
    return _DETAILS.validate_json(content)[0]


def encode_event(number: int, event: JobEvent) -> StoredEvent:
    """Return an event for the store. The image of a draft is left out; a preview is kept apart."""
    if isinstance(event, Failed):
        return StoredEvent(number, json.dumps({"failed": _error_facts(event.error)}).encode())
    preview = None
    if isinstance(event, Progressed):
        preview, event = event.preview, replace(event, preview=None)
    if isinstance(event, Drafted):
        event = replace(event, image=None)
    name = type(event).__name__.lower()
    content = b'{"%s":%s}' % (name.encode(), _EVENTS[name].dump_json((event,)))
    return StoredEvent(number, content, b"" if preview is None else _encode_image(preview))


def decode_event(stored: StoredEvent) -> JobEvent:
    """Return the event that `encode_event` encoded."""
    [(name, facts)] = json.loads(stored.content).items()
    if name == "failed":
        return Failed(_error_of(facts))
    event: JobEvent = _EVENTS[name].validate_json(json.dumps(facts))[0]
    if isinstance(event, Progressed) and stored.preview:
        return replace(event, preview=_decode_image(stored.preview))
    return event


def _error_facts(error: ChladniError) -> dict[str, Any]:
    return {
        "reason": error.reason.value,
        "message": error.message,
        "violations": [[item.field, item.description] for item in error.violations],
        "retry_after_seconds": error.retry_after_seconds,
        "metadata": error.metadata,
    }


def _error_of(facts: dict[str, Any]) -> ChladniError:
    return ChladniError(
        Reason(facts["reason"]),
        facts["message"],
        violations=[FieldViolation(*item) for item in facts["violations"]],
        retry_after_seconds=facts["retry_after_seconds"],
        metadata=facts["metadata"],
    )


def _encode_image(image: Image) -> bytes:
    return f"{image.media_type} {image.width_pixels} {image.height_pixels}\n".encode() + image.content


def _decode_image(content: bytes) -> Image:
    head, _, data = content.partition(b"\n")
    media_type, width, height = head.decode().split(" ")
    return Image(data, media_type, int(width), int(height))
