"""Which looks an image is to have, as requests name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

AUTO: Final = "auto"
"""The looks that fit the kind of sound."""

_LARGEST_SHARE: Final = 1_000
_MAX_LENGTH: Final = 256
"""Characters of a text: more than all looks with their shares take. The text is kept in the provenance."""


def parse_looks(text: str, names: Sequence[str]) -> dict[str, float] | None:
    """Return the shares by name of a text such as ``plate`` or ``plate:2,water:1``; they add up to 1.

    Args:
        text: The text.
        names: The looks that there are, the default one first.

    Returns:
        `None` for `AUTO`; for an empty text, the default look alone.

    Raises:
        ValueError: A name is unknown or given twice, a share is not a positive number, or the text is too
            long; the message says which.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"has {len(text)} characters, must have at most {_MAX_LENGTH}")
    if text == AUTO:
        return None
    shares: dict[str, float] = {}
    for part in (text or names[0]).split(","):
        name, _, number = (piece.strip() for piece in part.partition(":"))
        if name not in names:
            raise ValueError(
                f"names {name!r}, which is no look; looks are {', '.join(names)}, alone or with shares, "
                f"or {AUTO} alone"
            )
        if name in shares:
            raise ValueError(f"names {name!r} twice")
        try:
            share = float(number or 1)
        except ValueError:
            raise ValueError(f"gives {name!r} the share {number!r}, which is no number") from None
        if not 0 < share <= _LARGEST_SHARE:
            raise ValueError(
                f"gives {name!r} a share of {number}, must be above 0 and at most {_LARGEST_SHARE}"
            )
        shares[name] = share
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}
