"""What images are made from: its digest."""

from __future__ import annotations

import numpy as np

from chladni_image_generation.generation import Conditioning

CHANGES = [
    {"audio_embedding": np.ones(3, np.float32)},
    {"prompt": "a cat"},
    {"negative_prompt": "a cat"},
    {"initial_latents": np.ones((1, 2, 2), np.float32)},
    {"initial_latents": np.ones((2, 1, 2), np.float32)},
    {"initial_latents": np.ones((1, 2, 2), np.float32), "initial_latents_weight": 0.3},
    {"initial_image": np.ones((2, 2, 3), np.uint8)},
    {"initial_image": np.ones((2, 2, 3), np.uint8), "strength": 0.5},
    {},
]


def test_every_part_of_a_conditioning_changes_its_digest():
    digests = [Conditioning(**change).digest() for change in CHANGES]
    assert len(set(digests)) == len(digests)
    assert [Conditioning(**change).digest() for change in CHANGES] == digests
