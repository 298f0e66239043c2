"""Which models the configuration names: those that come with the service, and CLIPs.

The syntax is that of `chladni_runtime.models.reference`. A directory may hold a CLIP in the format of
transformers, or what `training.train_alignment` wrote.
"""

from __future__ import annotations

from typing import Final

from chladni_runtime.models.reference import ModelReference
from chladni_runtime.models.reference import parse_model_references as parse_references

EFFICIENTNET_MODEL_ID: Final = "efficientnet-lite0"
ALIGNMENT_MODEL_ID: Final = "chladni-alignment"
EMBEDDED_MODEL_IDS: Final = (EFFICIENTNET_MODEL_ID, ALIGNMENT_MODEL_ID)


def parse_model_references(text: str) -> tuple[ModelReference, ...]:
    """Return the models that a comma-separated list names, in its order.

    Raises:
        ValueError: The list is empty, an entry is of no known form, or two have one name.
    """
    references = parse_references(text, shipped=EMBEDDED_MODEL_IDS)
    if not references:
        raise ValueError(f"name at least one model, such as {EFFICIENTNET_MODEL_ID}")
    names = [reference.name for reference in references]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two models have the name {repeated[0]}; names must differ")
    return references
