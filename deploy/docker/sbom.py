"""Write what a Python environment holds as a CycloneDX document.

    python sbom.py NAME VERSION > sbom.cdx.json

The images run it at the end of their build, in the environment that they ship; it needs the standard library
alone. What the base image holds is in that image's own document.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions


def document(name: str, version: str) -> dict[str, object]:
    """Return the document of the environment that this runs in."""
    components = sorted((_component(one) for one in distributions()), key=lambda item: str(item["purl"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": components,
    }


def _component(distribution: Distribution) -> dict[str, object]:
    metadata = distribution.metadata.json
    name = str(metadata["name"]).lower().replace("_", "-")
    component: dict[str, object] = {
        "type": "library",
        "name": metadata["name"],
        "version": distribution.version,
        "purl": f"pkg:pypi/{name}@{distribution.version}",
    }
    expression = str(metadata.get("license_expression") or metadata.get("license") or "")
    if expression and "\n" not in expression:
        component["licenses"] = [{"license": {"name": expression}}]
    return component


if __name__ == "__main__":
    json.dump(document(sys.argv[1], sys.argv[2]), sys.stdout, indent=1)
