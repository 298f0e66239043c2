"""The second phase of a study: creativity scores of the prompts, and convergent against divergent ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import pstdev
from typing import Any, Final

from chladni_client.async_client import AsyncClient
from chladni_client.study.clips import sample_id
from chladni_client.study.prompts import read_samples
from chladni_client.study.records import (
    OnProgress,
    Record,
    Records,
    key_of,
    mean,
    work_through,
    write_json,
)

SCORES_FILE: Final = "creativity_prompt_scores.json"
SAMPLES_FILE: Final = "creativity_sample_summaries.json"
STATISTICS_FILE: Final = "creativity_dataset_stats.json"
REPORT_FILE: Final = "creativity_comparison_report.json"
METRICS: Final = ("originality", "elaboration", "alignment", "coherence")
MODES: Final = ("convergent", "divergent")

_MAX_REFERENCES: Final = 256


class BatchCreativityCalculator:
    """Scores the prompts of a data set.

        calculator = BatchCreativityCalculator("generated_prompts/visual_prompts_complete.json")
        scores = calculator.calculate_all_scores()
        calculator.save_results()

    Args:
        prompts_file: The file with all prompts that `BatchPromptGenerator` wrote.
        output_dir: Folder of the results.
        batch_size: Clips at a time.
        client: Client to use; one of its own if absent.
    """

    def __init__(
        self,
        prompts_file: str | os.PathLike[str],
        output_dir: str | os.PathLike[str] = "creativity_scores",
        *,
        batch_size: int = 5,
        client: AsyncClient | None = None,
    ) -> None:
        self._samples = read_samples(prompts_file)
        self._folder = Path(output_dir)
        self._records = Records(self._folder)
        self._batch_size = batch_size
        self._client = client

    @property
    def sample_indices(self) -> list[int]:
        """Places of the clips that have prompts."""
        return [sample["sample_index"] for sample in self._samples]

    def calculate_all_scores(self, sample_indices: Sequence[int] | None = None) -> list[Record]:
        """Return the scores of the prompts of clips; see `score_all`, which is for event loops."""
        return asyncio.run(self.score_all(sample_indices))

    async def score_all(
        self, sample_indices: Sequence[int] | None = None, *, on_progress: OnProgress | None = None
    ) -> list[Record]:
        """Return the scores of the prompts of clips, each measured against those of the other clips, too.

        Args:
            sample_indices: Places of the clips; all if absent.
            on_progress: Called after each clip.

        Raises:
            ChladniError: The server cannot do it.
        """
        chosen = [
            sample
            for sample in self._samples
            if sample["prompts"] and (sample_indices is None or sample["sample_index"] in sample_indices)
        ]
        left = [sample for sample in chosen if self._record_of(sample) is None]
        await work_through(
            left,
            self._score,
            client=self._client,
            total=len(chosen),
            concurrency=self._batch_size,
            on_progress=on_progress,
        )
        return [score for sample in chosen for score in (self._record_of(sample) or {"scores": []})["scores"]]

    def save_results(self) -> None:
        """Write the scores by prompt, by clip and over all, and convergent against divergent prompts."""
        records = [record for sample in self._samples if (record := self._record_of(sample)) is not None]
        scores = [score for record in records for score in record["scores"]]
        write_json(self._folder / SCORES_FILE, scores)
        write_json(self._folder / SAMPLES_FILE, [_summary_of(record) for record in records])
        write_json(self._folder / STATISTICS_FILE, _statistics_of(records, scores))
        write_json(self._folder / REPORT_FILE, _report_of(scores))

    def _record_of(self, sample: Record) -> Record | None:
        return self._records.get(sample_id(sample["sample_index"]), self._key(sample))

    def _key(self, sample: Record) -> str:
        return key_of(_texts(sample), sample["features"], self._references_of(sample))

    def _references_of(self, sample: Record) -> list[str]:
        """Return the prompts of other clips, evenly chosen if there are more than the server takes."""
        others = [text for other in self._samples if other is not sample for text in _texts(other)]
        step = max(1, -(-len(others) // _MAX_REFERENCES))
        return others[::step]

    async def _score(self, client: AsyncClient, sample: Record) -> None:
        scored = await client.score_prompts(
            _texts(sample), features=sample["features"], reference_prompts=self._references_of(sample)
        )
        record = {
            "sample_index": sample["sample_index"],
            "sample_id": sample["sample_id"],
            "vendi_score": scored.vendi_score,
            "similarity": scored.similarity,
            "scores": [
                {
                    "sample_index": sample["sample_index"],
                    "sample_id": sample["sample_id"],
                    "prompt_index": prompt["prompt_index"],
                    "mode": prompt["mode"],
                    "prompt": prompt["prompt"],
                    **asdict(score),
                    "overall": mean(asdict(score).values()),
                }
                for prompt, score in zip(sample["prompts"], scored.scores, strict=True)
            ],
        }
        name = sample_id(sample["sample_index"])
        await asyncio.to_thread(self._records.put, name, self._key(sample), record)


def _texts(sample: Record) -> list[str]:
    return [prompt["prompt"] for prompt in sample["prompts"]]


def _metrics_of(scores: Sequence[Record]) -> dict[str, Any]:
    averages = {f"{name}_avg": mean(score[name] for score in scores) for name in METRICS}
    return {"count": len(scores), **averages, "overall_avg": mean(score["overall"] for score in scores)}


def _of_mode(scores: Sequence[Record], mode: str) -> list[Record]:
    return [score for score in scores if score["mode"] == mode]


def _summary_of(record: Record) -> Record:
    scores = record["scores"]
    return {
        "sample_index": record["sample_index"],
        "sample_id": record["sample_id"],
        "prompt_count": len(scores),
        "vendi_score": record["vendi_score"],
        **{f"{name}_avg": mean(score[name] for score in scores) for name in METRICS},
        **{f"{mode}_metrics": _metrics_of(_of_mode(scores, mode)) for mode in MODES},
    }


def _statistics_of(records: Sequence[Record], scores: Sequence[Record]) -> Record:
    statistics: Record = {
        "total_samples": len(records),
        "total_prompts": len(scores),
        "similarity": records[0]["similarity"] if records else "",
        "vendi_score_avg": mean(record["vendi_score"] for record in records),
    }
    for name in (*METRICS, "overall"):
        values = [score[name] for score in scores if score[name] is not None]
        statistics[name] = {
            "avg": mean(values),
            "std": pstdev(values) if values else 0.0,
            "min": min(values, default=0.0),
            "max": max(values, default=0.0),
        }
    return statistics


def _report_of(scores: Sequence[Record]) -> Record:
    convergent, divergent = (_metrics_of(_of_mode(scores, mode)) for mode in MODES)
    return {
        "convergent_metrics": convergent,
        "divergent_metrics": divergent,
        "differences": {
            f"{name}_avg": divergent[f"{name}_avg"] - convergent[f"{name}_avg"] for name in METRICS
        },
    }
