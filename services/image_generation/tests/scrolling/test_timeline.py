"""The grid of time: segments that stand still under a gliding window, and numbers that change slowly."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_image_generation.scrolling.timeline import MAX_GAP_SEGMENTS, SegmentTimeline, TimedSegment

LEVEL, ONSET, PITCH = (TEMPORAL_FEATURES.index(name) for name in ("level", "onset", "pitch_height"))
COUNT = 24


def segment_of(number, *, seed=0, onset=None, onset_seconds=None, overall=None):
    random = np.random.default_rng([seed, number])
    course = random.random(len(TEMPORAL_FEATURES), dtype=np.float32)
    if onset is not None:
        course[ONSET] = onset
    if overall is None:
        numbers = random.random(len(DESCRIPTOR_NAMES), dtype=np.float32)
    else:
        numbers = np.full(len(DESCRIPTOR_NAMES), overall, np.float32)
    return TimedSegment(number, course, numbers, onset_seconds)


def timeline_of(segments, **options):
    timeline = SegmentTimeline(**options)
    for segment in segments:
        timeline.put(segment)
    return timeline


@pytest.fixture
def timeline():
    return timeline_of(segment_of(number) for number in range(COUNT))


def test_a_window_is_sixteen_segments_wide_and_ends_now(timeline):
    window = timeline.window_at(5.0)
    inside = (window.centres > 0) & (window.centres < 1)
    assert window.numbers[inside].tolist() == list(range(4, 20))
    assert np.allclose(np.diff(window.centres), 1 / TEMPORAL_SEGMENTS)


def test_segments_keep_their_values_while_they_glide_to_the_left(timeline):
    earlier, later = timeline.window_at(5.0), timeline.window_at(5.1)
    both = sorted(set(earlier.numbers.tolist()) & set(later.numbers.tolist()))
    over = [number for number in both if number < 19]
    first, second = (dict(rows_of(window)) for window in (earlier, later))
    for number in over:
        assert np.array_equal(first[number][1], second[number][1])
        assert first[number][0] - second[number][0] == pytest.approx(0.1 / 4, abs=1e-6)


def rows_of(window):
    return zip(window.numbers, zip(window.centres, window.course, strict=True), strict=True)


def test_a_moment_gives_the_same_window_whatever_was_asked_before(timeline):
    fresh = timeline_of(segment_of(number) for number in range(COUNT))
    for moment in (1.0, 5.9, 0.3):
        timeline.window_at(moment)
    for moment in (2.71, 4.0):
        asked, unasked = timeline.window_at(moment), fresh.window_at(moment)
        assert asked.course.tobytes() == unasked.course.tobytes()
        assert asked.growth.tobytes() == unasked.growth.tobytes()
        assert timeline.overall_at(moment).tobytes() == fresh.overall_at(moment).tobytes()


def test_renewing_a_segment_while_it_lasts_leaves_no_trace():
    once = timeline_of(segment_of(number) for number in range(COUNT))
    often = SegmentTimeline()
    for number in range(COUNT):
        for seed in (7, 8, 0):
            often.put(segment_of(number, seed=seed))
    assert np.array_equal(once.overall_at(6.0), often.overall_at(6.0))
    assert np.array_equal(once.window_at(6.0).course, often.window_at(6.0).course)


def test_what_is_kept_of_the_past_does_not_change_a_frame(timeline):
    short = timeline_of((segment_of(number) for number in range(COUNT)), keep_seconds=0.1)
    assert np.array_equal(short.window_at(5.9).course, timeline.window_at(5.9).course)
    assert np.array_equal(short.overall_at(5.9), timeline.overall_at(5.9))
    assert len(short._entries) < COUNT


def test_numbers_of_the_whole_sound_follow_a_jump_slowly_and_without_steps():
    segments = [segment_of(number, overall=0.2 if number < 12 else 0.8) for number in range(COUNT)]
    timeline = timeline_of(segments)
    moments = np.arange(0, 6, 0.02)
    course = np.array([timeline.overall_at(moment)[0] for moment in moments])
    assert course[0] == pytest.approx(0.2)
    assert np.all(np.diff(course) >= -1e-6)
    assert np.abs(np.diff(course)).max() < 0.01
    assert 0.4 < course[-1] < 0.8


def test_no_feature_jumps_when_a_segment_begins_or_a_frame_is_drawn_between():
    timeline = timeline_of(segment_of(number, onset=0.0) for number in range(COUNT))
    for moment in (3.0, 3.25, 4.125):
        before, after = (timeline.resampled_at(moment + shift) for shift in (-1e-4, 1e-4))
        assert np.abs(after - before).max() < 0.01


def test_a_beginning_flashes_when_it_is_heard_and_not_before():
    quiet = [segment_of(number, onset=0.0) for number in range(20)]
    timeline = timeline_of([*quiet, segment_of(20, onset=0.9, onset_seconds=5.15)])
    assert timeline.window_at(5.1).flash == 0
    flashes = [timeline.window_at(moment).flash for moment in (5.16, 5.21, 5.5, 6.2)]
    assert flashes[0] < flashes[1]
    assert flashes[1] > 0.7
    assert flashes[1] > flashes[2] > flashes[3]
    assert flashes[3] < 0.05
    window = timeline.window_at(5.1)
    assert window.growth[window.numbers == 20] == 0
    window = timeline.window_at(5.22)
    assert window.growth[window.numbers == 20] > 1.2
    assert timeline.window_at(5.22, flash_strength=0).flash == 0


def test_the_level_now_is_given_or_read_from_the_course(timeline):
    assert timeline.window_at(5.0, level=0.7).level == pytest.approx(0.7)
    last = timeline._entries[-1].segment.course[LEVEL]
    assert timeline.window_at(6.5).level == pytest.approx(last)
    mean = timeline.window_at(5.0).means[LEVEL]
    assert timeline.window_at(5.0, level=0.7, glow_strength=0).level == pytest.approx(mean)


def test_a_sound_that_stops_coming_goes_on_without_new_beginnings(timeline):
    window = timeline.window_at(8.0)
    late = window.numbers >= COUNT
    assert late.any()
    assert np.allclose(window.course[late][:, PITCH], timeline._entries[-1].segment.course[PITCH])
    assert np.all(window.course[late][:, ONSET] == 0)


def test_gaps_are_silence_and_long_ones_are_refused(timeline):
    timeline.put(segment_of(COUNT + 3))
    assert timeline.next_number == COUNT + 4
    window = timeline.window_at((COUNT + 4) * 0.25)
    assert np.array_equal(
        window.course[window.numbers == COUNT + 1][0], TimedSegment.silent(COUNT + 1).course
    )
    with pytest.raises(ValueError, match="comes after segment 27"):
        timeline.put(segment_of(COUNT + 2))
    with pytest.raises(ValueError, match="gaps have at most"):
        timeline.put(segment_of(COUNT + 4 + MAX_GAP_SEGMENTS))


def test_an_empty_timeline_shows_silence():
    window = SegmentTimeline().window_at(1.0)
    assert window.level == 0
    assert window.flash == 0
    assert np.all(window.course[:, ONSET] == 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": -1}, "number of 0 or more"),
        ({"course": np.zeros(7, np.float32)}, r"shape \(8,\)"),
        ({"overall": np.full(24, np.nan, np.float32)}, "numbers in"),
        ({"course": np.full(8, 1.5, np.float32)}, "numbers in"),
    ],
)
def test_segments_out_of_range_are_refused(changes, message):
    good = segment_of(0)
    fields = {"number": 0, "course": good.course, "overall": good.overall} | changes
    with pytest.raises(ValueError, match=message):
        TimedSegment(**fields)


def test_lengths_are_above_zero():
    with pytest.raises(ValueError, match="above 0"):
        SegmentTimeline(segment_seconds=0)
