"""Failed calls as errors of the evaluation."""

from __future__ import annotations

import grpc
import pytest

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import MeasurementError
from chladni_evaluation.clients.errors import answered


class RefusedCall(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "the reason"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, NotMeasurableError),
        (grpc.StatusCode.NOT_FOUND, NotMeasurableError),
        (grpc.StatusCode.INVALID_ARGUMENT, MeasurementError),
        (grpc.StatusCode.INTERNAL, MeasurementError),
    ],
)
def test_what_is_not_offered_is_distinguished_from_what_fails(
    code: grpc.StatusCode, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"Generate answers {code.name}: the reason"), answered("Generate"):
        raise RefusedCall(code)
