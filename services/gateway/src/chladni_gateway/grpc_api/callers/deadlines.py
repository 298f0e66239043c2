"""Deadlines of calls."""

from __future__ import annotations

from typing import Any

import grpc

from chladni_gateway.application import Limits
from chladni_gateway.domain.generation import Priority
from chladni_gateway.domain.request import CreationRequest
from chladni_runtime.execution.deadlines import Deadline


def deadline_of(context: grpc.aio.ServicerContext[Any, Any], default_seconds: float) -> Deadline:
    """Return the caller's deadline, or one after the default time if the caller set none."""
    remaining_seconds = context.time_remaining()
    return Deadline.after(default_seconds if remaining_seconds is None else remaining_seconds)


def creation_deadline_of(
    context: grpc.aio.ServicerContext[Any, Any], request: CreationRequest, limits: Limits
) -> Deadline:
    """Return the deadline of a creation; without one of the caller, a longer one with batch priority."""
    is_batch = request.settings.priority is Priority.BATCH
    return deadline_of(context, limits.job_timeout_seconds if is_batch else limits.creation_timeout_seconds)
