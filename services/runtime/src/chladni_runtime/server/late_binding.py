"""Servicers that are bound to a server after it has started.

A server must answer health checks while its model loads, but grpc.aio takes handlers only before it starts.
`LateBoundHandlers` is registered before, and gets the servicers' handlers later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf import descriptor_pool


class Binding(NamedTuple):
    """A servicer and the generated function that registers it.

    Attributes:
        register: Generated `add_<Service>Servicer_to_server`.
        servicer: The servicer.
    """

    register: Callable[[Any, Any], None]
    servicer: object


class LateBoundHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """The handlers of servicers that may be bound after the server's start.

    Args:
        service_names: Full names of the services that will be bound; the calls of their methods have a
            handler from the start, so that the gate around it can refuse them with the reason. Other names
            of methods have none, so that nothing is kept of what clients invent.
    """

    def __init__(self, service_names: Sequence[str]) -> None:
        pool = descriptor_pool.Default()
        self._methods = frozenset(
            f"/{name}/{method.name}"
            for name in service_names
            for method in pool.FindServiceByName(name).methods
        )
        self._bound: list[grpc.GenericRpcHandler[Any, Any]] = []
        self._is_bound = False

    def bind(self, bindings: Sequence[Binding]) -> None:
        """Add the handlers of servicers."""
        for binding in bindings:
            binding.register(binding.servicer, self)
        self._is_bound = True

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler of a call, `None` if there is none."""
        for bound in self._bound:
            if handler := bound.service(handler_call_details):
                return handler
        if not self._is_bound and handler_call_details.method in self._methods:
            return _NOT_YET_BOUND
        return None

    # The two methods of a server that a generated register function calls.

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler[Any, Any]]
    ) -> None:
        """Add the handlers that a generated register function made."""
        self._bound.extend(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Do nothing: these are the same handlers again, for servers that look them up faster."""


async def _never_called(_request: Any, _context: Any) -> Any:
    raise AssertionError("the gate refuses calls before the servicers are bound")


_NOT_YET_BOUND: Final = grpc.unary_unary_rpc_method_handler(_never_called)
