"""What the watcher asks services that may die at any moment."""

from __future__ import annotations

import socket
import threading

import pytest

from chladni_robustness.watcher import _queued


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nchladni_generations_queued 7\n"],
)
def test_an_answer_that_is_half_sent_says_nothing(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        assert _queued(f"127.0.0.1:{server.getsockname()[1]}") == 0.0
        serving.join()
