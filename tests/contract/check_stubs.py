"""Check that the stubs and the Python client work on the protobuf and the gRPC of this interpreter.

`make verify-stubs` runs it on every supported major version of protobuf. Of this repository it needs only the
installed client: it imports every stub, sends every message through bytes and JSON and back, reads the
options of reasons, calls every method of every service on loopback, and asks a server for its health.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from types import ModuleType
from typing import Any

import google.protobuf
import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.internal import api_implementation
from grpc_health.v1 import health_pb2, health_pb2_grpc

import chladni
from chladni_client import Client
from chladni_contract.errors import REASON_OPTIONS

_MAX_DEPTH = 3
_TIMEOUT_SECONDS = 10


def stub_modules() -> list[ModuleType]:
    """Import and return every stub module."""
    # pkgutil does not walk them: their packages are namespace packages.
    root = Path(chladni.__path__[0])
    names = [path.relative_to(root.parent).with_suffix("").parts for path in sorted(root.rglob("*_pb2*.py"))]
    assert names, root
    return [importlib.import_module(".".join(name)) for name in names]


def message_classes(module: ModuleType) -> Iterator[Any]:
    """Yield the classes of a module's messages."""
    for name in module.DESCRIPTOR.message_types_by_name:
        yield getattr(module, name)


def sample(field: Any) -> Any:
    """Return a value for a field that is not a message."""
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.cpp_type == field.CPPTYPE_STRING:
        return b"\x00\xff" if field.type == field.TYPE_BYTES else "ä"
    return True if field.cpp_type == field.CPPTYPE_BOOL else 3


def fill(message: Any, depth: int = 0) -> None:
    """Put a value into every field; of a oneof, the last one stays. Maps stay empty."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None:
            if depth < _MAX_DEPTH and not field.message_type.GetOptions().map_entry:
                fill(value.add() if hasattr(value, "add") else value, depth + 1)
        elif hasattr(value, "append"):
            value.append(sample(field))
        else:
            setattr(message, field.name, sample(field))


def check_round_trip(message_class: Any) -> None:
    """Check that a message survives bytes and JSON."""
    message = message_class()
    fill(message)
    assert message_class.FromString(message.SerializeToString()) == message, message_class
    assert json_format.Parse(json_format.MessageToJson(message), message_class()) == message, message_class


def bind(server: grpc.Server, stubs: ModuleType, service: Any) -> None:
    """Let a server answer every method of a service with a message that has every field."""

    def answer(method: Any) -> Any:
        response = message_factory.GetMessageClass(method.output_type)()
        fill(response)
        if method.server_streaming:
            return lambda _self, _request, _context: iter([response, response])
        return lambda _self, _request, _context: response

    base = getattr(stubs, f"{service.name}Servicer")
    servicer = type(service.name, (base,), {method.name: answer(method) for method in service.methods})
    getattr(stubs, f"add_{service.name}Servicer_to_server")(servicer(), server)


def check_calls(channel: grpc.Channel, stubs: ModuleType, service: Any) -> int:
    """Call every method of a service; return how many there are."""
    stub = getattr(stubs, f"{service.name}Stub")(channel)
    for method in service.methods:
        request = message_factory.GetMessageClass(method.input_type)()
        fill(request)
        sent = iter([request]) if method.client_streaming else request
        received = getattr(stub, method.name)(sent, timeout=_TIMEOUT_SECONDS)
        responses = list(received) if method.server_streaming else [received]
        assert responses, method.full_name
        assert all(response.ListFields() for response in responses if response.DESCRIPTOR.fields)
    return len(service.methods)


def main() -> None:
    """Run all checks; a failed assertion or an exception says what is wrong."""
    modules = {module.__name__: module for module in stub_modules()}
    contracts = {name: module for name, module in modules.items() if name.endswith("_pb2")}
    classes = [item for module in contracts.values() for item in message_classes(module)]
    for message_class in classes:
        check_round_trip(message_class)
    assert all(400 <= options.http_status < 600 for options in REASON_OPTIONS.values())

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    services = [
        (modules[f"{name}_grpc"], service)
        for name, module in contracts.items()
        for service in module.DESCRIPTOR.services_by_name.values()
    ]
    for stubs, service in services:
        bind(server, stubs, service)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with grpc.insecure_channel(address) as channel:
        calls = sum(check_calls(channel, stubs, service) for stubs, service in services)
    with Client(address) as client:
        assert client.health()
    server.stop(grace=None).wait()
    print(
        f"protobuf {google.protobuf.__version__} ({api_implementation.Type()}), grpcio {grpc.__version__}: "
        f"{len(modules)} stubs, {len(classes)} messages, {calls} methods"
    )


class Health(health_pb2_grpc.HealthServicer):
    """A service that serves."""

    def Check(self, _request: Any, _context: Any) -> health_pb2.HealthCheckResponse:
        """Return SERVING."""
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    main()
