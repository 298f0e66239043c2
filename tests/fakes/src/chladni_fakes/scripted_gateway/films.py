"""The scripted gateway: its one film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import grpc
from google.protobuf.duration_pb2 import Duration

from chladni.gateway.v1 import server_service_pb2
from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni.gateway.v1alpha1 import film_service_pb2_grpc as film_grpc
from chladni.generation.v1 import generation_pb2
from chladni_fakes.scripted_gateway.messages import job_error
from chladni_fakes.scripted_gateway.script import Script

FILM_ID: Final = "7d3c2b1a-6f5e-4d4c-8b3a-291807f6e5d4"
FILES: Final = {
    film_pb2.FILM_PART_COVER: b"\x89PNG\r\n\x1a\n, the cover",
    film_pb2.FILM_PART_LOOP: b"the loop, in two parts",
}


class ScriptedFilms(film_grpc.FilmServiceServicer):
    """One film, of which a cover and a loop are made.

    With `error_after`, following it and downloads fail once after so many messages; with `film_fails` it
    fails.
    """

    def __init__(self, script: Script) -> None:
        self.script = script

    def CreateFilm(
        self, request_iterator: Iterator[film_pb2.CreateFilmRequest], context: grpc.ServicerContext
    ) -> film_pb2.CreateFilmResponse:
        first = next(request_iterator).config
        self.script.uploaded = b"".join(request.content for request in request_iterator)
        with self.script.answering(first, context):
            return film_pb2.CreateFilmResponse(film=film_of(film_pb2.FILM_STATE_QUEUED))

    def GetFilm(
        self, request: film_pb2.GetFilmRequest, context: grpc.ServicerContext
    ) -> film_pb2.GetFilmResponse:
        with self.script.answering(request, context):
            return film_pb2.GetFilmResponse(film=film_of(film_pb2.FILM_STATE_RUNNING))

    def ListFilms(
        self, request: film_pb2.ListFilmsRequest, context: grpc.ServicerContext
    ) -> film_pb2.ListFilmsResponse:
        with self.script.answering(request, context):
            limits = film_pb2.FilmLimits(
                max_song_bytes=200 * 2**20,
                min_song_duration=Duration(seconds=3),
                max_song_duration=Duration(seconds=600),
                side_pixels=server_service_pb2.NumberRange(min=256, max=1024),
                side_step_pixels=64,
                frames_per_second=server_service_pb2.NumberRange(min=6, max=30),
                min_loop_duration=Duration(seconds=3),
                max_loop_duration=Duration(seconds=8),
                max_films=8,
                retention=Duration(seconds=86400),
            )
            return film_pb2.ListFilmsResponse(
                films=[film_of(film_pb2.FILM_STATE_COMPLETED)],
                limits=limits if self.script.says_film_limits else None,
            )

    def WatchFilm(
        self, request: film_pb2.WatchFilmRequest, context: grpc.ServicerContext
    ) -> Iterator[film_pb2.WatchFilmResponse]:
        with self.script.answering(request, context):
            yield film_pb2.WatchFilmResponse(heartbeat=generation_pb2.Heartbeat())
            yield film_pb2.WatchFilmResponse(film=film_of(film_pb2.FILM_STATE_RUNNING))
            self._fail_once(context, 1)
            last = film_of(film_pb2.FILM_STATE_COMPLETED)
            if self.script.film_fails:
                last = film_of(film_pb2.FILM_STATE_FAILED)
                last.error.CopyFrom(job_error())
            yield film_pb2.WatchFilmResponse(film=last)

    def CancelFilm(
        self, request: film_pb2.CancelFilmRequest, context: grpc.ServicerContext
    ) -> film_pb2.CancelFilmResponse:
        with self.script.answering(request, context):
            return film_pb2.CancelFilmResponse(film=film_of(film_pb2.FILM_STATE_CANCELLED))

    def ResumeFilm(
        self, request: film_pb2.ResumeFilmRequest, context: grpc.ServicerContext
    ) -> film_pb2.ResumeFilmResponse:
        with self.script.answering(request, context):
            return film_pb2.ResumeFilmResponse(film=film_of(film_pb2.FILM_STATE_QUEUED))

    def DeleteFilm(
        self, request: film_pb2.DeleteFilmRequest, context: grpc.ServicerContext
    ) -> film_pb2.DeleteFilmResponse:
        with self.script.answering(request, context):
            return film_pb2.DeleteFilmResponse()

    def DownloadFilm(
        self, request: film_pb2.DownloadFilmRequest, context: grpc.ServicerContext
    ) -> Iterator[film_pb2.DownloadFilmResponse]:
        with self.script.answering(request, context):
            content = FILES[request.part]
            for start in range(request.offset_bytes, len(content), 10):
                yield film_pb2.DownloadFilmResponse(
                    content=content[start : start + 10], total_bytes=len(content)
                )
                self._fail_once(context, start // 10 + 1)

    def _fail_once(self, context: grpc.ServicerContext, count: int) -> None:
        if self.script.error_after is not None and count == self.script.error_after[0]:
            error, self.script.error_after = self.script.error_after[1], None
            self.script.fail(error, context)


def film_of(state: film_pb2.FilmState) -> film_pb2.Film:
    """Return the film in a state; its files are there when it is completed."""
    is_completed = state == film_pb2.FILM_STATE_COMPLETED
    return film_pb2.Film(
        film_id=FILM_ID,
        state=state,
        display_name="song",
        options=film_pb2.FilmOptions(seed=7),
        progress=1.0 if is_completed else 0.5,
        remaining=None if is_completed else Duration(seconds=90),
        part=None if is_completed else film_pb2.FILM_PART_LOOP,
        song_duration=Duration(seconds=180),
        files=[
            film_pb2.FilmFile(
                part=part,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                content_type="image/png" if part == film_pb2.FILM_PART_COVER else "video/mp4",
            )
            for part, content in FILES.items()
            if is_completed
        ],
    )
