"""Messages of a process that is not to be trusted."""

from __future__ import annotations

import array
import os
import pickle
import socket
import struct
from enum import StrEnum
from pathlib import Path

import pytest

from chladni_runtime.execution.process_channel import ResultUnpickler, receive_object


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


class Kind(StrEnum):
    WAV = "wav"


class PickledByGetattr:
    """Pickled as Python 3.11.0 to 3.11.3 pickle members of enumerations."""

    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return getattr, self.args


def read(value, *types):
    return ResultUnpickler(pickle.dumps(value), [], types=types).load()


def test_members_of_listed_enumerations_are_results_as_every_python_pickles_them():
    assert read(Kind.WAV, Kind) is Kind.WAV
    assert read(PickledByGetattr(Kind, "WAV"), Kind) is Kind.WAV


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (Kind.WAV, ()),
        (PickledByGetattr(Kind, "WAV"), ()),
        (PickledByGetattr(Kind, "mro"), (Kind,)),
        (PickledByGetattr(Kind, "__class__"), (Kind,)),
        (PickledByGetattr(Path, "cwd"), (Path,)),
    ],
)
def test_nothing_else_is_had_from_a_listed_type(value, types):
    with pytest.raises(pickle.UnpicklingError):
        read(value, *types)
