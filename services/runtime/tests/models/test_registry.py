"""Models by name."""

from __future__ import annotations

import pytest

from chladni_contract.errors import NotFoundError, Reason, UnavailableError
from chladni_runtime.models.registry import ModelRegistry


@pytest.fixture
def registry():
    return ModelRegistry(
        [("small", 1), ("large", 2)],
        [("broken", "Its weights are cut off.")],
        hints={"extra": "EXTRA adds it."},
    )


def test_a_name_finds_its_model_and_the_empty_one_the_first(registry):
    assert registry.find("large", field="model") == 2
    assert registry.find("", field="model") == registry.default == 1
    assert list(registry) == [1, 2]


def test_a_model_that_cannot_be_used_says_why(registry):
    with pytest.raises(
        UnavailableError, match=r"'broken' cannot be used: Its weights are cut off\."
    ) as caught:
        registry.find("broken", field="options.model")
    assert caught.value.reason is Reason.MODEL_UNAVAILABLE
    assert caught.value.violations[0].field == "options.model"
    assert caught.value.metadata["model"] == "broken"


def test_an_unknown_name_is_answered_with_those_that_can_be_used(registry):
    with pytest.raises(NotFoundError, match=r"has small, large\. Leave the field empty for") as caught:
        registry.find("medium", field="model")
    assert caught.value.reason is Reason.UNKNOWN_MODEL
    assert caught.value.violations[0].field == "model"


def test_a_model_that_an_operator_may_add_says_how(registry):
    with pytest.raises(NotFoundError, match=r"EXTRA adds it\.$"):
        registry.find("extra", field="model")


def test_a_long_name_is_cut_off_in_the_error(registry):
    with pytest.raises(NotFoundError) as caught:
        registry.find("x" * 10_000, field="model")
    assert len(caught.value.message) < 300
    assert caught.value.metadata["model"] == "x" * 80


@pytest.mark.parametrize("unavailable", [[], [("a", "gone")]])
def test_names_differ(unavailable):
    with pytest.raises(ValueError, match="the same name: a, a"):
        ModelRegistry([("a", 1), *([] if unavailable else [("a", 2)])], unavailable)
