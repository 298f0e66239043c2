"""The features of music by name, as JSON has them, and as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chladni.music.v1 import music_pb2
from chladni_contract.errors import InvalidInputError, Reason

MAX_FEATURE_CHARACTERS: Final = 500
"""Most characters of a feature: of a text, and of a list of words all together."""

_NAMES: Final = tuple(field.name for field in music_pb2.MusicFeatures.DESCRIPTOR.fields)
_WORD_LISTS: Final = frozenset({"mood"})
_NUMBERS: Final = frozenset({"tempo_bpm", "valence", "arousal"})
_MAX_SHOWN: Final = 60


def is_short_enough(words: Sequence[str]) -> bool:
    """Return whether the words of one feature may be so long, and so many.

    Every server and every transport asks this function, so that none refuses what another takes.
    """
    return max(len(words), sum(map(len, words))) <= MAX_FEATURE_CHARACTERS


def to_features_message(values: Mapping[str, Any]) -> music_pb2.MusicFeatures:
    """Return features as a message.

    Args:
        values: Features by name; texts may be lists of words, and `mood` may be one text. `None` is absent.

    Raises:
        InvalidInputError: A name is unknown, or a value has the wrong type. Services check ranges.
    """
    message = music_pb2.MusicFeatures()
    for name, value in values.items():
        if name not in _NAMES:
            raise _invalid(name, f"is not known; the features are {', '.join(_NAMES)}")
        if value is None:
            continue
        if name in _NUMBERS:
            setattr(message, name, _number(name, value))
        elif name in _WORD_LISTS:
            message.mood.extend(_words(name, value))
        else:
            setattr(message, name, " ".join(_words(name, value)))
    return message


def to_features(message: music_pb2.MusicFeatures) -> dict[str, Any]:
    """Return features by name; what is not known is absent."""
    return {
        field.name: list(value) if field.name in _WORD_LISTS else value
        for field, value in message.ListFields()
    }


def _words(name: str, value: Any) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(map(_is_text, words)):
        raise _invalid(name, "must be a text or a list of texts")
    return list(words)


def _is_text(value: Any) -> bool:
    """Return whether a value is a text that UTF-8 can express."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(name, "must be a number")
    try:
        return float(value)
    except OverflowError:
        raise _invalid(name, "must be a number that fits 64 bits") from None


def _invalid(name: object, problem: str) -> InvalidInputError:
    field = f"features.{str(name)[:_MAX_SHOWN]}"
    return InvalidInputError(Reason.INVALID_FIELD, f"{field} {problem}.", field=field)
