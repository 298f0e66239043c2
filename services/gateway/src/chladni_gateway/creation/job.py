"""A job: the creation of an image that outlives the request that asked for it.

    Accepted  Analyzed  (FellBack | Drafted | Queued | Started | Progressed)*  Done

and, instead of what is missing, Failed or Cancelled.

Events are numbered from 1. A job keeps them, so that a follower that lost its connection goes on where it
was; only the newest preview is kept, and the draft only while the job goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

from chladni_contract.errors import ChladniError, QueueFullError
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
from chladni_gateway.domain.images import parse_uuid
from chladni_gateway.domain.stages import STAGE_KEY, Stage
from chladni_gateway.domain.storage.image_store import ImageRecord

MAX_EVENTS: Final = 512
"""Events kept of a job; the longest way to an image takes two times 150 steps and some places in queues."""
MAX_FOLLOWERS: Final = 8
"""Followers of a job at the same time."""
_RETRY_AFTER_SECONDS: Final = 2.0


class JobState(StrEnum):
    """How far a job is."""

    ANALYZING = "analyzing"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Done:
    """The image is stored, and can be fetched by its identifier."""

    stage: ClassVar[Stage] = Stage.STORAGE

    record: ImageRecord
    part: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no image."""

    error: ChladniError

    @property
    def stage(self) -> str:
        """Stage that failed."""
        return self.error.metadata.get(STAGE_KEY, Stage.VALIDATION.value)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The owner wanted no image any more; `stage` was in progress."""

    stage: Stage


JobEvent = (
    Accepted | Analyzed | Drafted | FellBack | Queued | Started | Progressed | Done | Failed | Cancelled
)


class NumberedEvent(NamedTuple):
    """An event with its number in its job, 1 for the first."""

    number: int
    event: JobEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """How far a job is; what does not apply, or is not known, is `None`.

    Attributes:
        state: How far it is.
        stage: Stage in progress, or the one that it ended in.
        position: Requests that the model serves first, while `queued`.
        step: Denoising steps done.
        total_steps: Denoising steps in all.
        elapsed_seconds: Time since denoising started.
        remaining_seconds: Time that it is expected to take.
        record: What is kept with the image, once it is there.
        error: Why there is none.
        part: Part of the recipe in progress, or that it ended in; empty if it has one part.
        fallback: Why another way than the recipe's own was taken; empty if it was not.
    """

    state: JobState = JobState.ANALYZING
    stage: str = Stage.AUDIO_FEATURES.value
    position: int | None = None
    step: int | None = None
    total_steps: int | None = None
    elapsed_seconds: float | None = None
    remaining_seconds: float | None = None
    record: ImageRecord | None = None
    error: ChladniError | None = None
    part: str = ""
    fallback: str = ""

    def after(self, event: JobEvent) -> JobStatus:
        """Return the status once an event has happened."""
        return replace(self, **_part_by(event), **_changes_by(event))


def _part_by(event: JobEvent) -> dict[str, Any]:
    """Return which part of its recipe an event finds the job in."""
    match event:
        case FellBack():
            return {"part": event.part, "fallback": event.reason}
        case Drafted() | Queued() | Started() | Progressed():
            return {"part": event.part}
    return {}


def _changes_by(event: JobEvent) -> dict[str, Any]:
    """Return what an event changes in the status of its job."""
    match event:
        case Analyzed():
            return {"state": JobState.QUEUED, "stage": Stage.IMAGE_GENERATION.value}
        case Accepted() | Drafted() | FellBack():
            return {}
        case Queued():
            return {"state": JobState.QUEUED, "position": event.position}
        case Started():
            return {
                "state": JobState.RUNNING,
                "position": None,
                "step": 0,
                "total_steps": event.total_steps,
            }
        case Progressed():
            return {
                "state": JobState.RUNNING,
                "position": None,
                "step": event.step,
                "total_steps": event.total_steps,
                "elapsed_seconds": event.elapsed_seconds,
                "remaining_seconds": event.remaining_seconds,
            }
    return {"position": None, "remaining_seconds": None, **_end_by(event)}


def _end_by(event: Done | Failed | Cancelled) -> dict[str, Any]:
    match event:
        case Done(record):
            return {"state": JobState.COMPLETED, "stage": event.stage.value, "record": record}
        case Failed(error):
            return {"state": JobState.FAILED, "stage": event.stage, "error": error}
        case Cancelled(stage):
            return {"state": JobState.CANCELLED, "stage": stage.value}


class Job:
    """A job and what has happened to it, as far as this gateway knows. One event loop owns it.

    Args:
        job_id: Identifier.
        owner: Whose job it is.
        file_name: Name of the recording, for people; empty if it had none.
        created_at: When it was asked for.
        caller: Who asked for it.
    """

    def __init__(
        self, *, job_id: UUID, owner: str, file_name: str, created_at: datetime, caller: str = ""
    ) -> None:
        self.job_id: Final = job_id
        self.owner: Final = owner
        self.caller: Final = caller
        self.file_name: Final = file_name
        self.created_at: Final = created_at
        self.finished_at: datetime | None = None
        self.status = JobStatus()
        self.last_number = 0
        self.furthest_step = 0
        self.follower_count = 0
        self._events: deque[NumberedEvent] = deque(maxlen=MAX_EVENTS)
        self._kinds: set[type[JobEvent]] = set()
        self._has_changed = asyncio.Event()
        self._interruption: ChladniError | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status.state.is_final

    def add(self, event: JobEvent, *, now: datetime, number: int | None = None) -> None:
        """Record what happened, and wake the followers.

        Args:
            event: What happened.
            now: When.
            number: Number of the event; `None` for the next one.
        """
        if self.is_over:
            raise ValueError("the job is over")
        if isinstance(event, Progressed):
            self.furthest_step = max(self.furthest_step, event.step)
            if event.preview is not None:
                self._drop_previews()
        self.last_number = self.last_number + 1 if number is None else number
        self._kinds.add(type(event))
        self._events.append(NumberedEvent(self.last_number, event))
        self.status = self.status.after(event)
        if self.is_over:
            self.finished_at = now
            self._drop_drafts()
        self._wake_followers()

    def has_seen(self, kind: type[JobEvent]) -> bool:
        """Return whether an event of a kind has happened."""
        return kind in self._kinds

    def interrupt(self, error: ChladniError) -> None:
        """Make the followers of an unfinished job end with an error: nothing more is heard of it here."""
        self._interruption = error
        self._wake_followers()

    def has_told_all(self, last_number: int) -> bool:
        """Return whether a follower that saw the event of this number has nothing left to see."""
        return self.is_over and last_number >= self.last_number

    def follow(self, *, after: int = 0, is_counted: bool = True) -> AsyncGenerator[NumberedEvent, None]:
        """Return the events with numbers above `after`, each once, up to the last one of the job.

        The events end with an error, DRAINING, if the service stops before the job is over.

        Args:
            after: Number of the last event that is known already.
            is_counted: Whether the limit of followers counts.

        Raises:
            QueueFullError: It has `MAX_FOLLOWERS` already.
        """
        if is_counted and self.follower_count >= MAX_FOLLOWERS:
            raise QueueFullError(
                f"This job has {MAX_FOLLOWERS} followers, the limit; close one of its event streams.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
                metadata={"count": self.follower_count, "maximum": MAX_FOLLOWERS},
            )
        return self._events_after(after)

    async def _events_after(self, last_number: int) -> AsyncGenerator[NumberedEvent, None]:
        self.follower_count += 1
        try:
            while not self.has_told_all(last_number):
                has_changed = self._has_changed
                for numbered in [item for item in self._events if item.number > last_number]:
                    last_number = numbered.number
                    yield numbered
                if not self.is_over:
                    if self._interruption is not None:
                        raise self._interruption
                    await has_changed.wait()
        finally:
            self.follower_count -= 1

    def _wake_followers(self) -> None:
        self._has_changed.set()
        self._has_changed = asyncio.Event()

    def _drop_previews(self) -> None:
        for index, (number, event) in enumerate(self._events):
            if isinstance(event, Progressed) and event.preview is not None:
                self._events[index] = NumberedEvent(number, replace(event, preview=None))

    def _drop_drafts(self) -> None:
        for index, (number, event) in enumerate(self._events):
            if isinstance(event, Drafted):
                self._events[index] = NumberedEvent(number, replace(event, image=None))


def parse_job_id(text: str) -> UUID:
    """Return the identifier of a job that a caller wrote.

    Raises:
        InvalidInputError: It is not a UUID.
    """
    return parse_uuid(text, field="job_id", hint="send the identifier that the start of the job returned")


def to_job_event(event: CreationEvent) -> JobEvent:
    """Return the event of a job for one of its creation: the image itself is left to the store."""
    return Done(event.record, event.part) if isinstance(event, Created) else event
