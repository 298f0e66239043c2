"""The grammar that writes prompts."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest

from chladni_contract.errors import InvalidInputError
from chladni_image_generation.prompts.features import MusicFeatures, read_features
from chladni_image_generation.prompts.grammar import GrammarWriter
from chladni_image_generation.prompts.scoring import vendi_score
from chladni_image_generation.prompts.similarity import LexicalSimilarity
from chladni_image_generation.prompts.writing import DEFAULT_TEMPERATURES, PromptOrder, PromptStyle

SAD_WALTZ = MusicFeatures(
    key="A minor",
    tonality="minor",
    tempo_bpm=72.0,
    time_signature="3/4",
    mood=("melancholic", "dreamy"),
    valence=-0.5,
    arousal=-0.4,
    melody_contour="descending",
    dynamic_intensity="diminuendo",
)


def written(style=PromptStyle.CONVERGENT, count=8, seed=0, temperature=None, features=SAD_WALTZ):
    order = PromptOrder(
        features=features,
        style=style,
        count=count,
        temperature=DEFAULT_TEMPERATURES[style] if temperature is None else temperature,
        seed=seed,
    )
    return GrammarWriter().write(order, timeout_seconds=1.0)


def effective_number(prompts):
    return vendi_score(LexicalSimilarity().matrix(prompts))


@pytest.mark.parametrize("style", PromptStyle)
def test_a_seed_decides_the_prompts(style):
    assert written(style, seed=3) == written(style, seed=3)
    assert written(style, seed=3) != written(style, seed=4)


@pytest.mark.parametrize("style", PromptStyle)
def test_no_prompt_comes_twice_and_no_phrase_twice_in_one(style):
    for seed in range(20):
        prompts = written(style, count=5, seed=seed)
        assert len(set(prompts)) == 5
        for prompt in prompts:
            phrases = [part.strip() for part in re.split(r"[,.:]", prompt) if part.strip()]
            assert max(Counter(phrases).values()) == 1


@pytest.mark.parametrize("seed", range(4))
def test_convergent_sets_are_less_diverse(seed):
    ratio = effective_number(written(seed=seed)) / effective_number(written(PromptStyle.DIVERGENT, seed=seed))
    assert ratio <= 0.7


def test_temperature_changes_how_far_prompts_go():
    numbers = [
        np.mean([effective_number(written(temperature=temperature, seed=seed)) for seed in range(8)])
        for temperature in (0.0, 0.4, 1.0, 2.0)
    ]
    assert numbers == sorted(numbers)
    assert numbers[0] == pytest.approx(1.0)


def test_the_features_are_in_the_words():
    for prompt in written():
        assert "melancholic and dreamy" in prompt
        assert re.search(r"threes|triangular", prompt)
        assert re.search(r"sinking|falling", prompt)


def test_a_writer_does_with_no_features_at_all():
    assert all(len(prompt.split()) > 10 for prompt in written(features=MusicFeatures()))


def test_features_are_read_by_name():
    features = read_features({"key": "C major", "mood": ["calm", " warm "], "tempo_bpm": 90, "valence": 0.3})
    assert features == MusicFeatures(key="C major", mood=("calm", "warm"), tempo_bpm=90.0, valence=0.3)


@pytest.mark.parametrize(
    "values",
    [
        {"tempo_bpm": 0.5},
        {"valence": 2},
        {"arousal": math.nan},
        {"tempo_bpm": math.inf},
        {"key": "x" * 501},
        {"mood": ["x" * 300, "y" * 300]},
    ],
)
def test_wrong_features_are_refused(values):
    with pytest.raises(InvalidInputError, match="features"):
        read_features(values)
