"""Run the similarity service: `python -m chladni_similarity`."""

from __future__ import annotations

import os

from chladni_runtime.server.server import run_service
from chladni_runtime.settings import load_settings_or_exit
from chladni_similarity.composition import SERVICE_NAMES, compose
from chladni_similarity.config import SimilaritySettings

if __name__ == "__main__":
    # torch's OpenMP threads would spin while they wait, and so take the processor from the threads that
    # decode. OpenMP reads this when torch is first imported, which compose does.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = load_settings_or_exit(SimilaritySettings)
    run_service(settings, name="similarity", service_names=SERVICE_NAMES, compose=compose(settings))
