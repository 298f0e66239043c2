"""The recipe of the sounding noise: the mel spectrogram becomes the noise from which a model denoises."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Final

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_gateway.domain.audio import (
    AudioFeatures,
    FeatureSelection,
    InitialLatents,
    InitialLatentsOptions,
    LatentBasis,
)
from chladni_gateway.domain.events import Completed, Report
from chladni_gateway.domain.generation import Conditioning, GenerationRequest, GenerationSettings
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import AUDIO_FIELD, CreationRequest
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.models.availability import Availability, Requirement
from chladni_gateway.models.catalog import CatalogSnapshot
from chladni_gateway.models.requirements import ModelPairRequirement, ModelRequirement, ModelSelector
from chladni_gateway.recipes.base import RecipeDependencies
from chladni_gateway.recipes.embedded import DESCRIPTORS, EMBEDDED_FAMILY
from chladni_gateway.recipes.generation import (
    analyzed,
    check_model_takes,
    generate_image,
    inputs_asked_of_model,
    origin_of,
    prompt_for,
    settings_for,
)
from chladni_runtime.execution.deadlines import Deadline

_DEFAULT_WEIGHTS: Final = {NoiseMode.MEL: 1.0, NoiseMode.BLEND: 0.3, NoiseMode.DCT: 1.0}
_DIGEST_DIGITS: Final = 12
_LATENT_RANK: Final = 3
_EMBEDDING: Final = "audio_embedding"
_NOISE: Final = "audio-features, which turns the sound into noise"
_MODEL: Final = ModelRequirement(
    description="a diffusion model in image-generation that takes initial latents",
    families=("ldm-text-to-image", "stable-diffusion", EMBEDDED_FAMILY, "ddpm"),
    remedy="Add one to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
    takes=("initial_latents",),
)
_WITH_EMBEDDING: Final = ModelPairRequirement(DESCRIPTORS, _MODEL)


class LatentNoiseRecipe:
    """Turns the sound into the initial latents x_T of a diffusion model.

    Args:
        dependencies: What it is made with.
    """

    name: Final = "latent-noise"
    description: Final = (
        "Turns the sound's mel spectrogram into the noise from which a diffusion model starts, "
        "all of it or some."
    )
    options: Final = (
        "prompt",
        "negative_prompt",
        "model",
        "noise_mode",
        "noise_weight",
        "calibration",
        "initial_latents",
        "upscale",
        "look",
    )
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        options = request.options
        snapshot = await self._with.catalog.cached(deadline)
        embedder, model = _select(snapshot, ModelSelector(options.model, inputs_asked_of_model(options)))
        check_model_takes(options, model)
        shape = latent_shape(request.settings, model, upscale=options.upscale or 1)
        mode = _mode_of(options)
        own = None if options.initial_latents is None else fit_latents(options.initial_latents, shape, model)
        features: AudioFeatures | None = None
        if request.has_audio:
            selection = FeatureSelection(
                embedding_model=embedder.name if embedder else "",
                initial_latents=None if own else _latents_options(shape, mode, options),
            )
            with at_stage(Stage.AUDIO_FEATURES):
                features = await self._with.analyzer.analyze(request.clip, deadline, selection=selection)
            await report(analyzed(features))
        elif embedder:
            raise _missing_audio(model)
        latents = own or (features.initial_latents if features else None)
        weight = _weight_of(options, mode)
        generation = GenerationRequest(
            model=model.name,
            conditioning=Conditioning(
                audio_embedding=features.embedding if features and embedder else None,
                prompt=prompt_for(options, model),
                negative_prompt=options.negative_prompt,
                initial_latents=latents,
                initial_latents_weight=weight,
            ),
            settings=settings_for(request, model),
            origin=origin_of(
                self.name,
                features.audio if features else None,
                options=_describe_noise(mode, weight, latents, is_own=own is not None),
            ),
            caller=request.caller,
        )
        return await generate_image(self._with.generator, generation, deadline, report)

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether there is a model that takes initial latents."""
        requirements = snapshot.audio.service_requirement(_NOISE), _MODEL.check(snapshot.image)
        if not all(requirement.is_met for requirement in requirements):
            return Availability.of(*requirements)
        try:
            embedder, model = _select(snapshot, ModelSelector())
        except ChladniError as error:
            return Availability.of(
                requirements[0], Requirement(description=_MODEL.description, remedy=error.message)
            )
        audio_requirement = Requirement(description=_NOISE, model=embedder.name if embedder else "")
        return Availability.of(
            audio_requirement, Requirement(description=_MODEL.description, model=model.name)
        )


def latent_shape(
    settings: GenerationSettings, model: ModelSummary, *, upscale: int = 1
) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of the latents with which a model begins an image.

    Args:
        settings: The size that is asked for.
        model: The model.
        upscale: Factor by which the image is enlarged; some models begin with larger latents for that.

    Raises:
        InvalidInputError: They would have no square number of values, which the mel image must be cut into.
        ChladniError: The model does not say its latents' shape (RECIPE_UNAVAILABLE).
    """
    native = model.latent_shape
    if len(native) != _LATENT_RANK or not all(native):
        raise ChladniError(
            Reason.RECIPE_UNAVAILABLE,
            f"The model {model.name} does not tell the shape of its latents; use another model.",
            metadata={STAGE_KEY: Stage.IMAGE_GENERATION.value},
        )
    channels, height, width = native
    if model.native_size_pixels is not None:
        native_width, native_height = model.native_size_pixels
        width = _scaled(width, settings.width_pixels, native_width)
        height = _scaled(height, settings.height_pixels, native_height)
    if model.upscales_by_latents:
        width, height = width * upscale, height * upscale
    count = channels * height * width
    if math.isqrt(count) ** 2 != count:
        sizes = f"{channels} x {height} x {width} values, which is no square number"
        is_of_model = math.isqrt(channels) ** 2 != channels
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"The model {model.name} begins with {sizes}; no mel image has as many cells. Use another."
            if is_of_model
            else f"width_pixels and height_pixels give latents of {sizes}; give equal sides.",
            field="model" if is_of_model else "width_pixels",
            metadata={
                STAGE_KEY: Stage.VALIDATION.value,
                "value": " x ".join(map(str, (channels, height, width))),
            },
        )
    return channels, height, width


def fit_latents(latents: InitialLatents, shape: tuple[int, int, int], model: ModelSummary) -> InitialLatents:
    """Return initial latents of a caller in the shape with which a model begins an image.

    Args:
        latents: Of that shape, with an axis of 1 before it, or the same values in a row.
        shape: The shape (C, H, W).
        model: The model.

    Raises:
        InvalidInputError: They have another shape.
    """
    if latents.shape in {shape, (1, *shape), (math.prod(shape),), (1, math.prod(shape))}:
        return replace(latents, shape=shape)
    found, wanted = (" x ".join(map(str, sizes)) for sizes in (latents.shape, shape))
    raise InvalidInputError(
        Reason.INVALID_FIELD,
        f"initial_latents has the shape {found}; the model {model.name} begins an image of this size with "
        f"{wanted}, or {math.prod(shape)} values in a row.",
        field="initial_latents",
        metadata={STAGE_KEY: Stage.VALIDATION.value, "value": found, "allowed": wanted},
    )


def _missing_audio(model: ModelSummary) -> InvalidInputError:
    return InvalidInputError(
        Reason.MISSING_FIELD,
        f"{AUDIO_FIELD} is missing; the model {model.name} takes the audio's embedding besides the initial "
        "latents. Send the audio too, or name another model.",
        field=AUDIO_FIELD,
        metadata={STAGE_KEY: Stage.VALIDATION.value},
    )


def _mode_of(options: RecipeOptions) -> NoiseMode:
    return options.noise_mode or (NoiseMode.BLEND if options.initial_latents is None else NoiseMode.MEL)


def _latents_options(
    shape: tuple[int, int, int], mode: NoiseMode, options: RecipeOptions
) -> InitialLatentsOptions:
    basis = LatentBasis.DCT if mode is NoiseMode.DCT else LatentBasis.MEL
    return InitialLatentsOptions(shape, basis, options.calibration)


def _scaled(length: int, side_pixels: int | None, native_pixels: int) -> int:
    if side_pixels is None or native_pixels == 0:
        return length
    return max(1, length * side_pixels // native_pixels)


def _select(snapshot: CatalogSnapshot, selector: ModelSelector) -> tuple[ModelSummary | None, ModelSummary]:
    """Return the image model and, if it needs an embedding too, the model that makes it."""
    model = _MODEL.select(snapshot.image, selector)[0]
    if _EMBEDDING not in model.required_inputs:
        return None, model
    return _WITH_EMBEDDING.select(snapshot, selector)


def _weight_of(options: RecipeOptions, mode: NoiseMode) -> float:
    return _DEFAULT_WEIGHTS[mode] if options.noise_weight is None else options.noise_weight


def _describe_noise(
    mode: NoiseMode, weight: float, latents: InitialLatents | None, *, is_own: bool
) -> dict[str, str]:
    """Return what the provenance says of the noise."""
    described = {"noise_mode": mode.value, "noise_weight": f"{weight:g}"}
    if latents and is_own:
        described["initial_latents"] = hashlib.sha256(latents.data).hexdigest()[:_DIGEST_DIGITS]
    if latents and latents.calibration:
        described["calibration"] = f"{latents.calibration}@{latents.calibration_digest[:_DIGEST_DIGITS]}"
    return described
