"""The scripted gateway: its images and jobs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import numpy as np

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni.gateway.v1 import job_service_pb2 as job_pb2
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_fakes.scripted_gateway.messages import IMAGE_ID, job, job_error, png_of, stored_image
from chladni_fakes.scripted_gateway.script import Script


class ScriptedImages(gateway_grpc.ImageServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def CreateImage(
        self, request: creation_pb2.CreateImageRequest, context: grpc.ServicerContext
    ) -> Iterator[creation_pb2.CreateImageResponse]:
        with self.script.answering(request, context):
            for index, event in enumerate(self.script.events):
                if self.script.error_after is not None and index == self.script.error_after[0]:
                    self.script.fail(self.script.error_after[1], context)
                if index == self.script.stops_after:
                    self.script.wait_until_cancelled()
                yield event

    def CreateImageFromUpload(
        self,
        request_iterator: Iterator[gateway_pb2.CreateImageFromUploadRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[gateway_pb2.CreateImageFromUploadResponse]:
        first = next(request_iterator).creation
        heartbeat = creation_pb2.CreateImageResponse(heartbeat=generation_pb2.Heartbeat())
        yield gateway_pb2.CreateImageFromUploadResponse(creation=heartbeat)
        self.script.uploaded = b"".join(request.content for request in request_iterator)
        with self.script.answering(first, context):
            for event in self.script.events:
                yield gateway_pb2.CreateImageFromUploadResponse(creation=event)

    def CompareImages(
        self, request: gateway_pb2.CompareImagesRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.CompareImagesResponse:
        with self.script.answering(request, context):
            if self.script.stops_after == 0:
                self.script.wait_until_cancelled()
            return gateway_pb2.CompareImagesResponse(score=0.25, cosine=-0.5, model="tower")

    def GetImage(
        self, request: gateway_pb2.GetImageRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.GetImageResponse:
        with self.script.answering(request, context):
            response = gateway_pb2.GetImageResponse(file=media_pb2.EncodedImage(content=png_of()))
            response.image.image_id = request.image_id
            response.image.create_time.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
            if self.script.leaves_files_out:
                response.ClearField("file")
            return response

    def DownloadImage(
        self, request: gateway_pb2.DownloadImageRequest, context: grpc.ServicerContext
    ) -> Iterator[gateway_pb2.DownloadImageResponse]:
        """Send the file in parts of ten bytes."""
        with self.script.answering(request, context):
            content = png_of()
            for index, begin in enumerate(range(request.offset_bytes, len(content), 10)):
                if self.script.error_after is not None and index == self.script.error_after[0]:
                    error, self.script.error_after = self.script.error_after[1], None
                    self.script.fail(error, context)
                part = content[begin : begin + 10]
                yield gateway_pb2.DownloadImageResponse(content=part, total_bytes=len(content))

    def ListImages(
        self, request: gateway_pb2.ListImagesRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.ListImagesResponse:
        """List images on two pages."""
        with self.script.answering(request, context):
            page = request.page_token or "1"
            return gateway_pb2.ListImagesResponse(
                images=[stored_image(f"{page}-{number}") for number in range(2)],
                next_page_token="2" if page == "1" else "",
            )

    def DeleteImage(
        self, request: gateway_pb2.DeleteImageRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.DeleteImageResponse:
        with self.script.answering(request, context):
            return gateway_pb2.DeleteImageResponse()

    def PinImage(
        self, request: gateway_pb2.PinImageRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.PinImageResponse:
        with self.script.answering(request, context):
            image = stored_image(request.image_id)
            image.pinned = not request.unpin
            return gateway_pb2.PinImageResponse(image=image)

    def CompareImageMatrix(
        self, request: gateway_pb2.CompareImageMatrixRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.CompareImageMatrixResponse:
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

    def SearchImages(
        self, request: gateway_pb2.SearchImagesRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.SearchImagesResponse:
        with self.script.answering(request, context):
            matches = [gateway_pb2.ImageMatch(image=stored_image(IMAGE_ID), score=0.75)]
            return gateway_pb2.SearchImagesResponse(matches=matches)

    def ScoreAlignment(
        self, request: gateway_pb2.ScoreAlignmentRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.ScoreAlignmentResponse:
        with self.script.answering(request, context):
            return gateway_pb2.ScoreAlignmentResponse(score=0.5, cosine=0.25, model="clap")


class ScriptedJobs(job_grpc.JobServiceServicer):
    """One job, with the events of the script, numbered."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def CreateJob(
        self, request: job_pb2.CreateJobRequest, context: grpc.ServicerContext
    ) -> job_pb2.CreateJobResponse:
        with self.script.answering(request, context):
            return job_pb2.CreateJobResponse(job=job(job_pb2.JOB_STATE_ANALYZING))

    def CreateJobFromUpload(
        self,
        request_iterator: Iterator[job_pb2.CreateJobFromUploadRequest],
        context: grpc.ServicerContext,
    ) -> job_pb2.CreateJobFromUploadResponse:
        first = next(request_iterator).creation
        self.script.uploaded = b"".join(request.content for request in request_iterator)
        with self.script.answering(first, context):
            return job_pb2.CreateJobFromUploadResponse(job=job(job_pb2.JOB_STATE_ANALYZING))

    def GetJob(self, request: job_pb2.GetJobRequest, context: grpc.ServicerContext) -> job_pb2.GetJobResponse:
        with self.script.answering(request, context):
            found = job(job_pb2.JOB_STATE_COMPLETED)
            found.image.CopyFrom(stored_image(IMAGE_ID))
            return job_pb2.GetJobResponse(job=found)

    def ListJobs(
        self, request: job_pb2.ListJobsRequest, context: grpc.ServicerContext
    ) -> job_pb2.ListJobsResponse:
        with self.script.answering(request, context):
            failed = job(job_pb2.JOB_STATE_FAILED)
            failed.error.CopyFrom(job_error())
            page = [failed] if request.page_token else [job(job_pb2.JOB_STATE_RUNNING)]
            return job_pb2.ListJobsResponse(jobs=page, next_page_token="" if request.page_token else "2")

    def WatchJob(
        self, request: job_pb2.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[job_pb2.WatchJobResponse]:
        with self.script.answering(request, context):
            yield job_pb2.WatchJobResponse(heartbeat=generation_pb2.Heartbeat())
            for number, event in enumerate(self.script.job_events(), start=1):
                if self.script.error_after is not None and number > self.script.error_after[0]:
                    error, self.script.error_after = self.script.error_after[1], None
                    self.script.fail(error, context)
                if number > request.after_number:
                    event.number = number
                    yield event

    def CancelJob(
        self, request: job_pb2.CancelJobRequest, context: grpc.ServicerContext
    ) -> job_pb2.CancelJobResponse:
        with self.script.answering(request, context):
            return job_pb2.CancelJobResponse(job=job(job_pb2.JOB_STATE_CANCELLED))

    def DeleteJob(
        self, request: job_pb2.DeleteJobRequest, context: grpc.ServicerContext
    ) -> job_pb2.DeleteJobResponse:
        with self.script.answering(request, context):
            return job_pb2.DeleteJobResponse()
