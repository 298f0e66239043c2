"""Every limit of the options, over a real loopback server with a tiny model."""

from __future__ import annotations

import io

import grpc
import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import InvalidFieldsError, Reason
from chladni_contract.images.file_metadata import MAX_JPEG_TEXT_BYTES, find_text
from chladni_contract.images.vector_metadata import vector_format_of
from chladni_contract.provenance import Provenance
from chladni_contract.provenance_messages import parse_provenance, to_provenance
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.grpc_api.conditioning import MAX_PROMPT_LENGTH
from chladni_image_generation.grpc_api.options import check_jpeg_metadata
from chladni_runtime.server.validation import RequestValidator

PNG, JPEG, WEBP = media_pb2.IMAGE_FORMAT_PNG, media_pb2.IMAGE_FORMAT_JPEG, media_pb2.IMAGE_FORMAT_WEBP
MAX_INT32, MAX_INT64 = 2**31 - 1, 2**63 - 1
MAX_STEPS = 20
MAX_SIDE_PIXELS = 128


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(tiny_model_directory):
    configured = ImageGenerationSettings(
        model=str(tiny_model_directory),
        thread_count=1,
        max_steps=MAX_STEPS,
        max_side_pixels=MAX_SIDE_PIXELS,
    )
    async with loopback_service(compose(configured), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def message_for(options):
    values = np.full(COMPONENT_COUNT, 0.25, np.float32)
    embedding = tensor_pb2.Embedding(space=DESCRIPTOR_SPACE, values=to_tensor(values))
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=embedding), options=options
    )


def options_of(**fields):
    return generation_pb2.GenerationOptions(**({"seed": 1, "steps": 2} | fields))


def encoded_as(image_format=None, quality=None):
    return options_of(encoding=media_pb2.ImageEncoding(format=image_format, quality=quality))


def previews_of(**fields):
    return options_of(previews=generation_pb2.PreviewOptions(**fields))


async def completed_of(stub, options):
    return [event async for event in stub.GenerateImage(message_for(options))][-1].completed


async def error_of(stub, message):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.GenerateImage(message):
            pass
    return from_rpc_error(caught.value)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("image_format", "quality", "expected"),
    [(None, None, PNG), (PNG, None, PNG), (JPEG, None, JPEG), (JPEG, 1, JPEG), (WEBP, 100, WEBP)],
)
async def test_the_image_comes_in_the_format_that_was_asked_for(stub, image_format, quality, expected):
    completed = await completed_of(stub, encoded_as(image_format, quality))
    assert completed.image.format == expected
    assert (completed.image.width_pixels, completed.image.height_pixels) == (64, 64)
    with Image.open(io.BytesIO(completed.image.content)) as image:
        assert media_pb2.ImageFormat.Value(f"IMAGE_FORMAT_{image.format}") == expected
        assert image.size == (64, 64)
    assert parse_provenance(find_text(completed.image.content)) == to_provenance(completed.provenance)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cached_image_comes_in_every_format(stub):
    formats = [None, JPEG, WEBP, JPEG, PNG]
    encodings = [media_pb2.ImageEncoding(format=image_format) for image_format in formats]
    # A seed of its own: the others' images are in the cache.
    answers = [await completed_of(stub, options_of(seed=4711, encoding=encoding)) for encoding in encodings]
    assert [answer.image.format for answer in answers] == [PNG, JPEG, WEBP, JPEG, PNG]
    assert [answer.reused for answer in answers] == [False, True, True, True, True]
    assert answers[1].image.content == answers[3].image.content
    assert answers[0].image.content == answers[4].image.content


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("number", "name"), [(media_pb2.IMAGE_FORMAT_SVG, "svg"), (media_pb2.IMAGE_FORMAT_PDF, "pdf")]
)
async def test_a_plate_is_shapes_too_of_its_size_with_its_provenance(stub, number, name):
    encoding = media_pb2.ImageEncoding(format=number)
    answer = await completed_of(stub, options_of(encoding=encoding, look="plate"))
    assert answer.image.format == number
    assert vector_format_of(answer.image.content) == name
    assert to_provenance(answer.provenance) == parse_provenance(find_text(answer.image.content))
    assert answer.provenance.look == "plate"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("look", ["", "landscape", "auto", "plate:2,water:1"])
async def test_other_looks_are_no_shapes(stub, look):
    encoding = media_pb2.ImageEncoding(format=media_pb2.IMAGE_FORMAT_SVG)
    error = await error_of(stub, message_for(options_of(encoding=encoding, look=look)))
    assert [violation.field for violation in error.violations] == ["options.encoding.format"]
    assert "only images of the look plate alone" in error.violations[0].description


@pytest.mark.asyncio(loop_scope="module")
async def test_shapes_have_no_quality(stub):
    encoding = media_pb2.ImageEncoding(format=media_pb2.IMAGE_FORMAT_PDF, quality=90)
    error = await error_of(stub, message_for(options_of(encoding=encoding, look="plate")))
    assert [violation.field for violation in error.violations] == ["options.encoding.quality"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_jpeg_that_cannot_hold_the_provenance_is_refused_before_it_is_computed(stub):
    earlier = [generation_pb2.Provenance(prompt="x" * 16_000) for _ in range(4)]
    message = message_for(encoded_as(JPEG))
    message.origin.earlier.extend(earlier)
    error = await error_of(stub, message)
    assert error.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in error.violations] == ["options.encoding.format"]
    message.options.encoding.format = WEBP
    events = [event async for event in stub.GenerateImage(message)]
    assert list(parse_provenance(find_text(events[-1].completed.image.content)).earlier) == [
        to_provenance(one) for one in earlier
    ]


def test_whatever_is_let_through_fits_into_a_jpeg():
    letter = "\u4e16"  # six bytes each as JSON
    prompts = {"prompt": letter * MAX_PROMPT_LENGTH, "negative_prompt": letter * MAX_PROMPT_LENGTH}
    message = image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(**prompts), options=encoded_as(JPEG)
    )
    for count in range(1, 60_000, 997):
        message.origin.fallback = "x" * count
        validator = RequestValidator()
        check_jpeg_metadata(validator, message)
        try:
            validator.raise_if_invalid()
        except InvalidFieldsError:
            assert count > 30_000
            return
        versions = {"diffusers": "0.35.1", "numpy": "2.3.0", "pillow": "12.0.0", "torch": "2.13.0"}
        provenance = Provenance(
            **prompts, fallback="x" * count, model="m" * 200, model_digest="d" * 64, library_versions=versions
        )
        assert len(provenance.to_json()) <= MAX_JPEG_TEXT_BYTES
    raise AssertionError("nothing was refused")


BAD_OPTIONS = [
    (options_of(seed=-1), "seed"),
    (options_of(seed=2**32), "seed"),
    (options_of(seed=-MAX_INT64), "seed"),
    (options_of(seed=MAX_INT64), "seed"),
    (options_of(steps=-1), "steps"),
    (options_of(steps=0), "steps"),
    (options_of(steps=MAX_STEPS + 1), "steps"),
    (options_of(steps=MAX_INT32), "steps"),
    (options_of(guidance_scale=0.99), "guidance_scale"),
    (options_of(guidance_scale=-5), "guidance_scale"),
    (options_of(guidance_scale=30.01), "guidance_scale"),
    (options_of(guidance_scale=float("inf")), "guidance_scale"),
    (options_of(guidance_scale=float("nan")), "guidance_scale"),
    (options_of(scheduler="NoSuchScheduler"), "scheduler"),
    *(
        (options_of(**{side: pixels}), side)
        for side in ("width_pixels", "height_pixels")
        for pixels in (-MAX_INT32, -64, 0, 63, 65, MAX_INT32)
    ),
    *((options_of(upscale=factor), "upscale") for factor in (-MAX_INT32, -2, 0, 3, MAX_INT32)),
    *((options_of(refiner_start=start), "refiner_start") for start in (-0.5, 0.0, 0.5, 1.5)),
    (options_of(priority=3), "priority"),
    (options_of(priority=-1), "priority"),
    (previews_of(interval_steps=-1), "previews.interval_steps"),
    (previews_of(interval_steps=1001), "previews.interval_steps"),
    (previews_of(interval_steps=-MAX_INT32), "previews.interval_steps"),
    *((previews_of(size_pixels=size), "previews.size_pixels") for size in (-MAX_INT32, -64, 0, 15, 513)),
    (encoded_as(4), "encoding.format"),
    (encoded_as(-1), "encoding.format"),
    (encoded_as(MAX_INT32), "encoding.format"),
    *((encoded_as(JPEG, quality), "encoding.quality") for quality in (-MAX_INT32, -1, 0, 101, MAX_INT32)),
    (encoded_as(WEBP, 0), "encoding.quality"),
    (encoded_as(PNG, 90), "encoding.quality"),
    (encoded_as(None, 90), "encoding.quality"),
]


@pytest.mark.asyncio(loop_scope="module")
async def test_every_value_out_of_range_is_refused_with_its_path(stub):
    for options, path in BAD_OPTIONS:
        error = await error_of(stub, message_for(options))
        assert error.reason is Reason.INVALID_FIELD, options
        assert {violation.field for violation in error.violations} == {f"options.{path}"}, options


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("options", "value"),
    [(options_of(width_pixels=192), 192), (options_of(width_pixels=128, upscale=2), 256)],
)
async def test_sides_beyond_the_setting_are_refused_by_its_name(stub, options, value):
    violation = (await error_of(stub, message_for(options))).violations[0]
    assert "CHLADNI_IMAGE_GENERATION_MAX_SIDE_PIXELS" in violation.description
    assert str(value) in violation.description
    assert str(MAX_SIDE_PIXELS) in violation.description


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "options",
    [
        options_of(seed=0, steps=1, guidance_scale=1, upscale=1, priority=1, reproducible=False),
        options_of(seed=2**32 - 1, guidance_scale=30, priority=2),
        options_of(steps=MAX_STEPS, width_pixels=64, height_pixels=64, bypass_cache=True),
        previews_of(interval_steps=1000, size_pixels=16),
        previews_of(interval_steps=1, size_pixels=512),
    ],
)
async def test_the_limits_themselves_are_taken(stub, options):
    completed = await completed_of(stub, options)
    assert completed.provenance.seed == options.seed
    assert completed.provenance.steps == options.steps


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["seed", "steps", "width_pixels", "height_pixels", "upscale", "batch_size"])
async def test_negative_counts_of_earlier_images_are_refused_with_their_path(stub, name):
    message = message_for(options_of())
    message.origin.earlier.add(model="fine")
    message.origin.earlier.add(**{name: -1})
    error = await error_of(stub, message)
    assert [violation.field for violation in error.violations] == [f"origin.earlier[1].{name}"]


INT32 = st.integers(-(2**31), MAX_INT32)
FITTING_OPTIONS = st.builds(
    generation_pb2.GenerationOptions,
    seed=st.none() | st.integers(0, 2**32 - 1),
    steps=st.integers(1, 4),
    guidance_scale=st.none() | st.floats(1, 30),
    scheduler=st.sampled_from(["", "UniPCMultistepScheduler"]),
    width_pixels=st.none() | st.sampled_from([64, 128]),
    height_pixels=st.none() | st.sampled_from([64, 128]),
    priority=st.integers(0, 2),
    reproducible=st.none() | st.booleans(),
    previews=st.builds(
        generation_pb2.PreviewOptions,
        interval_steps=st.integers(0, 3),
        size_pixels=st.none() | st.integers(16, 512),
    ),
    encoding=st.builds(
        media_pb2.ImageEncoding, format=st.integers(2, 3), quality=st.none() | st.integers(1, 100)
    ),
)
RANDOM_OPTIONS = st.builds(
    generation_pb2.GenerationOptions,
    model=st.sampled_from(["", "", "", "tiny", "none"]) | st.text(max_size=9),
    seed=st.none() | st.integers(0, 2**32 - 1) | st.integers(-(2**63), MAX_INT64),
    steps=st.integers(1, 4) | INT32,
    guidance_scale=st.none() | st.floats(1, 30) | st.floats(),
    scheduler=st.sampled_from(["", "", "UniPCMultistepScheduler", "PNDMScheduler"]) | st.text(max_size=9),
    width_pixels=st.none() | st.sampled_from([64, 128]) | INT32,
    height_pixels=st.none() | st.sampled_from([64, 128]) | INT32,
    upscale=st.none() | st.integers(1, 2) | INT32,
    refiner_start=st.none() | st.floats(),
    priority=st.integers(0, 2) | INT32,
    reproducible=st.none() | st.booleans(),
    bypass_cache=st.booleans(),
    previews=st.builds(
        generation_pb2.PreviewOptions,
        interval_steps=st.integers(0, 3) | INT32,
        size_pixels=st.none() | st.integers(16, 512) | INT32,
    ),
    encoding=st.builds(
        media_pb2.ImageEncoding,
        format=st.integers(0, 3) | INT32,
        quality=st.none() | st.integers(1, 100) | INT32,
    ),
)


@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=FITTING_OPTIONS | RANDOM_OPTIONS)
async def test_options_of_any_kind_give_an_image_or_say_what_is_wrong(stub, options):
    try:
        completed = await completed_of(stub, options)
    except grpc.aio.AioRpcError as failure:
        error = from_rpc_error(failure)
    else:
        assert completed.image.content
        return
    if error.reason is not Reason.UNKNOWN_MODEL:
        assert error.reason is Reason.INVALID_FIELD, error
        assert error.violations
        assert all(violation.field.startswith("options.") for violation in error.violations)
