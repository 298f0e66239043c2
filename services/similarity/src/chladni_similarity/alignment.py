"""How well an image fits a sound: both go into one space, where those that belong together are near.

The space is learnt (`embedders.alignment_network`); a sound comes as its embedding, or as a recording that
audio-features embeds first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chladni_contract.errors import FaultError, NotOfferedError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_similarity.embedders.interface import SoundEmbedder
from chladni_similarity.embedding.cache import Vector
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.images.sources import ImageSource
from chladni_similarity.models.scoring import cosine_of
from chladni_similarity.sounds import EmbeddedSound, Sound, SoundAnalyzer, SoundVector


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """How well an image fits a sound.

    Attributes:
        score: 0 to 1; 0.5 where right and wrong pairs are told apart with equal error.
        cosine: Of the two vectors, -1 to 1.
    """

    score: float
    cosine: float


class Aligner:
    """Brings sounds and images into one space. Lives on one event loop.

    Args:
        engine: Embeds images.
        workers: Embed sounds.
        analyzer: Embeds recordings; `None` where no audio-features service is configured.
    """

    def __init__(
        self, *, engine: EmbeddingEngine, workers: WorkerPool, analyzer: SoundAnalyzer | None
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._analyzer = analyzer

    async def score(
        self, embedder: SoundEmbedder, sound: Sound, image: ImageSource, token: CancellationToken
    ) -> AlignmentScore:
        """Returns how well an image fits a sound.

        Args:
            embedder: The model.
            sound: The sound.
            image: The image.
            token: Says when nobody waits for the result any more.

        Raises:
            ChladniError: What `embed_sound` and `EmbeddingEngine.embed` raise.
        """
        heard = await self.embed_sound(embedder, sound, token)
        seen = await self._engine.embed(embedder, [image], token)
        cosine = cosine_of(heard, seen.vectors[0])
        return AlignmentScore(score=embedder.alignment_score_map.score_of(cosine), cosine=cosine)

    async def embed_sound(self, embedder: SoundEmbedder, sound: Sound, token: CancellationToken) -> Vector:
        """Returns the vector of a sound, (dimension,) of length 1, in the space of the images' vectors.

        Args:
            embedder: The model.
            sound: The sound.
            token: Says when nobody waits for the result any more.

        Raises:
            InvalidInputError: The recording cannot be used.
            NotOfferedError: It is a recording, and no audio-features service is configured.
            UnavailableError: That service cannot be reached.
            DeadlineExceededError: The deadline passed.
            FaultError: The model made no usable vector.
        """
        vector = await self._vector_of(sound, token)
        return await self._workers.run(token, _unit_vector, embedder, vector)

    async def _vector_of(self, sound: Sound, token: CancellationToken) -> SoundVector:
        if isinstance(sound, EmbeddedSound):
            return sound.vector
        if self._analyzer is None:
            raise NotOfferedError(
                "This server takes sounds only as embeddings. Send sound.embedding, which "
                "AudioFeatureService.ExtractFeatures gives of a recording; or have the operator set "
                "CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET, and send the recording."
            )
        return await self._analyzer.analyze(sound, token)


def _unit_vector(embedder: SoundEmbedder, sound: SoundVector) -> Vector:
    (features,) = embedder.embed_sounds(sound[None])
    length = float(np.linalg.norm(features))
    if not np.isfinite(length) or length == 0:
        raise FaultError(Reason.NON_FINITE_OUTPUT, "The model found no finite embedding of the sound.")
    return np.asarray(features / length, np.float32)
