from __future__ import annotations

import itertools

import pytest

from chladni_contract.errors import InvalidFieldsError
from chladni_gateway.domain.films.options import FilmOptions, FilmPart
from chladni_gateway.film.planning import choose_loop, plan_loop, plan_visualizer


def test_a_visualizer_is_as_long_as_its_song(make_song):
    plan = plan_visualizer(make_song(24.3), FilmOptions(seed=1))
    assert plan.frame_count == 292
    assert plan.key_every == 2
    assert plan.key_count == 147
    assert sum(len(plan.frames_of(number)) for number in range(plan.segment_count)) == 292
    assert plan.keys_of(0) == range(25)


@pytest.mark.parametrize("wished", [3.0, 5.0, 8.0])
def test_a_loop_is_whole_bars_of_three_to_eight_seconds(make_song, wished):
    song = make_song()
    start, length = choose_loop(song, wished)
    assert start in song.downbeats
    assert 3.0 <= length <= 8.0
    assert length % 2.0 == pytest.approx(0.0, abs=1e-6)
    plan = plan_loop(song, FilmOptions(seed=1, loop_seconds=wished))
    assert plan.frame_count % plan.key_every == 0
    assert plan.duration_seconds == pytest.approx(length, abs=0.07)
    assert 3.0 <= plan.duration_seconds <= 8.0
    assert (plan.width_pixels, plan.height_pixels) == (576, 1024)


def test_a_loop_begins_between_beats(make_song):
    song = make_song()
    plan = plan_loop(song, FilmOptions(seed=1, loop_seconds=4.0))
    distances = [abs(plan.audio_start_seconds - beat) for beat in song.beats]
    assert min(distances) == pytest.approx(0.125, abs=0.01)
    zooms = [plan.motion.at(number / 24).zoom for number in range(plan.frame_count)]
    steps = sorted(abs(after - before) for before, after in itertools.pairwise(zooms))
    assert abs(zooms[0] - zooms[-1]) <= steps[len(steps) // 2]


def test_a_song_without_beats_has_a_loop_too(make_song):
    song = make_song(4.0, beats=(), downbeats=())
    plan = plan_loop(song, FilmOptions(seed=1))
    assert plan.duration_seconds <= 4.0


def test_options_out_of_range_are_named_together():
    options = FilmOptions(seed=-1, width_pixels=300, frames_per_second=90, loop_seconds=60.0)
    with pytest.raises(InvalidFieldsError) as failure:
        options.check()
    assert [violation.field for violation in failure.value.violations] == [
        "options.seed",
        "options.width_pixels",
        "options.frames_per_second",
        "options.loop_duration",
    ]


def test_options_come_back_from_json():
    options = FilmOptions(seed=3, parts=(FilmPart.LOOP,), look="water")
    assert FilmOptions.from_json(options.to_json()) == options
