"""What `stream_image` reports on the way from a sound to an image.

The usual order: `AudioAnalyzed`, `Queued` (each time the position changes), `Started`, `Progress` after every
denoising step, `ImageCreated` last. A recipe of several parts reports `Queued` to `Progress` for each of them
and `ImageDrafted` between them; `RecipeFellBack` reports that it takes another way than its own. `Retrying`
means that the server refused for the moment; the events then start again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from chladni_client.errors import TemporaryError
from chladni_client.files import PngFile
from chladni_client.types.audio import AudioProperties, Descriptor
from chladni_client.types.images import CreatedImage
from chladni_contract.provenance import Provenance


@dataclass(frozen=True, slots=True)
class AudioAnalyzed:
    """The sound has been analysed.

    Attributes:
        audio: What was found in the file.
        descriptors: Descriptors of the sound, which decide the image.
    """

    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for the model.

    Attributes:
        position: Requests ahead of this one; 0 means next.
        recipe_stage: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    position: int
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Denoising starts.

    Attributes:
        seed: Seed in use.
        total_steps: Denoising steps to come.
        model: Model in use.
        guidance_scale: Guidance scale in use.
        recipe_stage: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    seed: int
    total_steps: int
    model: str
    guidance_scale: float
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A denoising step is done.

    Attributes:
        step: Steps done, 1 to `total_steps`. Falls back to 1 where a shortage of memory made the server
            start the image again.
        total_steps: Steps in all.
        preview_jpeg: What the image looks like so far, an encoded JPEG; `None` at most steps.
        elapsed_seconds: Time since the request started.
        remaining_seconds: Expected time to the end; `None` while unknown.
        recipe_stage: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    step: int
    total_steps: int
    preview_jpeg: bytes | None = field(repr=False)
    elapsed_seconds: float
    remaining_seconds: float | None
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class ImageDrafted(PngFile):
    """A part of the recipe has made an image from which the next part starts.

    Attributes:
        png: The image, an encoded PNG.
        width_pixels: Width.
        height_pixels: Height.
        provenance: How it was made; `None` if no model made it.
        recipe_stage: Part of the recipe that made it; empty if it has no name.
    """

    png: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    provenance: Provenance | None
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class RecipeFellBack:
    """The recipe takes another way than its own.

    Attributes:
        reason: What its own way needs and did not get, and what to do about it.
        way: Way that is taken now: the name of a recipe, or of a part of the recipe after which it ends.
        recipe_stage: Part of the recipe at which it turned.
    """

    reason: str
    way: str
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Retrying:
    """The server refused for the moment; the request will be sent again.

    Attributes:
        attempt: Number of the attempt to come; the first retry is 2.
        delay_seconds: Time until then.
        error: Why it refused.
    """

    attempt: int
    delay_seconds: float
    error: TemporaryError


@dataclass(frozen=True, slots=True)
class ImageCreated:
    """The image is finished and stored; the last event.

    Attributes:
        image: The image.
        recipe_stage: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    image: CreatedImage
    recipe_stage: str = ""


CreationEvent: TypeAlias = (
    AudioAnalyzed | Queued | Started | Progress | ImageDrafted | RecipeFellBack | Retrying | ImageCreated
)
