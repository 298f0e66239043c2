"""What a caller learns of a service's health."""

from enum import StrEnum


class HealthState(StrEnum):
    """Whether a service takes requests."""

    SERVING = "serving"
    NOT_SERVING = "not_serving"
    UNREACHABLE = "unreachable"
