"""The sections, in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol, cast

from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures
from chladni_benchmarks.reports.charts import Chart


class Measurement(Protocol):
    """The interface of a section's module."""

    def measure(self, conditions: Conditions) -> Figures:
        """Return the section's figures.

        Raises:
            MeasurementError: What was measured did not work as it should.
            NotMeasurableError: This machine lacks what the section measures.
        """

    def charts(self, figures: Mapping[str, float]) -> list[Chart]:
        """Return charts of the section's figures."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the measurements that can run alone.

    Attributes:
        name: Name on the command line, and of its module.
        question: What it answers.
    """

    name: str
    question: str

    def load(self) -> Measurement:
        """Import the module, which may take seconds because of torch."""
        return cast(Measurement, import_module(f"chladni_benchmarks.sections.{self.name}"))


SECTIONS: Final = (
    Section("startup", "How soon is it ready, how long does an image take, how much memory is held?"),
    Section("mel", "How fast is the mel spectrogram compared with librosa's?"),
    Section("calls", "What does a call add to the same work done in process?"),
    Section("embedding", "How close does the embedding service come to its bare model?"),
    Section("generation", "How close does image generation come to a bare diffusers loop?"),
    Section("fairness", "How much sooner are short jobs done than first come, first served?"),
    Section("cancellation", "How many steps run after a caller has left?"),
    Section("growth", "How do costs grow with the length of a clip, the images, the queue?"),
    Section("burst", "What happens to 600 requests at once against a queue of 256?"),
    Section("live", "How soon does an image follow live sound, how many a second, and who gives way?"),
    Section("reproducibility", "Does an image depend on concurrent requests, by a single bit?"),
    Section("gpu", "On a GPU: what does batching gain, and is it reproducible?"),
)
