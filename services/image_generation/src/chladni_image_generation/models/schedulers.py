"""Schedulers by name: which of diffusers' fit a model, and a fresh one for each request."""

from __future__ import annotations

import copy
import inspect
from typing import Any, Final

import diffusers
import torch
from torch import Tensor

from chladni_contract.errors import InvalidInputError, Reason

# Multistep solvers that integrate a flow-matching model when configured with the sigmas of a flow.
_FLOW_SOLVERS: Final = ("UniPCMultistepScheduler", "DPMSolverMultistepScheduler")
_FLOW_OPTIONS: Final = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}

# Samplers for distilled models; diffusers does not list them with the others.
_FEW_STEP_SAMPLERS: Final = {"LCMScheduler", "TCDScheduler"}
# Listed by diffusers, but made for models that are preconditioned in another way.
_OTHER_PRECONDITIONING: Final = {"EDMEulerScheduler"}


_LEAST_NOISE_LEVEL: Final = 1e-3


class SchedulerCatalog:
    """The schedulers that fit one model.

    Args:
        default: The scheduler that the model's directory holds; its configuration is the base of all.
    """

    def __init__(self, default: Any) -> None:
        self._default = default
        self.is_flow = _is_flow(default)
        self._default_name = type(default).__name__
        self._prototypes: dict[str, Any] = {}

    @property
    def training_timesteps(self) -> int:
        """The timestep of pure noise."""
        return int(self._default.config.num_train_timesteps)

    @property
    def names(self) -> tuple[str, ...]:
        """Diffusers class names, the default one first."""
        if self.is_flow:
            others = {"FlowMatchEulerDiscreteScheduler", *_FLOW_SOLVERS}
        else:
            usable = filter(_can_be_made, self._default.compatibles)
            names = {scheduler.__name__ for scheduler in usable}
            others = (names | _FEW_STEP_SAMPLERS) - _OTHER_PRECONDITIONING
        return (self._default_name, *sorted(others - {self._default_name}))

    def new(self, name: str) -> Any:
        """Return a scheduler that shares no state with any other.

        Args:
            name: One of `names`.
        """
        if name not in self._prototypes:
            self._prototypes[name] = self._make(name)
        prototype = self._prototypes[name]
        # Copied, as some compute a schedule of a thousand steps when they are made: half a second.
        # Their configurations are frozen, and cannot be copied item by item.
        config = prototype.config
        return copy.deepcopy(prototype, {id(config): config})

    def _make(self, name: str) -> Any:
        if name not in self.names:
            raise ValueError(f"scheduler {name} does not fit this model")
        config = dict(self._default.config)
        if name == self._default_name:
            return type(self._default).from_config(config)
        if self.is_flow and name in _FLOW_SOLVERS:
            config |= _FLOW_OPTIONS | {"flow_shift": config.get("shift", config.get("flow_shift", 1.0))}
        return getattr(diffusers, name).from_config(config)


def timesteps_of(scheduler: Any, steps: int) -> Tensor:
    """Set a scheduler's timesteps and return them (N,); some schedulers need more than were asked for.

    Raises:
        InvalidInputError: The scheduler cannot take so few steps.
    """
    try:
        scheduler.set_timesteps(steps)
    except (ValueError, IndexError) as error:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"steps is {steps}, which {type(scheduler).__name__} cannot take; ask for more.",
            field="options.steps",
            metadata={"value": steps},
        ) from error
    timesteps: Tensor = scheduler.timesteps
    return timesteps


def step_options(scheduler: Any, generator: torch.Generator) -> dict[str, Any]:
    """Return the generator for schedulers that draw noise; others do not take one."""
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    return {"generator": generator} if takes_generator else {}


def clean_estimate(
    scheduler: Any, outcome: Any, *, latents: Tensor, prediction: Tensor, timestep: Tensor
) -> Tensor:
    """Return what latents would be without noise, by the newest prediction.

    Args:
        scheduler: The scheduler that took the step.
        outcome: What its `step` returned; most schedulers return the estimate in it.
        latents: (C, H, W) before the step.
        prediction: (C, H, W), the denoiser's.
        timestep: Of the step.
    """
    for name in ("pred_original_sample", "denoised"):
        returned: Tensor | None = getattr(outcome, name, None)
        if returned is not None:
            return returned[0]
    estimate: Tensor
    if _is_flow(scheduler):
        estimate = latents - timestep / scheduler.config.num_train_timesteps * prediction
        return estimate
    # Those that do not return it keep the variance of their samples, x = sqrt(a) x_0 + sqrt(1 - a) e.
    kept: Tensor = scheduler.alphas_cumprod[timestep.long().cpu()]
    match scheduler.config.prediction_type:
        case "epsilon":
            estimate = (latents - (1 - kept).sqrt() * prediction) / kept.sqrt()
        case "v_prediction":
            estimate = kept.sqrt() * latents - (1 - kept).sqrt() * prediction
        case _:
            estimate = prediction
    return estimate


def velocity_of(latents: Tensor, clean: Tensor, noise_level: Tensor) -> Tensor:
    """Return the velocity e - z of a flow x = (1 - s) z + s e, from where it leads to.

    Args:
        latents: x.
        clean: z, by the denoiser's estimate.
        noise_level: s; below a thousandth, at the end of a flow, it counts as a thousandth.
    """
    return (latents - clean) / noise_level.clamp(min=_LEAST_NOISE_LEVEL)


def _is_flow(scheduler: Any) -> bool:
    return "FlowMatch" in type(scheduler).__name__ or bool(scheduler.config.get("use_flow_sigmas"))


def _can_be_made(scheduler: type) -> bool:
    """Return whether a class is more than diffusers' stand-in for one whose own dependency is missing."""
    return not scheduler.__module__.startswith("diffusers.utils.dummy")
