"""The rules: a history that keeps them has no faults, and each breach is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chladni_robustness.history import End, History, Seen
from chladni_robustness.processes import Usage, growth_of
from chladni_robustness.validator import faults_of


def history(*names, end=End.CREATED, digest="d", content="4/0", **changed):
    """A history of events a tenth of a second apart; ``progress:3`` is that of step 3."""
    seen = []
    for number, name in enumerate(names):
        kind, _, step = name.partition(":")
        seen.append(Seen(kind, number / 10, int(step or 0)))
    return History("c", content, seen=seen, end=end, digest=digest, **changed)


GOOD = ("accepted", "queued", "progress:1", "progress:3", "created")


@pytest.mark.parametrize(
    "histories",
    [
        [history(*GOOD), history(*GOOD), history(*GOOD, content="4/1", digest="other")],
        [history("accepted", end=End.REFUSED, code="UNAVAILABLE", digest="")],
        [history("accepted", "progress:1", end=End.CANCELLED, cancelled_at=0.05, digest="")],
        [history(end=End.REFUSED, code="RESOURCE_EXHAUSTED", digest="")],
        [history(end=End.REFUSED, code="UNAVAILABLE", digest="", ended_at=3.0, must_be_refused_after=2.0)],
    ],
)
def test_what_keeps_the_rules_has_no_faults(histories):
    assert faults_of(histories) == []


@pytest.mark.parametrize(
    ("histories", "words"),
    [
        ([history("accepted", end=None, digest="")], "never ended"),
        ([history(*GOOD, "created")], "2 terminal events"),
        ([history(*GOOD, "progress:4")], "progress came after the terminal event"),
        ([history("accepted", digest="")], "without an image"),
        ([history(*GOOD, end=End.REFUSED, code="UNAVAILABLE")], "came after the image"),
        ([history(end=End.REFUSED, code="INTERNAL", digest="")], "INTERNAL"),
        ([history(end=End.REFUSED, code="INVALID_ARGUMENT", digest="")], "INVALID_ARGUMENT"),
        (
            [
                history(
                    end=End.REFUSED,
                    code="RESOURCE_EXHAUSTED",
                    digest="",
                    ended_at=3.0,
                    must_be_refused_after=2.0,
                )
            ],
            "1.0 s too late",
        ),
        ([history("queued", *GOOD)], "first event was queued"),
        ([history("accepted", "progress:2", "progress:2", "created")], "did not rise"),
        ([history(*GOOD, cancelled_at=-9.0)], "long after"),
        ([history(*GOOD), history(*GOOD, digest="other")], "2 different images"),
    ],
)
def test_each_breach_is_named(histories, words):
    [fault] = faults_of(histories)
    assert words in fault


@pytest.mark.parametrize(
    "slow",
    [
        history(
            end=End.REFUSED, code="RESOURCE_EXHAUSTED", digest="", ended_at=3.0, must_be_refused_after=2.0
        ),
        history("accepted", end=End.CANCELLED, digest="", cancelled_at=-9.0),
    ],
)
def test_patience_forgives_slowness_alone(slow):
    assert len(faults_of([slow])) == 1
    assert faults_of([slow], patience=2.0) == []
    [fault] = faults_of([replace(slow, seen=[], end=End.REFUSED, code="INTERNAL")], patience=2.0)
    assert "INTERNAL" in fault


def test_growth_is_named_for_a_process_that_is_still_the_same():
    before = {"gateway": Usage(1, 100, 10), "similarity": Usage(2, 100, 10)}
    assert growth_of(before, {"gateway": Usage(1, 200_000, 70), "similarity": Usage(3, 10**6, 999)}) == []
    grown = growth_of(before, {"gateway": Usage(1, 300_000, 99), "similarity": Usage(2, 100, 10)})
    assert len(grown) == 2
    assert all(fault.startswith("gateway") for fault in grown)
