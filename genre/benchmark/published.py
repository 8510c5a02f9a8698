"""What a paper says of its figures and conditions, kept as data beside the plan that reproduces them.

The file has ``paper``, ``conditions`` and ``figures``, a list: each entry names a row by its ``system``, the stems of
its configurations, and, where the plan has them, its ``features``; and holds the figures (``accuracy``, ``precision``,
``recall``, ``f1``, ``auroc``, of test tracks; ``validation_accuracy``, ``train_accuracy``) and whatever condition is
its own. The conditions are ``data_set``, ``tracks`` (by side), ``split`` (a class's name), ``epochs``, ``weights`` and
``trainable`` (parameters).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genre.benchmark.plan import Row


@dataclass(frozen=True)
class Published:
    """What a paper says of one row.

    Attributes:
        figures: By name, such as ``accuracy``.
        conditions: Under which they were found.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """Under which ours were found.

    Attributes:
        data_set: The DataModule's name.
        tracks: Tracks by side; segments under a leaky split.
        split: The split's class.
        epochs: The largest number of epochs that was allowed.
        trainable: The number of parameters that were trained.
        weights: What the network started from: ``True``, ``False`` or a file; ``None`` where it never takes any.
    """

    data_set: str
    tracks: Mapping[str, int]
    split: str
    epochs: int
    trainable: int
    weights: bool | str | None


def published(row: Row, content: Mapping[str, Any]) -> Published:
    """The figures and conditions of a row; empty ones where the paper has none."""
    names = {"system": row.system, "features": row.features.stem if row.features else None}
    for entry in content.get("figures", []):
        if all(entry.get(key) in (name, None) for key, name in names.items()):
            figures = {name: float(value) for name, value in entry.items() if isinstance(value, float)}
            own = {name: value for name, value in entry.items() if name not in names and name not in figures}
            return Published(figures, {**content.get("conditions", {}), **own})
    return Published()


def differences(ours: Conditions, theirs: Mapping[str, Any]) -> list[str]:
    """What is not as in the paper, a phrase each, ours first."""
    found = []
    weights = {True: "ImageNet", False: "no", None: None}.get(ours.weights, f"{ours.weights}")  # type: ignore[arg-type]
    if "weights" in theirs and weights != theirs["weights"]:
        found.append(f"{weights or 'no'} weights (paper: {theirs['weights']})")
    if "trainable" in theirs and ours.trainable != theirs["trainable"]:
        found.append(f"{ours.trainable:,} trainable parameters (paper: {theirs['trainable']:,})")
    if "data_set" in theirs and ours.data_set != theirs["data_set"]:
        found.append(f"data {ours.data_set} (paper: {theirs['data_set']})")
    if "tracks" in theirs and dict(ours.tracks) != dict(theirs["tracks"]):
        found.append(f"{_counts(ours.tracks)} train/validation/test (paper: {_counts(theirs['tracks'])})")
    if "split" in theirs and ours.split != theirs["split"]:
        found.append(f"{ours.split} (paper: {theirs['split']})")
    if "epochs" in theirs and ours.epochs != theirs["epochs"]:
        found.append(f"{ours.epochs} epoch{'s' * (ours.epochs != 1)} (paper: {theirs['epochs']})")
    return found


def _counts(tracks: Mapping[str, int]) -> str:
    return " / ".join(str(tracks.get(side, 0)) for side in ("train", "validation", "test"))
