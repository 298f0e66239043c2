"""Folders of machine recordings: plain ones, and those of DCASE's task 2, read as they are.

DCASE names a file by its section, domain, split and condition, then attributes:
``section_00_source_train_normal_0001_vel_28.wav``; one machine has the folders ``train`` and ``test``, or in
older years ``source_test`` and ``target_test``. If the name says nothing, the folder does: files below a
folder ``train`` or ``normal`` are normal, those below ``anomaly`` or ``abnormal`` are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chladni_training.errors import DataError

AUDIO_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3"})
IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})

_NAME: Final = re.compile(
    r"section_(?P<section>\d+)_(?:(?P<domain>source|target)_)?(?P<split>train|test)_(?P<condition>normal|anomaly)_",
    re.IGNORECASE,
)
_ANOMALOUS_FOLDERS: Final = frozenset({"anomaly", "abnormal", "anomalous", "faulty"})


@dataclass(frozen=True, slots=True)
class MachineClip:
    """A recording of a machine.

    Attributes:
        path: Its file, audio or a spectrogram image.
        section: Number of the machine, ``00``; empty if unknown.
        domain: ``source`` or ``target``.
        is_training: Whether it is to be learnt from.
        is_anomaly: Whether it shows a fault.
    """

    path: Path
    section: str
    domain: str
    is_training: bool
    is_anomaly: bool

    @property
    def is_image(self) -> bool:
        """Whether it is a spectrogram image."""
        return self.path.suffix.lower() in IMAGE_SUFFIXES


def find_clips(folder: Path) -> Sequence[MachineClip]:
    """Return the recordings in a folder and below, by their paths.

    Raises:
        DataError: There are none, or none to learn from.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES | IMAGE_SUFFIXES
    )
    if not files:
        raise DataError(f"{folder} holds no audio files and no spectrogram images")
    clips = [clip_of(path, folder) for path in files]
    if not any(clip.is_training for clip in clips):
        raise DataError(
            f"{folder} holds no normal recordings to learn from; put them into a folder `train`, or name "
            "them as DCASE does: section_00_source_train_normal_0000.wav"
        )
    return clips


def clip_of(path: Path, folder: Path) -> MachineClip:
    """Return what the name of a file, or else the folders below `folder` that it is in, say of it."""
    parts = [part.lower() for part in path.relative_to(folder).parts[:-1]]
    domain = "target" if any(part.startswith("target") for part in parts) else "source"
    if match := _NAME.search(path.name):
        is_anomaly = match["condition"].lower() == "anomaly"
        return MachineClip(
            path,
            section=match["section"],
            domain=(match["domain"] or domain).lower(),
            is_training=match["split"].lower() == "train" and not is_anomaly,
            is_anomaly=is_anomaly,
        )
    name = path.name.lower()
    is_anomaly = bool(_ANOMALOUS_FOLDERS & set(parts)) or name.startswith(("anomaly_", "abnormal_"))
    is_test = any(part.endswith("test") for part in parts)
    return MachineClip(path, "", domain, is_training=not is_anomaly and not is_test, is_anomaly=is_anomaly)
