"""Jobs: creations that go on without the program that started them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from chladni.gateway.v1 import job_service_pb2 as jobs_pb2
from chladni.gateway.v1 import job_service_pb2_grpc as jobs_grpc
from chladni_client._calls.base import Calls
from chladni_client._calls.streams import job_events, upload_messages, with_file
from chladni_client._messages import job_results, requests
from chladni_client._transport.retries import Attempts

if TYPE_CHECKING:
    from chladni_client.types.audio import AudioInput
    from chladni_client.types.jobs import Job, JobEvent
    from chladni_client.types.options import CreationOptions


class JobCalls(Calls):
    """The jobs of a session."""

    async def create_job(
        self,
        audio: AudioInput | None,
        *,
        sample_rate_hz: int | None = None,
        preview_interval_steps: int = 0,
        preview_size_pixels: int | None = None,
        request_id: str | None = None,
        webhook_url: str | None = None,
        webhook_secret: str = "",
        timeout_seconds: float | None = None,
        **options: Unpack[CreationOptions],
    ) -> Job:
        """Start a job that makes the image of a sound, and return it at once.

        Args:
            audio: As for `create_image`.
            sample_rate_hz: Likewise.
            preview_interval_steps: As for `stream_image`.
            preview_size_pixels: Likewise.
            request_id: As for `create_image`: with the same one, an equal request gives the same job.
            webhook_url: Where the server reports the end of the job, as https://www.standardwebhooks.com
                describes it; nowhere if absent.
            webhook_secret: What it signs the report with, such as ``whsec_...``; its own secret if empty.
            timeout_seconds: Time for the call, not for the job; `Timeouts.call_seconds` if absent.
            **options: As for `create_image`.
        """
        requests.check_option_names("create_job", options)
        clip, file = await requests.to_clip_and_file(audio, sample_rate_hz, options)
        creation = requests.to_create_image_request(
            clip,
            preview_interval_steps=preview_interval_steps,
            preview_size_pixels=preview_size_pixels,
            request_id=request_id,
            **options,
        )
        webhook = None if webhook_url is None else jobs_pb2.Webhook(url=webhook_url, secret=webhook_secret)
        if file is not None:
            messages = upload_messages(jobs_pb2.CreateJobFromUploadRequest, creation, file, webhook=webhook)
            seconds = self._attempts_of_creation(timeout_seconds, file).remaining_seconds
            uploaded = await self._call(self._job_stub.CreateJobFromUpload, messages, seconds)
            return job_results.to_job(uploaded.job)
        request = jobs_pb2.CreateJobRequest(creation=creation, webhook=webhook)
        response = await self._call(self._job_stub.CreateJob, request, timeout_seconds)
        return job_results.to_job(response.job)

    async def get_job(self, job_id: str, *, timeout_seconds: float | None = None) -> Job:
        """Return a job of this session.

        Args:
            job_id: Identifier from `Job.job_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = jobs_pb2.GetJobRequest(job_id=job_id)
        response = await self._call(self._job_stub.GetJob, request, timeout_seconds)
        return job_results.to_job(response.job)

    async def list_jobs(
        self, *, page_size: int | None = None, timeout_seconds: float | None = None
    ) -> AsyncGenerator[Job, None]:
        """Yield the jobs of this session, the newest first: unfinished ones, and those of the last hour.

        Args:
            page_size: Jobs that are asked for at once, 1 to 200; 100 if absent.
            timeout_seconds: Time for each page; `Timeouts.call_seconds` if absent.
        """
        request = jobs_pb2.ListJobsRequest(page_size=requests.to_count("page_size", page_size))
        pages = self._pages(self._job_stub.ListJobs, request, timeout_seconds)
        async with aclosing(pages):
            async for page in pages:
                for job in page.jobs:
                    yield job_results.to_job(job)

    async def watch_job(
        self, job_id: str, after: int = 0, *, timeout_seconds: float | None = None
    ) -> AsyncGenerator[JobEvent, None]:
        """Yield the events of a job up to its last one: `ImageCreated`, `JobFailed` or `JobCancelled`.

        After a lost connection, it goes on after the last event seen. Leaving the loop early does not stop
        the job. The file of the image is fetched with `ImageCreated`.

        Args:
            job_id: Identifier from `Job.job_id`.
            after: Number of the last event seen; only later ones are yielded.
            timeout_seconds: Time for all events; no limit if absent.
        """
        after = requests.to_event_number("after", after)
        events = job_events(self._gateway, job_id, after, self._retry_policy, timeout_seconds)
        async with aclosing(events):
            async for event in events:
                attempts = Attempts(self._retry_policy, self._timeouts.call_seconds)
                yield replace(event, event=await with_file(self._gateway, event.event, attempts))

    async def cancel_job(self, job_id: str, *, timeout_seconds: float | None = None) -> Job:
        """Stop a job of this session, and return it once the work has stopped; a finished one stays as it is.

        Args:
            job_id: Identifier from `Job.job_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = jobs_pb2.CancelJobRequest(job_id=job_id)
        response = await self._call(self._job_stub.CancelJob, request, timeout_seconds)
        return job_results.to_job(response.job)

    async def delete_job(self, job_id: str, *, timeout_seconds: float | None = None) -> None:
        """Remove a job of this session, which stops it if it is unfinished; an image that it made stays.

        Args:
            job_id: Identifier from `Job.job_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = jobs_pb2.DeleteJobRequest(job_id=job_id)
        await self._call(self._job_stub.DeleteJob, request, timeout_seconds)

    @property
    def _job_stub(self) -> jobs_grpc.JobServiceAsyncStub:
        return jobs_grpc.JobServiceStub(self._gateway.channel)
