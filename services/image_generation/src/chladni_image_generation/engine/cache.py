"""Images that answer identical requests again.

Because an image follows from its request to the bit, an earlier one is as good as a new one.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from chladni_contract.provenance import Provenance
    from chladni_image_generation.generation import GenerationRequest


def content_key(request: GenerationRequest) -> str:
    """Return what identical requests to one model have in common and no others: a SHA-256 in hexadecimal."""
    terms = {field.name: getattr(request, field.name) for field in fields(request)}
    terms["conditioning"] = request.conditioning.digest()
    terms["origin"] = asdict(request.origin)
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FinishedImage:
    """An image that was made.

    Attributes:
        png: The image as a PNG with its provenance inside; other encodings are made of it.
        provenance: How it was made.
        total_steps: Denoising steps that it took.
    """

    png: bytes
    provenance: Provenance
    total_steps: int


class ImageCache(LRUCache[str, FinishedImage]):
    """Finished images by the `content_key` of their requests; those not used for longest are removed first.

    Args:
        capacity_bytes: Bytes of images kept at most; 0 keeps none.
    """

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes, getsizeof=lambda image: len(image.png))

    def put(self, key: str, image: FinishedImage) -> None:
        """Keep an image, unless it is larger than all that may be kept."""
        with suppress(ValueError):
            self[key] = image
