"""A scripted server: the other side of the wire, on loopback."""

from __future__ import annotations

import hashlib
import math
import os
import struct
import sys
import threading
import wave
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from typer.testing import CliRunner

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.audio.v1alpha1 import music_service_pb2 as music_pb2
from chladni.audio.v1alpha1 import music_service_pb2_grpc as music_grpc
from chladni.gateway.v1 import anomaly_service_pb2 as gateway_anomaly_pb2
from chladni.gateway.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.gateway.v1 import audio_service_pb2, creation_pb2, image_pb2, server_service_pb2
from chladni.gateway.v1 import audio_service_pb2_grpc as audio_service_grpc
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni.gateway.v1 import job_service_pb2 as job_pb2
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni.generation.v1 import generation_pb2
from chladni.image.v1alpha1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1alpha1 import prompt_service_pb2_grpc as prompt_grpc
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_client import AsyncClient, Client, RetryPolicy
from chladni_client.cli.app import build_app
from chladni_contract.status import NO_RETRY, RETRY_PUSHBACK_KEY

JOB_ID = "5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31"
IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
SHA256 = "ab" * 32
SESSION_TOKEN = "t" * 43


def png_of(*text_chunks, header=b"\x89PNG\r\n\x1a\n"):
    """Returns a 1 x 1 PNG with further chunks, each a pair of type and data."""

    def chunk(kind, data):
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


def provenance():
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


def sound_properties():
    return media_pb2.AudioProperties(
        format=media_pb2.AUDIO_FORMAT_FLAC,
        sample_rate_hz=44100,
        channel_count=2,
        duration=duration_pb2.Duration(seconds=3, nanos=250_000_000),
        sha256=SHA256,
    )


def descriptors():
    return [
        audio_pb2.Descriptor(
            name="brightness", value=1500.0, unit="Hz", minimum=0.0, maximum=6000.0, description="Centroid."
        ),
        audio_pb2.Descriptor(
            name="flatness", value=0.5, unit="1", minimum=0.0, maximum=1.0, description="Noise-likeness."
        ),
    ]


def creation_events():
    """Returns the messages of a usual creation in two steps."""
    response = creation_pb2.CreateImageResponse
    png = png_of()
    image = image_pb2.Image(
        image_id=IMAGE_ID,
        format=media_pb2.IMAGE_FORMAT_PNG,
        size_bytes=len(png),
        width_pixels=1,
        height_pixels=1,
        provenance=provenance(),
        audio=sound_properties(),
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
            analyzed=creation_pb2.AudioAnalyzed(audio=sound_properties(), descriptors=descriptors()),
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


def stored_image(image_id):
    """Returns the description of an image that the server keeps."""
    image = image_pb2.Image()
    image.CopyFrom(creation_events()[-1].created.image)
    image.image_id, image.recipe, image.display_name = image_id, "descriptors", "voice.wav"
    image.sha256 = SHA256
    image.create_time.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    return image


def job(state):
    """Returns a job."""
    message = job_pb2.Job(
        job_id=JOB_ID, state=state, stage=creation_pb2.STAGE_IMAGE_GENERATION, display_name="voice.wav"
    )
    message.create_time.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    if state == job_pb2.JOB_STATE_RUNNING:
        message.step, message.total_steps = 1, 2
        message.elapsed.FromMilliseconds(250)
    return message


def job_error():
    """Returns why a job failed."""
    return job_pb2.JobError(
        grpc_code=8, reason="OUT_OF_MEMORY", message="Too little memory.", metadata={"model": "sd"}
    )


def rich_error(
    code,
    reason,
    message="What went wrong.",
    *,
    violations=(),
    retry_seconds=None,
    request_id="",
    domain="chladni",
    **metadata,
):
    """Returns an error as servers send it: a gRPC code, a message and the details."""
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


def bare_error(code, message=""):
    """Returns an error as gRPC itself or a proxy sends it."""
    return SimpleNamespace(code=code, message=message, details=None)


def creation_events_in_two_parts():
    """Returns the messages of a recipe of two parts, whose second one takes another way."""
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


def raw_latents_of(recording, value_count):
    """Returns the unscaled latents that the scripted server makes of a recording: they follow from its bytes.

    The first value is the same for all recordings.
    """
    digest = hashlib.sha256(recording).digest()
    values = np.random.default_rng(list(digest)).normal(3, 2, value_count).astype("<f4")
    values[0] = 0.25
    return values


class Script:
    """What the server answers, and what it was asked.

    `errors` are the answers to the next calls, one each. `error_after` fails a creation after so many
    events, and once a download or the events of a job. `leaves_files_out` makes every image one to be
    downloaded. `last_job_event` ends a job in place of its image. With `stops_after`, a creation waits after
    so many events until it is cancelled.
    """

    def __init__(self):
        self.errors = deque()
        self.requests = []
        self.metadata = []
        self.remaining_seconds = []
        self.events = creation_events()
        self.further_recipes = []
        self.normal_sets = []
        self.pcm = bytearray()
        self.pcm_config = None
        self.error_after = None
        self.stops_after = None
        self.leaves_files_out = False
        self.last_job_event = None
        self.gateway_audio_calls = []
        self.was_cancelled = threading.Event()

    def job_events(self):
        """Returns the events of the job; those of the creation, unless it ends with another one."""
        creations = [event for event in self.events if event.WhichOneof("event") != "heartbeat"]
        if self.last_job_event is not None:
            creations = creations[:-1]
        elif creations[-1].WhichOneof("event") == "created":
            last = creation_pb2.CreateImageResponse()
            last.CopyFrom(creations[-1])
            last.created.ClearField("file")
            creations[-1] = last
        events = [job_pb2.WatchJobResponse(creation=creation) for creation in creations]
        return events if self.last_job_event is None else [*events, self.last_job_event]

    @contextmanager
    def answering(self, request, context):
        """Notes a request, fails it where an error is due, and notices when the client leaves early."""
        has_ended = threading.Event()
        context.add_callback(lambda: None if has_ended.is_set() else self.was_cancelled.set())
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining_seconds.append(context.time_remaining())
        if self.errors:
            self.fail(self.errors.popleft(), context)
        yield
        has_ended.set()

    def fail(self, error, context):
        if error.details is not None:
            metadata = [("grpc-status-details-bin", error.details)]
            if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_seconds is not None:
                comes_in_time = error.retry_seconds < (context.time_remaining() or math.inf)
                delay = str(round(error.retry_seconds * 1000)) if comes_in_time else NO_RETRY
                metadata.append((RETRY_PUSHBACK_KEY, delay))
            context.set_trailing_metadata(metadata)
        context.abort(error.code, error.message)

    def wait_until_cancelled(self):
        self.was_cancelled.wait(60)


class ScriptedGateway(gateway_grpc.ImageServiceServicer):
    def __init__(self, script):
        self.script = script

    def CreateImage(self, request, context):
        with self.script.answering(request, context):
            for index, event in enumerate(self.script.events):
                if self.script.error_after is not None and index == self.script.error_after[0]:
                    self.script.fail(self.script.error_after[1], context)
                if index == self.script.stops_after:
                    self.script.wait_until_cancelled()
                yield event

    def CompareImages(self, request, context):
        with self.script.answering(request, context):
            if self.script.stops_after == 0:
                self.script.wait_until_cancelled()
            return gateway_pb2.CompareImagesResponse(score=0.25, cosine=-0.5, model="tower")

    def GetImage(self, request, context):
        with self.script.answering(request, context):
            response = gateway_pb2.GetImageResponse(file=media_pb2.EncodedImage(content=png_of()))
            response.image.image_id = request.image_id
            response.image.create_time.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
            if self.script.leaves_files_out:
                response.ClearField("file")
            return response

    def DownloadImage(self, request, context):
        """Sends the file in parts of ten bytes."""
        with self.script.answering(request, context):
            content = png_of()
            for index, begin in enumerate(range(request.offset_bytes, len(content), 10)):
                if self.script.error_after is not None and index == self.script.error_after[0]:
                    error, self.script.error_after = self.script.error_after[1], None
                    self.script.fail(error, context)
                part = content[begin : begin + 10]
                yield gateway_pb2.DownloadImageResponse(content=part, total_bytes=len(content))

    def ListImages(self, request, context):
        """Lists images on two pages."""
        with self.script.answering(request, context):
            page = request.page_token or "1"
            return gateway_pb2.ListImagesResponse(
                images=[stored_image(f"{page}-{number}") for number in range(2)],
                next_page_token="2" if page == "1" else "",
            )

    def DeleteImage(self, request, context):
        with self.script.answering(request, context):
            return gateway_pb2.DeleteImageResponse()

    def CompareImageMatrix(self, request, context):
        with self.script.answering(request, context):
            count = len(request.image_ids)
            scores = np.full((count, count), 0.5, "<f4")
            np.fill_diagonal(scores, 1)
            return gateway_pb2.CompareImageMatrixResponse(
                image_ids=request.image_ids,
                scores=tensor_pb2.Tensor(
                    dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=scores.shape, data=scores.tobytes()
                ),
                model="tower",
            )

    def SearchImages(self, request, context):
        with self.script.answering(request, context):
            matches = [gateway_pb2.ImageMatch(image=stored_image(IMAGE_ID), score=0.75)]
            return gateway_pb2.SearchImagesResponse(matches=matches)

    def ScoreAlignment(self, request, context):
        with self.script.answering(request, context):
            return gateway_pb2.ScoreAlignmentResponse(score=0.5, cosine=0.25, model="clap")


class ScriptedJobs(job_grpc.JobServiceServicer):
    """One job, with the events of the script, numbered."""

    def __init__(self, script):
        self.script = script

    def CreateJob(self, request, context):
        with self.script.answering(request, context):
            return job_pb2.CreateJobResponse(job=job(job_pb2.JOB_STATE_ANALYZING))

    def GetJob(self, request, context):
        with self.script.answering(request, context):
            found = job(job_pb2.JOB_STATE_COMPLETED)
            found.image.CopyFrom(stored_image(IMAGE_ID))
            return job_pb2.GetJobResponse(job=found)

    def ListJobs(self, request, context):
        with self.script.answering(request, context):
            failed = job(job_pb2.JOB_STATE_FAILED)
            failed.error.CopyFrom(job_error())
            page = [failed] if request.page_token else [job(job_pb2.JOB_STATE_RUNNING)]
            return job_pb2.ListJobsResponse(jobs=page, next_page_token="" if request.page_token else "2")

    def WatchJob(self, request, context):
        with self.script.answering(request, context):
            yield job_pb2.WatchJobResponse(heartbeat=generation_pb2.Heartbeat())
            for number, event in enumerate(self.script.job_events(), start=1):
                if self.script.error_after is not None and number > self.script.error_after[0]:
                    error, self.script.error_after = self.script.error_after[1], None
                    self.script.fail(error, context)
                if number > request.after_number:
                    event.number = number
                    yield event

    def CancelJob(self, request, context):
        with self.script.answering(request, context):
            return job_pb2.CancelJobResponse(job=job(job_pb2.JOB_STATE_CANCELLED))

    def DeleteJob(self, request, context):
        with self.script.answering(request, context):
            return job_pb2.DeleteJobResponse()


class ScriptedAudio(audio_service_grpc.AudioServiceServicer):
    """The gateway's audio service: the audio-feature service, in messages of its own."""

    def __init__(self, script):
        self.script = script
        self.features = ScriptedAudioFeatures(script)

    def RenderSpectrogram(self, request, context):
        self.script.gateway_audio_calls.append("RenderSpectrogram")
        rendered = self.features.RenderSpectrogram(request.render, context)
        return audio_service_pb2.RenderSpectrogramResponse(rendered=rendered)

    def StreamFeatures(self, requests, context):
        self.script.gateway_audio_calls.append("StreamFeatures")
        for response in self.features.StreamFeatures((request.stream for request in requests), context):
            yield audio_service_pb2.StreamFeaturesResponse(stream=response)


class ScriptedAnomaly(anomaly_grpc.AnomalyServiceServicer):
    """The gateway's machine listening; `normal_sets` of the script are those of the server."""

    def __init__(self, script):
        self.script = script

    def ScoreAnomaly(self, request, context):
        with self.script.answering(request, context):
            scored = anomaly_pb2.ScoreAnomalyResponse(
                distance=5.5,
                score=11.5,
                percentile=99.5,
                label=anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE,
                normal_set=request.score.normal_set or "default",
                backend=request.score.backend or "fusion",
                window_count=1,
            )
            scored.attributes.add(
                name="roughness", z_score=4.5, description="Rougher than normal.", value=0.3, unit="1"
            )
            if request.score.with_error_map:
                scored.error_map.content = png_of()
            return gateway_anomaly_pb2.ScoreAnomalyResponse(scored=scored)

    def CreateNormalSet(self, request, context):
        with self.script.answering(request, context):
            create = request.create
            made = anomaly_pb2.NormalSet(
                name=create.name,
                description=create.description,
                clip_count=len(create.audio) + len(create.spectrograms),
                window_count=32,
                encoder=create.encoder or "mel-statistics",
                backend=create.backend or "fusion",
            )
            made.create_time.FromSeconds(1_800_000_000)
            self.script.normal_sets.append(made)
            return gateway_anomaly_pb2.CreateNormalSetResponse(normal_set=made)

    def GetNormalSet(self, request, context):
        with self.script.answering(request, context):
            (found,) = (item for item in self.script.normal_sets if item.name == request.name)
            return gateway_anomaly_pb2.GetNormalSetResponse(normal_set=found)

    def ListNormalSets(self, request, context):
        with self.script.answering(request, context):
            number = int(request.page_token or 0)
            count = len(self.script.normal_sets)
            return gateway_anomaly_pb2.ListNormalSetsResponse(
                normal_sets=self.script.normal_sets[number : number + 1],
                next_page_token=str(number + 1) if number + 1 < count else "",
            )

    def DeleteNormalSet(self, request, context):
        with self.script.answering(request, context):
            return gateway_anomaly_pb2.DeleteNormalSetResponse(deleted=True)


class ScriptedMusic(music_grpc.MusicServiceServicer):
    """The gateway's analysis of music."""

    def __init__(self, script):
        self.script = script

    def AnalyzeMusic(self, request, context):
        with self.script.answering(request, context):
            return music_pb2.AnalyzeMusicResponse(
                audio=sound_properties(),
                keys=[music_pb2.KeyCandidate(key="A minor", confidence=0.75, tonality="minor", tonic=9)],
                tempos=[music_pb2.TempoCandidate(beats_per_minute=120.0, confidence=0.5)],
                meter=music_pb2.Meter(signature="4/4", confidence=0.5),
                beats=music_pb2.Beats(times=[duration_pb2.Duration(nanos=500_000_000)], confidence=0.5),
                mood=music_pb2.Mood(valence=-0.5, arousal=0.25, words=["dark"], confidence=0.5),
                chords=[music_pb2.Chord(symbol="Am", roman_numeral="i", confidence=0.5)],
                abc_notation="X:1\nK:Am\nA4 |]\n",
            )


class ScriptedPrompts(prompt_grpc.PromptServiceServicer):
    """The gateway's prompts: their text depends on the features and the seed alone."""

    def __init__(self, script):
        self.script = script

    def WritePrompts(self, request, context):
        with self.script.answering(request, context):
            response = prompt_pb2.WritePromptsResponse(
                writer="grammar", model="scripted", seed=request.seed, features=request.features
            )
            if request.HasField("audio"):
                response.features.update({"key": "A minor"})
            for number in range(5):
                style = "CONVERGENT" if number < 3 else "DIVERGENT"
                response.prompts.add(
                    text=f"prompt {number}, seed {request.seed}, in {response.features['key']}",
                    style=prompt_pb2.PromptStyle.Value(f"PROMPT_STYLE_{style}"),
                    temperature=0.4 if number < 3 else 0.8,
                )
            return response

    def ScorePrompts(self, request, context):
        with self.script.answering(request, context):
            score = prompt_pb2.PromptScore(originality=0.5, elaboration=0.25, coherence=1.0)
            if request.HasField("features"):
                score.alignment = 0.75
            return prompt_pb2.ScorePromptsResponse(
                scores=[score] * len(request.prompts), vendi_score=1.5, similarity="lexical"
            )


class ScriptedServer(server_grpc.ServerServiceServicer):
    def __init__(self, script):
        self.script = script

    def GetServerInfo(self, request, context):
        with self.script.answering(request, context):
            response = server_service_pb2.GetServerInfoResponse(
                version="0.1.0", api_packages=["chladni.gateway.v1"]
            )
            limits = response.limits
            limits.max_audio_bytes, limits.max_matrix_images = 10, 24
            limits.max_audio_duration.FromSeconds(30)
            limits.image_retention.FromSeconds(86_400)
            limits.seed.min, limits.seed.max = 0, 2**32 - 1
            response.services.add(name="audio-features", state=server_service_pb2.SERVICE_STATE_HEALTHY)
            response.services.add(name="similarity", state=server_service_pb2.SERVICE_STATE_LOADING)
            return response

    def ListRecipes(self, request, context):
        with self.script.answering(request, context):
            return server_service_pb2.ListRecipesResponse(
                recipes=[
                    server_service_pb2.Recipe(
                        name="descriptors",
                        description="Descriptors decide the image.",
                        available=True,
                        models=["embedded"],
                    ),
                    server_service_pb2.Recipe(
                        name="clap",
                        description="CLAP decides the image.",
                        unavailable_reason="No CLAP weights here; configure some.",
                        requirements=[
                            server_service_pb2.RecipeRequirement(
                                description="a CLAP model in audio-features",
                                remedy="Name one in CHLADNI_AUDIO_FEATURES_CLAP_MODEL.",
                            ),
                            server_service_pb2.RecipeRequirement(
                                description="a Stable Diffusion in image-generation",
                                met=True,
                                has_fallback=True,
                                model="sd",
                            ),
                        ],
                        options=["prompt", "noise_weight"],
                        required_options=["prompt"],
                    ),
                    *self.script.further_recipes,
                ],
                default_recipe="descriptors",
            )


class ScriptedAudioFeatures(audio_grpc.AudioFeatureServiceServicer):
    def __init__(self, script):
        self.script = script

    def RenderSpectrogram(self, request, context):
        with self.script.answering(request, context):
            return audio_pb2.RenderSpectrogramResponse(
                image=media_pb2.EncodedImage(
                    content=png_of(),
                    width_pixels=request.width_pixels or 512,
                    height_pixels=request.height_pixels or 512,
                ),
                audio=sound_properties(),
            )

    def ExtractFeatures(self, request, context):
        with self.script.answering(request, context):
            response = audio_pb2.ExtractFeaturesResponse(
                audio=sound_properties(), processing_time=duration_pb2.Duration(nanos=20_000_000)
            )
            if audio_pb2.FEATURE_DESCRIPTORS in request.features:
                response.descriptors.extend(descriptors())
            if audio_pb2.FEATURE_EMBEDDING in request.features:
                response.embedding.space = "chladni-descriptors-v2"
                response.embedding.values.CopyFrom(
                    tensor_pb2.Tensor(
                        dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[2], data=struct.pack("<2f", 0.25, 0.75)
                    )
                )
                response.embedding.component_names.extend(["loudness", "dynamics"])
            if audio_pb2.FEATURE_LOG_MEL in request.features:
                response.log_mel.CopyFrom(
                    tensor_pb2.Tensor(
                        dtype=tensor_pb2.DATA_TYPE_FLOAT32,
                        shape=[2, 2],
                        data=struct.pack("<4f", 0, 0.5, 1, 0),
                    )
                )
            if audio_pb2.FEATURE_INITIAL_LATENTS in request.features:
                self._add_latents(request, response, context)
            return response

    def _add_latents(self, request, response, context):
        """Adds latents that follow from the recording; recordings that begin with "broken" cannot be read."""
        options, content = request.initial_latents, request.audio.content
        if content.startswith(b"broken"):
            self.script.fail(
                rich_error(grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE_AUDIO", "This is no sound."),
                context,
            )
        shape = list(options.shape) or [4, 32, 32]
        values = raw_latents_of(content, math.prod(shape))
        if not options.unscaled:
            response.latent_calibration.name = options.calibration or "default"
            response.latent_calibration.clip_count = 3
        response.audio.sha256 = hashlib.sha256(content).hexdigest()
        response.initial_latents.CopyFrom(
            tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=shape, data=values.tobytes())
        )

    def StreamFeatures(self, requests, context):
        """Answers each chunk with one frame of four mel bins, and the end with the summary."""
        first = next(requests)
        with self.script.answering(first, context):
            self.script.pcm_config = first.config
            frame_count = 0
            for request in requests:
                self.script.pcm += request.pcm
                powers = struct.pack("<4f", -80, -40, -20, -20 - frame_count)
                yield audio_pb2.StreamFeaturesResponse(
                    frames=audio_pb2.MelFrames(
                        first_frame=frame_count,
                        power_db=tensor_pb2.Tensor(
                            dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[4, 1], data=powers
                        ),
                        level=audio_pb2.Level(rms_dbfs=-20, peak_dbfs=-10),
                    )
                )
                frame_count += 1
            duration = duration_pb2.Duration()
            duration.FromNanoseconds(len(self.script.pcm) * 10**9 // 2 // first.config.sample_rate_hz)
            yield audio_pb2.StreamFeaturesResponse(
                summary=audio_pb2.StreamSummary(
                    frame_count=frame_count, duration=duration, descriptors=descriptors()
                )
            )


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def health():
    return HealthServicer()


def start_server(script, health, *, credentials=None):
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 1024 * 1024)])
    gateway_grpc.add_ImageServiceServicer_to_server(ScriptedGateway(script), server)
    server_grpc.add_ServerServiceServicer_to_server(ScriptedServer(script), server)
    job_grpc.add_JobServiceServicer_to_server(ScriptedJobs(script), server)
    audio_service_grpc.add_AudioServiceServicer_to_server(ScriptedAudio(script), server)
    anomaly_grpc.add_AnomalyServiceServicer_to_server(ScriptedAnomaly(script), server)
    music_grpc.add_MusicServiceServicer_to_server(ScriptedMusic(script), server)
    prompt_grpc.add_PromptServiceServicer_to_server(ScriptedPrompts(script), server)
    audio_grpc.add_AudioFeatureServiceServicer_to_server(ScriptedAudioFeatures(script), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health.set("", health_pb2.HealthCheckResponse.SERVING)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.fixture
def target(script, health):
    """Address of a server that answers as the script says."""
    server, address = start_server(script, health)
    yield address
    server.stop(None).wait()


@pytest.fixture
def quick_retries():
    return RetryPolicy(max_attempts=3, initial_backoff_seconds=0.002, max_backoff_seconds=0.01)


@pytest.fixture
async def async_client(target, quick_retries):
    async with AsyncClient(target, audio_features_target=target, retry_policy=quick_retries) as client:
        yield client


@pytest.fixture
def client(target, quick_retries):
    with Client(target, audio_features_target=target, retry_policy=quick_retries) as client:
        yield client


@pytest.fixture(name="rich_error")
def rich_error_fixture():
    return rich_error


@pytest.fixture(name="bare_error")
def bare_error_fixture():
    return bare_error


@pytest.fixture(name="png_of", scope="session")
def png_of_fixture():
    return png_of


@pytest.fixture(name="raw_latents_of", scope="session")
def raw_latents_of_fixture():
    return raw_latents_of


@pytest.fixture(name="creation_events_in_two_parts")
def creation_events_in_two_parts_fixture():
    return creation_events_in_two_parts


def write_wav(path, samples, *, sample_rate_hz=8000, channel_count=1, sample_bytes=2):
    """Writes integer samples, of which each is `sample_bytes` little-endian bytes, as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channel_count)
        file.setsampwidth(sample_bytes)
        file.setframerate(sample_rate_hz)
        file.writeframes(
            b"".join(
                int(sample).to_bytes(sample_bytes, "little", signed=sample_bytes > 1) for sample in samples
            )
        )
    return path


@pytest.fixture(name="write_wav", scope="session")
def write_wav_fixture():
    return write_wav


@pytest.fixture(name="start_server")
def start_server_fixture():
    return start_server


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: an empty one, with an environment that names no server."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    for name in [name for name in os.environ if name.startswith("CHLADNI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    return path


@pytest.fixture
def installed_command(folder):
    """Path of the installed command `chladni`."""
    return Path(sys.executable).with_name("chladni")


@pytest.fixture
def run(folder):
    """Runs the command in this process, which is quicker than the installed one."""

    def run(*arguments, stdin=None):
        return CliRunner().invoke(build_app(), [*map(str, arguments)], input=stdin, prog_name="chladni")

    return run
