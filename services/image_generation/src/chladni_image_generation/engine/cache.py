"""Images that answer identical requests again.

Because an image follows from its request to the bit, an earlier one is as good as a new one.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

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
        png: The image with its provenance inside.
        provenance: How it was made.
        total_steps: Denoising steps that it took.
    """

    png: bytes
    provenance: Provenance
    total_steps: int


class ImageCache:
    """Remembers finished images within a bound, and forgets those first that were not asked for longest.

    Args:
        capacity_bytes: Bytes of images kept at most; 0 keeps none.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._images: OrderedDict[str, FinishedImage] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: str) -> FinishedImage | None:
        """Return the image of a request's `content_key`, `None` if there is none."""
        if key not in self._images:
            return None
        self._images.move_to_end(key)
        return self._images[key]

    def put(self, key: str, image: FinishedImage) -> None:
        """Keep an image, unless it is larger than all that may be kept."""
        if len(image.png) > self._capacity_bytes:
            return
        previous = self._images.pop(key, None)
        self.size_bytes += len(image.png) - (len(previous.png) if previous else 0)
        self._images[key] = image
        while self.size_bytes > self._capacity_bytes:
            _, oldest = self._images.popitem(last=False)
            self.size_bytes -= len(oldest.png)
