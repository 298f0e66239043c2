"""From words to descriptors."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_contract.descriptor_space import COMPONENT_NAMES
from chladni_image_generation.prompts.word_map import blend, load_word_map

PLACES = {name: place for place, name in enumerate(COMPONENT_NAMES)}


@pytest.mark.parametrize(
    ("more", "less", "component"),
    [
        ("racing streaks of motion", "slowly drifting shapes", "tempo"),
        ("detail swelling from left to right", "intensity fading toward the edge", "course_14_level"),
        ("forms rising toward the top", "lines sinking downward", "course_14_pitch_height"),
        ("open consonant geometry", "shadowed interlocking angles", "mode"),
    ],
)
def test_words_mean_what_the_grammar_says_with_them(more, less, component):
    word_map = load_word_map()
    assert word_map.embed(more)[PLACES[component]] > word_map.embed(less)[PLACES[component]]


def test_unknown_words_have_a_style_of_their_own_that_is_always_the_same():
    word_map = load_word_map()
    first, second = word_map.embed("zeppelins knitting"), word_map.embed("marmalade cathedrals")
    assert np.array_equal(first, word_map.embed("zeppelins knitting"))
    assert np.abs(first - second).max() > 0.2
    assert word_map.embed("of the") == pytest.approx(word_map.embed(""))


def test_a_weight_decides_between_sound_and_words():
    words = load_word_map().embed("a burning forest")
    audio = np.full(len(words), 0.5)
    assert blend(audio, words, 0.0) == pytest.approx(audio)
    assert blend(audio, words, 1.0) == pytest.approx(words, abs=1e-6)
    assert blend(audio, words, 0.5).dtype == np.float32
