"""The provenance inside an image file, read without a server: JSON in its metadata."""

from __future__ import annotations

from chladni_client.errors import ProvenanceError
from chladni_client.files import FileSource, Upload, read_upload
from chladni_contract.images.file_metadata import can_carry_text, find_text
from chladni_contract.provenance import Provenance
from chladni_contract.provenance_messages import parse_provenance


def read_provenance(source: FileSource) -> Provenance:
    """Return how an image was made.

    Args:
        source: A PNG, JPEG, WebP, SVG or PDF: its path, its bytes, or an open binary file.

    Raises:
        ProvenanceError: It is none of these, is damaged, or carries no provenance.
        OSError: The file cannot be read.
    """
    return provenance_of(read_upload(source))


def provenance_of(upload: Upload) -> Provenance:
    """Return how an image was made, as `read_provenance` does, from a file that has been read.

    Raises:
        ProvenanceError: It is no such file, is damaged, or carries no provenance.
    """
    name = upload.display_name or "The image"
    if not can_carry_text(upload.content):
        raise ProvenanceError(
            f"{name} is not a PNG, JPEG, WebP, SVG or PDF; only those that Chladni writes tell how they were "
            "made.",
            reason="INVALID_IMAGE",
        )
    try:
        text = find_text(upload.content)
        if text is None:
            raise ProvenanceError(
                f"{name} carries no provenance: it was not made by Chladni, or another program has "
                "rewritten it without its text.",
                reason="NO_PROVENANCE",
            )
        return parse_provenance(text)
    except ValueError as error:
        raise ProvenanceError(
            f"{name} is damaged: its provenance cannot be read.", reason="INVALID_IMAGE"
        ) from error
