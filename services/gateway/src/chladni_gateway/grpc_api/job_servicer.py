"""`chladni.gateway.v1.JobService`."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chladni.gateway.v1 import job_service_pb2 as service_pb2
from chladni.gateway.v1 import job_service_pb2_grpc as service_grpc
from chladni.generation.v1 import generation_pb2
from chladni_gateway.creation.job import parse_job_id
from chladni_gateway.creation.job_runner import page_of
from chladni_gateway.domain.request import check_upload, page_size_of
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.callers.sessions import caller_of, creating_session_of_call, session_of_call
from chladni_gateway.grpc_api.jobs import to_job_event_message, to_job_message, to_webhook
from chladni_gateway.grpc_api.requests import naming_fields, to_creation_request
from chladni_gateway.grpc_api.uploads import creation_of, file_pieces, with_some_content
from chladni_runtime.execution.heartbeats import with_heartbeats
from chladni_runtime.server.validation import RequestValidator
from chladni_runtime.spool import draining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc

    from chladni_gateway.application import Application
    from chladni_gateway.creation.job import Job

_MAX_EVENT_NUMBER = 2**31 - 1


class JobServicer(service_grpc.JobServiceServicer):
    """Offers jobs over gRPC.

    Args:
        application: What the gateway does.
    """

    def __init__(self, application: Application) -> None:
        self._runner = application.job_runner
        self._creator = application.creator
        self._cutter = application.audio_cutter
        self._max_upload_seconds = application.limits.max_upload_seconds
        self._tokens = application.tokens
        self._heartbeat_seconds = application.limits.heartbeat_seconds

    async def CreateJob(
        self, request: service_pb2.CreateJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.CreateJobResponse:
        """Start a job."""
        with at_stage(Stage.VALIDATION), naming_fields(request.creation):
            session = creating_session_of_call(context, self._tokens)
            asked = to_creation_request(request.creation, caller=caller_of(context), owner=session.owner)
            job = await self._runner.start(replace(asked, webhook=to_webhook(request)))
        return service_pb2.CreateJobResponse(job=to_job_message(job), session_token=session.new_token)

    async def CreateJobFromUpload(
        self,
        request_iterator: AsyncIterator[service_pb2.CreateJobFromUploadRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> service_pb2.CreateJobFromUploadResponse:
        """Start a job with a part of a file that comes in pieces."""
        with at_stage(Stage.VALIDATION):
            session = creating_session_of_call(context, self._tokens)
            async with draining(request_iterator):
                first = await anext(request_iterator, None)
                message = creation_of(first)
                with naming_fields(message):
                    asked = to_creation_request(message, caller=caller_of(context), owner=session.owner)
                    asked = replace(asked, webhook=to_webhook(first))
                    check_upload(asked)
                    self._creator.check(with_some_content(asked))
                    await self._runner.check_room(session.owner, caller=asked.caller)
        with naming_fields(message):
            deadline = deadline_of(context, self._max_upload_seconds)
            with at_stage(Stage.AUDIO_FEATURES):
                async with draining(request_iterator), self._cutter.cutting(asked.clip, deadline) as cut:
                    clip = await cut(file_pieces(request_iterator))
            with at_stage(Stage.VALIDATION):
                job = await self._runner.start(replace(asked, clip=clip))
        return service_pb2.CreateJobFromUploadResponse(
            job=to_job_message(job), session_token=session.new_token
        )

    async def GetJob(
        self, request: service_pb2.GetJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.GetJobResponse:
        """Return a job of the caller."""
        return service_pb2.GetJobResponse(job=to_job_message(await self._find(request.job_id, context)))

    async def ListJobs(
        self, request: service_pb2.ListJobsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.ListJobsResponse:
        """List the caller's jobs, the newest first."""
        size = page_size_of(request.page_size)
        jobs = await self._runner.list_owned(session_of_call(context).owner)
        listed, next_page_token = page_of(jobs, size=size, token=request.page_token)
        return service_pb2.ListJobsResponse(jobs=map(to_job_message, listed), next_page_token=next_page_token)

    async def WatchJob(
        self, request: service_pb2.WatchJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[service_pb2.WatchJobResponse]:
        """Yield the events of a job of the caller."""
        job = await self._find(request.job_id, context)
        validator = RequestValidator()
        validator.check_range("after_number", request.after_number, minimum=0, maximum=_MAX_EVENT_NUMBER)
        validator.raise_if_invalid()
        following = with_heartbeats(job.follow(after=request.after_number), self._heartbeat_seconds)
        async with aclosing(following) as events:
            async for numbered in events:
                if numbered is None:
                    yield service_pb2.WatchJobResponse(heartbeat=generation_pb2.Heartbeat())
                else:
                    yield to_job_event_message(numbered)

    async def CancelJob(
        self, request: service_pb2.CancelJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.CancelJobResponse:
        """Stop a job of the caller."""
        job = await self._find(request.job_id, context)
        await self._runner.cancel(job.job_id, owner=job.owner)
        return service_pb2.CancelJobResponse(job=to_job_message(job))

    async def DeleteJob(
        self, request: service_pb2.DeleteJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.DeleteJobResponse:
        """Remove a job of the caller, stopping it first."""
        job = await self._find(request.job_id, context)
        await self._runner.cancel(job.job_id, owner=job.owner)
        await self._runner.remove(job.job_id, owner=job.owner)
        return service_pb2.DeleteJobResponse()

    async def _find(self, job_id: str, context: grpc.aio.ServicerContext[Any, Any]) -> Job:
        owner = session_of_call(context).owner
        return await self._runner.find(parse_job_id(job_id), owner=owner)
