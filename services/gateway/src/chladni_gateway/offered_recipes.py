"""The recipes that the gateway offers, and its choice of servers, over the models of its services."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from chladni_gateway.backends.image_generation import ImageGenerationPool
from chladni_gateway.models.catalog import ModelCatalog, ModelListing
from chladni_gateway.models.requirements import ModelSelector
from chladni_gateway.recipes.audioldm import AudioLdmRecipe
from chladni_gateway.recipes.base import RecipeDependencies, RecipeRegistry
from chladni_gateway.recipes.clap_unclip import ClapUnclipRecipe
from chladni_gateway.recipes.embedded import MODELS, EmbeddedRecipe
from chladni_gateway.recipes.latent_noise import LatentNoiseRecipe
from chladni_gateway.recipes.music_prompts import MusicPromptsRecipe
from chladni_gateway.recipes.spectrogram import SpectrogramRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.backends.audio_features import AudioFeaturesClient
    from chladni_gateway.backends.image_generation import ImageGenerationClient
    from chladni_gateway.backends.live_images import ChooseServer
    from chladni_gateway.backends.prompts import PromptClient
    from chladni_gateway.config import GatewaySettings
    from chladni_gateway.domain.ports import Backend
    from chladni_gateway.recipes.music_description import ClipDescriber
    from chladni_runtime.execution.deadlines import Deadline

RECIPES: Final = (
    EmbeddedRecipe,
    AudioLdmRecipe,
    SpectrogramRecipe,
    LatentNoiseRecipe,
    MusicPromptsRecipe,
    ClapUnclipRecipe,
)


def make_recipes(
    settings: GatewaySettings,
    audio_features: AudioFeaturesClient,
    generators: Sequence[ImageGenerationClient],
    describer: ClipDescriber,
    prompts: PromptClient,
) -> RecipeRegistry:
    """Return the registry of all recipes over the models of the services.

    Args:
        settings: The settings.
        audio_features: Analyses and draws clips.
        generators: The servers that generate images, the main one first.
        describer: Describes the music of clips.
        prompts: Writes prompts.
    """
    catalog, pool = _models_of(settings, audio_features, generators)
    dependencies = RecipeDependencies(
        catalog=catalog,
        analyzer=audio_features,
        renderer=audio_features,
        generator=pool,
        describer=describer,
        prompts=prompts,
    )
    recipes = [make(dependencies) for make in RECIPES]
    return RecipeRegistry(recipes, catalog=catalog, default=settings.default_recipe)


def live_server_choice(
    settings: GatewaySettings,
    audio_features: AudioFeaturesClient,
    generators: Sequence[ImageGenerationClient],
) -> ChooseServer:
    """Return what chooses model and server of live images, as the embedded recipe does for an image.

    Args:
        settings: The settings.
        audio_features: Traces the course of the audio.
        generators: The servers that generate images, the main one first.
    """
    catalog, pool = _models_of(settings, audio_features, generators)

    async def choose(name: str, deadline: Deadline) -> tuple[str, ImageGenerationClient]:
        snapshot = await catalog.cached(deadline)
        model = MODELS.image.select(snapshot.image, ModelSelector(name))[0].name
        return model, pool.server_of(model)

    return choose


def _models_of(
    settings: GatewaySettings,
    audio_features: AudioFeaturesClient,
    generators: Sequence[ImageGenerationClient],
) -> tuple[ModelCatalog, ImageGenerationPool[ImageGenerationClient]]:
    """Return the models of the services, and the servers of image generation by their models."""

    def listing(server: Backend) -> ModelListing:
        return ModelListing(server, lifetime_seconds=settings.model_listing_seconds, clock=time.monotonic)

    servers = [(generator, listing(generator)) for generator in generators]
    catalog = ModelCatalog(audio=listing(audio_features), image=[models for _, models in servers])
    return catalog, ImageGenerationPool(servers)
