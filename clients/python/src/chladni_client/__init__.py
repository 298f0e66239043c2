"""Python client of Chladni: sound to image, and how alike images are.

    from chladni_client import Client

    with Client() as client:
        image = client.create_image("voice.wav", seed=7)
        image.save("voice.png")

`AsyncClient` does the same on an event loop; `chladni_client.errors` draws the tree of exceptions.
"""

from __future__ import annotations

from chladni_client._transport.channel_settings import TlsCredentials
from chladni_client._transport.retries import RetryPolicy
from chladni_client.async_client import AsyncClient
from chladni_client.client import Client
from chladni_client.errors import (
    CallCancelledError,
    ChladniError,
    DeadlineExceededError,
    FaultError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    NotInstalledError,
    NotOfferedError,
    ProvenanceError,
    QueueFullError,
    RecipeUnavailableError,
    TemporaryError,
    UnavailableError,
)
from chladni_client.reproduction.contract_terms import DifferingTerm
from chladni_client.reproduction.pixels import PixelComparison, draw_difference
from chladni_client.reproduction.provenance import read_provenance
from chladni_client.reproduction.reproduce import (
    Reproduction,
    ReproductionReport,
    Verdict,
    compare_renderings,
)
from chladni_client.study.creativity import BatchCreativityCalculator
from chladni_client.study.images import BatchImageGenerator
from chladni_client.study.prompts import BatchPromptGenerator
from chladni_client.types.anomaly import AnomalyLabel, AnomalyScore, DeviatingAttribute, NormalSet
from chladni_client.types.audio import (
    AudioFeatures,
    AudioInput,
    AudioProperties,
    AudioReconstruction,
    Colormap,
    Descriptor,
    Embedding,
    Feature,
    MelOptions,
    ServerWarning,
    Spectrogram,
    SupportsArray,
    Tensor,
)
from chladni_client.types.events import (
    Accepted,
    AudioAnalyzed,
    CreationEvent,
    ImageCreated,
    ImageDrafted,
    Progress,
    Queued,
    RecipeFellBack,
    Retrying,
    Started,
)
from chladni_client.types.images import CreatedImage, Image, ImageFormat, Priority, StoredImage
from chladni_client.types.initial_latents import InitialLatentsOptions, LatentBasis, LatentCalibration
from chladni_client.types.jobs import (
    Film,
    FilmFile,
    FilmLimits,
    FilmPart,
    FilmState,
    Job,
    JobCancelled,
    JobError,
    JobEvent,
    JobEventContent,
    JobFailed,
    JobState,
)
from chladni_client.types.live import (
    AudioLevel,
    LiveEvent,
    LiveImage,
    LiveSummary,
    MelFrames,
    PcmEncoding,
    PcmFormat,
)
from chladni_client.types.music import (
    Beats,
    Chord,
    Dynamics,
    KeyCandidate,
    Mood,
    MusicAnalysis,
    Prompt,
    PromptScore,
    PromptScores,
    PromptStyle,
    TempoCandidate,
    WrittenPrompts,
)
from chladni_client.types.options import CreationOptions, NoiseMode
from chladni_client.types.services import (
    BackendInfo,
    BackendState,
    Recipe,
    RecipeNeed,
    RequestLimits,
    ServerInfo,
    ServiceHealth,
    ServiceState,
)
from chladni_client.types.similarity import Alignment, Comparison, ComparisonMatrix, Match
from chladni_client.types.timeouts import Timeouts
from chladni_contract.errors import FieldViolation
from chladni_contract.provenance import Provenance

__all__ = [
    "Accepted",
    "Alignment",
    "AnomalyLabel",
    "AnomalyScore",
    "AsyncClient",
    "AudioAnalyzed",
    "AudioFeatures",
    "AudioInput",
    "AudioLevel",
    "AudioProperties",
    "AudioReconstruction",
    "BackendInfo",
    "BackendState",
    "BatchCreativityCalculator",
    "BatchImageGenerator",
    "BatchPromptGenerator",
    "Beats",
    "CallCancelledError",
    "ChladniError",
    "Chord",
    "Client",
    "Colormap",
    "Comparison",
    "ComparisonMatrix",
    "CreatedImage",
    "CreationEvent",
    "CreationOptions",
    "DeadlineExceededError",
    "Descriptor",
    "DeviatingAttribute",
    "DifferingTerm",
    "Dynamics",
    "Embedding",
    "FaultError",
    "Feature",
    "FieldViolation",
    "Film",
    "FilmFile",
    "FilmLimits",
    "FilmPart",
    "FilmState",
    "Image",
    "ImageCreated",
    "ImageDrafted",
    "ImageFormat",
    "InitialLatentsOptions",
    "InvalidInputError",
    "Job",
    "JobCancelled",
    "JobError",
    "JobEvent",
    "JobEventContent",
    "JobFailed",
    "JobState",
    "KeyCandidate",
    "LatentBasis",
    "LatentCalibration",
    "LiveEvent",
    "LiveImage",
    "LiveSummary",
    "Match",
    "MelFrames",
    "MelOptions",
    "Mood",
    "MusicAnalysis",
    "NoiseMode",
    "NormalSet",
    "NotAllowedError",
    "NotFoundError",
    "NotInstalledError",
    "NotOfferedError",
    "PcmEncoding",
    "PcmFormat",
    "PixelComparison",
    "Priority",
    "Progress",
    "Prompt",
    "PromptScore",
    "PromptScores",
    "PromptStyle",
    "Provenance",
    "ProvenanceError",
    "QueueFullError",
    "Queued",
    "Recipe",
    "RecipeFellBack",
    "RecipeNeed",
    "RecipeUnavailableError",
    "Reproduction",
    "ReproductionReport",
    "RequestLimits",
    "RetryPolicy",
    "Retrying",
    "ServerInfo",
    "ServerWarning",
    "ServiceHealth",
    "ServiceState",
    "Spectrogram",
    "Started",
    "StoredImage",
    "SupportsArray",
    "TempoCandidate",
    "TemporaryError",
    "Tensor",
    "Timeouts",
    "TlsCredentials",
    "UnavailableError",
    "Verdict",
    "WrittenPrompts",
    "compare_renderings",
    "draw_difference",
    "read_provenance",
]
