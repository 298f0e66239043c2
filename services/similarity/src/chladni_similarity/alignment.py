"""How well an image fits a sound: both go into one space, where those that belong together are near.

The space is learnt (`embedders.alignment_network`). Audio comes as its embedding, or as a file that
audio-features embeds first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chladni_contract.errors import FaultError, NotOfferedError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_similarity.audio import Audio, AudioAnalyzer, AudioEmbedding, AudioVector
from chladni_similarity.embedders.interface import AudioEmbedder
from chladni_similarity.embedding.cache import Vector
from chladni_similarity.embedding.engine import EmbeddingEngine
from chladni_similarity.images.sources import ImageSource
from chladni_similarity.models.scoring import cosine_of


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """How well an image fits a sound.

    Attributes:
        score: 0 to 1; 0.5 where right and wrong pairs are separated with equal error.
        cosine: Of the two vectors, -1 to 1.
    """

    score: float
    cosine: float


class Aligner:
    """Brings audio and images into one space. Lives on one event loop.

    Args:
        engine: Embeds images.
        workers: Embed audio.
        analyzer: Embeds audio files; `None` if no audio-features service is configured.
    """

    def __init__(
        self, *, engine: EmbeddingEngine, workers: WorkerPool, analyzer: AudioAnalyzer | None
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._analyzer = analyzer

    async def score(
        self, embedder: AudioEmbedder, audio: Audio, image: ImageSource, token: CancellationToken
    ) -> AlignmentScore:
        """Return how well an image fits a sound.

        Args:
            embedder: The model.
            audio: The audio.
            image: The image.
            token: Cancelled when the result is no longer needed.

        Raises:
            ChladniError: What `embed_audio` and `EmbeddingEngine.embed` raise.
        """
        audio_vector = await self.embed_audio(embedder, audio, token)
        (image_vector,) = (await self._engine.embed(embedder, [image], token)).vectors
        cosine = cosine_of(audio_vector, image_vector)
        return AlignmentScore(score=embedder.alignment_score_map.score_of(cosine), cosine=cosine)

    async def embed_audio(self, embedder: AudioEmbedder, audio: Audio, token: CancellationToken) -> Vector:
        """Return the vector of audio, (dimension,) of length 1, in the space of the images' vectors.

        Args:
            embedder: The model.
            audio: The audio.
            token: Cancelled when the result is no longer needed.

        Raises:
            InvalidInputError: The audio file cannot be used.
            NotOfferedError: It is a file, and no audio-features service is configured.
            UnavailableError: That service cannot be reached.
            DeadlineExceededError: The deadline passed.
            FaultError: The model made no usable vector.
        """
        vector = await self._vector_of(audio, token)
        return await self._workers.run(token, _unit_vector, embedder, vector)

    async def _vector_of(self, audio: Audio, token: CancellationToken) -> AudioVector:
        if isinstance(audio, AudioEmbedding):
            return audio.vector
        if self._analyzer is None:
            raise NotOfferedError(
                "This server takes audio only as embeddings. Send audio.embedding, which "
                "AudioFeatureService.ExtractFeatures returns for an audio file; or have the operator set "
                "CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET, and send the file."
            )
        return await self._analyzer.analyze(audio, token)


def _unit_vector(embedder: AudioEmbedder, audio: AudioVector) -> Vector:
    (features,) = embedder.embed_audio(audio[None])
    length = float(np.linalg.norm(features))
    if not np.isfinite(length) or length == 0:
        raise FaultError(Reason.NON_FINITE_OUTPUT, "The model found no finite embedding of the audio.")
    return np.asarray(features / length, np.float32)
