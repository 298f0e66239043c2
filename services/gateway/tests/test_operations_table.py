"""The README's table of operations names every route and every method, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from google.protobuf import descriptor_pool

from chladni_gateway.composition import SERVICE_NAMES

README = (Path(__file__).parents[1] / "README.md").read_text()
OTHER_ROUTES = {"GET /api/v1/openapi.json"}
SOCKETS = {"WS /api/v1/live", "WS /api/v1/live/images"}
"""OpenAPI does not describe WebSockets."""


def table():
    section = README.partition("## The operations")[2].partition("\n## ")[0]
    rows = [line.split("|")[2:4] for line in section.splitlines() if line.startswith("| ")][1:]
    return [[set(re.findall(r"`([^`]+)`", cell)) for cell in row] for row in rows]


async def test_every_route_has_its_operation(gateway):
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    routes = {f"{verb.upper()} {path}" for path, verbs in document["paths"].items() for verb in verbs}
    named = set().union(*(rest for rest, _ in table()))
    assert routes - OTHER_ROUTES == named - SOCKETS


def test_every_method_has_its_operation():
    pool = descriptor_pool.Default()
    methods = {
        f"{name.rpartition('.')[2]}.{method.name}"
        for name in SERVICE_NAMES
        for method in pool.FindServiceByName(name).methods
    }
    assert methods == set().union(*(grpc for _, grpc in table()))


def test_every_operation_has_both_faces():
    assert all(rest and grpc for rest, grpc in table())
