"""A choice among candidates by a small network that scores each: how keys, tempos and meters are chosen.

The network has one hidden layer and is the same for every candidate, so it cannot prefer one key to another
but by what it hears; the softmax of the scores, at a temperature fitted on pieces apart, is the confidence.
The weights are fitted by `training.fit_music` on pieces that `training.synthesis` makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.music.frontend import FloatArray

MODELS: Final = files("chladni_audio_features") / "models" / "music"


@dataclass(frozen=True, eq=False)
class ChoiceNetwork:
    """Scores candidates.

    Attributes:
        mean: (features,) subtracted from the features.
        scale: (features,) by which they are divided then.
        hidden: (features + 1, units) weights, the last row the bias.
        output: (units,) weights.
        direct: (features,) weights past the hidden layer.
        temperature: Divides the scores.
    """

    mean: FloatArray
    scale: FloatArray
    hidden: FloatArray
    output: FloatArray
    direct: FloatArray
    temperature: float

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Return the probability of each candidate.

        Args:
            features: (candidates, features).

        Returns:
            (candidates,) that sum to 1.
        """
        standard = np.clip((features - self.mean) / self.scale, -6.0, 6.0)
        units = np.tanh(standard @ self.hidden[:-1] + self.hidden[-1])
        scores = (units @ self.output + standard @ self.direct) / self.temperature
        exponentials = np.exp(scores - scores.max())
        probabilities: FloatArray = exponentials / exponentials.sum()
        return probabilities


@lru_cache(maxsize=8)
def load_choice(name: str) -> ChoiceNetwork:
    """Load the shipped network of a name, such as "key"."""
    with MODELS.joinpath(f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        parts: dict[str, npt.NDArray[np.float32]] = dict(arrays)
    return ChoiceNetwork(
        mean=parts["mean"].astype(np.float64),
        scale=parts["scale"].astype(np.float64),
        hidden=parts["hidden"].astype(np.float64),
        output=parts["output"].astype(np.float64),
        direct=parts["direct"].astype(np.float64),
        temperature=float(parts["temperature"]),
    )
