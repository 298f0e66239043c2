"""Write the reference of the gRPC contracts and the REST API as Markdown.

    python deploy/docs/reference.py CONTRACTS --output build/docs

`make docs` calls it. CONTRACTS is a `FileDescriptorSet` with source information, as `buf build` writes it;
the comments of the contracts are the text of the reference. The REST API's document comes from a gateway that
is opened for that moment, on loopback and without any service behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.request import urlopen

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from prometheus_client import CollectorRegistry

from chladni.errors.v1 import error_reason_options_pb2
from chladni_contract.errors import REASON_OPTIONS
from chladni_contract.status import WIRE_STATUS
from chladni_gateway.composition import open_gateway
from chladni_gateway.config import GatewaySettings

_REASON_PREFIX: Final = "ERROR_REASON_"
_CALLS_PAGE: Final = "calls.md"
_CALLS: Final = Path(__file__).parents[2] / "protos" / "CALLS.md"
_ERRORS_PAGE: Final = "errors.md"
_REST_PAGE: Final = "rest.md"
_UNITS: Final = {
    "seconds": "s",
    "milliseconds": "ms",
    "hz": "Hz",
    "pixels": "pixels",
    "bytes": "bytes",
    "db": "dB",
    "lufs": "LUFS",
    "bpm": "beats per minute",
    "cents": "cents",
    "steps": "steps",
    "frames": "frames",
    "samples": "samples",
}
"""Units by the last word of a field's name."""

SourcePath: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """A message or an enum, with the file it is in.

    Attributes:
        name: Full name without the leading dot, such as ``chladni.media.v1.Image``.
        descriptor: Its descriptor.
        path: Where it is in its file, as source information counts.
        comments: Comments of its file by path.
    """

    name: str
    descriptor: Any
    path: SourcePath
    comments: Mapping[SourcePath, str]

    def comment(self, *path: int) -> str:
        """Return the comment of the element, or of what is at a path below it."""
        return self.comments.get((*self.path, *path), "")


class Contracts:
    """The contracts, by package.

    Args:
        files: Files with source information; those of other packages are left out.
    """

    def __init__(self, files: Iterable[descriptor_pb2.FileDescriptorProto]) -> None:
        self.package_comments: dict[str, list[str]] = defaultdict(list)
        self.services: dict[str, list[Element]] = defaultdict(list)
        self.messages: dict[str, list[Element]] = defaultdict(list)
        self.enums: dict[str, list[Element]] = defaultdict(list)
        for file in files:
            if file.package.startswith("chladni."):
                self._add(file)
        self.packages = sorted(self.package_comments)
        self.package_of = {
            element.name: package
            for group in (self.messages, self.enums)
            for package, elements in group.items()
            for element in elements
        }

    def _add(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        comments = {
            tuple(location.path): _plain_comment(location.leading_comments)
            for location in file.source_code_info.location
            if location.leading_comments
        }
        package = file.package
        self.package_comments[package] += [text for text in [comments.get((2,), "")] if text]
        for index, service in enumerate(file.service):
            self.services[package].append(Element(f"{package}.{service.name}", service, (6, index), comments))
        for index, enum in enumerate(file.enum_type):
            self.enums[package].append(Element(f"{package}.{enum.name}", enum, (5, index), comments))
        for index, message in enumerate(file.message_type):
            self._add_message(package, Element(f"{package}.{message.name}", message, (4, index), comments))

    def _add_message(self, package: str, element: Element) -> None:
        self.messages[package].append(element)
        for index, enum in enumerate(element.descriptor.enum_type):
            nested = Element(f"{element.name}.{enum.name}", enum, (*element.path, 4, index), element.comments)
            self.enums[package].append(nested)
        for index, message in enumerate(element.descriptor.nested_type):
            if not message.options.map_entry:
                nested = Element(
                    f"{element.name}.{message.name}", message, (*element.path, 3, index), element.comments
                )
                self._add_message(package, nested)

    def link(self, type_name: str) -> str:
        """Return a link to the type of a full name with its leading dot."""
        name = type_name.removeprefix(".")
        package = self.package_of.get(name)
        short = name.rpartition(".")[2]
        return f"[{short}]({package}.md#{_anchor(name, package)})" if package else f"`{name}`"


def _plain_comment(comment: str) -> str:
    """Return a comment with its lines joined; an empty line still ends a paragraph."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _anchor(name: str, package: str) -> str:
    return name.removeprefix(f"{package}.").lower().replace(".", "")


def _with_links(text: str) -> str:
    """Return a comment with links to the reasons that it names."""
    names = "|".join(sorted((reason.value for reason in REASON_OPTIONS), key=len, reverse=True))
    return re.sub(rf"(?<![\w`])({names})(?!\w)", lambda m: f"[{m[0]}]({_ERRORS_PAGE}#{m[0].lower()})", text)


def _cell(text: str) -> str:
    return _with_links(text.replace("\n\n", "<br>").replace("|", "\\|")) or " "


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def package_page(contracts: Contracts, package: str) -> str:
    """Return the page of a package."""
    lines = [f"# {package}", "", *(f"{text}\n" for text in contracts.package_comments[package])]
    if not re.fullmatch(r".*\.v\d+", package):
        lines += ["**This package is unstable: it may change or vanish with any release.**", ""]
    for service in contracts.services[package]:
        lines += _service_section(contracts, service)
    for message in contracts.messages[package]:
        lines += _message_section(contracts, message, package)
    for enum in contracts.enums[package]:
        lines += _enum_section(enum, package)
    return "\n".join(lines)


def _service_section(contracts: Contracts, service: Element) -> list[str]:
    lines = [f"## {service.descriptor.name}", "", _with_links(service.comment()), ""]
    for index, method in enumerate(service.descriptor.method):
        sent, received = (
            f"{'a stream of ' if is_stream else ''}{contracts.link(type_name)}"
            for is_stream, type_name in (
                (method.client_streaming, method.input_type),
                (method.server_streaming, method.output_type),
            )
        )
        lines += [
            f"### {service.descriptor.name}.{method.name}",
            "",
            f"`/{service.name}/{method.name}` takes {sent} and answers with {received}."
            + (" **Deprecated.**" if method.options.deprecated else ""),
            "",
            _with_links(service.comment(2, index)),
            "",
        ]
    return lines


def _message_section(contracts: Contracts, message: Element, package: str) -> list[str]:
    lines = [f"## {message.name.removeprefix(f'{package}.')}", "", _with_links(message.comment()), ""]
    for index, oneof in enumerate(message.descriptor.oneof_decl):
        if text := message.comment(8, index):
            lines += [f"One of `{oneof.name}`: {_with_links(text)}", ""]
    rows = [
        (
            str(field.number),
            f"`{field.name}`" + (" (deprecated)" if field.options.deprecated else ""),
            _type_of(contracts, message, field),
            _presence_of(message.descriptor, field),
            _UNITS.get(field.name.rpartition("_")[2], ""),
            _cell(message.comment(2, number)),
        )
        for number, field in enumerate(message.descriptor.field)
    ]
    return [*lines, *_table(("", "field", "type", "presence", "unit", "meaning"), rows)] if rows else lines


def _type_of(contracts: Contracts, message: Element, field: FieldDescriptorProto) -> str:
    if not field.type_name:
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    for nested in message.descriptor.nested_type:
        if nested.options.map_entry and field.type_name == f".{message.name}.{nested.name}":
            key, value = (_type_of(contracts, message, entry) for entry in nested.field)
            return f"map of {key} to {value}"
    return contracts.link(field.type_name)


def _presence_of(message: Any, field: FieldDescriptorProto) -> str:
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return "repeated"
    if field.proto3_optional or (
        field.type == FieldDescriptorProto.TYPE_MESSAGE and not field.HasField("oneof_index")
    ):
        return "optional"
    return f"one of {message.oneof_decl[field.oneof_index].name}" if field.HasField("oneof_index") else ""


def _enum_section(enum: Element, package: str) -> list[str]:
    lines = [f"## {enum.name.removeprefix(f'{package}.')}", "", _with_links(enum.comment()), ""]
    rows = [
        (
            str(value.number),
            f"`{value.name}`" + (" (deprecated)" if value.options.deprecated else ""),
            _cell(enum.comment(2, index)),
        )
        for index, value in enumerate(enum.descriptor.value)
    ]
    return [*lines, *_table(("", "value", "meaning"), rows)]


def errors_page(contracts: Contracts) -> str:
    """Return the page of the reasons of errors, from the options of the enum."""
    (enum,) = (item for item in contracts.enums["chladni.errors.v1"] if item.descriptor.name == "ErrorReason")
    common = enum.descriptor.options.Extensions[error_reason_options_pb2.reasons].metadata_keys
    lines = [
        "# Errors",
        "",
        enum.comment(),
        "",
        f"Every reason may have the metadata {', '.join(f'`{key}`' for key in common)}.",
        "",
    ]
    comments = {
        value.name.removeprefix(_REASON_PREFIX): enum.comment(2, index)
        for index, value in enumerate(enum.descriptor.value)
    }
    for reason, options in REASON_OPTIONS.items():
        status = WIRE_STATUS[reason]
        keys = sorted(options.metadata_keys - set(common))
        lines += [
            f"## {reason.value}",
            "",
            f"{status.grpc.name} ({options.grpc_code}), HTTP {status.http}.",
            "",
            comments[reason.value],
            "",
            *([f"Metadata: {', '.join(f'`{key}`' for key in keys)}.", ""] if keys else []),
        ]
    return "\n".join(lines)


def rest_page(document: Mapping[str, Any]) -> str:
    """Return the page of the REST API's operations, from its OpenAPI document."""
    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = ", ".join(sorted(operation["responses"]))
            rows.append((method.upper(), f"`{path}`", operation.get("summary", ""), statuses))
    lines = [
        f"# The REST API of {document['info']['title']} {document['info']['version']}",
        "",
        "`GET /api/v1/openapi.json` describes every parameter and every answer. Errors have the statuses of",
        f"their [reasons]({_ERRORS_PAGE}).",
        "",
    ]
    return "\n".join([*lines, *_table(("method", "path", "what it does", "statuses"), rows)])


def index_page(contracts: Contracts) -> str:
    """Return the page that lists the others."""
    rows = []
    for package in contracts.packages:
        methods = sum(len(service.descriptor.method) for service in contracts.services[package])
        text = " ".join(contracts.package_comments[package])
        rows.append((f"[{package}]({package}.md)", str(methods), _cell(text)))
    lines = [
        "# Reference",
        "",
        f"- [Calls]({_CALLS_PAGE}): metadata, deadlines, connections, sizes, retries, health",
        f"- [Errors]({_ERRORS_PAGE}): reasons, statuses, metadata",
        f"- [REST]({_REST_PAGE}): operations",
        "",
    ]
    return "\n".join([*lines, *_table(("package", "methods", "what it is"), rows)])


async def fetch_openapi() -> dict[str, Any]:
    """Return the OpenAPI document of a gateway that is opened for this moment."""
    with tempfile.TemporaryDirectory() as folder:
        settings = GatewaySettings(image_folder=Path(folder), http_port=0)
        async with open_gateway(settings, CollectorRegistry()) as gateway:
            address = f"http://127.0.0.1:{gateway.http_port}/api/v1/openapi.json"
            document: dict[str, Any] = json.loads(await asyncio.to_thread(_read, address))
            return document


def _read(address: str) -> bytes:
    with urlopen(address, timeout=10) as response:  # noqa: S310 - its own loopback address
        content: bytes = response.read()
        return content


def write_reference(contracts: Contracts, document: Mapping[str, Any], folder: Path) -> None:
    """Write all pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{package}.md": package_page(contracts, package) for package in contracts.packages}
    pages |= {
        "index.md": index_page(contracts),
        _CALLS_PAGE: _CALLS.read_text(encoding="utf-8"),
        _ERRORS_PAGE: errors_page(contracts),
        _REST_PAGE: rest_page(document),
    }
    for name, text in pages.items():
        (folder / name).write_text(text.rstrip() + "\n", encoding="utf-8")


def main() -> None:
    """Write the reference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("contracts", type=Path, nargs="?", help="FileDescriptorSet with source information")
    parser.add_argument("--openapi", type=Path, help="write the OpenAPI document to this file too, or alone")
    parser.add_argument("--output", type=Path, default=Path("build/docs"), help="folder of the pages")
    options = parser.parse_args()
    document = asyncio.run(fetch_openapi())
    if options.openapi:
        options.openapi.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
        options.openapi.write_text(f"{text}\n", encoding="utf-8")
        print(options.openapi)
    if not options.contracts:
        return
    contracts = Contracts(descriptor_pb2.FileDescriptorSet.FromString(options.contracts.read_bytes()).file)
    write_reference(contracts, document, options.output)
    print(f"{options.output}/index.md")


if __name__ == "__main__":
    main()
