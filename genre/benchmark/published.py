"""What a paper says of its figures and conditions, kept as data beside the plan that reproduces them.

The file has ``paper``, ``conditions`` and ``figures``, a list: each entry names a row by its ``system``, the stems of
its configurations, and, where the plan has them, its ``features``; and holds the figures of :data:`FIGURES` and
whatever condition is its own. The conditions are ``data_set``, ``tracks`` (by subset), ``split`` (a class's name),
``segment_seconds``, ``epochs`` (a number, or a list where a figure is the mean over fits of so many), ``augmentation``
(``none``, or which), ``weights`` and ``trainable`` (parameters). A condition that is ``null`` is one that the paper
does not state.

``sources``, of the file or of an entry, tell where a figure or a condition comes from if the paper does not state it:
``inferred`` (from the paper's numbers), ``code`` (that the paper follows or names), or any other words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from genre.benchmark.plan import Row
from genre.data.datamodule import GenreDataModule
from genre.metrics import SCORES

#: What a paper may print: scores of test tracks, what stands beside them, and what a fit takes.
FIGURES = (
    *SCORES, "loss", "train_loss", "train_accuracy", "validation_accuracy", "parameters", "seconds_per_epoch",
    "training_seconds",
)  # fmt: skip

#: How a condition's source is named.
SOURCES = {"stated": "paper", "inferred": "inferred from the paper", "code": "the paper's code"}


@dataclass(frozen=True)
class Published:
    """What a paper says of one row.

    Attributes:
        figures: By name, such as ``accuracy``.
        conditions: Under which they were found.
        sources: Where those of them come from that the paper does not state, by name.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """Under which ours were found.

    Attributes:
        data_set: The DataModule's name.
        tracks: Tracks by subset; segments under a leaky split.
        split: The split's class.
        epochs: The largest number of epochs that was allowed; several where a score is the mean over such fits.
        trainable: The number of parameters that were trained.
        weights: What the network started from: ``True``, ``False`` or a file; ``None`` where it never takes any.
        recipe_epochs: The number of epochs that the recipe asks for, if it does.
        segment_seconds: The length of a segment.
        augmentation: See :func:`augmentation`.
    """

    data_set: str
    tracks: Mapping[str, int]
    split: str
    epochs: int | Sequence[int]
    trainable: int
    weights: bool | str | None
    recipe_epochs: int | None = None
    segment_seconds: float | None = None
    augmentation: str | None = None


def published(row: Row, content: Mapping[str, Any]) -> Published:
    """The figures and conditions of a row; empty ones where the paper has none."""
    names = {"system": row.system, "features": row.features.stem if row.features else None}
    for entry in content.get("figures", []):
        if all(entry.get(key) in (name, None) for key, name in names.items()):
            figures = {name: float(entry[name]) for name in FIGURES if name in entry}
            own = {name: value for name, value in entry.items() if name not in {*names, *figures, "sources"}}
            sources = {**content.get("sources", {}), **entry.get("sources", {})}
            return Published(figures, {**content.get("conditions", {}), **own}, sources)
    return Published()


def augmentation(data: GenreDataModule) -> str:
    """How train examples are augmented: ``none``, or by which modules, and how many versions of each there are."""
    mixup = [] if data.mixup is None else [data.mixup]
    kinds = [type(module).__name__ for module in (*data.augment_waveform, *data.augment_spectrogram, *mixup)]
    if not kinds:
        return "none"
    versions = f"{data.crops_per_track} versions of each example " if data.crops_per_track > 1 else ""
    return f"{versions}by {', '.join(kinds)}"


def differences(ours: Conditions, theirs: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> list[str]:
    """What is not as in the paper, a phrase each, ours first.

    Args:
        ours: Our conditions.
        theirs: The paper's, as far as they are known; ``None``: the paper does not state it.
        sources: Where those of them come from that the paper does not state, by name.
    """

    def against(name: str, text: object) -> str:
        source = (sources or {}).get(name, "stated")
        return f"{SOURCES.get(source, source)}: {'not stated' if theirs.get(name) is None else text}"

    found = []
    weights = {True: "ImageNet", False: "no", None: None}.get(ours.weights, f"{ours.weights}")  # type: ignore[arg-type]
    if "weights" in theirs and weights != theirs["weights"]:
        found.append(f"{weights or 'no'} weights ({against('weights', theirs['weights'])})")
    if "trainable" in theirs and ours.trainable != theirs["trainable"]:
        found.append(
            f"{ours.trainable:,} trainable parameters ({against('trainable', format(theirs['trainable'], ','))})"
        )
    if "data_set" in theirs and ours.data_set != theirs["data_set"]:
        found.append(f"data {ours.data_set} ({against('data_set', theirs['data_set'])})")
    if "tracks" in theirs and dict(ours.tracks) != dict(theirs["tracks"]):
        found.append(f"{_counts(ours.tracks)} train/validation/test ({against('tracks', _counts(theirs['tracks']))})")
    if "split" in theirs and ours.split != theirs["split"]:
        found.append(f"{ours.split} ({against('split', theirs['split'])})")
    found += _epochs(ours, theirs, against("epochs", count_of(theirs.get("epochs") or 0)))
    if "segment_seconds" in theirs and ours.segment_seconds != theirs["segment_seconds"]:
        theirs_seconds = f"{theirs['segment_seconds'] or 0:g} s"
        found.append(f"segments of {ours.segment_seconds:g} s ({against('segment_seconds', theirs_seconds)})")
    if "augmentation" in theirs and ours.augmentation != theirs["augmentation"]:
        found.append(f"augmentation: {ours.augmentation} ({against('augmentation', theirs['augmentation'])})")
    return found


def count_of(epochs: int | Sequence[int]) -> str:
    """A number of epochs, or several: ``5, 10, … 200``."""
    numbers = [epochs] if isinstance(epochs, int) else list(epochs)
    steps = {following - number for number, following in pairwise(numbers)}
    if len(numbers) > 3 and len(steps) == 1:
        numbers = [*numbers[:2], numbers[-1]]
        return f"{numbers[0]}, {numbers[1]}, … {numbers[2]}"
    return ", ".join(map(str, numbers))


def _epochs(ours: Conditions, theirs: Mapping[str, Any], papers: str) -> list[str]:
    """Ours beside the paper's and, where it is another number, the recipe's."""
    done = ours.epochs if isinstance(ours.epochs, int) else list(ours.epochs)
    others = [papers] if "epochs" in theirs and theirs["epochs"] != done else []
    if ours.recipe_epochs not in (None, done, theirs.get("epochs")) and (others or "epochs" not in theirs):
        others.append(f"recipe: {ours.recipe_epochs}")
    return [f"{count_of(done)} epoch{'s' * (done != 1)} ({'; '.join(others)})"] if others else []


def _counts(tracks: Mapping[str, int]) -> str:
    return " / ".join(str(tracks.get(subset, 0)) for subset in ("train", "validation", "test"))
