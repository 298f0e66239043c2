"""The health of a service as its callers see it."""

from __future__ import annotations

from enum import StrEnum


class HealthState(StrEnum):
    """Whether a service takes requests."""

    SERVING = "serving"
    NOT_SERVING = "not_serving"
    UNREACHABLE = "unreachable"
