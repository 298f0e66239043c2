"""The plan of each part of a film: its frames, and what they are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from chladni_contract.descriptor_space import TEMPORAL_FEATURES
from chladni_gateway.domain.films.options import MAX_LOOP_SECONDS, MIN_LOOP_SECONDS, FilmOptions, FilmPart
from chladni_gateway.domain.films.song import Song
from chladni_gateway.film.motion import Motion, Push, pushes_of
from chladni_gateway.film.timeline import LoopTimeline, Timeline

LOOP_SIZE: Final = (576, 1024)
COVER_PIXELS: Final = 512
COVER_UPSCALE: Final = 2

_KEYS_PER_SECOND: Final = 6.0
_LOOP_FRAMES_PER_SECOND: Final = 24
_LOOP_KEY_EVERY: Final = 3
_LOOP_RENDER_SIZE: Final = (448, 768)
_SEGMENT_SECONDS: Final = 4.0
_LEAD_SHARE: Final = 0.25
"""How long before a beat a loop begins, in beats: on a beat, its seam would be its largest step."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PartPlan:
    """The frames of a moving part.

    Some frames are keys, which image generation makes; those between are computed from the two keys around.

    Attributes:
        part: Which part it is.
        width_pixels: Width of its frames.
        height_pixels: Their height.
        render_size: Width and height of the keys.
        frames_per_second: Rate of the frames.
        frame_count: Number of frames.
        key_every: A key is every so many frames, the first one is one.
        segment_frames: Frames that are encoded and kept together; a multiple of `key_every`.
        timeline: What keys are made from.
        motion: How frames are seen.
        window_seconds: Time that the width of a frame stands for.
        audio_start_seconds: Where its sound begins in the song.
        is_loop: Whether its end is its beginning.
    """

    part: FilmPart
    width_pixels: int
    height_pixels: int
    render_size: tuple[int, int]
    frames_per_second: int
    frame_count: int
    key_every: int
    segment_frames: int
    timeline: Timeline | LoopTimeline
    motion: Motion
    window_seconds: float
    audio_start_seconds: float = 0.0
    is_loop: bool = False

    @property
    def duration_seconds(self) -> float:
        """Length of the part."""
        return self.frame_count / self.frames_per_second

    @property
    def key_count(self) -> int:
        """Number of its keys: one more than the last frame needs, but that of a loop is its first one."""
        return math.ceil(self.frame_count / self.key_every) + (0 if self.is_loop else 1)

    @property
    def segment_count(self) -> int:
        """Number of the stretches that are kept together."""
        return math.ceil(self.frame_count / self.segment_frames)

    @property
    def scroll_pixels(self) -> float:
        """How far things glide from key to key, in pixels of the keys."""
        return self.render_size[0] * self.key_every / self.frames_per_second / self.window_seconds

    def frames_of(self, segment: int) -> range:
        """Return the numbers of the frames of a segment."""
        start = segment * self.segment_frames
        return range(start, min(start + self.segment_frames, self.frame_count))

    def keys_of(self, segment: int) -> range:
        """Return the numbers of the keys that a segment needs; those of a loop may be beyond its end."""
        frames = self.frames_of(segment)
        return range(frames.start // self.key_every, (frames.stop - 1) // self.key_every + 2)

    def key_time_seconds(self, key: int) -> float:
        """Return the time of a key since the beginning of the part."""
        return key * self.key_every / self.frames_per_second


def plan_visualizer(song: Song, options: FilmOptions) -> PartPlan:
    """Return the plan of the film of a whole song."""
    rate = options.frames_per_second
    key_every = max(1, round(rate / _KEYS_PER_SECOND))
    return PartPlan(
        part=FilmPart.VISUALIZER,
        width_pixels=options.width_pixels,
        height_pixels=options.height_pixels,
        render_size=(options.width_pixels, options.height_pixels),
        frames_per_second=rate,
        frame_count=max(1, math.ceil(song.duration_seconds * rate - 1e-6)),
        key_every=key_every,
        segment_frames=_segment_frames(rate, key_every),
        timeline=Timeline(song),
        motion=Motion(pushes_of(song), song.sections, frames_per_second=rate),
        window_seconds=16 * song.segment_seconds,
    )


def plan_loop(song: Song, options: FilmOptions) -> PartPlan:
    """Return the plan of a loop: a whole number of beats of the song's liveliest part."""
    rate = _LOOP_FRAMES_PER_SECOND
    start, wished = choose_loop(song, options.loop_seconds)
    start = max(0.0, start - _LEAD_SHARE * _beat_seconds(song, start, wished))
    most = math.floor(min(MAX_LOOP_SECONDS, song.duration_seconds) * rate / _LOOP_KEY_EVERY)
    least = math.ceil(min(MIN_LOOP_SECONDS, song.duration_seconds) * rate / _LOOP_KEY_EVERY)
    keys = max(min(round(wished * rate / _LOOP_KEY_EVERY), most), min(least, most), 1)
    frame_count = keys * _LOOP_KEY_EVERY
    period = frame_count / rate
    # Beats are moved by less than a frame, so that a whole number of them fills the loop.
    pushes = [
        Push((push.time_seconds - start) * period / wished, push.strength)
        for push in pushes_of(song)
        if start - 1e-3 <= push.time_seconds < start + wished - 0.5 / rate
    ]
    return PartPlan(
        part=FilmPart.LOOP,
        width_pixels=LOOP_SIZE[0],
        height_pixels=LOOP_SIZE[1],
        render_size=_LOOP_RENDER_SIZE,
        frames_per_second=rate,
        frame_count=frame_count,
        key_every=_LOOP_KEY_EVERY,
        segment_frames=_segment_frames(rate, _LOOP_KEY_EVERY),
        timeline=LoopTimeline(song, start_seconds=start, period_seconds=period),
        motion=Motion(pushes, (), frames_per_second=rate, period_seconds=period),
        window_seconds=period,
        audio_start_seconds=start,
        is_loop=True,
    )


def choose_loop(song: Song, wished_seconds: float) -> tuple[float, float]:
    """Return where a loop begins in a song, and how long it is: whole beats, if there are some.

    The loop is loud, and what follows its end is like its beginning.
    """
    wished = min(wished_seconds, song.duration_seconds)
    beats = [beat for beat in song.beats if beat <= song.duration_seconds]
    bars = [beat for beat in song.downbeats if beat <= song.duration_seconds]
    candidates = _stretches(bars, bars, wished) or _stretches(bars or beats, beats, wished)
    if not candidates:
        candidates = [
            (float(start), wished) for start in np.arange(0.0, song.duration_seconds - wished + 1e-6)
        ]
    return max(
        candidates or [(0.0, wished)],
        key=lambda item: _fitness(song, *item) - abs(item[1] - wished) / wished,
    )


def _stretches(starts: list[float], ends: list[float], wished: float) -> list[tuple[float, float]]:
    """Return the beginnings and lengths of loops, for each beginning the one whose length is nearest."""
    found = []
    for start in starts:
        lengths = [end - start for end in ends if MIN_LOOP_SECONDS <= end - start <= MAX_LOOP_SECONDS]
        if lengths:
            found.append((start, min(lengths, key=lambda length: abs(length - wished))))
    return found


def _beat_seconds(song: Song, start: float, length: float) -> float:
    """Return the mean length of the beats of a part of a song; 0 if there are none."""
    count = sum(start - 1e-3 <= beat < start + length - 1e-3 for beat in song.beats)
    return length / count if count else 0.0


def _fitness(song: Song, start: float, length: float) -> float:
    size, count = song.segment_seconds, len(song.course)
    first, last = round(start / size), min(round((start + length) / size), count - 1)
    loudness = float(song.course[first : last + 1, TEMPORAL_FEATURES.index("level")].mean())
    return loudness - 0.5 * float(np.abs(song.course[min(first, count - 1)] - song.course[last]).mean())


def _segment_frames(rate: int, key_every: int) -> int:
    return max(1, round(_SEGMENT_SECONDS * rate / key_every)) * key_every
