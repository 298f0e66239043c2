"""How well a stored image fits the audio of a stored image: its own, or another's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachetools import TTLCache

from chladni_contract.errors import ChladniError, NotFoundError, Reason
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.domain.storage.image_store import describe_owned

if TYPE_CHECKING:
    from uuid import UUID

    from chladni_gateway.domain.audio import Embedding
    from chladni_gateway.domain.ports import Alignment, AlignmentScorer
    from chladni_gateway.domain.storage.image_store import ImageStore
    from chladni_runtime.execution.deadlines import Clock, Deadline

REMEMBERED_SECONDS: Final = 600.0
"""Time for which an alignment is remembered. It never changes for one model; this lets a new one in."""

_MAX_REMEMBERED: Final = 4096
_AUDIO_FIELD: Final = "audio"


class NoAlignmentError(NotFoundError):
    """An image cannot be aligned with audio, since a usable embedding of the audio was not kept.

    Args:
        message: What is missing, and what to do.
        image_id: The image of the audio.
    """

    def __init__(self, message: str, image_id: UUID) -> None:
        metadata = {"image_id": str(image_id), STAGE_KEY: Stage.SIMILARITY.value}
        super().__init__(Reason.NO_ALIGNMENT, message, metadata=metadata)


class ImageAligner:
    """Scores how well images fit audio. One for all transports.

    Args:
        store: Holds the images, each with the embedding of its audio.
        scorer: Scores how well they fit.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, *, store: ImageStore, scorer: AlignmentScorer, clock: Clock) -> None:
        self._store = store
        self._scorer = scorer
        self._memory = AlignmentMemory(clock)

    async def score(self, image_id: UUID, *, audio_of: UUID, owner: str, deadline: Deadline) -> Alignment:
        """Return how well an image fits the audio of an image, which may be the same one.

        Args:
            image_id: The image.
            audio_of: The image whose audio it is.
            owner: Whose images both must be.
            deadline: When the answer must be there.

        Raises:
            NotFoundError: The owner has no image of an identifier.
            NoAlignmentError: The embedding of the audio was not kept, or is not one that the model takes.
            ChladniError: A service failed, or does not offer this.
        """
        with at_stage(Stage.STORAGE):
            record = await describe_owned(self._store, image_id, owner=owner)
            source = await describe_owned(self._store, audio_of, owner=owner)
        if source.audio_embedding is None:
            raise NoAlignmentError(
                f"The image {audio_of} was made before descriptions of sounds were kept, so what fits its "
                "sound is unknown. Create it again from its audio file.",
                audio_of,
            )
        known = self._memory.find(record.sha256, source.audio_embedding)
        if known is not None:
            return known
        with at_stage(Stage.STORAGE):
            image = (await self._store.get(image_id)).image
        alignment = await self._score(source.audio_embedding, image, audio_of, deadline)
        self._memory.keep(record.sha256, source.audio_embedding, alignment)
        return alignment

    async def _score(self, audio: Embedding, image: Image, audio_of: UUID, deadline: Deadline) -> Alignment:
        try:
            with at_stage(Stage.SIMILARITY):
                return await self._scorer.score_alignment(audio, image, deadline)
        except ChladniError as error:
            # The caller did not choose the embedding, so nothing is wrong with the request.
            if any(violation.field.startswith(_AUDIO_FIELD) for violation in error.violations):
                raise NoAlignmentError(
                    f"The sound is described in the space {audio.space}, which the alignment model does not "
                    "take. Create the image again from its audio file.",
                    audio_of,
                ) from error
            raise


class AlignmentMemory:
    """Remembers a bounded number of alignments for a while; those asked for least recently go first.

    Args:
        clock: Monotonic clock in seconds.
        max_remembered: Alignments remembered at most.
    """

    def __init__(self, clock: Clock, *, max_remembered: int = _MAX_REMEMBERED) -> None:
        self._kept: TTLCache[tuple[str, Embedding], Alignment] = TTLCache(
            max_remembered, ttl=REMEMBERED_SECONDS, timer=clock
        )

    def find(self, image_sha256: str, audio: Embedding) -> Alignment | None:
        """Return the alignment of an image with audio, if it is remembered."""
        return self._kept.get((image_sha256, audio))

    def keep(self, image_sha256: str, audio: Embedding, alignment: Alignment) -> None:
        """Remember an alignment."""
        self._kept[image_sha256, audio] = alignment
