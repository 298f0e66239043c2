"""Python objects through a Unix socket between two processes of this machine.

Objects travel as pickles. Their large buffers (NumPy arrays, `pickle.PickleBuffer`) do not go through the
socket but through anonymous shared memory, whose descriptor the message brings: a file of many megabytes
costs one copy.

What a process sends that has decoded hostile bytes is read by `ResultUnpickler`, which knows a fixed list of
types and so runs no code of the sender's choice.
"""

from __future__ import annotations

import array
import builtins
import io
import mmap
import os
import pickle
import socket
import struct
from collections.abc import Callable, Iterable
from enum import Enum, EnumType
from typing import Any, Final

_HEADER: Final = struct.Struct("<QQ")  # bytes of the pickle, number of buffers
_SIZE: Final = struct.Struct("<Q")
_MIN_SHARED_BYTES: Final = 64 * 1024
_ALIGNMENT: Final = 64
_MAX_BUFFERS: Final = 64
_DESCRIPTOR_BYTES: Final = array.array("i").itemsize
_PROTOCOL: Final = 5

Loads = Callable[[bytes, "list[memoryview]"], Any]
"""Returns the object of a pickle and its buffers."""


class ResultUnpickler(pickle.Unpickler):
    """Unpickler of plain values, NumPy arrays, Python's own exceptions, and listed types; nothing else.

    Args:
        data: The pickle.
        buffers: Its buffers.
        types: Further classes and functions that it may name.
    """

    _ARRAY_NAMES: Final = frozenset(
        {
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy.core.numeric", "_frombuffer"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.core.multiarray", "_reconstruct"),
        }
    )

    def __init__(self, data: bytes, buffers: list[memoryview], *, types: Iterable[Any]) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self._types = {(item.__module__, item.__qualname__): item for item in types}

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return a listed type.

        Raises:
            UnpicklingError: It is not listed.
        """
        name = (module_name, global_name)
        if name in self._types:
            return self._types[name]
        if name in self._ARRAY_NAMES:
            return super().find_class(module_name, global_name)
        if name == ("builtins", "getattr"):
            return _enum_member
        candidate = getattr(builtins, global_name, None) if module_name == "builtins" else None
        if isinstance(candidate, type) and issubclass(candidate, Exception):
            return candidate
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not a type of results")


def _enum_member(kind: object, name: str) -> Enum:
    """Return a member of an enumeration; before 3.11.4, Python pickles it as `getattr` of its class.

    Raises:
        UnpicklingError: It is something else.
    """
    if isinstance(kind, EnumType) and name in kind.__members__:
        member: Enum = kind.__members__[name]
        return member
    raise pickle.UnpicklingError("builtins.getattr is not a type of results")


def send_object(channel: socket.socket, value: object) -> None:
    """Send an object.

    Raises:
        OSError: The other process has ended, or there is no memory to share.
    """
    shared: list[memoryview] = []

    def keep_in_message(buffer: pickle.PickleBuffer) -> bool:
        content = buffer.raw()
        if content.nbytes < _MIN_SHARED_BYTES or len(shared) == _MAX_BUFFERS:
            return True
        shared.append(content)
        return False

    data = pickle.dumps(value, protocol=_PROTOCOL, buffer_callback=keep_in_message)
    sizes = b"".join(_SIZE.pack(content.nbytes) for content in shared)
    head = _HEADER.pack(len(data), len(shared)) + sizes
    if shared:
        memory = _share(shared)
        try:
            descriptors = array.array("i", [memory])
            channel.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        finally:
            os.close(memory)
    else:
        channel.sendall(head)
    channel.sendall(data)


def receive_object(channel: socket.socket, loads: Loads, *, maps_memory: bool) -> Any:
    """Wait for an object and return it.

    Args:
        channel: Where it comes from.
        loads: Unpickles it.
        maps_memory: Whether shared memory is used in place, read-only, which needs trust in the sender: it
            could
            shrink it. Otherwise it is copied.

    Raises:
        EOFError: The other process has ended.
        OSError: There is no memory, or the socket's time limit has passed.
    """
    head, descriptor = _receive_head(channel)
    try:
        data_bytes, buffer_count = _HEADER.unpack(head)
        if buffer_count > _MAX_BUFFERS:
            raise EOFError("the message makes no sense")
        sizes = [_SIZE.unpack(_receive(channel, _SIZE.size))[0] for _ in range(buffer_count)]
        data = _receive(channel, data_bytes)
        buffers = [] if descriptor is None else _read_shared(descriptor, sizes, maps_memory=maps_memory)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return loads(data, buffers)


def load_trusted(data: bytes, buffers: list[memoryview]) -> Any:
    """Return the object of a pickle that the parent process sent."""
    return pickle.loads(data, buffers=buffers)  # noqa: S301 - it comes from the parent process


def _share(contents: list[memoryview]) -> int:
    """Return the descriptor of anonymous memory that holds the contents one after the other."""
    memory = os.memfd_create("chladni", os.MFD_CLOEXEC)
    try:
        position = 0
        for content in contents:
            view = content.cast("B")
            start = position
            while position - start < view.nbytes:
                position += os.pwrite(memory, view[position - start :], position)
            position = _aligned(position)
        os.ftruncate(memory, position)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _read_shared(descriptor: int, sizes: list[int], *, maps_memory: bool) -> list[memoryview]:
    total_bytes = os.fstat(descriptor).st_size
    if sum(map(_aligned, sizes)) > total_bytes:
        raise EOFError("the message makes no sense")
    if maps_memory:
        whole = memoryview(mmap.mmap(descriptor, total_bytes, prot=mmap.PROT_READ))
    else:
        copy = bytearray(total_bytes)
        position = 0
        while position < total_bytes:
            count = os.preadv(descriptor, [memoryview(copy)[position:]], position)
            if not count:
                raise EOFError("the shared memory ends early")
            position += count
        whole = memoryview(copy)
    buffers = []
    start = 0
    for size in sizes:
        buffers.append(whole[start : start + size])
        start += _aligned(size)
    return buffers


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _receive_head(channel: socket.socket) -> tuple[bytes, int | None]:
    # The length, not the space: that has room for a second descriptor, which nobody would close.
    head, ancillary, _, _ = channel.recvmsg(_HEADER.size, socket.CMSG_LEN(_DESCRIPTOR_BYTES))
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % _DESCRIPTOR_BYTES])
    if not head:
        raise EOFError("the other process has ended")
    head += _receive(channel, _HEADER.size - len(head))
    return head, descriptors[0] if descriptors else None


def _receive(channel: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = channel.recv(min(size - len(content), 1 << 20))
        if not part:
            raise EOFError("the other process has ended")
        content += part
    return bytes(content)
