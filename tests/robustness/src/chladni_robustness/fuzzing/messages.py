"""Messages of the contract out of arbitrary bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_MAX_DEPTH: Final = 6
_MAX_ITEMS: Final = 4
_SHORT_BYTES: Final = 40

MessageT = TypeVar("MessageT", bound=Message)


class Bytes:
    """Bytes that are consumed from the front; when they have run out, everything is zero.

    Args:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def has_ended(self) -> bool:
        """Whether all are consumed."""
        return self._position >= len(self._data)

    def take(self, count: int) -> bytes:
        """Consume so many bytes; fewer at the end."""
        taken = self._data[self._position : self._position + count]
        self._position += count
        return taken

    def rest(self) -> bytes:
        """Consume all bytes that are left."""
        return self.take(len(self._data))

    def number(self, below: int) -> int:
        """Consume a number from 0 to below a limit."""
        size = (below.bit_length() + 7) // 8
        return int.from_bytes(self.take(size), "little") % below

    def unpacked(self, code: str) -> Any:
        """Consume a number as `struct` writes it."""
        size = struct.calcsize(code)
        return struct.unpack(code, self.take(size).ljust(size, b"\0"))[0]

    def text(self) -> str:
        """Consume a short text, of whatever characters."""
        return self.take(self.number(_SHORT_BYTES)).decode("utf-8", errors="replace")


def message_of(kind: type[MessageT], data: bytes) -> MessageT:
    """Return a message whose fields and values follow from bytes.

    Bytes that are such a message on the wire mean that one, so that a corpus may hold messages as they are.
    """
    message = kind()
    if data[:1] == b"\x00":
        _fill(message, Bytes(data[1:]), depth=0)
        return message
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001 - protobuf has an error of its own in each implementation
        message.Clear()
        _fill(message, Bytes(data), depth=0)
    return message


def _fill(message: Message, source: Bytes, *, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if source.has_ended or depth > _MAX_DEPTH:
            return
        if source.number(256) % 2:
            _set(message, field, source, depth=depth)


def _set(message: Message, field: Any, source: Bytes, *, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _add_entry(getattr(message, field.name), field.message_type, source, depth=depth)
    elif field.is_repeated:
        items: Any = getattr(message, field.name)
        for _ in range(source.number(_MAX_ITEMS)):
            if field.message_type is not None:
                _fill(items.add(), source, depth=depth + 1)
            else:
                items.append(_value(field, source))
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
        _fill(getattr(message, field.name), source, depth=depth + 1)
    else:
        setattr(message, field.name, _value(field, source))


def _add_entry(entries: Any, entry: Any, source: Bytes, *, depth: int) -> None:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for _ in range(source.number(_MAX_ITEMS)):
        if value.message_type is not None:
            _fill(entries[_value(key, source)], source, depth=depth + 1)
        else:
            entries[_value(key, source)] = _value(value, source)


_READERS: Final[Mapping[int, Callable[[Bytes], Any]]] = {
    FieldDescriptor.CPPTYPE_BOOL: lambda source: bool(source.number(2)),
    FieldDescriptor.CPPTYPE_DOUBLE: lambda source: source.unpacked("<f"),
    FieldDescriptor.CPPTYPE_FLOAT: lambda source: source.unpacked("<f"),
    FieldDescriptor.CPPTYPE_INT32: lambda source: source.unpacked("<i"),
    FieldDescriptor.CPPTYPE_ENUM: lambda source: source.unpacked("<i"),
    FieldDescriptor.CPPTYPE_INT64: lambda source: source.unpacked("<q"),
    FieldDescriptor.CPPTYPE_UINT32: lambda source: source.unpacked("<I"),
    FieldDescriptor.CPPTYPE_UINT64: lambda source: source.unpacked("<Q"),
}


def _value(field: Any, source: Bytes) -> Any:
    if (read := _READERS.get(field.cpp_type)) is not None:
        return read(source)
    return source.take(source.number(256)) if field.type == FieldDescriptor.TYPE_BYTES else source.text()
