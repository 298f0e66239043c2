"""Schedulers by name: which of diffusers' fit a model, and a fresh one for each request."""

from typing import Any, Final

import diffusers

# Multistep solvers that integrate a flow-matching model when told that its sigmas are those of a flow.
_FLOW_SOLVERS: Final = ("UniPCMultistepScheduler", "DPMSolverMultistepScheduler")
_FLOW_OPTIONS: Final = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}

# Samplers for distilled models; diffusers does not list them with the others.
_FEW_STEP_SAMPLERS: Final = {"LCMScheduler", "TCDScheduler"}
# Listed by diffusers, but made for models that are preconditioned in another way.
_OTHER_PRECONDITIONING: Final = {"EDMEulerScheduler"}


class SchedulerCatalog:
    """The schedulers that fit one model.

    Args:
        default: The scheduler that the model's directory holds; its configuration is the base of all.
    """

    def __init__(self, default: Any) -> None:
        self._default = default
        self.is_flow = _is_flow(default)
        self._default_name = type(default).__name__

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
        """Returns a scheduler that shares no state with any other.

        Args:
            name: One of `names`.
        """
        if name not in self.names:
            raise ValueError(f"scheduler {name} does not fit this model")
        config = dict(self._default.config)
        if name == self._default_name:
            return type(self._default).from_config(config)
        if self.is_flow and name in _FLOW_SOLVERS:
            config |= _FLOW_OPTIONS | {"flow_shift": config.get("shift", config.get("flow_shift", 1.0))}
        return getattr(diffusers, name).from_config(config)


def _is_flow(scheduler: Any) -> bool:
    return "FlowMatch" in type(scheduler).__name__ or bool(scheduler.config.get("use_flow_sigmas"))


def _can_be_made(scheduler: type) -> bool:
    """Returns whether a class is more than diffusers' stand-in for one whose own dependency is missing."""
    return not scheduler.__module__.startswith("diffusers.utils.dummy")
