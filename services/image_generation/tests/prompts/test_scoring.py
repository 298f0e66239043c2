"""Scores of prompts, and what they must rise and fall with."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.grammar import GrammarWriter
from chladni_image_generation.prompts.scoring import (
    alignment,
    coherence,
    elaboration,
    score_prompts,
    vendi_score,
)
from chladni_image_generation.prompts.similarity import LexicalSimilarity
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle

LEXICAL = LexicalSimilarity()
SAD = MusicFeatures(tonality="minor", tempo_bpm=60.0, valence=-0.6, arousal=-0.5, mood=("sad",))
HAPPY = MusicFeatures(tonality="major", tempo_bpm=160.0, valence=0.7, arousal=0.6, mood=("joyful",))


def written(features, style=PromptStyle.CONVERGENT, seed=0):
    order = PromptOrder(features=features, style=style, count=5, temperature=0.6, seed=seed)
    return GrammarWriter().write(order, timeout_seconds=1.0)


PROMPTS = [*written(SAD), *written(HAPPY), *written(SAD, PromptStyle.DIVERGENT)]


def test_everything_lies_between_0_and_1():
    scores = score_prompts(PROMPTS, similarity=LEXICAL, features=SAD)
    for score in scores.scores:
        for value in (score.originality, score.elaboration, score.alignment, score.coherence):
            assert 0.0 <= value <= 1.0
    assert 1.0 <= scores.vendi_score <= len(PROMPTS)
    assert scores.similarity == "lexical"


def test_a_repeated_prompt_is_less_original():
    alone = score_prompts(PROMPTS[:3], similarity=LEXICAL).scores[0]
    repeated = score_prompts([*PROMPTS[:3], PROMPTS[0]], similarity=LEXICAL).scores[0]
    assert repeated.originality < alone.originality


def test_references_make_what_they_hold_less_original():
    without = score_prompts(PROMPTS[:2], similarity=LEXICAL).scores[0]
    known = score_prompts(PROMPTS[:2], similarity=LEXICAL, references=[PROMPTS[0]]).scores[0]
    assert known.originality < without.originality


@pytest.mark.parametrize("prompt", PROMPTS)
def test_saying_it_twice_adds_no_detail_and_coheres_less(prompt):
    assert elaboration(f"{prompt} {prompt}") < elaboration(prompt)
    assert coherence(f"{prompt} {prompt}") < coherence(prompt)


def test_more_detail_is_more_elaborate():
    assert elaboration("a tree") < elaboration("a lone tree on a frozen plain") < elaboration(PROMPTS[0])


def test_shuffled_words_cohere_less():
    rng = np.random.default_rng(0)
    for prompt in PROMPTS:
        words = prompt.split()
        shuffled = np.mean([coherence(" ".join(rng.permutation(words))) for _ in range(10)])
        assert shuffled < coherence(prompt) - 0.05


def test_prompts_fit_the_music_that_they_were_written_for():
    for prompt in written(SAD):
        assert alignment(prompt, SAD) > 0.7
        assert alignment(prompt, HAPPY) < 0.5
    for prompt in written(HAPPY):
        assert alignment(prompt, HAPPY) > 0.7
        assert alignment(prompt, SAD) < 0.5


def test_without_features_there_is_no_alignment():
    assert score_prompts(PROMPTS[:1], similarity=LEXICAL).scores[0].alignment is None


def test_the_vendi_score_counts_different_prompts():
    assert vendi_score(np.eye(4)) == pytest.approx(4.0)
    assert vendi_score(np.ones((4, 4))) == pytest.approx(1.0)
    assert vendi_score(np.kron(np.eye(2), np.ones((2, 2)))) == pytest.approx(2.0)
