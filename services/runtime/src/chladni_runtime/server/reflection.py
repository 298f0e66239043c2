"""Server reflection, as `grpc.reflection.v1` and as `grpc.reflection.v1alpha`, which older tools ask for.

grpcio-reflection offers v1alpha only; the messages of v1 have the same fields and numbers, so one servicer
answers both (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from chladni.errors.v1 import error_reason_pb2

V1_SERVICE_NAME: Final = "grpc.reflection.v1.ServerReflection"
_METHOD: Final = "ServerReflectionInfo"
_FURTHER_FILES: Final = (error_reason_pb2.DESCRIPTOR,)
"""Files that no service's own file imports, and that reflection finds because they are loaded here."""


def enable_reflection(server: grpc.aio.Server, service_names: Sequence[str]) -> None:
    """Let a server answer questions about its contract.

    Args:
        server: The server, not yet started.
        service_names: Full names of the services to list; those of reflection are added.
    """
    servicer = reflection.aio.ReflectionServicer(  # type: ignore[attr-defined]  # unknown to the stubs
        service_names=(*service_names, reflection.SERVICE_NAME, V1_SERVICE_NAME)
    )
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(name, {_METHOD: handler})
            for name in (reflection.SERVICE_NAME, V1_SERVICE_NAME)
        )
    )
