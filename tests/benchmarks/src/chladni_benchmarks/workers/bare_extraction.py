"""The features of a clip without a server.

python -m chladni_benchmarks.workers.bare_extraction
"""

from __future__ import annotations

import time
from typing import Any

from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.composition import load_extractor
from chladni_audio_features.extraction import FeatureExtractor
from chladni_benchmarks.workers.commands import answer_commands
from chladni_fixtures.audio import encoded, melody


class BareExtraction:
    """Extracts what the service extracts by default.

    Args:
        extractor: Computes features.
        content: A clip, as a file.
    """

    def __init__(self, extractor: FeatureExtractor, content: bytes) -> None:
        self._extractor = extractor
        self._content = content

    def extract(self) -> dict[str, Any]:
        """Extract once; return the time and the embedding."""
        started_at = time.perf_counter()
        features = self._extractor.extract(
            self._content, wants_log_mel=False, wants_descriptors=True, wants_embedding=True
        )
        seconds = time.perf_counter() - started_at
        assert features.embedding is not None
        return {"wall_seconds": seconds, "embedding": features.embedding.tolist()}


def main() -> None:
    """Make a clip of 10 s and answer commands."""
    bare = BareExtraction(load_extractor(DecodingLimits()), encoded(melody(10.0)))
    answer_commands({"extract": bare.extract})


if __name__ == "__main__":
    main()
