from __future__ import annotations

import numpy as np

from chladni_audio_features.song.sections import find_sections


def song_of(*levels, moments=20):
    rng = np.random.default_rng(0)
    rows = [np.tile(level, (moments, 1)) for level in levels]
    return np.concatenate(rows) + 0.02 * rng.standard_normal((moments * len(levels), len(levels[0])))


def test_sections_begin_where_the_sound_changes_and_alike_ones_have_one_kind():
    verse, chorus = [0.2, 0.3, 0.9, 0.1], [0.9, 0.7, 0.1, 0.8]
    sections = find_sections(
        song_of(verse, chorus, verse), step_seconds=1.0, duration_seconds=60.0, downbeats=()
    )
    assert [section.kind for section in sections] == [0, 1, 0]
    assert [round(section.start_seconds) for section in sections] == [0, 20, 40]
    assert sections[-1].end_seconds == 60.0


def test_a_section_begins_with_a_bar_if_one_is_near():
    sections = find_sections(
        song_of([0.2, 0.9], [0.9, 0.1]), step_seconds=1.0, duration_seconds=40.0, downbeats=(18.8, 26.0)
    )
    assert sections[1].start_seconds == 18.8


def test_a_song_that_never_changes_is_one_section():
    (section,) = find_sections(
        np.full((30, 4), 0.5), step_seconds=1.0, duration_seconds=30.0, downbeats=(1.0, 2.0)
    )
    assert (section.start_seconds, section.end_seconds, section.kind) == (0.0, 30.0, 0)
