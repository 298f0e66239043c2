"""How the services behind the gateway are."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chladni_gateway.collaborators import Collaborator, HealthState
from chladni_runtime.deadlines import Deadline


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How each service is, by name."""

    services: dict[str, HealthState]

    @property
    def is_healthy(self) -> bool:
        """Whether every service serves, which each does once its models are loaded and warm."""
        return all(state is HealthState.SERVING for state in self.services.values())


class HealthSurvey:
    """Asks all services at the same time.

    Args:
        collaborators: The services.
        timeout_seconds: Time for an answer.
    """

    def __init__(self, collaborators: Sequence[Collaborator], *, timeout_seconds: float) -> None:
        self._collaborators = tuple(collaborators)
        self._timeout_seconds = timeout_seconds

    async def take(self) -> HealthReport:
        """Returns how every service is."""
        deadline = Deadline.after(self._timeout_seconds)
        states = await asyncio.gather(*(service.health(deadline) for service in self._collaborators))
        names = (service.name for service in self._collaborators)
        return HealthReport(dict(zip(names, states, strict=True)))
