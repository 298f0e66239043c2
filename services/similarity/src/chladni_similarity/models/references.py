"""How the configuration names models.

``efficientnet-lite0``                    an embedded model
``chladni-alignment``                     the embedded model that hears sounds as well
``/models/clip-vit-base-patch32``         a transformers directory of a CLIP; an absolute path
``/models/my-alignment``                  a directory that `jobs.train_alignment` wrote; an absolute path
``openai/clip-vit-base-patch32``          a CLIP on the model hub
``openai/clip-vit-base-patch32@main``     the same at a revision: a branch, a tag or a commit
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

EFFICIENTNET_MODEL_ID: Final = "efficientnet-lite0"
ALIGNMENT_MODEL_ID: Final = "chladni-alignment"
EMBEDDED_MODEL_IDS: Final = (EFFICIENTNET_MODEL_ID, ALIGNMENT_MODEL_ID)

_HUB_ID_PATTERN: Final = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Where a model is to be had.

    Attributes:
        source: One of `EMBEDDED_MODEL_IDS`, an absolute path of a directory, or an identifier on the model
            hub.
        revision: Revision on the model hub; `None` means its default branch.
    """

    source: str
    revision: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether this is a model that comes with the service."""
        return self.source in EMBEDDED_MODEL_IDS

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory on this machine."""
        return PurePath(self.source).is_absolute()

    @property
    def model_id(self) -> str:
        """Name for requests: of a directory its last part, so that no path leaves the service."""
        return PurePath(self.source).name if self.is_directory else self.source


def parse_model_references(text: str) -> tuple[ModelReference, ...]:
    """Return the models that a comma-separated list names, in its order.

    Raises:
        ValueError: The list is empty, an entry is of no known form, or two have one name.
    """
    references = tuple(_parse_reference(entry.strip()) for entry in text.split(",") if entry.strip())
    if not references:
        raise ValueError(f"name at least one model, such as {EFFICIENTNET_MODEL_ID}")
    model_ids = [reference.model_id for reference in references]
    if repeated := sorted({name for name in model_ids if model_ids.count(name) > 1}):
        raise ValueError(f"two models have the name {repeated[0]}; names must differ")
    return references


def _parse_reference(entry: str) -> ModelReference:
    whole = ModelReference(entry)
    if whole.is_embedded or (whole.is_directory and whole.model_id):
        return whole
    source, separator, revision = entry.partition("@")
    if _HUB_ID_PATTERN.fullmatch(source) and bool(separator) == bool(revision):
        return ModelReference(source, revision or None)
    raise ValueError(
        f"{entry!r} is no model; give {' or '.join(EMBEDDED_MODEL_IDS)}, the absolute path of a CLIP's "
        "directory, or owner/name[@revision] on the model hub"
    )
