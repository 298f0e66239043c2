"""What makes films, put together, if what encodes them is installed."""

from __future__ import annotations

import asyncio
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from chladni_gateway.backends.image_generation import ImageGenerationPool
from chladni_gateway.film.runner import FilmLimits, FilmRunner
from chladni_gateway.film.store import FilmStore
from chladni_gateway.models.catalog import ModelCatalog, ModelListing
from chladni_runtime.execution.process_pool import ProcessPool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AsyncExitStack

    from chladni_gateway.backends.audio_features import AudioFeaturesClient
    from chladni_gateway.backends.image_generation import ImageGenerationClient
    from chladni_gateway.config import GatewaySettings
    from chladni_runtime.security.credentials import ChannelSecurity

_PACKAGES: Final = ("av", "PIL")
_FOLDER: Final = "films"


def make_film_runner(
    settings: GatewaySettings,
    audio_features: AudioFeaturesClient,
    generators: Sequence[ImageGenerationClient],
    stack: AsyncExitStack,
    *,
    security: ChannelSecurity,
) -> FilmRunner | None:
    """Return what makes films, not open yet; `None` if the settings allow none, or if it is not installed.

    Args:
        settings: The settings.
        audio_features: Connection to audio-features.
        generators: Connections to the servers of image generation.
        stack: Closes what is opened here.
        security: What connections are secured by.
    """
    if not settings.max_films or any(find_spec(name) is None for name in _PACKAGES):
        return None
    # These need the packages, and NumPy, without which a gateway starts sooner.
    from chladni_gateway.backends.songs import SongClient  # noqa: PLC0415
    from chladni_gateway.film import encoding  # noqa: PLC0415
    from chladni_gateway.film.maker import AUDIO_LIMITS, FilmMaker  # noqa: PLC0415

    def listing(server: AudioFeaturesClient | ImageGenerationClient) -> ModelListing:
        return ModelListing(server, lifetime_seconds=settings.model_listing_seconds, clock=time.monotonic)

    songs = SongClient(settings.audio_features_target, security=security)
    stack.push_async_callback(songs.close)
    processes = ProcessPool(1, limits=AUDIO_LIMITS, modules=[encoding.__name__])
    stack.push_async_callback(asyncio.to_thread, processes.close)
    servers = [(generator, listing(generator)) for generator in generators]
    return FilmRunner(
        store=FilmStore(
            settings.film_folder or settings.image_folder / _FOLDER, max_bytes=settings.max_film_bytes
        ),
        maker=FilmMaker(
            analyzer=songs,
            servers_of=ImageGenerationPool(servers).servers_of,
            catalog=ModelCatalog(audio=listing(audio_features), image=[models for _, models in servers]),
            processes=processes,
        ),
        limits=FilmLimits(
            max_unfinished=settings.max_films,
            max_per_owner=settings.max_films_per_session,
            retention_seconds=settings.image_retention_seconds,
        ),
    )
