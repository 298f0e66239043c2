"""Failed calls as errors of the evaluation: what is called is absent, or something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import MeasurementError

CALL_TIMEOUT_SECONDS: Final = 120.0
_ABSENT: Final = frozenset({grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND})


@contextmanager
def answered(call: str) -> Iterator[None]:
    """Turn the errors of a call into errors of the evaluation.

    Args:
        call: Name of the call, for the message.

    Raises:
        NotMeasurableError: The service does not offer it.
        MeasurementError: It failed for another reason.
    """
    try:
        yield
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
        message = f"{call} answers {code.name}: {details}"
        if code in _ABSENT:
            raise NotMeasurableError(message) from None
        raise MeasurementError(message) from None
