"""The computing half of the engine: steps and decoding of several requests, on the engine's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from chladni_contract.errors import ChladniError, FaultError, Reason
from chladni_image_generation.engine.batch_invariance import (
    is_decoder_batch_invariant,
    is_denoiser_batch_invariant,
)
from chladni_image_generation.engine.batching import BatchGroup, BatchSizes, decode_latents, denoise_rows
from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import GenerationRequest, Preview, PreviewOptions
from chladni_image_generation.image_codec import encode_preview
from chladni_image_generation.models.interface import ImagesWithheldError
from chladni_runtime.execution.processors import yield_to_event_loop
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoint, Failpoints

if TYPE_CHECKING:
    from chladni_image_generation.engine.checkpoints.checkpointer import Checkpointer
    from chladni_image_generation.models.interface import LatentDiffusionModel

_log = logging.getLogger(__name__)
_ALONE = "a row depends on its place in a call of %d rows of %s; reproducible requests go alone"
_OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)
_CPU_ALLOCATOR: Final = "DefaultCPUAllocator"
"""Name in the RuntimeError of a shortage of main memory, and the only sign that sets it apart from others."""

OutcomeT = TypeVar("OutcomeT")


@dataclass(eq=False, slots=True)
class ExecutionState:
    """A request on its way through the model.

    Attributes:
        request: What to generate.
        first_group: Whose calls its first step shares, as far as is known before it.
        previews: Which previews its callers want.
        sampler: Its state in the model; `None` before its first step.
        batch_sizes: Rows of the calls that its steps were part of, by the group of the steps.
        decode_batch_size: Images of the call that decoded it; 0 before that.
        checkpoint_key: What it has in common with identical requests, which may go on from its checkpoints;
            `None` if it has none.
        checkpointed_at: When the last of them was due, by the checkpointer's clock.
    """

    request: GenerationRequest
    first_group: BatchGroup
    previews: frozenset[PreviewOptions] = frozenset()
    sampler: Sampler | None = None
    batch_sizes: dict[BatchGroup, int] = field(default_factory=dict)
    decode_batch_size: int = 0
    checkpoint_key: str | None = None
    checkpointed_at: float | None = None

    @property
    def group(self) -> BatchGroup:
        """Whose calls its next step shares."""
        return self.sampler.group if self.sampler else self.first_group

    @property
    def batch_size(self) -> int:
        """Rows of the largest call that a step of it was part of; 0 before the first."""
        return max(self.batch_sizes.values(), default=0)

    @property
    def steps_done(self) -> int:
        """Denoising steps taken so far."""
        return self.sampler.steps_done if self.sampler else 0

    @property
    def total_steps(self) -> int:
        """Denoising steps in all; known exactly once the first is taken."""
        return self.sampler.total_steps if self.sampler else self.request.steps

    @property
    def remaining(self) -> list[tuple[BatchGroup, int]]:
        """Whose calls its steps to the end share, and how many of each; a guess before the first."""
        return self.sampler.remaining if self.sampler else [(self.first_group, self.request.steps)]

    @property
    def is_denoised(self) -> bool:
        """Whether every step is taken."""
        return self.sampler is not None and self.sampler.is_denoised


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A request is one step further.

    Attributes:
        previews: What was wanted after this step, by the length of the longer side in pixels.
    """

    previews: Mapping[int, Preview] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retried:
    """A request took no step: memory was too short for its batch, which is smaller from now on."""


@dataclass(frozen=True, slots=True)
class Rescheduled:
    """A request took no step: its next one is part of other calls than was thought before the request began.

    That is so if it begins with another network than the model's first one, and if it goes back from a
    later network to the start.
    """


StepOutcome = StepTaken | Retried | Rescheduled | ChladniError
DecodeOutcome = NDArray[np.uint8] | ChladniError


class Executor:
    """The steps and the decoding of requests, the rows of several sharing the calls of the model.

    A request that fails does so alone; the others' outcomes are as if it had not been there. Where memory is
    too short for a batch, the batch is halved, down to one row.

    Args:
        model: The model.
        denoiser_batches: Rows of the denoiser's calls.
        decoder_batches: Images of the decoder's calls.
        failpoints: For tests of robustness.
        checkpointer: Writes and reads checkpoints; `None` for none.
    """

    def __init__(
        self,
        model: LatentDiffusionModel,
        *,
        denoiser_batches: BatchSizes,
        decoder_batches: BatchSizes,
        failpoints: Failpoints = NO_FAILPOINTS,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        self._model = model
        self._failpoints = failpoints
        self._denoiser_batches = denoiser_batches
        self._decoder_batches = decoder_batches
        self._checkpointer = checkpointer

    def step(self, executions: Sequence[ExecutionState]) -> list[StepOutcome]:
        """Take one denoising step of each of these requests of one group."""
        with torch.inference_mode():
            return self._step(executions)

    def decode(self, executions: Sequence[ExecutionState]) -> list[DecodeOutcome]:
        """Return the RGB pixels (H, W, 3) of denoised requests of one group."""
        with torch.inference_mode():
            return self._decode(executions)

    def _step(self, executions: Sequence[ExecutionState]) -> list[StepOutcome]:
        group = executions[0].group
        rows_per_call = self._denoiser_batches.rows_per_call(group)
        try:
            with _shortage_as_memory_error():
                self._failpoints.reach_blocking(Failpoint.STEP_BEFORE)
                samplers = [self._sampler_of(execution) for execution in executions]
                stepping = [sampler for sampler in samplers if sampler.group == group]
                if not stepping:
                    return [Rescheduled()] * len(executions)
                rows_per_call = self._checked_rows_per_call(
                    self._denoiser_batches, group, partial(self._is_denoiser_invariant, stepping[0])
                )
                rows = [row for sampler in stepping for row in sampler.rows()]
                predictions = iter(
                    denoise_rows(self._model, rows, rows_per_call=rows_per_call, padded=group.reproducible)
                )
                largest_call = self._denoiser_batches.largest_call(group, len(rows))
        except _OUT_OF_MEMORY as error:
            _free_memory()
            if rows_per_call == 1:
                return _each_alone(self._step, executions, error)
            self._halve(executions, group)
            _log.warning("out of memory: calls of the denoiser had %d rows, now half", rows_per_call)
            return [Retried()] * len(executions)
        except Exception as error:  # noqa: BLE001 - any fault of a model ends one request, not the engine
            return _each_alone(self._step, executions, error)
        outcomes: list[StepOutcome] = []
        for execution, sampler in zip(executions, samplers, strict=True):
            if sampler.group != group:
                outcomes.append(Rescheduled())
                continue
            own_predictions = list(islice(predictions, group.rows_per_request))
            execution.batch_sizes[group] = max(execution.batch_sizes.get(group, 0), largest_call)
            try:
                sampler.advance(own_predictions)
                if self._checkpointer is not None:
                    self._checkpointer.keep(execution)
                self._failpoints.reach_blocking(Failpoint.STEP_AFTER)
                outcomes.append(StepTaken(self._previews(execution, sampler)))
            except Exception as error:  # noqa: BLE001 - as above
                outcomes.append(_as_answer(error))
        return outcomes

    def _checked_rows_per_call(
        self, sizes: BatchSizes, group: BatchGroup, is_invariant: Callable[[int], bool]
    ) -> int:
        """Return the rows of a group's calls, once it is sure that they do not depend on each other."""
        row_count = sizes.rows_per_call(group)
        if group.reproducible and row_count > group.rows_per_request and not sizes.is_safe(group):
            if is_invariant(row_count):
                sizes.note_safe(group)
            else:
                sizes.leave_alone(group)
                _log.warning(_ALONE, row_count, group.latent_shape)
        return sizes.rows_per_call(group)

    def _halve(self, executions: Sequence[ExecutionState], group: BatchGroup) -> None:
        """Make the calls of a group smaller, and those that led these requests to it.

        A request that starts again so has calls of the sizes that a smaller batch size gives from the start.
        """
        earlier_groups = {earlier for execution in executions for earlier in execution.batch_sizes}
        # Networks share a size.
        for one in {replace(one, network="") for one in (group, *earlier_groups)}:
            self._denoiser_batches.halve(one)

    def _is_denoiser_invariant(self, sampler: Sampler, row_count: int) -> bool:
        return is_denoiser_batch_invariant(self._model, sampler.rows()[0], row_count)

    def _sampler_of(self, execution: ExecutionState) -> Sampler:
        """Return a request's sampler: a new one if its earlier steps had calls of another size.

        Only so does the result stay the one that the provenance promises. One that has none yet goes on from
        the checkpoint of an identical request, if there is one.
        """
        if execution.sampler is None and self._checkpointer is not None:
            execution.sampler = self._checkpointer.resume(execution, self._model)
        has_other_size = execution.request.reproducible and any(
            rows != self._denoiser_batches.rows_per_call(group)
            for group, rows in execution.batch_sizes.items()
        )
        if execution.sampler is None or has_other_size:
            execution.sampler = Sampler(self._model, execution.request)
            execution.batch_sizes.clear()
        return execution.sampler

    def _previews(self, execution: ExecutionState, sampler: Sampler) -> dict[int, Preview]:
        if sampler.is_denoised:
            return {}
        sizes = {wanted.size_pixels for wanted in execution.previews if wanted.is_due(sampler.steps_done)}
        try:
            return {
                size: encode_preview(sampler.finish(self._model.preview(sampler.clean_estimate, size)), size)
                for size in sizes
            }
        except ImagesWithheldError:
            return {}
        except Exception:  # noqa: BLE001 - no preview is worth an image
            _log.warning("a preview failed", exc_info=True)
            return {}

    def _decode(self, executions: Sequence[ExecutionState]) -> list[DecodeOutcome]:
        group = executions[0].group.images
        rows_per_call = self._decoder_batches.rows_per_call(group)
        try:
            with _shortage_as_memory_error():
                rows_per_call = self._checked_rows_per_call(
                    self._decoder_batches,
                    group,
                    partial(is_decoder_batch_invariant, self._model, group.latent_shape),
                )
                self._failpoints.reach_blocking(Failpoint.FINISH_BEFORE)
                samplers = [execution.sampler for execution in executions if execution.sampler is not None]
                decoded = decode_latents(
                    self._model,
                    [sampler.latents for sampler in samplers],
                    rows_per_call=rows_per_call,
                    padded=group.reproducible,
                )
                images = [sampler.finish(pixels) for sampler, pixels in zip(samplers, decoded, strict=True)]
                self._failpoints.reach_blocking(Failpoint.FINISH_AFTER)
        except _OUT_OF_MEMORY as error:
            _free_memory()
            if rows_per_call == 1:
                return _each_alone(self._decode, executions, error)
            self._decoder_batches.halve(group)
            _log.warning("out of memory: calls of the decoder had %d images, now half", rows_per_call)
            return self._decode(executions)
        except Exception as error:  # noqa: BLE001 - as above
            return _each_alone(self._decode, executions, error)
        for execution in executions:
            execution.decode_batch_size = self._decoder_batches.largest_call(group, len(executions))
        return list(images)


def _each_alone(
    work: Callable[[Sequence[ExecutionState]], list[OutcomeT]],
    executions: Sequence[ExecutionState],
    error: Exception,
) -> list[OutcomeT | ChladniError]:
    """Repeat one by one what failed for several, so that only the culprit fails."""
    if len(executions) == 1:
        return [_as_answer(error)]
    return [outcome for execution in executions for outcome in work([execution])]


@contextmanager
def _shortage_as_memory_error() -> Iterator[None]:
    """Raise `MemoryError` in place of the RuntimeError of torch's allocator of main memory.

    For a GPU's memory torch raises an error of its own, `torch.OutOfMemoryError`, which passes.
    """
    try:
        yield
    except RuntimeError as error:
        if _CPU_ALLOCATOR not in str(error):
            raise
        raise MemoryError("too little main memory for tensors") from error


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _as_answer(error: Exception) -> ChladniError:
    """Return the error that the caller of a failed request gets."""
    if isinstance(error, ChladniError):
        return error
    _log.error("a generation failed", exc_info=error)
    if isinstance(error, _OUT_OF_MEMORY):
        return ChladniError(
            Reason.OUT_OF_MEMORY,
            "The model ran out of memory for this request. Try again when fewer requests are in progress, or "
            "ask for a smaller image. Where a GPU is too small, its operator can set "
            "CHLADNI_IMAGE_GENERATION_CPU_OFFLOAD=true, or CHLADNI_IMAGE_GENERATION_DEVICE=cpu.",
            retry_after_seconds=1.0,
        )
    return FaultError(Reason.INTERNAL, "The model failed on this request.")


def new_compute_thread(thread_count: int) -> ThreadPoolExecutor:
    """Return the thread that engines compute on.

    Args:
        thread_count: Threads of a computation on the CPU.
    """
    return ThreadPoolExecutor(
        1, thread_name_prefix="engine", initializer=partial(_prepare_compute_thread, thread_count)
    )


def _prepare_compute_thread(thread_count: int) -> None:
    yield_to_event_loop()
    torch.set_num_threads(thread_count)  # counts for the thread that sets it
