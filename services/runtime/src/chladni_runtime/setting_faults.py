"""What is wrong with settings, in sentences: the variable, its value, the limit, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_MAX_SHOWN_CHARACTERS: Final = 120
_BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_LENGTHS: Final = {"min_length": "at least", "max_length": "at most"}
_NUMBERS: Final[Mapping[type, str]] = {int: "an integer", float: "a number"}


class SettingConflictError(ValueError):
    """A setting does not go with the others.

    Args:
        field: Name of the field.
        problem: What is wrong and what to do: a sentence that begins with a verb. Names of other fields
            in it become those of their variables.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


def describe_faults(
    error: ValidationError, settings_class: type[BaseModel], *, prefix: str, values: Mapping[str, str]
) -> list[str]:
    """Return a line for each fault.

    Args:
        error: What validation found.
        settings_class: Class of the settings.
        prefix: Beginning of the names of the variables.
        values: What the environment gives, by field.
    """
    fields = settings_class.model_fields
    lines: dict[str, str] = {}
    for fault in error.errors():
        name, problem = _find(fault, fields)
        problem = _with_variables(problem, fields, prefix)
        shown = _shown(name, values, fields)
        # A field of several alternatives has a fault for each; the first says what is wrong.
        lines.setdefault(name or problem, f"{prefix}{name.upper()}{shown} {problem}")
    return list(lines.values())


def describe_unknown(name: str, known: Sequence[str]) -> str:
    """Return the line for a variable that no setting has."""
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}."
    return f"{name}: no such setting; {hint}"


def _find(fault: ErrorDetails, fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """Return the field of a fault, and what is wrong and what to do."""
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, SettingConflictError):
        return cause.field, str(cause)
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if name not in fields:
        return name, f"is wrong: {_ended(str(cause or fault['msg']))}"
    if fault["type"] == "missing":
        return name, f"is missing. Set it. {_ended(fields[name].description or '')}"
    reason = f"cannot be used: {_ended(str(cause))}" if cause is not None else "cannot be used."
    allowed = _allowed(fields[name])
    return name, " ".join((reason, *([f"It must be {allowed}."] if allowed else []), _advice(fields[name])))


def _allowed(field: FieldInfo) -> str:
    """Return what a field may hold, for people; empty if only its description says that."""
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not NoneType]
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(field.annotation)))}"
    if bool in kinds:
        return "true or false"
    number = next((text for kind, text in _NUMBERS.items() if kind in kinds), None)
    bounds = _limits(field, _BOUNDS)
    if number:
        return f"{number} {'of ' if bounds.startswith('at') else ''}{bounds}".strip()
    lengths = _limits(field, _LENGTHS)
    pattern = _constraint(field, "pattern")
    choices = re.fullmatch(r"\^\(([\w|]+)\)\$", pattern) if pattern else None
    if choices:
        return f"one of {', '.join(filter(None, choices[1].split('|')))}"
    return f"a text of {lengths} characters" if lengths else ""


def _limits(field: FieldInfo, words: Mapping[str, str]) -> str:
    found = {name: _constraint(field, name) for name in words}
    return " and ".join(f"{words[name]} {limit}" for name, limit in found.items() if limit is not None)


def _constraint(field: FieldInfo, name: str) -> Any:
    return next((found for item in field.metadata if (found := getattr(item, name, None)) is not None), None)


def _advice(field: FieldInfo) -> str:
    described = f"{_ended(field.description)} " if field.description else ""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return f"{described}Correct it."
    if (
        default is None
        or isinstance(default, SecretStr)
        or (isinstance(default, (tuple, str)) and not default)
    ):
        return f"{described}Correct it, or unset it for none."
    if isinstance(default, tuple):
        default = ", ".join(str(getattr(item, "full_name", item)) for item in default)
    elif isinstance(default, bool):
        default = str(default).lower()
    return f"{described}Correct it, or unset it for the default, {default}."


def _shown(name: str, values: Mapping[str, str], fields: Mapping[str, FieldInfo]) -> str:
    """Return the value of a field, unless it is secret."""
    if name not in values or name not in fields or _is_secret(fields[name]):
        return ""
    value = values[name]
    cut = value if len(value) <= _MAX_SHOWN_CHARACTERS else f"{value[:_MAX_SHOWN_CHARACTERS]}..."
    return f"={cut!r}"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _with_variables(text: str, fields: Mapping[str, FieldInfo], prefix: str) -> str:
    """Return a text in which names of fields are those of their variables."""
    composed = "|".join(sorted((name for name in fields if "_" in name), key=len, reverse=True))
    name = rf"(?<![\w/.-])({composed})(?![\w/.-]*\w)"
    return re.sub(name, lambda match: f"{prefix}{match[1].upper()}", text)


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
