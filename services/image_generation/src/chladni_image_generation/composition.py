"""What the service is made of, put together."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
import torch
from prometheus_client import CollectorRegistry

from chladni.image.v1 import (
    image_generation_service_pb2 as image_pb2,
)
from chladni.image.v1 import (
    image_generation_service_pb2_grpc,
    prompt_service_pb2,
    prompt_service_pb2_grpc,
)
from chladni_image_generation.audio_conditioned_model import (
    AudioConditionedModel,
    load_audio_conditioned_model,
)
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.engine import Engine, EngineLimits
from chladni_image_generation.generation import GenerationRequest
from chladni_image_generation.metrics import GenerationMetrics
from chladni_image_generation.model_files import find_model_files
from chladni_image_generation.precision import capabilities_of, choose_dtype
from chladni_image_generation.servicer import ImageGenerationServicer, PromptServicer
from chladni_image_generation.turns import FairTurns
from chladni_runtime.bindings import Binding
from chladni_runtime.processors import available_processor_count
from chladni_runtime.server import Compose

SERVICE_NAMES: Final = (
    image_pb2.DESCRIPTOR.services_by_name["ImageGenerationService"].full_name,
    prompt_service_pb2.DESCRIPTOR.services_by_name["PromptService"].full_name,
)


def composer(settings: ImageGenerationSettings) -> Compose:
    """Returns the function that loads the model, warms it and gives the servicers."""

    @asynccontextmanager
    async def compose(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        model = await asyncio.to_thread(load_model, settings)
        engine = Engine(
            model,
            limits=EngineLimits(
                batch_size=settings.batch_size,
                decode_batch_size=settings.decode_batch_size,
                max_active_requests=settings.max_active_requests,
                max_queued_requests=settings.max_queued_requests,
                cache_bytes=settings.cache_bytes,
                thread_count=settings.thread_count or available_processor_count(),
            ),
            turns=FairTurns(oldest_share=settings.oldest_share, promotion_seconds=settings.promotion_seconds),
            metrics=GenerationMetrics(registry),
            clock=time.monotonic,
        )
        async with engine:
            await engine.warm_up(_warm_up_request(model))
            yield [
                Binding(
                    image_generation_service_pb2_grpc.add_ImageGenerationServiceServicer_to_server,
                    ImageGenerationServicer(engine, max_steps=settings.max_steps),
                ),
                Binding(prompt_service_pb2_grpc.add_PromptServiceServicer_to_server, PromptServicer()),
            ]

    return compose


def load_model(settings: ImageGenerationSettings) -> AudioConditionedModel:
    """Loads the configured model, and has kernels chosen the same way at every start.

    Raises:
        ModelFilesError: The model cannot be had or its files are damaged.
    """
    has_gpu = settings.device == "auto" and torch.cuda.is_available()
    device = torch.device("cuda" if has_gpu else settings.device.replace("auto", "cpu"))
    if device.type == "cuda":
        # Kernels chosen by timing would be others after a restart, and so would the last bits of a picture.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.cuda.set_per_process_memory_fraction(settings.gpu_memory_fraction, device)
    files = find_model_files(settings.model)
    dtype = choose_dtype(settings.dtype, manifest=files.manifest, capabilities=capabilities_of(device))
    return load_audio_conditioned_model(files, device=device, dtype=dtype)


def _warm_up_request(model: AudioConditionedModel) -> GenerationRequest:
    """Returns the cheapest request that touches everything a real one does."""
    description = model.description
    width_pixels, height_pixels = description.image_size_pixels
    return GenerationRequest(
        audio_embedding=np.full(description.embedding_size, 0.5, np.float32),
        seed=0,
        steps=2,
        guidance_scale=description.default_guidance_scale,
        scheduler=description.scheduler_names[0],
        width_pixels=width_pixels,
        height_pixels=height_pixels,
    )
