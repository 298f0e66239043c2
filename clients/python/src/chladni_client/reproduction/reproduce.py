"""Whether an image can be made again, bit for bit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from chladni_client.errors import FaultError, InvalidInputError, ProvenanceError
from chladni_client.files import FileSource, Upload, read_upload
from chladni_client.reproduction.contract_terms import DifferingTerm, differing_terms
from chladni_client.reproduction.options import options_asked_again
from chladni_client.reproduction.pixels import PixelComparison, compare_pixels, read_pixels
from chladni_client.reproduction.provenance import provenance_of
from chladni_client.types.images import CreatedImage
from chladni_client.types.services import Recipe
from chladni_contract.provenance import Provenance

_NEEDED: Final = ("audio_sha256", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels")
_SHOWN_DIGITS: Final = 12


class Verdict(StrEnum):
    """What a comparison shows."""

    IDENTICAL = "identical"
    """Every bit of every pixel is the same."""
    EXPLAINED = "explained"
    """Pixels differ, and so do terms on which they would have to be equal."""
    INEXACT = "inexact"
    """Pixels differ and no term does, but the images were made without the promise of equal pixels."""
    DEFECT = "defect"
    """Pixels differ although no term does: the promise is broken."""


@dataclass(frozen=True, slots=True)
class Original:
    """An image that is to be made again.

    Attributes:
        file: The PNG; its name is for messages.
        provenance: How it was made.
    """

    file: Upload = field(repr=False)
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class ReproductionReport:
    """How two renderings compare.

    Attributes:
        original: How the first one was made.
        rendering: How the second one was made.
        pixels: How their pixels differ.
        differing_terms: The terms on which pixels would have to be equal, as far as they differ.
    """

    original: Provenance
    rendering: Provenance
    pixels: PixelComparison
    differing_terms: tuple[DifferingTerm, ...]

    @property
    def verdict(self) -> Verdict:
        """What the comparison shows."""
        if self.pixels.is_identical:
            return Verdict.IDENTICAL
        if self.differing_terms:
            return Verdict.EXPLAINED
        return Verdict.DEFECT if self.original.reproducible else Verdict.INEXACT


@dataclass(frozen=True, slots=True)
class Reproduction:
    """An image that was made again.

    Attributes:
        image: The new rendering.
        report: How it compares with the original.
    """

    image: CreatedImage
    report: ReproductionReport


def read_original(image: FileSource) -> Original:
    """Return an image that is to be made again.

    Args:
        image: A PNG that Chladni made: its path, its bytes or an open binary file.

    Raises:
        ProvenanceError: It is not a PNG, is damaged, or does not say all that is needed.
        InvalidInputError: Another program has changed its pixels or its size.
        OSError: The file cannot be read.
    """
    file = _read_named(image, "The image")
    name = file.display_name
    provenance = provenance_of(file)
    missing = [field_name for field_name in _NEEDED if not getattr(provenance, field_name)]
    if missing:
        raise ProvenanceError(
            f"{name} cannot be made again: its provenance says nothing of {', '.join(missing)}.",
            reason="NO_PROVENANCE",
        )
    width_pixels, height_pixels = read_pixels(file.content, name).size
    factor = max(1, provenance.upscale)
    made_width_pixels, made_height_pixels = (
        provenance.width_pixels * factor,
        provenance.height_pixels * factor,
    )
    if (width_pixels, height_pixels) != (made_width_pixels, made_height_pixels):
        raise InvalidInputError(
            f"{name} has {width_pixels} x {height_pixels} pixels, but was made with "
            f"{made_width_pixels} x {made_height_pixels}: another program has changed it.",
            reason="INVALID_IMAGE",
        )
    return Original(file, provenance)


def check_recording(original: Original, recording: Upload) -> None:
    """Check that an audio file is the one that an image was made of.

    Raises:
        InvalidInputError: It is another one.
    """
    digest = hashlib.sha256(recording.content).hexdigest()
    if digest != original.provenance.audio_sha256:
        raise InvalidInputError(
            f"{recording.display_name or 'The recording'} is not what {original.file.display_name} was made "
            f"of: its SHA-256 begins with {digest[:_SHOWN_DIGITS]}, that of the recording with "
            f"{original.provenance.audio_sha256[:_SHOWN_DIGITS]}.",
            reason="DIFFERENT_RECORDING",
        )


async def reproduce(
    image: FileSource,
    audio: FileSource,
    create: Callable[..., Awaitable[CreatedImage]],
    list_recipes: Callable[[], Awaitable[Sequence[Recipe]]],
) -> Reproduction:
    """Create an image again as its provenance says, and compares both.

    Args:
        image: A PNG that Chladni made.
        audio: The recording that it was made of.
        create: Makes an image, as `AsyncClient.create_image` does.
        list_recipes: Lists the server's recipes, as `AsyncClient.list_recipes` does.

    Raises:
        ProvenanceError: The image does not say all that is needed to make it again, or says it wrongly.
        InvalidInputError: The recording is another one, or the image was changed since it was made.
        FaultError: The server gave an image that it had kept, although it was asked to compute it again.
        ChladniError: Whatever `create` raises.
        OSError: A file cannot be read.
    """
    original = await asyncio.to_thread(read_original, image)
    recording = await asyncio.to_thread(read_upload, audio)
    check_recording(original, recording)
    asked = options_asked_again(original.provenance, await list_recipes())
    rendering = await create(recording.content, **asked, bypass_cache=True)
    if rendering.is_reused:
        raise FaultError(
            "The server gave an image that it had kept, although it was asked to compute it again.",
            reason="INTERNAL",
        )
    report = await asyncio.to_thread(compare_renderings, original.file.content, rendering.content)
    return Reproduction(rendering, report)


def compare_renderings(original: FileSource, rendering: FileSource) -> ReproductionReport:
    """Return how two images of Chladni compare, pixel by pixel and term by term. Needs no server.

    Args:
        original: A PNG that Chladni made: its path, its bytes or an open binary file.
        rendering: Likewise.

    Raises:
        ProvenanceError: One is not a PNG, is damaged, or carries no provenance.
        InvalidInputError: Another program has rewritten one, or their sizes differ.
        OSError: A file cannot be read.
    """
    first, second = _read_named(original, "The original"), _read_named(rendering, "The rendering")
    first_provenance, second_provenance = provenance_of(first), provenance_of(second)
    return ReproductionReport(
        original=first_provenance,
        rendering=second_provenance,
        pixels=compare_pixels(
            read_pixels(first.content, first.display_name), read_pixels(second.content, second.display_name)
        ),
        differing_terms=differing_terms(first_provenance, second_provenance),
    )


def _read_named(source: FileSource, default_name: str) -> Upload:
    upload = read_upload(source)
    return replace(upload, display_name=upload.display_name or default_name)
