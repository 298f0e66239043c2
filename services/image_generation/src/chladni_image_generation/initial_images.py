"""Images that a generation starts from, as files of callers."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from chladni_contract.errors import InvalidInputError, Reason

_FORMATS: Final = ("PNG", "JPEG")
_MAX_PIXELS: Final = 4096 * 4096
_MIN_SIDE_PIXELS: Final = 8


def decode_initial_image(content: bytes, *, field: str) -> NDArray[np.uint8]:
    """Returns the RGB pixels (height, width, 3) of a PNG or JPEG file, turned as its Exif data says.

    Args:
        content: The file's bytes.
        field: Path of the field that they come from, for errors.

    Raises:
        InvalidInputError: The file is none of these formats, is damaged, or is too large or too small.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > _MAX_PIXELS or min(width, height) < _MIN_SIDE_PIXELS:
                raise _refusal(
                    f"{field} is {width} x {height} pixels; sides have at least {_MIN_SIDE_PIXELS} and "
                    f"images at most {_MAX_PIXELS} pixels. Scale it.",
                    field,
                )
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _refusal(f"{field} cannot be decoded; send a whole PNG or JPEG file.", field) from error


def _refusal(message: str, field: str) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_IMAGE, message, field=field)
