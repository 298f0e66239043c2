"""Why a run cannot begin or go on; each message says what to do."""

from __future__ import annotations


class TrainingError(Exception):
    """A run cannot begin or go on."""


class DataError(TrainingError):
    """The data to train on are missing, damaged or of another kind."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, or it belongs to another run."""


class StorageError(TrainingError):
    """A file cannot be written; what was written before is intact."""


class DivergenceError(TrainingError):
    """The loss, its gradients or the weights are no longer finite; the last checkpoint is intact."""
