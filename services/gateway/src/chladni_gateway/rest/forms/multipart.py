"""Multipart forms, parsed while they arrive and kept in memory only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from chladni_contract.errors import ChladniError, InvalidInputError, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from python_multipart.multipart import MultipartCallbacks

_MULTIPART: Final = b"multipart/form-data"
_UNSAFE_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f]")
_MAX_FILE_NAME_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Limits of a field.

    Attributes:
        limit_bytes: Bytes at most.
        too_large: Makes the error for more.
        max_count: How often it may come.
        may_be_larger: Whether a larger one is put aside instead, by the fields before it; `None` for never.
        check_before: Checks the fields before it when it begins, so that what will be refused is refused
            before its bytes come.
    """

    limit_bytes: int
    too_large: Callable[[], ChladniError]
    max_count: int = 1
    may_be_larger: Callable[[Mapping[str, FormField]], bool] | None = None
    check_before: Callable[[Mapping[str, FormField]], None] | None = None


@dataclass(slots=True)
class FormField:
    """A field of a form.

    Attributes:
        file_name: Last part of the file name that the client gave; empty if it gave none.
        content: The bytes; of a large field, those that were not put aside yet.
        is_large: Whether it is larger than its limit, so that it is put aside.
        further: Fields of the same name that came after it.
    """

    file_name: str = ""
    content: bytearray = field(default_factory=bytearray)
    is_large: bool = False
    further: list[FormField] = field(default_factory=list)

    def text(self) -> str:
        """Return the content as text, without white space around it."""
        return self.content.decode("utf-8", errors="replace").strip()


async def read_form(
    pieces: AsyncIterator[bytes],
    *,
    content_type: str,
    rules: Mapping[str, FieldRule],
    put_aside: Callable[[bytearray], Awaitable[None]] | None = None,
) -> dict[str, FormField]:
    """Return the fields of a form by name.

    Args:
        pieces: The body. Reading stops as soon as the form breaks a rule.
        content_type: The request's header Content-Type.
        rules: Known fields.
        put_aside: Takes the next bytes of a field that is larger than its limit, if its rule allows that.

    Raises:
        ChladniError: The body is not such a form, ends early, or holds a field that is unknown, given twice
            or too large.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != _MULTIPART or not boundary:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            "Content-Type must be multipart/form-data with a boundary; "
            "send the recording as the form field `file`.",
            field="Content-Type",
        )
    reader = _FormReader(rules)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for piece in pieces:
            parser.write(piece)
            if (large := reader.large) is not None and large.content and put_aside is not None:
                content, large.content = large.content, bytearray()
                await put_aside(content)
    except FormParserError as error:
        raise _malformed("is not a well-formed multipart form") from error
    if not reader.has_ended:
        raise _malformed("ends before the closing boundary of the form")
    return reader.fields


class _FormReader:
    """Collects what the parser finds, which comes in pieces of any size."""

    def __init__(self, rules: Mapping[str, FieldRule]) -> None:
        self.fields: dict[str, FormField] = {}
        self.has_ended = False
        self.large: FormField | None = None
        self._rules = rules
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._field = FormField()
        self._rule: FieldRule | None = None

    def callbacks(self) -> MultipartCallbacks:
        """Return the functions for the parser to call."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._take_header_name,
            "on_header_value": self._take_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_field,
            "on_part_data": self._take_data,
            "on_end": self._end,
        }

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _begin_field(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", errors="replace")
        if name not in self._rules:
            raise _unknown_field(name, list(self._rules))
        self._rule = self._rules[name]
        first = self.fields.get(name)
        if first is not None and 1 + len(first.further) >= self._rule.max_count:
            raise _too_often(name, self._rule.max_count)
        if self._rule.check_before is not None:
            self._rule.check_before(self.fields)
        self._field = FormField(_plain_name(options.get(b"filename", b"")))
        if first is None:
            self.fields[name] = self._field
        else:
            first.further.append(self._field)

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        rule = self._rule
        if rule is None:
            raise _malformed("has data outside of its fields")
        if not self._field.is_large and len(self._field.content) + end - start > rule.limit_bytes:
            if rule.may_be_larger is None or not rule.may_be_larger(self.fields):
                raise rule.too_large()
            self._field.is_large = True
            self.large = self._field
        self._field.content += memoryview(data)[start:end]

    def _end(self) -> None:
        self.has_ended = True


def _plain_name(raw: bytes) -> str:
    """Return the last part of a file name, without control characters and shortened."""
    name = raw.decode("utf-8", errors="replace").replace("\\", "/").rpartition("/")[2]
    return _UNSAFE_IN_NAMES.sub("", name)[:_MAX_FILE_NAME_LENGTH]


def _unknown_field(name: str, known: list[str]) -> ChladniError:
    shown = name[:64]
    close = get_close_matches(shown, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."
    return InvalidInputError(
        Reason.INVALID_FIELD, f"{shown!r} is not a field of this form; {hint}", field=shown
    )


def _too_often(name: str, max_count: int) -> ChladniError:
    if max_count == 1:
        return InvalidInputError(Reason.INVALID_FIELD, f"{name} is given twice; send it once.", field=name)
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"{name} is given more than {max_count} times, the limit.",
        field=name,
        metadata={"maximum": max_count},
    )


def _malformed(problem: str) -> ChladniError:
    return InvalidInputError(Reason.INVALID_FIELD, f"body {problem}.", field="body")


def files_too_large(name: str, max_bytes: int) -> Callable[[], ChladniError]:
    """Return what makes the error that the files of a field are too large together."""

    def too_large() -> ChladniError:
        return InvalidInputError(
            Reason.FILE_TOO_LARGE,
            f"the files are larger than {max_bytes / 2**20:g} MiB together, the limit; send fewer or shorter "
            "ones, or compress them, for example as OGG.",
            field=name,
            metadata={"max_bytes": max_bytes},
        )

    return too_large


def text_too_long(name: str, limit_bytes: int) -> Callable[[], ChladniError]:
    """Return what makes the error that the text of a field is too long."""

    def too_long() -> ChladniError:
        return InvalidInputError(
            Reason.INVALID_FIELD,
            f"{name} is longer than {limit_bytes} bytes, the limit.",
            field=name,
            metadata={"maximum": limit_bytes},
        )

    return too_long
