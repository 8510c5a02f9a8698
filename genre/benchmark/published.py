"""The published figures and conditions of a paper, in a YAML file beside the plan that reproduces them.

The file has the keys ``paper``, ``conditions`` and ``figures``, a list. Each entry of ``figures`` names a row by its
``system`` (the stems of its configuration files) and, if the plan has them, its ``features``. It holds figures from
:data:`FIGURES`, and conditions that apply only to this row. The conditions are ``data_set``, ``tracks`` (by subset),
``split`` (the name of a class), ``segment_seconds``, ``epochs`` (a number; or a list, if a figure is the mean over fits
with these numbers), ``augmentation`` (``none`` or a description), ``weights`` and ``trainable`` (parameters). The value
``null`` means that the paper does not state a condition.

``sources``, in the file or in an entry, names the source of a figure or condition that the paper does not state:
``inferred`` (from the paper's numbers), ``code`` (that the paper follows or names), or any other text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from genre.benchmark.plan import Row
from genre.data.datamodule import GenreDataModule
from genre.metrics import SCORES

#: The figures that a paper may publish: scores of test tracks, losses and other accuracies, and the cost of a fit.
FIGURES = (
    *SCORES, "loss", "train_loss", "train_accuracy", "validation_accuracy", "parameters", "seconds_per_epoch",
    "training_seconds",
)  # fmt: skip

#: The descriptions of the sources in the table.
SOURCES = {"stated": "paper", "inferred": "inferred from the paper", "code": "the paper's code"}


@dataclass(frozen=True)
class Published:
    """One row of a paper.

    Attributes:
        figures: The figures by name, such as ``accuracy``.
        conditions: The conditions of the figures, by name.
        sources: The sources of the figures and conditions that the paper does not state, by name.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def find_published(row: Row, content: Mapping[str, Any]) -> Published:
    """The figures and conditions of a row; empty if the paper has none."""
    names = {"system": row.system, "features": row.features.stem if row.features else None}
    for entry in content.get("figures", []):
        if all(entry.get(key) in (name, None) for key, name in names.items()):
            figures = {name: float(entry[name]) for name in FIGURES if name in entry}
            own = {name: value for name, value in entry.items() if name not in {*names, *figures, "sources"}}
            sources = {**content.get("sources", {}), **entry.get("sources", {})}
            return Published(figures, {**content.get("conditions", {}), **own}, sources)
    return Published()


def augmentation(data: GenreDataModule) -> str:
    """Describes the augmentation of train tracks: ``none``, or the modules and the number of versions per example."""
    mixup = [] if data.mixup is None else [data.mixup]
    modules = [type(module).__name__ for module in (*data.augment_waveform, *data.augment_spectrogram, *mixup)]
    if not modules:
        return "none"
    versions = f"{data.crops_per_track} versions of each example " if data.crops_per_track > 1 else ""
    return f"{versions}by {', '.join(modules)}"


def differences(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    sources: Mapping[str, str] | None = None,
    recipe_epochs: int | None = None,
) -> list[str]:
    """Describes the differences from the paper, one phrase per condition: our value, then the paper's.

    Args:
        ours: Our conditions, by the names of :data:`CONDITIONS`.
        theirs: The paper's conditions; a value of ``None``: the paper does not state it.
        sources: The sources of conditions that the paper does not state, by name.
        recipe_epochs: The number of epochs in the recipe, if any, which is added to the paper's number.
    """
    phrases = []
    for name, (phrase, show) in CONDITIONS.items():
        notes = []
        if name in theirs and ours[name] != theirs[name]:
            source = (sources or {}).get(name, "stated")
            value = "not stated" if theirs[name] is None else show(theirs[name])
            notes.append(f"{SOURCES.get(source, source)}: {value}")
        if name == "epochs" and recipe_epochs not in (None, ours[name], theirs.get(name)):
            notes += [f"recipe: {recipe_epochs}"] if notes or name not in theirs else []
        if notes:
            phrase = "{} epoch" if name == "epochs" and ours[name] == 1 else phrase
            phrases.append(f"{phrase.format(show(ours[name]))} ({'; '.join(notes)})")
    return phrases


def count_of(epochs: int | Sequence[int]) -> str:
    """Formats one or several numbers of epochs, such as ``5, 10, … 200``."""
    numbers = [epochs] if isinstance(epochs, int) else list(epochs)
    steps = {following - number for number, following in pairwise(numbers)}
    if len(numbers) > 3 and len(steps) == 1:
        numbers = [*numbers[:2], numbers[-1]]
        return f"{numbers[0]}, {numbers[1]}, … {numbers[2]}"
    return ", ".join(map(str, numbers))


def _counts(tracks: Mapping[str, int]) -> str:
    return " / ".join(str(tracks.get(subset, 0)) for subset in ("train", "validation", "test"))


#: The phrase for each condition, and the function that formats its value.
CONDITIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "weights": ("{} weights", lambda weights: weights or "no"),
    "trainable": ("{} trainable parameters", "{:,}".format),
    "data_set": ("data {}", str),
    "tracks": ("{} train/validation/test", _counts),
    "split": ("{}", str),
    "epochs": ("{} epochs", count_of),
    "segment_seconds": ("segments of {}", "{:g} s".format),
    "augmentation": ("augmentation: {}", str),
}
