"""Errors give programs only the metadata that the contract declares for their reasons.

`ChladniError` checks that too when it is made. This module reads the sources, so that a branch that no test
reaches is checked as well.
"""

from __future__ import annotations

import ast
from pathlib import Path

from chladni_audio_features.audio import errors as audio_errors
from chladni_contract.errors import REASON_OPTIONS, Reason
from chladni_gateway.domain.stages import PART_KEY, STAGE_KEY

REASONS_OF_CLASSES = {
    "QueueFullError": "QUEUE_FULL",
    "DeadlineExceededError": "DEADLINE_EXCEEDED",
}
REASONS_OF_CLASSES |= {
    name: kind.audio_reason.value
    for name, kind in vars(audio_errors).items()
    if isinstance(kind, type) and issubclass(kind, audio_errors.AudioError)
}
KEYS_OF_NAMES = {"STAGE_KEY": STAGE_KEY, "PART_KEY": PART_KEY}
REPOSITORY = Path(__file__).parents[2]
SOURCES = [
    path
    for root in ("protos/contract/src", "services", "tests/fakes/src")
    for path in sorted((REPOSITORY / root).rglob("*.py"))
    if "/tests/" not in str(path.relative_to(REPOSITORY / root))
]


def reasons_in(call):
    """The reasons that a call may give its error."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name in REASONS_OF_CLASSES:
        return {REASONS_OF_CLASSES[name]}
    nodes = (node for argument in [*call.args, *call.keywords] for node in ast.walk(argument))
    return {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }


def keys_in(call):
    """The keys of the metadata that a call gives its error, as far as the source names them."""
    for keyword in call.keywords:
        if keyword.arg == "metadata":
            for node in ast.walk(keyword.value):
                for key in node.keys if isinstance(node, ast.Dict) else ():
                    if isinstance(key, ast.Constant):
                        yield key.value
                    elif isinstance(key, ast.Name):
                        yield KEYS_OF_NAMES[key.id]


def errors_made():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (reasons := reasons_in(node)):
                yield f"{path.relative_to(REPOSITORY)}:{node.lineno}", reasons, set(keys_in(node))


def test_sources_name_only_declared_metadata():
    undeclared = {
        (place, reason): sorted(keys - REASON_OPTIONS[Reason(reason)].metadata_keys)
        for place, reasons, keys in errors_made()
        for reason in reasons
        if keys - REASON_OPTIONS[Reason(reason)].metadata_keys
    }
    assert not undeclared
