"""How settings name models: one syntax for all services.

``efficientnet-lite0``                     a model that comes with the service, by its name
``/models/clip-vit-base-patch32``          a directory; begins with ``/``, ``./``, ``../`` or ``~/``
``/models/voices@0a1b2c3d4e5f``            the same, refused unless its digest begins with these digits
``openai/clip-vit-base-patch32``           a model on the model hub
``openai/clip-vit-base-patch32@main``      the same at a revision: a branch, a tag or a commit
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PATH_BEGINNINGS: Final = ("/", "./", "../", "~/")
_HUB_ID_PATTERN: Final = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")
_DIGEST_PATTERN: Final = re.compile("[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Where a model can be found.

    Attributes:
        source: Name of a model that comes with the service, path of a directory, or identifier on the model
            hub.
        revision: Revision on the model hub, `None` for its default branch; of a directory, the beginning of
            the digest that it must have, `None` for any.
    """

    source: str
    revision: str | None = None

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory on this machine."""
        return self.source.startswith(_PATH_BEGINNINGS) or self.source in {".", ".."}

    @property
    def is_on_hub(self) -> bool:
        """Whether this is a model on the model hub."""
        return "/" in self.source and not self.is_directory

    @property
    def directory(self) -> Path:
        """The absolute path of a directory."""
        return Path(os.path.abspath(Path(self.source).expanduser()))  # noqa: PTH100 - links keep their names

    @property
    def name(self) -> str:
        """Name for people and for requests; only the last part of a path, so that none leaves the service."""
        return self.directory.name if self.is_directory else self.source

    @property
    def full_name(self) -> str:
        """The name, with the revision of a model on the hub."""
        return f"{self.name}@{self.revision}" if self.is_on_hub and self.revision else self.name


def parse_model_reference(text: str, *, shipped: Collection[str] = ()) -> ModelReference:
    """Return the model that a setting names.

    Args:
        text: What the setting holds.
        shipped: Names of the models that come with the service.

    Raises:
        ValueError: The text has none of the known forms; the message lists them.
    """
    whole = ModelReference(text)
    if text in shipped:
        return whole
    if whole.is_directory and whole.name:
        return _parse_directory(text)
    source, separator, revision = text.partition("@")
    if _HUB_ID_PATTERN.fullmatch(source) and bool(separator) == bool(revision):
        return ModelReference(source, revision or None)
    forms = [
        *shipped,
        "the path of a directory, which begins with / or ./",
        "owner/name[@revision] on the model hub",
    ]
    raise ValueError(f"{text!r} is no model: it is neither {', nor '.join(forms)}")


def _parse_directory(text: str) -> ModelReference:
    parent, slash, last = text.rpartition("/")
    name, separator, digest = last.rpartition("@")
    if not separator:
        return ModelReference(text)
    if not name or not _DIGEST_PATTERN.fullmatch(digest):
        raise ValueError(
            f"{text!r} is no model: what follows the @ of a directory must be the first 12 or more "
            "hexadecimal digits of its digest"
        )
    return ModelReference(f"{parent}{slash}{name}", digest)


def parse_model_references(text: str, *, shipped: Collection[str] = ()) -> tuple[ModelReference, ...]:
    """Return the models that a comma-separated list names, in its order; see `parse_model_reference`.

    Raises:
        ValueError: An entry has none of the known forms.
    """
    entries = (entry.strip() for entry in text.split(","))
    return tuple(parse_model_reference(entry, shipped=shipped) for entry in entries if entry)
