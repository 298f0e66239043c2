"""What the scripted gateway answers, and what it was asked."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NoReturn

import grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import creation_pb2, live_service_pb2, server_service_pb2
from chladni.gateway.v1 import job_service_pb2 as job_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_contract.status import NO_RETRY, RETRY_PUSHBACK_KEY
from chladni_fakes.scripted_gateway.messages import creation_events


class Script:
    """What the server answers, and what it was asked.

    `errors` are the answers to the next calls, one each. `error_after` fails a creation after so many
    events, and once a download or the events of a job. `leaves_files_out` makes every image one to be
    downloaded. `last_job_event` ends a job in place of its image; `film_fails` ends the film
    with an error; without `says_film_limits` its limits are absent. With `stops_after`, a creation waits
    after so many events until it is cancelled.
    """

    def __init__(self) -> None:
        self.errors: deque[SimpleNamespace] = deque()
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.remaining_seconds: list[float | None] = []
        self.events = creation_events()
        self.further_recipes: list[server_service_pb2.Recipe] = []
        self.normal_sets: list[anomaly_pb2.NormalSet] = []
        self.pcm = bytearray()
        self.uploaded = b""
        self.pcm_config: audio_pb2.PcmConfig | None = None
        self.live_images_config: live_service_pb2.LiveImagesConfig | None = None
        self.error_after: tuple[int, SimpleNamespace] | None = None
        self.stops_after: int | None = None
        self.leaves_files_out = False
        self.film_fails = False
        self.says_film_limits = True
        self.last_job_event: job_pb2.WatchJobResponse | None = None
        self.gateway_audio_calls: list[str] = []
        self.was_cancelled = threading.Event()

    def job_events(self) -> list[job_pb2.WatchJobResponse]:
        """Return the events of the job; those of the creation, unless it ends with another one."""
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
    def answering(self, request: Any, context: grpc.ServicerContext) -> Iterator[None]:
        """Note a request, fail it if an error is due, and notice when the client leaves early."""
        has_ended = threading.Event()
        context.add_callback(lambda: None if has_ended.is_set() else self.was_cancelled.set())
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining_seconds.append(context.time_remaining())
        if self.errors:
            self.fail(self.errors.popleft(), context)
        yield
        has_ended.set()

    def fail(self, error: SimpleNamespace, context: grpc.ServicerContext) -> NoReturn:
        """End a call with an error."""
        if error.details is not None:
            metadata: list[tuple[str, str | bytes]] = [("grpc-status-details-bin", error.details)]
            if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_seconds is not None:
                comes_in_time = error.retry_seconds < (context.time_remaining() or math.inf)
                delay = str(round(error.retry_seconds * 1000)) if comes_in_time else NO_RETRY
                metadata.append((RETRY_PUSHBACK_KEY, delay))
            context.set_trailing_metadata(tuple(metadata))
        context.abort(error.code, error.message)

    def wait_until_cancelled(self) -> None:
        """Return when the client has left."""
        self.was_cancelled.wait(60)
