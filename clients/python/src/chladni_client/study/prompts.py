"""The first phase of a study: features, ABC notation and prompts of each clip."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chladni_client.async_client import AsyncClient
from chladni_client.errors import ChladniError, InvalidInputError
from chladni_client.study.clips import Clip, ClipSource, sample_id
from chladni_client.study.records import (
    OnProgress,
    Record,
    Records,
    fault_of,
    is_done,
    key_of,
    work_through,
    write_json,
)

COMPLETE_FILE: Final = "visual_prompts_complete.json"
FLAT_FILE: Final = "prompts_for_image_generation.json"
SUMMARY_FILE: Final = "generation_summary.json"
_ANALYSIS_SECONDS: Final = 120.0
"""Time for one analysis, several of which may be in progress."""


class BatchPromptGenerator:
    """Writes prompts for the clips of a data set.

        generator = BatchPromptGenerator("clips.npy", "generated_prompts")
        results = await generator.generate_all_prompts([0, 1, 2, 3, 4])
        generator.save_results()
        generator.save_summary_stats()

    Each clip's results are kept as soon as they are there: a later call, in another process too, goes on with
    those that are left.

    Args:
        dataset_path: What `ClipSource` takes.
        output_dir: Folder of the results.
        use_mel_spectrogram: Whether the writer is told the course of the mel spectrogram over time, too.
        batch_size: Clips at a time.
        client: Client to use; one of its own, for the environment's server, if absent.
        writer: Writer by its name; the server's default if empty.
        seed: Seed of the first clip; each further one has the next.
    """

    def __init__(
        self,
        dataset_path: str | os.PathLike[str],
        output_dir: str | os.PathLike[str] = "generated_prompts",
        *,
        use_mel_spectrogram: bool = False,
        batch_size: int = 5,
        client: AsyncClient | None = None,
        writer: str = "",
        seed: int = 0,
    ) -> None:
        self._clips = ClipSource(dataset_path)
        self._folder = Path(output_dir)
        self._records = Records(self._folder)
        self._with_time_course = use_mel_spectrogram
        self._batch_size = batch_size
        self._client = client
        self._writer = writer
        self._seed = seed

    def __len__(self) -> int:
        return len(self._clips)

    async def generate_all_prompts(
        self, sample_indices: Sequence[int] | None = None, *, on_progress: OnProgress | None = None
    ) -> list[Record]:
        """Return the prompts of clips, with features and notation; clips that cannot be used are left out.

        Args:
            sample_indices: Places of the clips; all if absent.
            on_progress: Called after each clip.

        Raises:
            ChladniError: The server cannot do it, for a reason that is not the clip's.
            IndexError: There is no clip at an index.
        """
        indices = list(range(len(self._clips)) if sample_indices is None else sample_indices)
        clips = [self._clips[index] for index in indices]
        left = await asyncio.to_thread(self._left_of, clips)
        await work_through(
            left,
            self._write,
            client=self._client,
            total=len(clips),
            concurrency=self._batch_size,
            on_progress=on_progress,
        )
        chosen = set(indices)
        return [
            record
            for record in await asyncio.to_thread(self.samples)
            if record["sample_index"] in chosen and "error" not in record
        ]

    def samples(self) -> list[Record]:
        """Return the records of all clips so far, in their order; those that failed have an ``error``.

        Records of other options, or of clips that have changed, do not count.
        """
        found = [index for index in range(len(self._clips)) if self._records.has(sample_id(index))]
        records = (self._records.get(sample_id(index), self._key(index)) for index in found)
        return [record for record in records if record is not None]

    def save_results(self) -> None:
        """Write the prompts of all clips so far, once by clip and once as a list of prompts."""
        used = [record for record in self.samples() if "error" not in record]
        write_json(self._folder / COMPLETE_FILE, {"samples": used})
        flat = [
            {
                "sample_index": record["sample_index"],
                "sample_id": record["sample_id"],
                **prompt,
                "image_file": image_path(record["sample_index"], prompt["prompt_index"]),
            }
            for record in used
            for prompt in record["prompts"]
        ]
        write_json(self._folder / FLAT_FILE, flat)

    def save_summary_stats(self) -> None:
        """Write how many prompts there are, and which clips were skipped."""
        samples = self.samples()
        used = [record for record in samples if "error" not in record]
        modes = [prompt["mode"] for record in used for prompt in record["prompts"]]
        summary = {
            "total_samples": len(used),
            "total_prompts": len(modes),
            "convergent_prompts": modes.count("convergent"),
            "divergent_prompts": modes.count("divergent"),
            "failed_samples": [record for record in samples if "error" in record],
        }
        write_json(self._folder / SUMMARY_FILE, summary)

    def _left_of(self, clips: Sequence[Clip]) -> list[Clip]:
        return [
            clip for clip in clips if not is_done(self._records.get(clip.sample_id, self._key(clip.index)))
        ]

    def _key(self, index: int) -> str:
        name, digest = self._clips[index].name, self._clips.digest(index)
        return key_of(name, digest, self._with_time_course, self._writer, self._seed)

    async def _write(self, client: AsyncClient, clip: Clip) -> None:
        head: dict[str, Any] = {
            "sample_index": clip.index,
            "sample_id": clip.sample_id,
            "source": clip.name,
            "source_sha256": self._clips.digest(clip.index),
        }
        try:
            analysis = await client.analyze_music(
                clip.audio, sample_rate_hz=clip.sample_rate_hz, timeout_seconds=_ANALYSIS_SECONDS
            )
            by_audio = self._with_time_course
            written = await client.write_prompts(
                clip.audio if by_audio else None,
                features=None if by_audio else analysis.features,
                sample_rate_hz=clip.sample_rate_hz if by_audio else None,
                with_time_course=by_audio,
                seed=(self._seed + clip.index) % 2**32,
                writer=self._writer,
            )
        except (ChladniError, OSError) as error:
            if (fault := fault_of(error)) is None:
                raise
            await self._put(clip, head | {"error": fault})
            return
        record = head | {
            "features": dict(analysis.features),
            "abc_notation": analysis.abc_notation,
            "time_course": written.time_course,
            "writer": written.writer,
            "model": written.model,
            "seed": written.seed,
            "prompts": [
                {
                    "prompt_index": index,
                    "prompt": prompt.text,
                    "mode": prompt.style.value,
                    "temperature": prompt.temperature,
                }
                for index, prompt in enumerate(written.prompts)
            ],
        }
        await self._put(clip, record)

    async def _put(self, clip: Clip, record: Record) -> None:
        await asyncio.to_thread(self._records.put, clip.sample_id, self._key(clip.index), record)


def read_samples(prompts_file: str | os.PathLike[str]) -> list[Record]:
    """Return the clips and their prompts that a file with all prompts holds.

    Raises:
        InvalidInputError: The file is not one that `BatchPromptGenerator` wrote.
        OSError: The file cannot be read.
    """
    content = Path(prompts_file).read_bytes()
    try:
        samples: list[Record] = json.loads(content)["samples"]
        numbers = [sample["sample_index"] for sample in samples]
        numbers += [prompt["prompt_index"] for sample in samples for prompt in sample["prompts"]]
    except (ValueError, KeyError, TypeError):
        numbers = [None]
    if not all(isinstance(number, int) for number in numbers):  # Names of files are made of them.
        raise InvalidInputError(
            f"{os.fspath(prompts_file)} is no file with all prompts; write one by --only prompts.",
            reason="INVALID_FIELD",
        )
    return samples


def image_path(sample_index: int, prompt_index: int) -> str:
    """Return where the image of a prompt is, relative to the folder of images."""
    name = sample_id(sample_index)
    return f"{name}/{name}_prompt_{prompt_index:02d}.png"
