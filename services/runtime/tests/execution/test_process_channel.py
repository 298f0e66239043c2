"""Messages of a process that is not to be trusted."""

from __future__ import annotations

import array
import os
import pickle
import socket
import struct
from pathlib import Path

import pytest

from chladni_runtime.execution.process_channel import receive_object


@pytest.mark.parametrize("count", [1, 2, 3])
def test_descriptors_that_come_along_are_closed(count):
    data = pickle.dumps(1)
    given = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    here, there = socket.socketpair()
    with here, there:
        before = len(list(Path("/proc/self/fd").iterdir()))
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))
        there.sendmsg([struct.pack("<QQ", len(data), 0), data], [rights])
        received = receive_object(here, lambda content, _: pickle.loads(content), maps_memory=False)
        assert received == 1
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    for descriptor in given:
        os.close(descriptor)
