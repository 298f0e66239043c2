"""What `stream_image` reports on the way from a sound to an image.

The usual order: `SoundAnalyzed`, `Queued` (each time the position changes), `Started`, `Progress` after every
denoising step, `ImageCreated` last. `Retrying` means that the server refused for the moment; the events
then begin anew.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from chladni_client.errors import TemporaryError
from chladni_client.images import CreatedImage
from chladni_client.sounds import Descriptor, SoundProperties


@dataclass(frozen=True, slots=True)
class SoundAnalyzed:
    """The sound has been analysed.

    Attributes:
        sound: What was found in the file.
        descriptors: Descriptors of the sound, which decide the image.
    """

    sound: SoundProperties
    descriptors: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for the model.

    Attributes:
        position: Requests ahead of this one; 0 means next.
    """

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    """Denoising starts.

    Attributes:
        seed: Seed in use.
        total_steps: Denoising steps to come.
        model: Model in use.
        guidance_scale: Guidance scale in use.
    """

    seed: int
    total_steps: int
    model: str
    guidance_scale: float


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
    """

    step: int
    total_steps: int
    preview_jpeg: bytes | None = field(repr=False)
    elapsed_seconds: float
    remaining_seconds: float | None


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
    """

    image: CreatedImage


CreationEvent: TypeAlias = SoundAnalyzed | Queued | Started | Progress | Retrying | ImageCreated
