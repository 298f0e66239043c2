"""A name server on loopback that answers for one zone, as a cluster's does for headless Services."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from threading import Thread
from types import TracebackType
from typing import Final, Self

_HEADER: Final = struct.Struct("!6H")
_QUESTION_END: Final = struct.Struct("!2H")
_ANSWER: Final = struct.Struct("!3HIH")
_ADDRESS_TYPE: Final = 1
_INTERNET: Final = 1
_IS_ANSWER: Final = 0x8580
_NO_SUCH_NAME: Final = 3
_NAME_OF_QUESTION: Final = 0xC00C  # the name at byte 12, where the question has it
_LIFETIME_SECONDS: Final = 1


class NameServer:
    """Answers questions for the addresses of names, over UDP, while the context lasts."""

    def __init__(self) -> None:
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._is_closing = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._is_closing = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake_up:
            wake_up.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def publish(self, name: str, addresses: Sequence[str]) -> None:
        """Set the addresses of a name: those of its replicas that are ready."""
        self._addresses = self._addresses | {name: tuple(addresses)}

    def target(self, name: str, port: int) -> str:
        """Return the gRPC target of a name, which asks this server."""
        return f"dns://127.0.0.1:{self.port}/{name}:{port}"

    def _serve(self) -> None:
        while not self._is_closing:
            question, client = self._socket.recvfrom(512)
            if len(question) > _HEADER.size:
                self._socket.sendto(self._answer(question), client)

    def _answer(self, message: bytes) -> bytes:
        identifier = _HEADER.unpack_from(message)[0]
        labels, position = [], _HEADER.size
        while length := message[position]:
            labels.append(message[position + 1 : position + 1 + length].decode("ascii"))
            position += 1 + length
        end = position + 1 + _QUESTION_END.size
        kind, _ = _QUESTION_END.unpack_from(message, position + 1)
        known = self._addresses.get(".".join(labels).lower())
        addresses = known if known and kind == _ADDRESS_TYPE else ()
        flags = _IS_ANSWER | (0 if known is not None else _NO_SUCH_NAME)
        records = b"".join(
            _ANSWER.pack(_NAME_OF_QUESTION, _ADDRESS_TYPE, _INTERNET, _LIFETIME_SECONDS, 4)
            + socket.inet_aton(address)
            for address in addresses
        )
        header = _HEADER.pack(identifier, flags, 1, len(addresses), 0, 0)
        return header + message[_HEADER.size : end] + records
