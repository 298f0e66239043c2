"""Messages of the scripted gateway, and errors as servers send them."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import grpc
import numpy as np
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from numpy.typing import NDArray

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import creation_pb2, image_pb2
from chladni.gateway.v1 import job_service_pb2 as job_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2

JOB_ID = "5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31"
IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
SHA256 = "ab" * 32
SESSION_TOKEN = "t" * 43


def png_of(*text_chunks: tuple[bytes, bytes], header: bytes = b"\x89PNG\r\n\x1a\n") -> bytes:
    """Return a 1 x 1 PNG with further chunks, each a pair of type and data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"".join(
        (
            header,
            chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
            *(chunk(kind, data) for kind, data in text_chunks),
            chunk(b"IDAT", zlib.compress(b"\0\x10\x20\x30")),
            chunk(b"IEND", b""),
        )
    )


def provenance() -> generation_pb2.Provenance:
    """Return where the image comes from."""
    return generation_pb2.Provenance(
        model="embedded",
        model_digest="cd" * 32,
        recipe="descriptors",
        seed=4_000_000_000,
        steps=2,
        guidance_scale=3.1,
        scheduler="DDIMScheduler",
        width_pixels=1,
        height_pixels=1,
        audio_sha256=SHA256,
        conditioning_sha256="ef" * 32,
        dtype="float32",
        device="cpu",
        batch_size=1,
        thread_count=2,
        library_versions={"torch": "2.13.0", "diffusers": "0.42.1"},
        reproducible=True,
        device_capability="AVX512",
        decode_batch_size=4,
    )


def audio_properties() -> media_pb2.AudioProperties:
    """Return what is known of the clip."""
    return media_pb2.AudioProperties(
        format=media_pb2.AUDIO_FORMAT_FLAC,
        sample_rate_hz=44100,
        channel_count=2,
        duration=duration_pb2.Duration(seconds=3, nanos=250_000_000),
        sha256=SHA256,
    )


def descriptors() -> list[audio_pb2.Descriptor]:
    """Return two descriptors of the clip."""
    return [
        audio_pb2.Descriptor(
            name="brightness", value=1500.0, unit="Hz", minimum=0.0, maximum=6000.0, description="Centroid."
        ),
        audio_pb2.Descriptor(
            name="flatness", value=0.5, unit="1", minimum=0.0, maximum=1.0, description="Noise-likeness."
        ),
    ]


def creation_events() -> list[creation_pb2.CreateImageResponse]:
    """Return the messages of a usual creation in two steps."""
    response = creation_pb2.CreateImageResponse
    png = png_of()
    image = image_pb2.Image(
        image_id=IMAGE_ID,
        format=media_pb2.IMAGE_FORMAT_PNG,
        size_bytes=len(png),
        width_pixels=1,
        height_pixels=1,
        provenance=provenance(),
        audio=audio_properties(),
        descriptors=descriptors(),
        processing_time=duration_pb2.Duration(seconds=1, nanos=500_000_000),
        reused=True,
    )
    image.expire_time.FromDatetime(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    file = media_pb2.EncodedImage(
        content=png, format=media_pb2.IMAGE_FORMAT_PNG, width_pixels=1, height_pixels=1
    )
    return [
        response(
            stage=creation_pb2.STAGE_VALIDATION,
            accepted=creation_pb2.CreationAccepted(
                operation_id=IMAGE_ID, seed=4_000_000_000, session_token=SESSION_TOKEN
            ),
        ),
        response(
            stage=creation_pb2.STAGE_AUDIO_FEATURES,
            analyzed=creation_pb2.AudioAnalyzed(audio=audio_properties(), descriptors=descriptors()),
        ),
        response(heartbeat=generation_pb2.Heartbeat()),
        response(queued=generation_pb2.GenerationQueued(position=1)),
        response(queued=generation_pb2.GenerationQueued(position=0)),
        response(
            started=generation_pb2.GenerationStarted(
                seed=4_000_000_000, total_steps=2, model="embedded", guidance_scale=3.1
            )
        ),
        response(
            progress=generation_pb2.GenerationProgress(
                step=1,
                total_steps=2,
                preview=media_pb2.EncodedImage(content=b"\xff\xd8jpeg", format=media_pb2.IMAGE_FORMAT_JPEG),
                elapsed=duration_pb2.Duration(nanos=250_000_000),
                remaining=duration_pb2.Duration(nanos=500_000_000),
            )
        ),
        response(
            progress=generation_pb2.GenerationProgress(
                step=2, total_steps=2, elapsed=duration_pb2.Duration(nanos=750_000_000)
            )
        ),
        response(stage=creation_pb2.STAGE_STORAGE, created=creation_pb2.ImageCreated(image=image, file=file)),
    ]


def stored_image(image_id: str) -> image_pb2.Image:
    """Return the description of an image that the server keeps."""
    image = image_pb2.Image()
    image.CopyFrom(creation_events()[-1].created.image)
    image.image_id, image.recipe, image.display_name = image_id, "descriptors", "voice.wav"
    image.sha256 = SHA256
    image.create_time.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    return image


def job(state: job_pb2.JobState) -> job_pb2.Job:
    """Return a job."""
    message = job_pb2.Job(
        job_id=JOB_ID, state=state, stage=creation_pb2.STAGE_IMAGE_GENERATION, display_name="voice.wav"
    )
    message.create_time.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    if state == job_pb2.JOB_STATE_RUNNING:
        message.step, message.total_steps = 1, 2
        message.elapsed.FromMilliseconds(250)
    return message


def job_error() -> job_pb2.JobError:
    """Return why a job failed."""
    return job_pb2.JobError(
        grpc_code=8, reason="OUT_OF_MEMORY", message="Too little memory.", metadata={"model": "sd"}
    )


def rich_error(
    code: grpc.StatusCode,
    reason: str,
    message: str = "What went wrong.",
    *,
    violations: Sequence[tuple[str, str]] = (),
    retry_seconds: float | None = None,
    request_id: str = "",
    domain: str = "chladni",
    **metadata: str,
) -> SimpleNamespace:
    """Return an error as servers send it: a gRPC code, a message and the details."""
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
    if violations:
        bad_request = error_details_pb2.BadRequest()
        for field, description in violations:
            bad_request.field_violations.add(field=field, description=description)
        status.details.add().Pack(bad_request)
    if retry_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(retry_seconds * 1000))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    if request_id:
        status.details.add().Pack(error_details_pb2.RequestInfo(request_id=request_id))
    return SimpleNamespace(
        code=code, message=message, details=status.SerializeToString(), retry_seconds=retry_seconds
    )


def bare_error(code: grpc.StatusCode, message: str = "") -> SimpleNamespace:
    """Return an error as gRPC itself or a proxy sends it."""
    return SimpleNamespace(code=code, message=message, details=None)


def creation_events_in_two_parts() -> list[creation_pb2.CreateImageResponse]:
    """Return the messages of a recipe of two parts, whose second one takes another way."""
    response = creation_pb2.CreateImageResponse
    mel = provenance()
    mel.model, mel.part, mel.seed = "audioldm", "audioldm_mel", 7
    accepted, analyzed, _, _, _, _, progress, _, created = creation_events()
    progress.part = "audioldm_mel"
    made = created.created.image.provenance
    made.recipe, made.part, made.prompt, made.strength = "audioldm", "fallback", "ink in water", 0.7
    made.fallback = "No Stable Diffusion here; configure one."
    made.earlier.append(mel)
    return [
        accepted,
        analyzed,
        response(
            started=generation_pb2.GenerationStarted(
                seed=7, total_steps=2, model="audioldm", guidance_scale=7.5
            ),
            part="audioldm_mel",
        ),
        progress,
        response(
            drafted=creation_pb2.ImageDrafted(
                image=media_pb2.EncodedImage(content=png_of(), width_pixels=512, height_pixels=512),
                provenance=mel,
            ),
            part="audioldm_mel",
        ),
        response(
            drafted=creation_pb2.ImageDrafted(image=media_pb2.EncodedImage(content=png_of())),
            part="../no name",
        ),
        response(
            fell_back=creation_pb2.RecipeFellBack(
                reason="No Stable Diffusion here; configure one.", fallback="audioldm_mel"
            ),
            part="sd_refined",
        ),
        created,
    ]


def raw_latents_of(clip: bytes, value_count: int) -> NDArray[np.float32]:
    """Return the unscaled latents that the scripted server makes of a clip: they follow from its bytes.

    The first value is the same for all clips.
    """
    digest = hashlib.sha256(clip).digest()
    values = np.random.default_rng(list(digest)).normal(3, 2, value_count).astype("<f4")
    values[0] = 0.25
    return values
