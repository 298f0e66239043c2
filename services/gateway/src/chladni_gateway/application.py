"""Everything that the gateway does, put together for its transports."""

from dataclasses import dataclass

from chladni_gateway.backends.health import HealthSurvey
from chladni_gateway.creation.creator import ImageCreator
from chladni_gateway.creation.job_runner import JobBoard
from chladni_gateway.domain.image_store import ImageStore
from chladni_gateway.domain.ports import SoundListener, SpectrogramPainter
from chladni_gateway.recipes.base import RecipeBook
from chladni_gateway.similarity.alignment import ImageAligner
from chladni_gateway.similarity.comparison import ImageComparator
from chladni_gateway.similarity.matrix import MatrixMaker
from chladni_gateway.similarity.search import ImageSearcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that the transports apply or tell.

    Attributes:
        creation_timeout_seconds: Time for one image.
        comparison_timeout_seconds: Time for one comparison or search.
        spectrogram_timeout_seconds: Time for one spectrogram.
        health_timeout_seconds: Time for the services behind the gateway to say how they are.
        upload_timeout_seconds: Time for an upload to arrive.
        max_concurrent_uploads: Uploads in progress at most.
        max_audio_bytes: Largest recording.
        min_audio_seconds: Shortest recording.
        max_audio_seconds: Longest recording.
        max_live_seconds: Longest live sound.
    """

    creation_timeout_seconds: float
    comparison_timeout_seconds: float
    spectrogram_timeout_seconds: float
    health_timeout_seconds: float
    upload_timeout_seconds: float
    max_concurrent_uploads: int
    max_audio_bytes: int
    min_audio_seconds: float
    max_audio_seconds: float
    max_live_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What the gateway does; the transports add only their forms.

    Attributes:
        creator: Creates images.
        board: Creates images that do without their caller.
        comparator: Compares two images.
        aligner: Tells how well an image fits a sound.
        matrices: Compares several with each other.
        searcher: Finds like ones.
        painter: Draws spectrograms.
        listener: Listens to live sound.
        store: Keeps them.
        recipes: The ways from sound to image.
        survey: Asks how the services behind the gateway are.
        limits: Limits of requests.
    """

    creator: ImageCreator
    board: JobBoard
    comparator: ImageComparator
    aligner: ImageAligner
    matrices: MatrixMaker
    searcher: ImageSearcher
    painter: SpectrogramPainter
    listener: SoundListener
    store: ImageStore
    recipes: RecipeBook
    survey: HealthSurvey
    limits: Limits
