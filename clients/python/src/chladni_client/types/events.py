"""What `stream_image` reports on the way from a sound to an image.

The usual order: `Accepted`, `AudioAnalyzed`, `Queued` (each time the position changes), `Started`, `Progress`
after every denoising step, `ImageCreated` last. A recipe of several parts reports `Queued` to `Progress` for
each of them and `ImageDrafted` between them; `RecipeFellBack` reports that it uses its fallback. `Retrying`
means that the server refused for the moment; the events then start again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from chladni_client.errors import TemporaryError
from chladni_client.files import ImageFile
from chladni_client.types.audio import AudioProperties, Descriptor, ServerWarning
from chladni_client.types.images import CreatedImage
from chladni_contract.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is accepted; the first event.

    Attributes:
        operation_id: Identifier of the operation, a UUID: that of the image to come.
        seed: Seed that the image will be made with, drawn by the server if the request gave none.
        session_token: Token to which the image belongs, drawn by the server; empty if the call brought one.
    """

    operation_id: str
    seed: int
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AudioAnalyzed:
    """The sound has been analysed.

    Attributes:
        audio: What was found in the file.
        descriptors: Descriptors of the sound, which decide the image.
        warnings: What the caller should know about the audio; the image has them, too. Usually empty.
    """

    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]
    warnings: tuple[ServerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for the model.

    Attributes:
        position: Requests ahead of this one; 0 means next.
        part: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    position: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Denoising starts.

    Attributes:
        seed: Seed in use.
        total_steps: Denoising steps to come.
        model: Model in use.
        guidance_scale: Guidance scale in use.
        part: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    seed: int
    total_steps: int
    model: str
    guidance_scale: float
    part: str = ""


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
        part: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    step: int
    total_steps: int
    preview_jpeg: bytes | None = field(repr=False)
    elapsed_seconds: float
    remaining_seconds: float | None
    part: str = ""


@dataclass(frozen=True, slots=True)
class ImageDrafted(ImageFile):
    """A part of the recipe has made an image from which the next part starts.

    Attributes:
        content: The image, an encoded PNG.
        width_pixels: Width.
        height_pixels: Height.
        provenance: How it was made; `None` if no model made it.
        part: Part of the recipe that made it; empty if it has no name.
    """

    content: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    provenance: Provenance | None
    part: str = ""


@dataclass(frozen=True, slots=True)
class RecipeFellBack:
    """The recipe uses its fallback.

    Attributes:
        reason: What is missing or failed, and what to do about it.
        fallback: What is done instead: the name of a recipe, or of a part of it after which it ends.
        part: Part of the recipe that is left out.
    """

    reason: str
    fallback: str
    part: str = ""


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
        part: Part of the recipe that it belongs to; empty if the recipe has one part.
    """

    image: CreatedImage
    part: str = ""


CreationEvent: TypeAlias = (
    Accepted
    | AudioAnalyzed
    | Queued
    | Started
    | Progress
    | ImageDrafted
    | RecipeFellBack
    | Retrying
    | ImageCreated
)
