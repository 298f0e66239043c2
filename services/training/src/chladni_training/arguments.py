"""Arguments of training jobs: from the command line, in two spellings, and from the environment."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class JobParser(argparse.ArgumentParser):
    """A parser that also takes snake_case spellings, and options from the environment.

    `--batch_size 32` and `BATCH_SIZE=32` mean `--batch-size 32`. What the command line says comes before what
    the environment says. Options with several values take theirs from a variable as a shell would split it,
    flags take 1, true, yes or on, and 0, false, no or off. An empty variable counts as absent.

    Attributes:
        environment: Variables to take options from; none unless the command sets them.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self.environment: Mapping[str, str] = {}
        self._options: list[argparse.Action] = []
        self._repeatable: set[str] = set()
        keywords.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, **keywords)

    def add_argument(self, *names: str, **keywords: Any) -> argparse.Action:
        """Define an argument, as `argparse.ArgumentParser` does."""
        action = super().add_argument(*names, **keywords)
        if action.option_strings and action.dest not in ("help", "version"):
            self._options.append(action)
            if keywords.get("action") == "append":
                self._repeatable.add(action.dest)
        return action

    # Typeshed overloads it by the type of the namespace.
    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments after those of the environment."""
        given = [self._usual_spelling(token) for token in (sys.argv[1:] if args is None else args)]
        before, after = self._from_environment({token.partition("=")[0] for token in given})
        return super().parse_known_args([*before, *given, *after], namespace)

    def taken_from_environment(self, arguments: Sequence[str]) -> dict[str, str]:
        """Return the variables that decide options which these arguments leave open."""
        given = {self._usual_spelling(token).partition("=")[0] for token in arguments}
        return {
            _variable(action): self.environment[_variable(action)]
            for action in self._options
            if self.environment.get(_variable(action)) and given.isdisjoint(action.option_strings)
        }

    def _usual_spelling(self, token: str) -> str:
        """Return an option in the spelling by which it was defined; anything else as it is."""
        if not token.startswith("--"):
            return token
        name, equals, value = token.partition("=")
        for action in self._options:
            for option in action.option_strings:
                if option.startswith("--") and _snake_case(option) == _snake_case(name):
                    return f"{option}{equals}{value}"
        return token

    def _from_environment(self, given: set[str]) -> tuple[list[str], list[str]]:
        """Return the tokens that go before and after the given ones: lists would swallow what follows."""
        before: list[str] = []
        after: list[str] = []
        for action in self._options:
            value = self.environment.get(_variable(action), "")
            if not value or not given.isdisjoint(action.option_strings):
                continue
            option = action.option_strings[-1]
            if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
                before.extend(self._flag(action, value))
            elif action.nargs is not None and action.nargs != "?":
                after.extend([option, *shlex.split(value)])
            elif action.dest in self._repeatable:
                before.extend(f"{option}={part}" for part in shlex.split(value))
            else:
                before.append(f"{option}={value}")
        return before, after

    def _flag(self, action: argparse.Action, value: str) -> list[str]:
        if value.lower() in _TRUE:
            return [action.option_strings[0]]
        if value.lower() not in _FALSE:
            self.error(f"the environment's {_variable(action)} is {value!r}, must be true or false")
        is_optional = isinstance(action, argparse.BooleanOptionalAction)
        return [action.option_strings[-1]] if is_optional else []


def positive_count(text: str) -> int:
    """Return a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def positive_number(text: str) -> float:
    """Return a finite number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0 and finite")
    return number


def seed_number(text: str) -> int:
    """Return a whole number from 0 to 2^32 - 1, of which every seed of a run can be made."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError("must be from 0 to 4294967295")
    return number


def open_share(text: str) -> float:
    """Return a number above 0 and below 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError("must be above 0 and below 1")
    return number


def _variable(action: argparse.Action) -> str:
    return action.dest.upper()


def _snake_case(option: str) -> str:
    return option.replace("-", "_")
