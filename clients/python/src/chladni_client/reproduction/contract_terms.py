"""The terms on which images are equal, and which of them differ between two images.

An image follows from its conditioning, its request and the machine that computes it. Floating-point sums
depend on their order, and libraries choose that order by hardware, threads and the number of rows; so equal
pixels are promised only if all of these are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chladni_contract.provenance import Provenance

LIBRARIES: Final = "library_versions"
RECIPE_OPTIONS: Final = "recipe_options"
EARLIER: Final = "earlier"
NOT_RECORDED: Final = "not recorded"

_COUNTS: Final = frozenset({"batch_size", "decode_batch_size", "upscale"})
_ASKED: Final = "Part of what is asked for. A server that was asked for the same ignores this field."
_ORDER: Final = "sums are taken in another order, which rounds differently"

MEANINGS: Final[Mapping[str, str]] = {
    "model": "Another model: nothing of the image can be expected again.",
    "model_digest": "Other model files: the weights decide every pixel. Serve the files of this digest.",
    "recipe": "The sound became conditioning in another way.",
    "seed": _ASKED,
    "steps": _ASKED,
    "guidance_scale": _ASKED,
    "scheduler": _ASKED,
    "width_pixels": _ASKED,
    "height_pixels": _ASKED,
    "audio_sha256": "Another recording: another conditioning, another image.",
    "audio_start_seconds": "Another part of the recording. " + _ASKED,
    "audio_end_seconds": "Another part of the recording. " + _ASKED,
    "conditioning_sha256": "The recording was described by other numbers: the audio-feature service or its "
    "libraries are of another version, or on another kind of machine.",
    "dtype": "Another precision: every operation of the denoiser rounds differently.",
    "device": f"Another kind of device: {_ORDER}.",
    "device_capability": f"Another instruction set or GPU generation, so other kernels: {_ORDER}.",
    "batch_size": f"Kernels are chosen by the rows of a call: {_ORDER}.",
    "decode_batch_size": f"The decoder's kernels are chosen by the images of a call: {_ORDER}.",
    "thread_count": "Sums are split among threads: another number of them rounds differently.",
    LIBRARIES: "Another version may compute in another way. Install the same one to rule it out.",
    "part": "Another part of the recipe: one of the two stopped earlier, or took another way.",
    "fallback": "One took another way than the recipe's own, or took it for another reason: the servers do "
    "not have the same models, or one ran out of memory.",
    "prompt": _ASKED,
    "negative_prompt": _ASKED,
    "strength": "They go differently far from the image that they start from. " + _ASKED,
    "initial_latents_weight": "The initial noise holds differently much of the sound. " + _ASKED,
    "upscale": _ASKED,
    "refiner_start": _ASKED,
    "look": _ASKED,
    RECIPE_OPTIONS: "The recipe worked in another way: another choice, or other files at the server, such as "
    "a calibration.",
    EARLIER: "The image that this one starts from was made in another way.",
    "reproducible": "Without it, pixels may differ by a rounding error with the requests that share the "
    "model.",
}
"""What it means for the pixels that a field of the provenance differs, by field."""


@dataclass(frozen=True, slots=True)
class DifferingTerm:
    """A term that differs between two images.

    Attributes:
        name: Field of the provenance; for a library ``library_versions.NAME``, for an option of the recipe
            ``recipe_options.NAME``, and for an image that this one starts from ``earlier.1.FIELD``.
        original: Its value for the first image, in words.
        rendering: Its value for the second image, in words.
        meaning: What that means for the pixels, one sentence or two.
    """

    name: str
    original: str
    rendering: str
    meaning: str


def differing_terms(original: Provenance, rendering: Provenance) -> tuple[DifferingTerm, ...]:
    """Return the terms that differ between two images, in the order of `MEANINGS`."""
    first, second = _flat(original), _flat(rendering)
    return tuple(
        DifferingTerm(
            name=name,
            original=first.get(name, NOT_RECORDED),
            rendering=second.get(name, NOT_RECORDED),
            meaning=_meaning(name),
        )
        for name in sorted(first.keys() | second.keys(), key=_place)
        if first.get(name) != second.get(name)
    )


def _flat(provenance: Provenance) -> dict[str, str]:
    """Return every term in words, by name; what was not recorded is left out."""
    flat: dict[str, str] = {}
    for name in MEANINGS:
        value = getattr(provenance, name)
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": str(entry) for key, entry in sorted(value.items())}
        elif isinstance(value, tuple):
            for number, image in enumerate(value, start=1):
                flat |= {f"{name}.{number}.{term}": words for term, words in _flat(image).items()}
        elif _is_recorded(name, value):
            flat[name] = _in_words(value)
    return flat


def _meaning(name: str) -> str:
    field, _, rest = name.partition(".")
    if field == EARLIER:
        return f"{MEANINGS[EARLIER]} {_meaning(rest.partition('.')[2])}"
    return MEANINGS[field]


def _place(name: str) -> tuple[int, str, int, str]:
    """Return the place of a term in a list: as in `MEANINGS`, also among the terms of an earlier image."""
    fields = list(MEANINGS)
    field, _, rest = name.partition(".")
    number, _, term = rest.partition(".") if field == EARLIER else ("", "", "")
    return fields.index(field), number, fields.index(term.partition(".")[0]) if term else 0, name


def _is_recorded(name: str, value: object) -> bool:
    return value not in ("", None) and not (value == 0 and name in _COUNTS)


def _in_words(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
