"""The health of the services behind the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chladni_gateway.domain.ports import Backend
from chladni_runtime.client.health import HealthState
from chladni_runtime.execution.deadlines import Deadline


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How each service is, by name.

    Attributes:
        services: The services that the gateway cannot do without.
        further: Servers without which it lacks their models alone.
    """

    services: dict[str, HealthState]
    further: dict[str, HealthState]

    @property
    def is_healthy(self) -> bool:
        """Whether every service serves, which each does once its models are loaded and warm.

        Further servers do not count: the recipes say which models are missing.
        """
        return all(state is HealthState.SERVING for state in self.services.values())


class HealthChecker:
    """Asks all services at the same time.

    Args:
        collaborators: The services.
        further: Servers that the gateway can do without.
        timeout_seconds: Time for an answer.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        further: Sequence[Backend] = (),
        timeout_seconds: float,
    ) -> None:
        self._collaborators = tuple(backends)
        self._further = tuple(further)
        self._timeout_seconds = timeout_seconds

    async def check(self) -> HealthReport:
        """Return how every service is."""
        deadline = Deadline.after(self._timeout_seconds)
        asked = (*self._collaborators, *self._further)
        states = await asyncio.gather(*(service.health(deadline) for service in asked))
        answers = [(service.name, state) for service, state in zip(asked, states, strict=True)]
        count = len(self._collaborators)
        return HealthReport(dict(answers[:count]), dict(answers[count:]))
