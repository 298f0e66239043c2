"""Metadata that goes with calls: keys and limits."""

from typing import Final

REQUEST_ID_KEY: Final = "x-request-id"
"""Names one request in the logs of every service that takes part in it."""

CALLER_ID_KEY: Final = "x-caller-id"
"""Names who shares a service with others, given by a caller or by a gateway for it; proves nothing."""

MAX_CALLER_ID_LENGTH: Final = 128
