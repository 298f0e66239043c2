"""Pictures that answer identical requests again.

Because a picture follows from its request to the bit, an earlier one is as good as a new one.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.provenance import Provenance


def content_key(request: GenerationRequest) -> str:
    """Returns what identical requests to one model have in common and no others: a SHA-256 in hexadecimal."""
    terms = {field.name: getattr(request, field.name) for field in fields(request)}
    terms["conditioning"] = request.conditioning.digest()
    terms["origin"] = asdict(request.origin)
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FinishedPicture:
    """A picture that was made.

    Attributes:
        png: The picture with its provenance inside.
        provenance: How it was made.
        total_steps: Denoising steps that it took.
    """

    png: bytes
    provenance: Provenance
    total_steps: int


class PictureCache:
    """Remembers finished pictures within a bound, and forgets those first that were not asked for longest.

    Args:
        capacity_bytes: Bytes of pictures kept at most; 0 keeps none.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._pictures: OrderedDict[str, FinishedPicture] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: str) -> FinishedPicture | None:
        """Returns the picture of a request's `content_key`, `None` where there is none."""
        if key not in self._pictures:
            return None
        self._pictures.move_to_end(key)
        return self._pictures[key]

    def put(self, key: str, picture: FinishedPicture) -> None:
        """Keeps a picture, where it is not larger than all that may be kept."""
        if len(picture.png) > self._capacity_bytes:
            return
        previous = self._pictures.pop(key, None)
        self.size_bytes += len(picture.png) - (len(previous.png) if previous else 0)
        self._pictures[key] = picture
        while self.size_bytes > self._capacity_bytes:
            _, oldest = self._pictures.popitem(last=False)
            self.size_bytes -= len(oldest.png)
