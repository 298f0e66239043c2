"""What a film is to be: its parts, and how they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from chladni_gateway.domain.request import MAX_SEED
from chladni_runtime.server.validation import RequestValidator

MIN_SIDE_PIXELS: Final = 256
MAX_SIDE_PIXELS: Final = 1024
MIN_LOOP_SECONDS: Final = 3.0
MAX_LOOP_SECONDS: Final = 8.0
SIDE_STEP_PIXELS: Final = 64
MIN_FRAMES_PER_SECOND: Final = 6
MAX_FRAMES_PER_SECOND: Final = 30

_MAX_LOOK_LENGTH: Final = 256


class FilmPart(StrEnum):
    """A part of a release kit."""

    VISUALIZER = "visualizer"
    LOOP = "loop"
    COVER = "cover"

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"{self.value}.png" if self is FilmPart.COVER else f"{self.value}.mp4"

    @property
    def content_type(self) -> str:
        """Media type of its file."""
        return "image/png" if self is FilmPart.COVER else "video/mp4"


ALL_PARTS: Final = tuple(FilmPart)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmOptions:
    """How a film is made.

    Attributes:
        width_pixels: Width of the visualiser.
        height_pixels: Its height.
        frames_per_second: Its rate.
        loop_seconds: About how long the loop is.
        look: Look of all parts; empty for the model's first one.
        seed: Seed of all frames.
        model: Model; empty for the server's choice.
        parts: Parts to make.
    """

    seed: int
    width_pixels: int = 512
    height_pixels: int = 512
    frames_per_second: int = 12
    loop_seconds: float = MAX_LOOP_SECONDS
    look: str = ""
    model: str = ""
    parts: tuple[FilmPart, ...] = ALL_PARTS

    def check(self) -> None:
        """Require that the options are within their limits.

        Raises:
            InvalidFieldsError: Some are not; all of them are named.
        """
        validator = RequestValidator()
        validator.check_range("options.seed", self.seed, minimum=0, maximum=MAX_SEED)
        for name in ("width_pixels", "height_pixels"):
            side = getattr(self, name)
            validator.check_range(
                f"options.{name}", side, minimum=MIN_SIDE_PIXELS, maximum=MAX_SIDE_PIXELS, unit="pixels"
            )
            validator.check(
                f"options.{name}",
                valid=side % SIDE_STEP_PIXELS == 0,
                description=f"is {side}, must be a multiple of {SIDE_STEP_PIXELS}.",
                metadata={"value": side},
            )
        validator.check_range(
            "options.frames_per_second",
            self.frames_per_second,
            minimum=MIN_FRAMES_PER_SECOND,
            maximum=MAX_FRAMES_PER_SECOND,
        )
        validator.check_range(
            "options.loop_duration",
            self.loop_seconds,
            minimum=MIN_LOOP_SECONDS,
            maximum=MAX_LOOP_SECONDS,
            unit="s",
        )
        validator.check_length("options.look", self.look, maximum=_MAX_LOOK_LENGTH)
        validator.raise_if_invalid()

    def to_json(self) -> dict[str, Any]:
        """Return the options as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> FilmOptions:
        """Return the options that JSON holds."""
        return cls(**(fields | {"parts": tuple(map(FilmPart, fields["parts"]))}))
