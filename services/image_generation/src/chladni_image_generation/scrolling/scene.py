"""The frames of a moving sound, one denoising step each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Conditioning, GenerationRequest, Origin
from chladni_image_generation.models.interface import LatentDiffusionModel, ModelDescription
from chladni_image_generation.scrolling.timeline import SegmentTimeline, TimedSegment


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """How frames are made.

    Attributes:
        width_pixels: Width of a frame.
        height_pixels: Height of a frame.
        seed: Seed of the noise, the same for all frames of a scene: 0 to ``MAX_SEED``.
        look: Looks by name, as in `GenerationRequest`; empty for the model's first one.
        steps: Denoising steps of a frame. One is enough, and the fewer, the less a frame depends on the
            noise.
        flash_strength: Factor on the flashes of what begins, 0 for none: 0 to 1.
        glow_strength: Factor on how far the glow departs from the mean level, 0 for a steady one: 0 to 1.
    """

    width_pixels: int = 256
    height_pixels: int = 256
    seed: int = 0
    look: str = ""
    steps: int = 1
    flash_strength: float = 1.0
    glow_strength: float = 1.0

    def __post_init__(self) -> None:
        for name in ("flash_strength", "glow_strength"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be 0 to 1")


@dataclass(slots=True)
class ScrollingScene:
    """One moving sound, and its frames at any moments.

    The same segments, options and moment give the same frame, to the bit on one machine, whatever frames were
    drawn before. For live sound the moments ascend, and a frame shows what was put so far; for a film all
    segments are put first, and frames may be drawn in any order, by several scenes.

    Attributes:
        model: Draws the frames; `None` if the engine does, from the `request` of each.
        description: What the model is.
        timeline: The segments.
        options: How frames are made.
    """

    description: ModelDescription
    model: LatentDiffusionModel | None = None
    timeline: SegmentTimeline = field(default_factory=SegmentTimeline)
    options: FrameOptions = field(default_factory=FrameOptions)

    @classmethod
    def of_model(
        cls,
        model: LatentDiffusionModel,
        segments: Iterable[TimedSegment] = (),
        *,
        timeline: SegmentTimeline | None = None,
        options: FrameOptions | None = None,
    ) -> ScrollingScene:
        """Return a scene that draws its frames with a model, on the caller's thread."""
        scene = cls(model.description, model, timeline or SegmentTimeline(), options or FrameOptions())
        for segment in segments:
            scene.put(segment)
        return scene

    def put(self, segment: TimedSegment) -> None:
        """Add the next segment, or renew the newest one; see `SegmentTimeline.put`."""
        self.timeline.put(segment)

    def request(self, time_seconds: float, *, level: float | None = None) -> GenerationRequest:
        """Return what the engine, or a model, is to generate for a moment.

        Args:
            time_seconds: The moment, from the beginning of the sound; the frame's right edge.
            level: How loud it is then, 0 to 1; `None` takes it from the course.
        """
        timeline, options = self.timeline, self.options
        window = timeline.window_at(
            time_seconds,
            level=level,
            flash_strength=options.flash_strength,
            glow_strength=options.glow_strength,
        )
        embedding = np.concatenate(
            [timeline.overall_at(time_seconds), timeline.resampled_at(time_seconds).reshape(-1)]
        )
        return GenerationRequest(
            Conditioning(audio_embedding=embedding, course_window=window),
            seed=options.seed,
            steps=options.steps,
            guidance_scale=1.0,
            scheduler=self.description.scheduler_names[0],
            width_pixels=options.width_pixels,
            height_pixels=options.height_pixels,
            look=options.look,
            origin=Origin(recipe="live"),
        )

    def frame(self, time_seconds: float, *, level: float | None = None) -> NDArray[np.uint8]:
        """Return the RGB pixels (height, width, 3) of a moment's frame.

        Args:
            time_seconds: As for `request`.
            level: Likewise.

        Raises:
            ValueError: The scene has no model.
        """
        if self.model is None:
            raise ValueError("a scene without a model draws no frames; let the engine draw its requests")
        with torch.inference_mode():
            sampler = Sampler(self.model, self.request(time_seconds, level=level))
            while not sampler.is_denoised:
                sampler.advance(list(self.model.denoise(sampler.rows())))
            return sampler.finish(self.model.decode(sampler.latents[None])[0])
