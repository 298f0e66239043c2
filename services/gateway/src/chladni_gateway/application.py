"""Everything that the gateway does, put together for its transports."""

from __future__ import annotations

from dataclasses import dataclass

from chladni_contract.errors import NotOfferedError
from chladni_gateway.backends.health import HealthChecker
from chladni_gateway.connection_limiter import ConnectionLimiter
from chladni_gateway.creation.creator import ImageCreator
from chladni_gateway.creation.job_runner import JobRunner
from chladni_gateway.domain.anomaly import MachineJudge
from chladni_gateway.domain.ports import (
    AudioCutter,
    AudioReconstructor,
    LiveAnalyzer,
    LiveImageSource,
    MusicAnalyzer,
    SpectrogramRenderer,
)
from chladni_gateway.domain.prompts import MusicDescriber, PromptBackend
from chladni_gateway.domain.storage.image_store import ImageStore
from chladni_gateway.film.runner import FilmRunner
from chladni_gateway.recipes.base import RecipeRegistry
from chladni_gateway.sessions import SessionTokens
from chladni_gateway.similarity.alignment import ImageAligner
from chladni_gateway.similarity.comparison import ImageComparator
from chladni_gateway.similarity.matrix import MatrixComparator
from chladni_gateway.similarity.search import ImageSearcher
from chladni_gateway.storage.share_links import ShareLinks
from chladni_runtime.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that the transports apply or show.

    Attributes:
        creation_timeout_seconds: Time for one image.
        job_timeout_seconds: Time for one job, and for one image of batch priority.
        comparison_timeout_seconds: Time for one comparison or search.
        spectrogram_timeout_seconds: Time for one spectrogram.
        health_timeout_seconds: Time for the services behind the gateway to say how they are.
        upload_timeout_seconds: Time for an upload of one file to arrive.
        max_concurrent_uploads: Uploads in progress at most.
        min_upload_bytes_per_second: Rate at which a body must arrive, after its first seconds.
        max_audio_bytes: Largest recording.
        max_upload_bytes: Largest recording of which a part is chosen.
        max_upload_seconds: Time for one to arrive.
        min_audio_seconds: Shortest recording.
        max_audio_seconds: Longest recording.
        max_live_seconds: Longest live sound.
        max_message_bytes: Largest gRPC request message.
        min_ping_interval_seconds: Shortest interval between the keepalive pings of a gRPC client.
        heartbeat_seconds: Silence of a gRPC stream after which a heartbeat is sent.
    """

    creation_timeout_seconds: float
    job_timeout_seconds: float
    comparison_timeout_seconds: float
    spectrogram_timeout_seconds: float
    health_timeout_seconds: float
    upload_timeout_seconds: float
    max_concurrent_uploads: int
    min_upload_bytes_per_second: int
    max_audio_bytes: int
    max_upload_bytes: int
    max_upload_seconds: float
    min_audio_seconds: float
    max_audio_seconds: float
    max_live_seconds: float
    max_message_bytes: int
    min_ping_interval_seconds: float
    heartbeat_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What the gateway does; the transports only translate.

    Attributes:
        creator: Creates images.
        job_runner: Creates images that do without their caller.
        comparator: Compares two images.
        aligner: Scores how well an image fits a sound.
        matrices: Compares several with each other.
        searcher: Finds like ones.
        audio_cutter: Cuts parts out of large files.
        spool: Keeps large files while they are passed on.
        spectrogram_renderer: Draws spectrograms.
        audio_reconstructor: Passes audio through an autoencoder.
        music_analyzer: Analyses music.
        music_describer: Describes it for prompts.
        prompts: Writes and scores prompts.
        machine_judge: Judges machines.
        live_analyzer: Analyses live sound.
        live_images: Draws images of live audio.
        live_connections: Bounds the live streams at a time.
        store: Keeps them.
        share_links: Keeps the links by which owners share images.
        recipes: The ways from sound to image.
        tokens: Issues sessions.
        films: Makes films of songs; `None` if the settings allow none, or what encodes them is not installed.
        health_checker: Asks how the services behind the gateway are.
        limits: Limits of requests.
    """

    creator: ImageCreator
    job_runner: JobRunner
    comparator: ImageComparator
    aligner: ImageAligner
    matrices: MatrixComparator
    searcher: ImageSearcher
    audio_cutter: AudioCutter
    spool: Spool
    spectrogram_renderer: SpectrogramRenderer
    audio_reconstructor: AudioReconstructor
    music_analyzer: MusicAnalyzer
    music_describer: MusicDescriber
    prompts: PromptBackend
    machine_judge: MachineJudge
    live_analyzer: LiveAnalyzer
    live_images: LiveImageSource
    live_connections: ConnectionLimiter
    store: ImageStore
    share_links: ShareLinks
    recipes: RecipeRegistry
    tokens: SessionTokens
    health_checker: HealthChecker
    limits: Limits
    films: FilmRunner | None = None

    @property
    def film_runner(self) -> FilmRunner:
        """What makes films.

        Raises:
            NotOfferedError: The settings allow none, or what encodes them is not installed.
        """
        if self.films is None:
            raise NotOfferedError(
                "This server makes no films: its settings allow none (MAX_FILMS is 0), or av and Pillow are "
                "not installed where the gateway runs; there: pip install 'chladni-gateway[film]'."
            )
        return self.films
