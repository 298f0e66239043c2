from __future__ import annotations

import numpy as np
import pytest

from chladni_gateway.film.timeline import LoopTimeline, Timeline


def placed(window):
    return dict(zip(window.numbers.tolist(), window.centers.tolist(), strict=True))


def test_segments_glide_to_the_left_and_stay_the_same(make_song):
    timeline = Timeline(make_song())
    first, second = timeline.at(12.0).window, timeline.at(12.2).window
    before, after = placed(first), placed(second)
    for number in before.keys() & after.keys():
        assert after[number] - before[number] == pytest.approx(-0.2 / 8.0, abs=1e-5)
    row = {number: first.course[index] for index, number in enumerate(first.numbers.tolist())}
    for index, number in enumerate(second.numbers.tolist()):
        if number in row:
            assert np.array_equal(second.course[index], row[number])


@pytest.mark.parametrize("time", [0.0, 0.1, 11.9, 24.0, 24.4])
def test_windows_are_what_image_generation_takes(make_song, time):
    moment = Timeline(make_song()).at(time)
    window = moment.window
    assert np.allclose(np.diff(window.centers), 1 / 16, atol=1e-5)
    assert window.centers[0] >= -1
    assert window.centers[-1] <= 2
    for values in (window.course, window.means, window.growth, moment.embedding):
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1
    assert 0 <= window.level <= 1
    assert window.drift >= 0
    assert moment.embedding.shape == (152,)


def test_what_has_not_begun_is_not_shown(make_song):
    window = Timeline(make_song()).at(10.0).window
    assert np.all(window.growth[window.numbers * 0.5 >= 10.0] == 0)
    assert window.growth[0] == 1


def test_the_end_of_a_loop_is_its_beginning(make_song):
    timeline = LoopTimeline(make_song(), start_seconds=4.25, period_seconds=6.0)
    first, again = timeline.at(0.0), timeline.at(6.0)
    assert np.array_equal(first.embedding, again.embedding)
    for name in ("centers", "numbers", "course", "growth"):
        assert np.array_equal(getattr(first.window, name), getattr(again.window, name))
    last = timeline.at(6.0 - 1e-6).window
    # The plane has moved by a whole width, after which its pattern comes again.
    assert last.drift == pytest.approx(first.window.drift + 1.0, abs=1e-5)
    assert last.level == pytest.approx(first.window.level, abs=1e-3)
