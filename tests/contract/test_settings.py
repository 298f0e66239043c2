"""Each setting of a service is in its README, or in those that it refers to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chladni_audio_features.config import AudioFeaturesSettings
from chladni_gateway.config import GatewaySettings
from chladni_image_generation.config import ImageGenerationSettings
from chladni_runtime.settings import ServiceSettings
from chladni_similarity.config import SimilaritySettings

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    AudioFeaturesSettings: ("services/audio_features/README.md",),
    GatewaySettings: ("services/gateway/README.md", "SECURITY.md"),
    ImageGenerationSettings: ("services/image_generation/README.md",),
    SimilaritySettings: ("services/similarity/README.md",),
}


@pytest.mark.parametrize("settings", DOCUMENTS, ids=lambda settings: settings.__name__)
def test_every_setting_is_in_a_table(settings: type[ServiceSettings]) -> None:
    files = ("services/runtime/README.md", *DOCUMENTS[settings])
    lines = [line for name in files for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines()]
    rows = "\n".join(line for line in lines if line.startswith("|"))
    prefix = f"(?:{settings.environment_prefix})?"
    missing = [name for name in settings.model_fields if not re.search(f"`{prefix}{name.upper()}`", rows)]
    assert missing == []
