"""The committed OpenAPI document is the one that is served, and breaks no client of the last release."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parents[4] / "protos" / "openapi"


def read(name):
    return json.loads((FOLDER / name).read_text())


def promises(document):
    """Everything by which a client may have been made: it stays."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method.upper()} {path}"
            yield f"{where} {operation['operationId']}"
            for parameter in operation.get("parameters", []):
                yield f"{where} ?{parameter['name']}"
            for status, response in operation["responses"].items():
                for media_type in response.get("content", {"nothing": None}):
                    yield f"{where} {status} {media_type}"
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from fields(where, content["schema"])
    for name, schema in document["components"]["schemas"].items():
        yield from fields(name, schema)


def fields(where, schema):
    for value in schema.get("enum", []):
        yield f"{where} = {value}"
    for name, field in schema.get("properties", {}).items():
        yield f"{where}.{name}"
        yield from fields(f"{where}.{name}", field)


async def test_the_committed_document_is_what_is_served(gateway):
    served = (await gateway.http.get("/api/v1/openapi.json")).json()
    assert served == read("chladni-v1.json"), "run: make openapi"


def test_nothing_of_the_last_release_is_gone():
    assert set(promises(read("baseline.json"))) <= set(promises(read("chladni-v1.json")))


def test_nothing_more_is_required_than_in_the_last_release():
    before, now = (read(name)["components"]["schemas"] for name in ("baseline.json", "chladni-v1.json"))
    requests = [name for name in before if name.endswith("Request")]
    assert requests
    for name in requests:
        assert set(now[name].get("required", [])) <= set(before[name].get("required", [])), name
