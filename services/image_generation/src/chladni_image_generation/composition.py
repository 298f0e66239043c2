"""What the service is made of, put together."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import numpy as np
import torch
from prometheus_client import CollectorRegistry

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc, prompt_service_pb2, prompt_service_pb2_grpc
from chladni_contract.errors import ChladniError
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.engine.checkpoints.checkpointer import CheckpointFolder
from chladni_image_generation.engine.engine import Engine, EngineLimits
from chladni_image_generation.engine.executor import new_compute_thread
from chladni_image_generation.engine.registry import EngineRegistry, UnavailableModel
from chladni_image_generation.engine.scheduler import FairScheduler
from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.grpc_api.prompt_servicer import PromptServicer
from chladni_image_generation.grpc_api.servicer import ImageGenerationServicer
from chladni_image_generation.metrics import GenerationMetrics
from chladni_image_generation.models.files import ModelFilesError, name_of
from chladni_image_generation.models.interface import LatentDiffusionModel, ModelDescription
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.prompts.registry import WriterRegistry
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.processors import available_processor_count
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.models.devices import choose_device
from chladni_runtime.server.late_binding import Binding
from chladni_runtime.server.server import Compose
from chladni_runtime.settings import ConfigurationError
from chladni_runtime.telemetry.process_metrics import GpuCollector
from chladni_runtime.telemetry.work_metrics import ModelMetrics

_log = logging.getLogger(__name__)
_PATH: Final = re.compile(r"(?<![\w:/])(?:/[^\s/'\"]+)+/([^\s/'\"]+)")
"""An absolute path, which callers must not see, and its last component."""

_MAX_REASON_LENGTH: Final = 1000
_UNEXPECTED: Final = "it failed in an unexpected way when it was loaded; the service's log says how"
SERVICE_NAMES: Final = (
    image_pb2.DESCRIPTOR.services_by_name["ImageGenerationService"].full_name,
    prompt_service_pb2.DESCRIPTOR.services_by_name["PromptService"].full_name,
)
_PROMPT_THREADS: Final = 4
_MAX_PROMPT_REQUESTS: Final = 64


def compose(settings: ImageGenerationSettings) -> Compose:
    """Return the function that loads the models, warms them and gives the servicers."""

    @asynccontextmanager
    async def open_service(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        device = _device_name(settings)  # Refused at once, not for each model.
        checkpoints = _checkpoint_folder(settings)
        async with AsyncExitStack() as stack:
            metrics = GenerationMetrics(registry)
            model_metrics = ModelMetrics(registry)
            if device != "cpu":
                registry.register(GpuCollector(torch.cuda))
            thread_count = settings.thread_count or available_processor_count()
            compute_thread = stack.enter_context(new_compute_thread(thread_count))

            async def start(reference: str) -> Engine:
                started_at = time.monotonic()
                model = await asyncio.to_thread(load_configured_model, settings, reference)
                engine = Engine(
                    model,
                    limits=_limits_of(settings, thread_count),
                    scheduler=FairScheduler(
                        oldest_share=settings.oldest_share, promotion_seconds=settings.promotion_seconds
                    ),
                    metrics=metrics,
                    compute_thread=compute_thread,
                    clock=time.monotonic,
                    failpoints=settings.armed_failpoints,
                    checkpoints=checkpoints,
                )
                async with AsyncExitStack() as warming:
                    await warming.enter_async_context(engine)
                    await engine.warm_up(_warm_up_request(engine.description))
                    stack.push_async_exit(warming.pop_all())
                description = engine.description
                model_metrics.note_loaded(
                    description.id, description.digest, load_seconds=time.monotonic() - started_at
                )
                return engine

            engines = []
            unavailable = []
            failures: list[Exception] = []
            for reference in _named_once(settings.model, *settings.further_model_references):
                try:
                    engines.append(await start(reference))
                except (ModelFilesError, ChladniError) as error:
                    failures.append(error)
                    _log.error("model %s is not available: %s", reference, error)
                    reason = _PATH.sub(r"\1", str(error))[:_MAX_REASON_LENGTH]
                    family = error.family if isinstance(error, ModelFilesError) else ""
                    unavailable.append(UnavailableModel(name_of(reference), reason, family))
                except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others are served
                    failures.append(error)
                    _log.exception("model %s is not available", reference)
                    unavailable.append(UnavailableModel(name_of(reference), _UNEXPECTED))
            if not engines:
                raise failures[0]
            engine_registry = EngineRegistry(engines, unavailable)
            writers = WriterRegistry(settings.writer_settings)
            queues = ("prompt_scores", *(f"prompts_{name}" for name in writers.names))
            scoring, *writing = [
                await stack.enter_async_context(
                    WorkerPool(
                        _PROMPT_THREADS,
                        admission=Admission(_MAX_PROMPT_REQUESTS, clock=time.monotonic),
                        queue=queue,
                    )
                )
                for queue in queues
            ]
            yield [
                Binding(
                    image_generation_service_pb2_grpc.add_ImageGenerationServiceServicer_to_server,
                    ImageGenerationServicer(
                        engine_registry,
                        max_steps=settings.max_steps,
                        heartbeat_seconds=settings.heartbeat_seconds,
                        max_live_streams=settings.max_live_streams,
                    ),
                ),
                Binding(
                    prompt_service_pb2_grpc.add_PromptServiceServicer_to_server,
                    PromptServicer(
                        writers,
                        workers=scoring,
                        writer_workers=dict(zip(writers.names, writing, strict=True)),
                    ),
                ),
            ]

    return open_service


def _named_once(*given: str) -> list[str]:
    """Return the references without those whose model would have the name of an earlier one."""
    references: dict[str, str] = {}
    for reference in given:
        name = name_of(reference)
        if name in references:
            _log.error("two models are called %s; the second one is left out", name)
        references.setdefault(name, reference)
    return list(references.values())


def _device_name(settings: ImageGenerationSettings) -> str:
    """Return the device of the models.

    Raises:
        ConfigurationError: There is no such device, or a setting needs a GPU and there is none.
    """
    device = choose_device(
        settings.device, variable="CHLADNI_IMAGE_GENERATION_DEVICE", gpu_count=torch.cuda.device_count()
    )
    if settings.cpu_offload and device == "cpu":
        raise ConfigurationError(
            "CHLADNI_IMAGE_GENERATION_CPU_OFFLOAD='true' cannot be used: it needs a GPU, and the models are "
            "on the CPU. Unset it, or set CHLADNI_IMAGE_GENERATION_DEVICE to cuda on a machine with a GPU."
        )
    return device


def _checkpoint_folder(settings: ImageGenerationSettings) -> CheckpointFolder | None:
    """Return the folder of checkpoints, if there is one.

    Raises:
        ConfigurationError: It cannot be made.
    """
    if settings.checkpoint_folder is None:
        return None
    try:
        return CheckpointFolder(
            settings.checkpoint_folder, interval_seconds=settings.checkpoint_interval_seconds
        )
    except OSError as error:
        raise ConfigurationError(
            f"CHLADNI_IMAGE_GENERATION_CHECKPOINT_FOLDER={str(settings.checkpoint_folder)!r} cannot be used: "
            f"{error.strerror}. Name a folder that the service may write to."
        ) from error


def load_configured_model(settings: ImageGenerationSettings, reference: str) -> LatentDiffusionModel:
    """Load one of the configured models, and have kernels chosen the same way at every start.

    Raises:
        ModelFilesError: The model cannot be had or its files are damaged.
    """
    device = torch.device(_device_name(settings))
    if device.type == "cuda":
        # Kernels chosen by timing would be others after a restart, and so would the last bits of an image.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.cuda.set_per_process_memory_fraction(settings.gpu_memory_fraction, device)
    options = LoadingOptions(
        device=device,
        dtype=settings.dtype,
        attention_slicing=settings.attention_slicing,
        vae_slicing=settings.vae_slicing,
        vae_tiling=settings.vae_tiling,
        cpu_offload=settings.cpu_offload,
        safety_checker=settings.safety_checker,
        tiny_decoder_for_images=settings.tiny_decoder_for == "images",
    )
    model = load_model(reference, options)
    model.description = model.description.limited_to(
        settings.max_side_pixels, setting="CHLADNI_IMAGE_GENERATION_MAX_SIDE_PIXELS"
    )
    return model


def _limits_of(settings: ImageGenerationSettings, thread_count: int) -> EngineLimits:
    return EngineLimits(
        batch_size=settings.batch_size,
        decode_batch_size=settings.decode_batch_size,
        max_active_requests=settings.max_active_requests,
        max_queued_requests=settings.max_queued_requests,
        cache_bytes=settings.cache_bytes,
        thread_count=thread_count,
        png_compression_level=settings.png_compression_level,
    )


def _warm_up_request(description: ModelDescription) -> GenerationRequest:
    """Return the cheapest request that touches everything a real one does."""
    width_pixels, height_pixels = description.image_size_pixels
    space = description.embedding_space
    return GenerationRequest(
        conditioning=Conditioning(
            audio_embedding=np.full(space.size, 0.5, np.float32) if space else None,
            prompt="warm-up" if "prompt" in description.inputs else "",
        ),
        seed=0,
        steps=2,
        guidance_scale=description.default_guidance_scale,
        scheduler=description.scheduler_names[0],
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        refiner_start=description.default_refiner_start,
    )
