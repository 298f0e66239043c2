"""Conditions that a family adds to those of the family on which it builds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from chladni_image_generation.models.interface import GenerationPlan, Leg


def with_condition(plan: GenerationPlan, name: str, value: Tensor) -> GenerationPlan:
    """Returns a plan whose denoiser takes one tensor more; in the null condition zeros stand for it.

    Legs of other networks, such as an upscaler's, stay as they are.

    Args:
        plan: The plan.
        name: Name of the tensor among the conditions.
        value: The tensor, without batch axis.
    """
    return replace(
        plan, legs=tuple(leg if leg.network else _with_condition(leg, name, value) for leg in plan.legs)
    )


def _with_condition(leg: Leg, name: str, value: Tensor) -> Leg:
    null_condition = leg.null_condition
    if null_condition is not None:
        null_condition = {**null_condition, name: torch.zeros_like(value)}
    return replace(leg, condition={**leg.condition, name: value}, null_condition=null_condition)
