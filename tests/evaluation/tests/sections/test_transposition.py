"""Transposing by playing faster."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_evaluation.sections.transposition import transposed


@pytest.mark.parametrize("semitones", [-6, 0, 7])
def test_a_tone_is_moved_by_semitones(semitones):
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    moved = transposed(tone, semitones)
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(len(moved))))
    frequency = spectrum.argmax() * 22050 / len(moved)
    assert frequency == pytest.approx(440 * 2 ** (semitones / 12), abs=2)
