"""The fuzzers: each target takes its seeds, and messages follow from bytes."""

from __future__ import annotations

import random

import pytest

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.generation.v1 import generation_pb2
from chladni_robustness.fuzzing.messages import message_of
from chladni_robustness.fuzzing.seeds import SEEDS
from chladni_robustness.fuzzing.targets import target_of


@pytest.mark.parametrize("name", SEEDS)
def test_a_target_takes_its_seeds_and_what_is_cut_off_them(name):
    seeds = SEEDS[name]()
    assert seeds
    for seed in seeds:
        for data in (seed, seed[: len(seed) // 2], seed[::-1]):
            target_of(name)(data)


def test_bytes_that_are_a_message_mean_it():
    options = generation_pb2.GenerationOptions(steps=4, seed=7, model="embedded")
    assert message_of(generation_pb2.GenerationOptions, options.SerializeToString()) == options


def test_other_bytes_give_messages_with_many_fields():
    drawn = random.Random(3)
    seen = set()
    for _ in range(200):
        message = message_of(audio_pb2.ExtractFeaturesRequest, b"\0" + drawn.randbytes(200))
        seen |= {field.name for field, _ in message.ListFields()}
    assert {"audio", "mel"} <= seen
