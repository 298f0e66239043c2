"""Whose the records of a folder are, without opening each of them again and again."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

_log = logging.getLogger(__name__)


class RecordOwners:
    """Remembers the owner of every record that it has seen; a record's owner never changes.

    Not thread-safe: its user holds a lock.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def owned_by(self, owner: str, paths: Sequence[Path]) -> list[Path]:
        """Returns those records that are an owner's, in their order; an empty owner has none.

        Args:
            owner: The owner.
            paths: Every record of the folder; all others are forgotten.

        Raises:
            OSError: A record cannot be read.
        """
        self._owners = {path.stem: self._owner_of(path) for path in paths}
        return [path for path in paths if owner and self._owners[path.stem] == owner]

    def _owner_of(self, path: Path) -> str:
        known = self._owners.get(path.stem)
        return _read_owner(path) if known is None else known


def _read_owner(path: Path) -> str:
    """Returns the owner that a record names; empty where it names none, or is no record of an image."""
    try:
        UUID(path.stem)
        facts = json.loads(path.read_bytes())
        return str(facts.get("owner", ""))
    except FileNotFoundError:  # Another process may have removed it since it was listed.
        return ""
    except (ValueError, AttributeError):
        _log.warning("a file in the image folder is no record of an image", extra={"file": path.name[:64]})
        return ""
