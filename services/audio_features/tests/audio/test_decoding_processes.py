"""Decoding in processes of its own, and what may happen to these."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import (
    CorruptAudioError,
)
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_contract.errors import ChladniError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.execution.process_pool import ProcessLimits

DECODER = AudioDecoder(DecodingLimits())
SECONDS = 2.4


def test_a_process_decodes_to_the_same_floats_and_errors(processes, notes, encode):
    decoder = AudioDecoder(DecodingLimits(), processes=processes)
    content = encode(np.stack([notes(48000), -notes(48000)], 1), 48000, "webm", "libopus")
    here, there = DECODER.read(content), decoder.read(content)
    assert np.array_equal(here.samples, there.samples)
    assert (here.source, here.warnings, here.sample_rate_hz) == (
        there.source,
        there.warnings,
        there.sample_rate_hz,
    )
    for wrong in (content[:300], encode(notes(48000, 31.0), 48000, "webm", "libopus")):
        with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever it is, it is the same
            DECODER.read(wrong)
        with pytest.raises(type(expected.value)) as caught:
            decoder.read(wrong)
        assert vars(caught.value) == vars(expected.value)


class Misbehaving:
    """Processes in which another function runs than the decoder."""

    def __init__(self, processes, function, *args, limits=None):
        self.limits = limits or processes.limits
        self._call = processes, function, args

    def run(self, *_, token):
        processes, function, args = self._call
        return processes.run(function, *args, token=token, limits=self.limits)


@pytest.mark.parametrize(
    ("function", "args", "words", "numbers"),
    [
        (os.abort, (), "makes the decoder fail", {}),
        (time.sleep, (60,), "takes more than 0.2 s", {"timeout_seconds": "0.2"}),
        (bytes, (2**29,), "bytes of memory", {"max_bytes": "268435456"}),
    ],
)
def test_what_decoding_does_to_its_process_is_an_error_of_that_call(
    processes, function, args, words, numbers, notes, encode
):
    content = encode(notes(), 16000, "flac", "flac")
    hostile = Misbehaving(processes, function, *args, limits=ProcessLimits(1, 0.2, 2**28))
    with pytest.raises(CorruptAudioError, match=words) as caught:
        AudioDecoder(DecodingLimits(), processes=hostile).read(content)
    assert numbers.items() <= caught.value.metadata.items()
    assert AudioDecoder(DecodingLimits(), processes=processes).read(content).duration_seconds == SECONDS


def test_decoding_ends_when_its_caller_leaves(processes, notes, encode):
    decoder = AudioDecoder(DecodingLimits(), processes=Misbehaving(processes, time.sleep, 60))
    with pytest.raises(ChladniError) as caught:
        decoder.read(encode(notes(), 16000, "flac", "flac"), token=CancellationToken(Deadline.after(0.1)))
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
