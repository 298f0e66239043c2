"""Figures about an embedding: how evenly it is spread and how well it separates kinds of sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES

Embeddings = npt.NDArray[np.float32]

_DECILES = (0, 10, 25, 50, 75, 90, 100)


def stack_by_kind(kinds: Sequence[str], embeddings: Sequence[Embeddings]) -> dict[str, Embeddings]:
    """Group (152,) embeddings by kind into (n, 152) arrays."""
    return {
        kind: np.stack([row for name, row in zip(kinds, embeddings, strict=True) if name == kind])
        for kind in sorted(set(kinds))
    }


def mean_distances(groups: Mapping[str, Embeddings]) -> dict[tuple[str, str], float]:
    """Return the mean Euclidean distance between the members of each pair of kinds, and within each."""
    distances: dict[tuple[str, str], float] = {}
    names = list(groups)
    for position, first in enumerate(names):
        for second in names[position:]:
            differences = groups[first][:, None, :] - groups[second][None, :, :]
            pairs = np.sqrt(np.square(differences).sum(axis=2))
            if first == second:  # a sound's distance to itself does not count
                pairs = pairs[~np.eye(len(pairs), dtype=bool)]
            distances[first, second] = float(pairs.mean()) if pairs.size else 0.0
    return distances


def nearest_neighbour_accuracy(groups: Mapping[str, Embeddings]) -> float:
    """Return the share of sounds whose nearest other sound is of their own kind."""
    everything = np.concatenate(list(groups.values()))
    kinds = np.repeat(np.arange(len(groups)), [len(group) for group in groups.values()])
    squares = np.square(everything[:, None, :] - everything[None, :, :]).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return float((kinds[squares.argmin(axis=1)] == kinds).mean())


def format_report(groups: Mapping[str, Embeddings]) -> str:
    """Format percentiles and mean distances as text; the profile counts by feature, over all segments."""
    everything = np.concatenate(list(groups.values()))
    lines = [f"{len(everything)} sounds", "", "percentiles" + "".join(f"{p:>7}" for p in _DECILES)]
    whole, profile = np.split(everything, [len(DESCRIPTOR_NAMES)], axis=1)
    columns = dict(zip(DESCRIPTOR_NAMES, whole.T, strict=True))
    for index, feature in enumerate(TEMPORAL_FEATURES):
        columns[f"~{feature}"] = profile[:, index :: len(TEMPORAL_FEATURES)].reshape(-1)
    for name, column in columns.items():
        row = np.percentile(column, _DECILES)
        lines.append(f"{name:<14}" + "".join(f"{value:7.2f}" for value in row))
    names = list(groups)
    distances = mean_distances(groups)
    lines += ["", "mean distance " + "".join(f"{name:>9}" for name in names)]
    for first in names:
        cells = [distances.get((first, second), distances.get((second, first), 0.0)) for second in names]
        lines.append(f"{first:<14}" + "".join(f"{value:9.2f}" for value in cells))
    accuracy = nearest_neighbour_accuracy(groups)
    lines += ["", f"the nearest other sound is of the same kind: {accuracy:.0%}"]
    return "\n".join(lines)
