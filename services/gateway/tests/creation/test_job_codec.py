"""Jobs and events come back from the store as they went in."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, FieldViolation, Reason
from chladni_contract.provenance import Provenance
from chladni_contract.warnings import WarningReason, new_warning
from chladni_fakes.image_records import SteppedClock, record_at
from chladni_gateway.creation.job import Cancelled, Done, Failed
from chladni_gateway.creation.job_codec import (
    JobDetails,
    decode_details,
    decode_event,
    encode_details,
    encode_event,
)
from chladni_gateway.domain.audio import (
    AudioClip,
    AudioProperties,
    Embedding,
    InitialLatents,
    PcmEncoding,
    PcmFormat,
)
from chladni_gateway.domain.events import Accepted, Analyzed, Drafted, FellBack, Progressed, Queued, Started
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.images import Image, ImageEncoding, ImageFormat
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage

AUDIO = AudioProperties("wav", 8000, 1, 1.0, "00" * 32)
RECORD = replace(
    record_at(SteppedClock().time), audio_embedding=Embedding("space", (1,), b"\x00\xff\xfe\xfd"), owner="ann"
)
WARNING = new_warning(WarningReason.IMAGES_REMOVED, "Removed.", count=1, maximum=2)
EVENTS = [
    Accepted(uuid.uuid4(), 7),
    Analyzed(AUDIO, RECORD.descriptors, RECORD.audio_embedding, (WARNING,)),
    Queued(3, part="one"),
    Started(7, 9, "m", 2.5),
    Progressed(1, 9, None, 0.5, None),
    Progressed(2, 9, Image(b"\x00\n\xff", "image/png", 8, 4), 0.5, 1.5),
    FellBack("away", "spectrogram", "two"),
    Done(RECORD, part="two"),
    Cancelled(Stage.IMAGE_GENERATION),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back(event):
    assert decode_event(encode_event(3, event)) == event


def test_the_image_of_a_draft_is_left_out():
    draft = Drafted(Image(b"png"), Provenance(model="m"), "one")
    assert decode_event(encode_event(1, draft)) == replace(draft, image=None)


def test_an_error_comes_back():
    error = ChladniError(
        Reason.INVALID_FIELD,
        "Wrong.",
        violations=[FieldViolation("steps", "is too large.")],
        retry_after_seconds=1.5,
        metadata={"value": 9},
    )
    found = decode_event(encode_event(1, Failed(error))).error
    assert vars(found) == vars(error)


@given(content=st.binary(max_size=64), latents=st.binary(max_size=64), seed=st.integers(0, 2**32 - 1))
def test_a_request_comes_back_to_the_last_bit(content, latents, seed):
    request = CreationRequest(
        AudioClip(content, "ü.wav", PcmFormat(8000, 2, PcmEncoding.INT16), 0.5, None),
        recipe="latent-noise",
        settings=GenerationSettings(
            steps=3,
            guidance_scale=1.1,
            previews=PreviewRequest(2, 64),
            priority=Priority.BATCH,
            encoding=ImageEncoding(format=ImageFormat.WEBP, quality=80),
        ),
        options=RecipeOptions(
            prompt="a reef",
            strength=0.7,
            noise_mode=NoiseMode.BLEND,
            initial_latents=InitialLatents((1, 4, 4), latents, "c", "ab"),
        ),
        caller="192.0.2.1",
        owner="ann",
        request_id=uuid.uuid4(),
    )
    encoded = encode_details(JobDetails(request, seed, "digest"))
    decoded = decode_details(encoded)
    assert decoded.with_clip(content) == request
    assert (decoded.seed, decoded.digest) == (seed, "digest")
    assert decoded.request.clip.content == b""
