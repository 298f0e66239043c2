"""Python client of Chladni: sound to image, and how alike images are.

    from chladni_client import Client

    with Client() as client:
        image = client.create_image("voice.wav", seed=7)
        image.save("voice.png")

`AsyncClient` does the same on an event loop; `chladni_client.errors` draws the tree of exceptions.
"""

from chladni_client.async_client import AsyncClient
from chladni_client.client import Client
from chladni_client.contract_terms import DifferingTerm
from chladni_client.errors import (
    CallCancelledError,
    ChladniError,
    DeadlineExceededError,
    FaultError,
    FieldViolation,
    InvalidInputError,
    NotFoundError,
    NotOfferedError,
    ProvenanceError,
    QueueFullError,
    RecipeUnavailableError,
    TemporaryError,
    UnavailableError,
)
from chladni_client.events import (
    CreationEvent,
    ImageCreated,
    Progress,
    Queued,
    Retrying,
    SoundAnalyzed,
    Started,
)
from chladni_client.images import Comparison, CreatedImage, Priority, Provenance, StoredImage
from chladni_client.pixels import PixelComparison, draw_difference
from chladni_client.provenance import read_provenance
from chladni_client.reproduction import Reproduction, ReproductionReport, Verdict, compare_renderings
from chladni_client.retries import RetryPolicy
from chladni_client.services import Recipe, ServiceHealth, ServiceState
from chladni_client.sounds import (
    Colormap,
    Descriptor,
    Embedding,
    Feature,
    SoundFeatures,
    SoundProperties,
    Spectrogram,
    Tensor,
)
from chladni_client.timeouts import Timeouts

__all__ = [
    "AsyncClient",
    "CallCancelledError",
    "ChladniError",
    "Client",
    "Colormap",
    "Comparison",
    "CreatedImage",
    "CreationEvent",
    "DeadlineExceededError",
    "Descriptor",
    "DifferingTerm",
    "Embedding",
    "FaultError",
    "Feature",
    "FieldViolation",
    "ImageCreated",
    "InvalidInputError",
    "NotFoundError",
    "NotOfferedError",
    "PixelComparison",
    "Priority",
    "Progress",
    "Provenance",
    "ProvenanceError",
    "QueueFullError",
    "Queued",
    "Recipe",
    "RecipeUnavailableError",
    "Reproduction",
    "ReproductionReport",
    "RetryPolicy",
    "Retrying",
    "ServiceHealth",
    "ServiceState",
    "SoundAnalyzed",
    "SoundFeatures",
    "SoundProperties",
    "Spectrogram",
    "Started",
    "StoredImage",
    "TemporaryError",
    "Tensor",
    "Timeouts",
    "UnavailableError",
    "Verdict",
    "compare_renderings",
    "draw_difference",
    "read_provenance",
]
