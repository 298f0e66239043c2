"""Conditions that a family adds to those of the family on which it builds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from chladni_image_generation.models.interface import DenoisingStage, GenerationPlan


def with_condition(plan: GenerationPlan, name: str, value: Tensor) -> GenerationPlan:
    """Return a plan whose denoiser takes one tensor more; in the null condition zeros stand for it.

    Stages of other networks, such as an upscaler's, stay as they are.

    Args:
        plan: The plan.
        name: Name of the tensor among the conditions.
        value: The tensor, without batch axis.
    """
    return replace(
        plan,
        stages=tuple(
            stage if stage.network else _with_condition(stage, name, value) for stage in plan.stages
        ),
    )


def _with_condition(stage: DenoisingStage, name: str, value: Tensor) -> DenoisingStage:
    null_condition = stage.null_condition
    if null_condition is not None:
        null_condition = {**null_condition, name: torch.zeros_like(value)}
    return replace(stage, condition={**stage.condition, name: value}, null_condition=null_condition)
