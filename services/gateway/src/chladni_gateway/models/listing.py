"""The models of one server, remembered for a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError, Reason, UnavailableError
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.ports import Backend
    from chladni_runtime.execution.deadlines import Clock

_PATIENCE_SECONDS: Final = 5.0
_RETRY_AFTER_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ListedModels:
    """What a server told of its models.

    Attributes:
        models: The models.
        failure: Why it told nothing; `None` where it told.
        is_slow: Whether it only did not answer in time.
    """

    models: tuple[ModelSummary, ...] = ()
    failure: ChladniError | None = None
    is_slow: bool = False


class ModelListing:
    """Asks a server for its models, and remembers what it said. One event loop owns it.

    Args:
        server: The server.
        lifetime_seconds: Time for which an answer is as good as a new one.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, server: Backend, *, lifetime_seconds: float, clock: Clock) -> None:
        self._server = server
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._answer: ListedModels | None = None
        self._answered_at = 0.0

    @property
    def server_name(self) -> str:
        """Name of the server."""
        return self._server.name

    @property
    def last_known(self) -> tuple[ModelSummary, ...]:
        """Models that the server told of when it last told."""
        return self._answer.models if self._answer else ()

    async def refresh(self, deadline: Deadline) -> ListedModels:
        """Returns what the server says now; never raises."""
        try:
            answer = ListedModels(await self._server.models(deadline))
        except ChladniError as error:
            if error.reason is not Reason.NOT_IMPLEMENTED:
                return self._failed(error)
            answer = ListedModels()
        self._answer, self._answered_at = answer, self._clock()
        return answer

    async def cached(self, deadline: Deadline) -> ListedModels:
        """Returns what the server said a moment ago, or says now; never raises.

        A server that is too busy to answer soon has the models that it had before.
        """
        if self._answer and self._clock() < self._answered_at + self._lifetime_seconds:
            return self._answer
        remaining_seconds = deadline.remaining_seconds
        is_far = remaining_seconds is None or remaining_seconds > _PATIENCE_SECONDS
        answer = await self.refresh(Deadline.after(_PATIENCE_SECONDS) if is_far else deadline)
        return self._answer if answer.is_slow and self._answer else answer

    def _failed(self, error: ChladniError) -> ListedModels:
        if error.reason is not Reason.DEADLINE_EXCEEDED:
            return ListedModels(failure=error)
        slow = UnavailableError(
            Reason.BACKEND_UNAVAILABLE,
            f"The service {self.server_name} did not tell its models in time. Try again shortly.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )
        return ListedModels(failure=slow, is_slow=True)
