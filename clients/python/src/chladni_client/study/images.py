"""The third phase of a study: an image of each prompt."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from chladni_client.async_client import AsyncClient
from chladni_client.errors import ChladniError, InvalidInputError
from chladni_client.study.clips import ClipSource, sample_id
from chladni_client.study.prompts import image_path, read_samples
from chladni_client.study.records import (
    OnProgress,
    Record,
    Records,
    fault_of,
    is_done,
    key_of,
    work_through,
    write_file,
    write_json,
)
from chladni_client.types.images import Priority
from chladni_client.types.options import CreationOptions

LOG_FILE: Final = "image_generation_log.json"
SUMMARY_FILE: Final = "image_generation_summary.json"
RECIPE: Final = "music-prompts"
_IMAGE_SECONDS: Final = 900.0
"""Time for one image, which may wait behind interactive requests."""


class BatchImageGenerator:
    """Generates an image of each prompt of a data set.

        file = "generated_prompts/visual_prompts_complete.json"
        generator = BatchImageGenerator(file, "images", "clips.npy")
        results = asyncio.run(generator.generate_all_images())
        generator.save_results()

    Where the images are computed is the server's choice; the summary says which device it was.

    Args:
        prompts_file: The file with all prompts that `BatchPromptGenerator` wrote.
        output_dir: Folder of the images.
        dataset_path: The clips that the prompts are for.
        image_width: Width in pixels.
        image_height: Height in pixels.
        num_inference_steps: Denoising steps.
        use_refiner: Whether the model's refiner takes over at the end, if it has one.
        batch_size: Images at a time.
        client: Client to use; one of its own if absent.
        model: Image model by its identifier; the recipe's choice if empty.
        seed: Seed of the first clip's first prompt.
    """

    def __init__(
        self,
        prompts_file: str | os.PathLike[str],
        output_dir: str | os.PathLike[str] = "images",
        dataset_path: str | os.PathLike[str] = "dataset",
        *,
        image_width: int = 768,
        image_height: int = 768,
        num_inference_steps: int = 30,
        use_refiner: bool = False,
        batch_size: int = 4,
        client: AsyncClient | None = None,
        model: str = "",
        seed: int = 0,
    ) -> None:
        self._samples = read_samples(prompts_file)
        self._clips = ClipSource(dataset_path)
        self._folder = Path(output_dir)
        self._records = Records(self._folder)
        self._batch_size = batch_size
        self._client = client
        self._seed = seed
        self._options: CreationOptions = {
            "recipe": RECIPE,
            "width_pixels": image_width,
            "height_pixels": image_height,
            "steps": num_inference_steps,
            "refiner_start": None if use_refiner else 1.0,
            "priority": Priority.BATCH,
            "model": model,
        }

    @property
    def sample_indices(self) -> list[int]:
        """Places of the clips that have prompts."""
        return [sample["sample_index"] for sample in self._samples]

    async def generate_all_images(
        self,
        sample_indices: Sequence[int] | None = None,
        *,
        limit: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Record]:
        """Return what is known of the images of clips; those that cannot be made have an ``error``.

        Args:
            sample_indices: Places of the clips; all if absent.
            limit: Images at most, the first ones.
            on_progress: Called after each image.

        Raises:
            ChladniError: The server cannot do it, for a reason that is not the prompt's; or the clips are not
                those that the prompts were written for.
        """
        wanted = [
            (sample, prompt)
            for sample in self._samples
            if sample_indices is None or sample["sample_index"] in sample_indices
            for prompt in sample["prompts"]
        ][:limit]
        left = await asyncio.to_thread(self._left_of, wanted)
        await work_through(
            left,
            lambda client, item: self._generate(client, *item),
            client=self._client,
            total=len(wanted),
            concurrency=self._batch_size,
            on_progress=on_progress,
        )
        return [record for item in wanted if (record := self._record_of(*item)) is not None]

    def save_results(self) -> None:
        """Write the log of all images so far, and their summary."""
        items = [(sample, prompt) for sample in self._samples for prompt in sample["prompts"]]
        records = (self._records.get(_name(*item), self._key(*item)) for item in items)
        log = [record for record in records if record is not None]  # None of other options or prompts.
        made = [entry for entry in log if "error" not in entry]
        sizes = sorted({f"{entry['width']}x{entry['height']}" for entry in made})
        summary = {
            "total_images_generated": len(made),
            "total_images_failed": len(log) - len(made),
            "success_rate": 100.0 * len(made) / len(log) if log else 0.0,
            "image_dimensions": ", ".join(sizes),
            "num_inference_steps": self._options["steps"],
            "device": ", ".join(sorted({entry["device"] for entry in made})),
            "models": sorted({entry["model"] for entry in made}),
            "failed_images": [entry for entry in log if "error" in entry],
        }
        write_json(self._folder / LOG_FILE, log)
        write_json(self._folder / SUMMARY_FILE, summary)

    def _left_of(self, wanted: Sequence[tuple[Record, Record]]) -> list[tuple[Record, Record]]:
        left = [item for item in wanted if not is_done(self._record_of(*item))]
        for index, sample in {sample["sample_index"]: sample for sample, _ in left}.items():
            digest = self._clips.digest(index) if 0 <= index < len(self._clips) else None
            # One that cannot be read is skipped later; files of earlier versions name no digest.
            if digest != "" and digest != sample.get("source_sha256", digest or ""):
                raise InvalidInputError(
                    f"Clip {index} is not the one that the prompts were written for, {sample['source']}; "
                    "choose those clips, or write prompts again by --only prompts.",
                    reason="INVALID_FIELD",
                )
        return left

    def _record_of(self, sample: Record, prompt: Record) -> Record | None:
        """Return the record of an image that is there, or that cannot be made."""
        record = self._records.get(_name(sample, prompt), self._key(sample, prompt))
        if record is None or "error" in record:
            return record
        try:
            content = (self._folder / record["image_file"]).read_bytes()
        except FileNotFoundError:
            return None
        return record if hashlib.sha256(content).hexdigest() == record["sha256"] else None

    def _key(self, sample: Record, prompt: Record) -> str:
        options = {name: str(value) for name, value in self._options.items()}
        clip = sample["source"], sample.get("source_sha256", "")
        return key_of(*clip, prompt["prompt"], options, self._seed)

    def _seed_of(self, sample: Record, prompt: Record) -> int:
        digest = hashlib.sha256(f"{self._seed}/{_name(sample, prompt)}".encode()).digest()
        return int.from_bytes(digest[:4])

    async def _generate(self, client: AsyncClient, sample: Record, prompt: Record) -> None:
        key = self._key(sample, prompt)
        clip = self._clips[sample["sample_index"]]
        head: dict[str, Any] = {
            "sample_index": sample["sample_index"],
            "prompt_index": prompt["prompt_index"],
            "mode": prompt["mode"],
            "prompt": prompt["prompt"],
            "image_file": image_path(sample["sample_index"], prompt["prompt_index"]),
        }
        options: CreationOptions = {
            **self._options,
            "prompt": prompt["prompt"],
            "seed": self._seed_of(sample, prompt),
        }
        try:
            image = await client.create_image(
                clip.audio,
                sample_rate_hz=clip.sample_rate_hz,
                # The same after a restart: the server then gives the image that it made, within an hour.
                request_id=str(uuid5(NAMESPACE_OID, f"{client.session_token}/{key}")),
                timeout_seconds=_IMAGE_SECONDS,
                **options,
            )
        except (ChladniError, OSError) as error:
            if (fault := fault_of(error)) is None:
                raise
            await asyncio.to_thread(self._records.put, _name(sample, prompt), key, head | {"error": fault})
            return
        await asyncio.to_thread(write_file, self._folder / head["image_file"], image.content)
        provenance = image.provenance
        record = head | {
            "seed": provenance.seed,
            "model": provenance.model,
            "steps": provenance.steps,
            "width": image.width_pixels,
            "height": image.height_pixels,
            "device": provenance.device,
            "sha256": hashlib.sha256(image.content).hexdigest(),
        }
        await asyncio.to_thread(self._records.put, _name(sample, prompt), key, record)


def _name(sample: Record, prompt: Record) -> str:
    return f"{sample_id(sample['sample_index'])}_prompt_{prompt['prompt_index']:02d}"
