"""The description of music in words, by two analyses of the clip."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.music_features import time_course
from chladni_gateway.domain.prompts import MusicDescription
from chladni_gateway.domain.stages import Stage, at_stage

if TYPE_CHECKING:
    from chladni_gateway.domain.audio import AudioClip, Embedding
    from chladni_gateway.domain.ports import AudioAnalyzer, MusicAnalyzer
    from chladni_runtime.execution.deadlines import Deadline


class ClipDescriber:
    """Describes clips; a `MusicDescriber`.

    Args:
        music: Analyses music.
        analyzer: Finds the embedding, which holds the course over time.
    """

    def __init__(self, music: MusicAnalyzer, analyzer: AudioAnalyzer) -> None:
        self._music = music
        self._analyzer = analyzer

    async def describe(
        self, clip: AudioClip, deadline: Deadline, *, with_time_course: bool = False
    ) -> MusicDescription:
        """Return the features of a clip, and its course over time if that is wanted.

        Raises:
            ChladniError: The clip cannot be used, music cannot be analysed there, or the service failed.
        """
        with at_stage(Stage.AUDIO_FEATURES):
            analysis: dict[str, Any] = await self._music.analyze_music(clip, deadline)
            course = ""
            if with_time_course:
                course = course_of((await self._analyzer.analyze(clip, deadline)).embedding)
        return MusicDescription(analysis["features"], course)


def course_of(embedding: Embedding) -> str:
    """Return the course over time that an embedding holds; empty if it is of another space."""
    if embedding.space != DESCRIPTOR_SPACE or embedding.shape != (COMPONENT_COUNT,):
        return ""
    return time_course(struct.unpack(f"<{COMPONENT_COUNT}f", embedding.data))
