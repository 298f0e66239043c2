"""Loads the embedding models that the settings name.

What cannot be loaded does not stop the service: the descriptors need nothing else, and a request for
a missing model is answered with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chladni_audio_features.embeddings.autoencoder import AutoencoderEmbedder
from chladni_audio_features.embeddings.descriptors import DescriptorEmbedder
from chladni_audio_features.embeddings.registry import (
    CLAP_MODEL_ID,
    CLAP_TO_CLIP_MODEL_ID,
    DescriptorModel,
    EmbeddingModel,
    EmbeddingModels,
    ModelCard,
    UnavailableModel,
)
from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_contract.errors import ChladniError
from chladni_runtime.models.files import ModelLoadingError, find_model_directory, require_digest
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import ConfigurationError

_log = logging.getLogger(__name__)

_DESCRIPTIONS: Final = {
    CLAP_MODEL_ID: "The audio branch of a CLAP.",
    CLAP_TO_CLIP_MODEL_ID: "A CLAP audio embedding mapped into the image space of a CLIP.",
}


@dataclass(frozen=True)
class PretrainedModels:
    """Which pretrained models to load.

    Attributes:
        clap: A CLAP; `None` for none.
        clap_to_clip_map: A map from CLAP into a CLIP; `None` for none.
        device: Device of CLAP, as torch names it.
        thread_count: Threads of one run of CLAP; `None` leaves torch's number.
    """

    clap: ModelReference | None = None
    clap_to_clip_map: ModelReference | None = None
    device: str = "cpu"
    thread_count: int | None = None


def load_embedding_models(
    embedder: DescriptorEmbedder, pretrained: PretrainedModels, autoencoder: Autoencoder | None = None
) -> EmbeddingModels:
    """Return all embedding models, the descriptors first; takes seconds if there are pretrained ones.

    Args:
        embedder: Embeds descriptors.
        pretrained: Which pretrained models to load.
        autoencoder: Autoencoder whose latents are an embedding; `None` for none.

    Raises:
        ConfigurationError: The device of CLAP does not exist.
    """
    models: list[EmbeddingModel] = [DescriptorModel(embedder)]
    if autoencoder is not None:
        models.append(AutoencoderEmbedder(autoencoder))
    unavailable: list[UnavailableModel] = []
    clap: EmbeddingModel | None = None

    def attempt(model_id: str, load: Callable[[], EmbeddingModel]) -> EmbeddingModel | None:
        loaded = _loaded(model_id, load)
        if isinstance(loaded, UnavailableModel):
            unavailable.append(loaded)
            return None
        models.append(loaded)
        return loaded

    if (reference := pretrained.clap) is not None:
        clap = attempt(CLAP_MODEL_ID, lambda: _load_clap(reference, pretrained))
    if (map_reference := pretrained.clap_to_clip_map) is not None:
        attempt(CLAP_TO_CLIP_MODEL_ID, lambda: _load_clap_to_clip(clap, map_reference))
    return EmbeddingModels(models, unavailable)


def _loaded(model_id: str, load: Callable[[], EmbeddingModel]) -> EmbeddingModel | UnavailableModel:
    cause: BaseException | None
    try:
        model = load()
    except ModelLoadingError as error:
        reason, cause = str(error), error.__cause__
    except ConfigurationError:
        raise
    except ChladniError as error:  # the first run failed
        reason, cause = error.message, error
    except ImportError as error:
        reason, cause = "It needs torch and transformers; install chladni-audio-features[clap].", error
    except Exception as error:  # noqa: BLE001 - a broken checkpoint fails in ways that transformers does not list
        reason, cause = "Its files cannot be loaded; the server's log says why.", error
    else:
        _log.info("embedding model loaded", extra={"model": model_id, "space": model.card.space})
        return model
    _log.warning("embedding model unavailable: %s", reason, extra={"model": model_id}, exc_info=cause)
    card = ModelCard(model_id=model_id, family=model_id, description=_DESCRIPTIONS[model_id])
    return UnavailableModel(card, reason)


def _load_clap(reference: ModelReference, pretrained: PretrainedModels) -> EmbeddingModel:
    # torch and transformers are installed with an extra alone, and take seconds to import.
    from chladni_audio_features.embeddings.clap import ClapEmbedder  # noqa: PLC0415

    embedder = ClapEmbedder.load(reference, device=pretrained.device, thread_count=pretrained.thread_count)
    require_digest(reference, embedder.card.digest)
    return embedder


def _load_clap_to_clip(clap: EmbeddingModel | None, reference: ModelReference) -> EmbeddingModel:
    if clap is None:
        raise ModelLoadingError(
            "It needs CLAP, which is not in use here; set CHLADNI_AUDIO_FEATURES_CLAP_MODEL to one that "
            "loads."
        )
    from chladni_audio_features.embeddings import clap_to_clip  # noqa: PLC0415

    patterns = (clap_to_clip.MANIFEST_FILE, clap_to_clip.MAP_FILE)
    loaded = clap_to_clip.load_map(find_model_directory(reference, patterns=patterns))
    require_digest(reference, loaded.digest)
    return clap_to_clip.ClapToClipEmbedder(clap, loaded)
