"""Images that take long: decoded elsewhere, and left when nobody wants them."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.execution.process_pool import ProcessLimits
from chladni_similarity.images import decoder as decoder_module
from chladni_similarity.images.decoder import ImageDecoder
from chladni_similarity.images.decoding import ImageFormat, decode_image


@pytest.fixture
def decode(monkeypatch):
    """Decodes every image in a process."""
    monkeypatch.setattr(decoder_module, "_LONG_WORK_PIXELS", 0)

    with ImageDecoder() as decoder:

        def function(content, image_format=ImageFormat.JPEG, token=None):
            return decoder.decode(
                token or CancellationToken(), content, image_format, field="image", max_side_pixels=4096
            )

        yield function


def test_a_process_gives_the_same_pixels_and_the_same_errors(decode, encode, random_image):
    content = encode(random_image(1), "JPEG", progressive=True)
    expected = decode_image(content, ImageFormat.JPEG, field="image", max_side_pixels=4096)
    np.testing.assert_array_equal(decode(content), expected)
    png = encode(random_image(1), "PNG")
    with pytest.raises(InvalidInputError) as caught:
        decode(png[:-20], ImageFormat.PNG)
    assert caught.value.reason is Reason.INVALID_IMAGE
    assert "damaged or cut off" in caught.value.message


def test_what_takes_too_long_or_too_much_is_refused(monkeypatch, encode):
    large = encode(np.zeros((3000, 3000, 3), np.uint8), "JPEG", progressive=True)
    for limits in (ProcessLimits(10.0, 0.001, 1024**3), ProcessLimits(10.0, 10.0, 8 * 1024**2)):
        monkeypatch.setattr(decoder_module, "_LIMITS", limits)
        with ImageDecoder() as decoder, pytest.raises(InvalidInputError) as caught:
            decoder.decode(CancellationToken(), large, ImageFormat.JPEG, field="image", max_side_pixels=4096)
        assert caught.value.reason is Reason.INVALID_IMAGE


def test_the_work_ends_when_nobody_wants_it(decode, encode):
    large = encode(np.zeros((3000, 3000, 3), np.uint8), "JPEG", progressive=True)
    decode(large)  # The process is there now.
    token = CancellationToken(Deadline.after(0.01))
    with pytest.raises(ChladniError) as caught:
        decode(large, token=token)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert decode(large).shape == (3, 3000, 3000)  # Another process has taken its place.
