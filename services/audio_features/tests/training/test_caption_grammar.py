"""Captions drawn from a grammar."""

from __future__ import annotations

import pytest

from chladni_audio_features.training.caption_grammar import draw_captions


def test_captions_are_distinct_and_reproducible():
    captions = draw_captions(count=5000, seed=1)
    assert len(set(captions)) == 5000
    assert draw_captions(count=100, seed=1) == captions[:100]
    assert draw_captions(count=100, seed=2) != captions[:100]
    for caption in captions:
        assert 2 <= len(caption.split()) <= 20
        assert caption == caption.strip()
        assert "  " not in caption
    for count in (0, 50_001):
        with pytest.raises(ValueError, match="from 1 to 50000"):
            draw_captions(count=count, seed=1)
