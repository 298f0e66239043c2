"""The REST API and the contract call one thing by one name: every field and every value is compared.

Rules: a length of time is `NAME` over gRPC and `NAME_seconds` over REST; a value of an enumeration is in
lower case over REST and without the enumeration's prefix. `ONLY_REST` and `ONLY_GRPC` list what is in one of
the two alone, with the reason.
"""

from __future__ import annotations

import dataclasses

import pytest
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.errors.v1 import warning_pb2
from chladni.gateway.v1 import (
    creation_pb2,
    image_pb2,
    image_service_pb2,
    job_service_pb2,
    server_service_pb2,
)
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import Reason
from chladni_contract.provenance import Provenance
from chladni_contract.warnings import ServiceWarning, WarningReason
from chladni_gateway.creation.job import JobState
from chladni_gateway.domain.audio import AudioProperties, Descriptor
from chladni_gateway.domain.generation import Priority
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.domain.live import Flush, LiveFrames, LiveReady, LiveSummary, MelParameters
from chladni_gateway.domain.recipe_options import NoiseMode
from chladni_gateway.domain.stages import Stage
from chladni_gateway.rest import schemas
from chladni_gateway.rest.live_messages import event_message, parse_chunk, parse_opening
from chladni_gateway.rest.requests import GenerationForm
from chladni_gateway.rest.routes.spectrogram import SpectrogramForm

FOR_PEOPLE = "a number in words, for people"
AS_PROMISED = "a name that was promised before the contract was written"
ECHOED = "repeats the request"
ADDRESS = "an address, which gRPC does not need"
BY_COOKIE = "REST knows its caller by a cookie"
ELSEWHERE = "sent by a header or as the status of the response"
BY_SERVER = "the server's setting over REST"

TWINS = {
    image_pb2.Image: schemas.CreatedImage,
    image_service_pb2.ListImagesResponse: schemas.ImageList,
    image_service_pb2.CompareImagesRequest: schemas.CompareRequest,
    image_service_pb2.CompareImagesResponse: schemas.Comparison,
    image_service_pb2.CompareImageMatrixRequest: schemas.MatrixRequest,
    image_service_pb2.CompareImageMatrixResponse: schemas.Matrix,
    image_service_pb2.SearchImagesRequest: schemas.SearchRequest,
    image_service_pb2.SearchImagesResponse: schemas.MatchList,
    image_service_pb2.ImageMatch: schemas.MatchBody,
    image_service_pb2.ScoreAlignmentResponse: schemas.AlignmentBody,
    job_service_pb2.Job: schemas.JobBody,
    job_service_pb2.ListJobsResponse: schemas.JobList,
    job_service_pb2.JobError: schemas.ErrorDetail,
    server_service_pb2.GetServerInfoResponse: schemas.ServerInfo,
    server_service_pb2.RequestLimits: schemas.RequestLimits,
    server_service_pb2.NumberRange: schemas.Range,
    server_service_pb2.ServiceInfo: schemas.ServiceInfo,
    server_service_pb2.ListRecipesResponse: schemas.RecipeList,
    server_service_pb2.Recipe: schemas.RecipeBody,
    server_service_pb2.RecipeRequirement: schemas.RecipeRequirementBody,
    generation_pb2.Provenance: Provenance,
    warning_pb2.Warning: ServiceWarning,
    media_pb2.AudioProperties: AudioProperties,
    audio_pb2.Descriptor: Descriptor,
}
ONLY_REST = {
    schemas.CreatedImage: {
        "image_url": AS_PROMISED,
        "processing_time": AS_PROMISED,
        "seed": "what most clients look for; the provenance holds it too",
    },
    schemas.CompareRequest: {"image_id_1": AS_PROMISED, "image_id_2": AS_PROMISED},
    schemas.Comparison: {"percentage": AS_PROMISED, "level": FOR_PEOPLE},
    schemas.Matrix: {"percentages": FOR_PEOPLE},
    schemas.MatchBody: {"percentage": FOR_PEOPLE, "level": FOR_PEOPLE},
    schemas.AlignmentBody: {
        "image_id": ECHOED,
        "audio_of": ECHOED,
        "percentage": FOR_PEOPLE,
        "level": FOR_PEOPLE,
    },
    schemas.JobBody: {"events_url": ADDRESS},
    schemas.ErrorDetail: {
        "code": AS_PROMISED,
        "stage": AS_PROMISED,
        "timestamp": AS_PROMISED,
        "part": "in the metadata over gRPC",
        "violations": "a google.rpc.BadRequest over gRPC",
    },
    schemas.RequestLimits: {
        "audio_formats": "the values of AudioFormat over gRPC",
        "live_sample_rate_hz": "stated by StreamReady over gRPC",
    },
}
ONLY_GRPC = {
    image_pb2.Image: {"processing_time_seconds": AS_PROMISED},
    image_service_pb2.CompareImagesRequest: {"first": AS_PROMISED, "second": AS_PROMISED},
    job_service_pb2.JobError: {"grpc_code": ELSEWHERE},
}

FORM = {field.alias or name for name, field in GenerationForm.model_fields.items()}
FORM_ONLY_REST = {
    "file": "the usual name of a file in a form; `audio` over gRPC",
    "start_seconds": "a field of `audio` over gRPC",
    "end_seconds": "a field of `audio` over gRPC",
    "format": "a field of `encoding` over gRPC",
    "quality": "a field of `encoding` over gRPC",
}
FORM_ONLY_GRPC = {
    "audio": "`file` over REST",
    "options": "its fields are fields of the form",
    "previews": BY_SERVER,
    "encoding": "`format` and `quality` over REST",
    "audioldm": "its fields are fields of the form",
    "spectrogram": "its fields are fields of the form",
    "latent_noise": "its fields are fields of the form",
    "music_prompts": "its fields are fields of the form",
    "clap_unclip": "its fields are fields of the form",
}
OPTION_MESSAGES = (
    creation_pb2.CreateImageRequest,
    generation_pb2.GenerationOptions,
    creation_pb2.AudioLdmOptions,
    creation_pb2.SpectrogramOptions,
    creation_pb2.LatentNoiseOptions,
    creation_pb2.MusicPromptsOptions,
    creation_pb2.ClapUnclipOptions,
)

ENUMS = {
    (job_service_pb2.JobState, "JOB_STATE_"): JobState,
    (creation_pb2.Stage, "STAGE_"): Stage,
    (generation_pb2.Priority, "PRIORITY_"): Priority,
    (generation_pb2.NoiseMode, "NOISE_MODE_"): NoiseMode,
    (media_pb2.ImageFormat, "IMAGE_FORMAT_"): ImageFormat,
    (warning_pb2.WarningReason, "WARNING_REASON_"): [
        reason.lower() for reason in WarningReason if reason is not WarningReason.UNSPECIFIED
    ],
    (server_service_pb2.ServiceState, "SERVICE_STATE_"): schemas.ServiceState,
}


def grpc_names(message):
    return grpc_names_of(message.DESCRIPTOR)


def grpc_names_of(descriptor):
    return {
        f"{field.name}_seconds" if field.message_type is Duration.DESCRIPTOR else field.name
        for field in descriptor.fields
    }


def rest_names(body):
    if dataclasses.is_dataclass(body):
        return {field.name for field in dataclasses.fields(body)}
    return set(body.model_fields)


@pytest.mark.parametrize(("message", "body"), TWINS.items(), ids=lambda twin: twin.__name__)
def test_fields_have_one_name(message, body):
    assert rest_names(body) - grpc_names(message) == ONLY_REST.get(body, {}).keys()
    assert grpc_names(message) - rest_names(body) == ONLY_GRPC.get(message, {}).keys()


def test_options_have_one_name():
    grpc = set().union(*map(grpc_names, OPTION_MESSAGES))
    assert grpc - FORM == FORM_ONLY_GRPC.keys()
    assert FORM - grpc == FORM_ONLY_REST.keys()


def test_options_of_spectrograms_have_one_name():
    names = {field.alias or name for name, field in SpectrogramForm.model_fields.items()}
    only_grpc = {"audio", "colormap", "mel", "encoding"}
    assert grpc_names(audio_pb2.RenderSpectrogramRequest) - names == only_grpc
    assert names - grpc_names(audio_pb2.RenderSpectrogramRequest) == FORM_ONLY_REST.keys()


@pytest.mark.parametrize(("enum", "values"), ENUMS.items(), ids=lambda twin: getattr(twin, "__name__", ""))
def test_values_have_one_name(enum, values):
    descriptor, prefix = enum
    named = {name.removeprefix(prefix).lower() for name in descriptor.keys()} - {"unspecified"}  # noqa: SIM118
    assert named == set(values)


async def test_events_have_one_name(backends, gateway):
    events = dict(await gateway.create_events())
    for name, data in events.items():
        if name == "created":  # The image itself, which is the usual answer.
            continue
        message = creation_pb2.CreateImageResponse.DESCRIPTOR.fields_by_name[name].message_type
        twins = {
            f"{field.name}_seconds" if field.message_type is Duration.DESCRIPTOR else field.name
            for field in message.fields
        }
        assert twins - data.keys() == ({"session_token"} if name == "accepted" else set()), name
        assert data.keys() - {"stage", "part"} <= twins, name


LIVE_EVENTS = {
    "ready": LiveReady(MelParameters(22050, 2048, 512, 128, 0.0, 11025.0), 120.0),
    "frames": LiveFrames(0, 1, ((0.0,),), -20.0, -10.0),
    "summary": LiveSummary(1, 1.0, (Descriptor("loudness", 0.5, "1", 0.0, 1.0, ""),)),
    "so_far": LiveSummary(1, 1.0, (), is_end=False),
}
LIVE_ONLY_REST = {"ready": {"minimum_db", "maximum_db"}}
"""What the bytes of frames mean; over gRPC they are floats."""
LIVE_ONLY_GRPC = {name: {"embedding", "mel_parameters"} for name in ("summary", "so_far")}
"""What a page has no use for, or knows since `ready`."""


@pytest.mark.parametrize("name", LIVE_EVENTS)
def test_live_messages_have_one_name(name):
    message = event_message(LIVE_EVENTS[name])
    assert message.pop("type") == name
    twin = audio_pb2.StreamFeaturesResponse.DESCRIPTOR.fields_by_name[name].message_type
    assert message.keys() - grpc_names_of(twin) == LIVE_ONLY_REST.get(name, set())
    assert grpc_names_of(twin) - message.keys() == LIVE_ONLY_GRPC.get(name, set())
    for part in ("mel_parameters", "level"):
        if part in message:
            assert message[part].keys() == grpc_names_of(twin.fields_by_name[part].message_type)


def test_every_live_event_is_a_message():
    fields = audio_pb2.StreamFeaturesResponse.DESCRIPTOR.fields_by_name.keys()
    # WebSockets have pings of their own, and segments are for the gateway, which draws images of them.
    assert set(fields) - LIVE_EVENTS.keys() == {"heartbeat", "segment"}
    config = audio_pb2.PcmConfig.DESCRIPTOR.fields_by_name.keys()
    assert set(config) - {"channel_count", "encoding", "segments"} == {
        "sample_rate_hz"
    }  # The others are fixed over REST.
    assert parse_opening('{"sample_rate_hz": 48000}') == 48000
    assert parse_chunk({"text": '{"type": "flush"}'}) is Flush.FLUSH


async def test_every_answer_has_a_status_and_a_code_that_are_described(gateway):
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    codes = {reason.value for reason in Reason} | {"FORBIDDEN_ORIGIN", "FORBIDDEN_HOST"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and response["description"].count(":"):
                    named = set(response["description"].partition(": ")[2].rstrip(".").split(", "))
                    assert named <= codes, (method, path, status)
