"""The reference that `make docs` writes names every public element, with what the contracts say of it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from chladni_contract.errors import Reason
from chladni_contract.metadata import CALLER_ID_KEY, REQUEST_ID_KEY, SESSION_TOKEN_KEY
from chladni_contract.status import RETRY_PUSHBACK_KEY, WIRE_STATUS

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = {
    "info": {"title": "Chladni", "version": "1"},
    "paths": {"/api/x": {"get": {"summary": "Get x", "responses": {"404": {}, "200": {}}}}},
}


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location(
        "chladni_reference", REPOSITORY / "deploy" / "docs" / "reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    image = tmp_path_factory.mktemp("contracts") / "contracts.binpb"
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "build", "--output", image], cwd=REPOSITORY / "protos", check=True)
    return descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file


@pytest.fixture(scope="module")
def pages(reference, files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    reference.write_reference(reference.Contracts(files), DOCUMENT, folder)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_every_element_is_on_the_page_of_its_package(files, pages):
    for file in files:
        if file.package.startswith("chladni."):
            page = pages[f"{file.package}.md"]
            for service in file.service:
                for method in service.method:
                    assert f"`/{file.package}.{service.name}/{method.name}` takes" in page
            for message in file.message_type:
                assert f"\n## {message.name}\n" in page
                assert all(f"| `{field.name}` |" in page for field in message.field)
            for enum in file.enum_type:
                assert all(f"| `{value.name}` |" in page for value in enum.value)


def test_no_element_is_without_a_meaning(pages):
    rows = [line for page in pages.values() for line in page.splitlines() if line.startswith("| ")]
    assert rows
    assert not [row for row in rows if row.endswith("|   |")]


def test_every_reason_has_its_statuses(pages):
    for reason in Reason:
        status = WIRE_STATUS[reason]
        heading = f"\n## {reason.value}\n\n{status.grpc.name} ({status.grpc.value[0]}), HTTP {status.http}.\n"
        assert heading in pages["errors.md"]
    assert "Metadata: `max_bytes`, `size_bytes`." in pages["errors.md"]


def test_what_goes_with_every_call_is_on_one_page(pages):
    assert "(calls.md)" in pages["index.md"]
    for key in (REQUEST_ID_KEY, CALLER_ID_KEY, SESSION_TOKEN_KEY, RETRY_PUSHBACK_KEY):
        assert f"| `{key}` |" in pages["calls.md"]


def test_calls_name_what_the_gateway_serves_of_other_packages(pages):
    contracts = [path.read_text() for path in (REPOSITORY / "protos" / "chladni").rglob("*_service.proto")]
    served = [text for text in contracts if "The gateway serves it too" in text]
    assert len(served) == 3
    for text in served:
        package, service = (
            re.search(rf"^{word} ([\w.]+)", text, re.MULTILINE)[1] for word in ("package", "service")
        )
        assert f"`{package}.{service}`" in pages["calls.md"]


def test_links_lead_somewhere(pages):
    anchors = {
        f"{name}#{re.sub(r'[^a-z0-9_-]', '', heading.lower())}"
        for name, page in pages.items()
        for heading in re.findall(r"^##+ (.+)$", page, flags=re.MULTILINE)
    }
    targets = {target for page in pages.values() for target in re.findall(r"\]\(([^)]+)\)", page)}
    assert targets
    assert not {target for target in targets if target not in anchors | pages.keys()}


def test_the_operations_of_the_rest_api_are_listed(pages):
    assert "| GET | `/api/x` | Get x | 200, 404 |" in pages["rest.md"]


async def test_the_document_comes_from_the_gateway(reference):
    document = await reference.fetch_openapi()
    assert {"/api/v1/generate", "/api/v1/jobs"} <= document["paths"].keys()
