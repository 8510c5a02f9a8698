"""A plan: the recipes, features, splits, numbers of epochs and seeds that make the cells of a table."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, product
from pathlib import Path
from typing import Any

from genre.data.splits import KFoldSplit
from genre.errors import GenreError
from genre.yaml_file import read_yaml

#: The keys of a plan's file.
KEYS = ("title", "recipes", "features", "splits", "epochs", "seeds", "published")


@dataclass(frozen=True)
class Row:
    """A row of the table. It has one cell per seed, fold and number of epochs.

    Attributes:
        recipe: Configuration files of ``genre fit``; a later one overrides the earlier ones.
        options: Options of ``genre fit`` that belong to the recipe.
        features: A file with features in place of the recipe's own, if any.
        split: A file with a split in place of the recipe's own, if any.
        variant: The difference from rows with the same configuration files, such as ``dropout=0.3``.
    """

    recipe: tuple[Path, ...]
    options: tuple[str, ...] = ()
    features: Path | None = None
    split: Path | None = None
    variant: str = ""

    @property
    def system(self) -> str:
        """The stems of its configuration files, such as ``crnn-331x40``."""
        return "-".join(path.stem for path in self.recipe)

    @property
    def name(self) -> str:
        """The system, the variant and the stems of the other files, such as ``resnet18-mel``."""
        others = [path.stem for path in (self.features, self.split) if path]
        return "-".join([self.system, *([self.variant] if self.variant else []), *others])

    @property
    def folds(self) -> int | None:
        """The number of folds, if the split is a ``KFoldSplit`` without ``fold``: then all folds are run."""
        split = read_yaml(self.split) if self.split else {}
        arguments = split.get("init_args") or {}
        if str(split.get("class_path")).rpartition(".")[2] != KFoldSplit.__name__ or "fold" in arguments:
            return None
        return int(arguments.get("folds", inspect.signature(KFoldSplit).parameters["folds"].default))

    @property
    def epochs(self) -> int | None:
        """The number of epochs in its configuration files and options, if any."""
        trainers = [read_yaml(path).get("trainer") for path in self.recipe]
        values = [str(trainer.get("max_epochs")) for trainer in trainers if isinstance(trainer, dict)]
        flag = "--trainer.max_epochs="
        values += [option.removeprefix(flag) for option in self.options if option.startswith(flag)]
        numbers = [int(value) for value in values if value.isdecimal()]
        return numbers[-1] if numbers else None


@dataclass(frozen=True)
class Cell:
    """One fit and its test: a row with a seed and, under k-fold cross-validation, a fold.

    Attributes:
        row: The row.
        seed: The seed.
        fold: The test fold, if the row has folds.
        epochs: The number of epochs, where the plan has several; ``None``: the recipe's.
    """

    row: Row
    seed: int
    fold: int | None = None
    epochs: int | None = None

    @property
    def name(self) -> str:
        """Such as ``resnet18-mel-seed0``, and the name of its run."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        epochs = "" if self.epochs is None else f"-epochs{self.epochs}"
        return f"{self.row.name}{fold}{epochs}-seed{self.seed}"

    @property
    def options(self) -> list[str]:
        """The options of ``genre fit`` for this cell."""
        row = self.row
        options = [*(f"--config={path}" for path in row.recipe), *row.options]
        options += [f"--data.features={row.features}"] if row.features else []
        options += [f"--data.split={row.split}"] if row.split else []
        options += [] if self.fold is None else [f"--data.split.fold={self.fold}"]
        options += [] if self.epochs is None else [f"--trainer.max_epochs={self.epochs}"]
        return [*options, f"--seed_everything={self.seed}"]


@dataclass(frozen=True)
class Plan:
    """The content of a plan's file.

    Attributes:
        title: The heading of the table.
        rows: Its rows, in order.
        seeds: Every row is run with each.
        published: The paper's conditions and figures, see :mod:`genre.benchmark.published`.
        epochs: Numbers of epochs; every row is run with each. Empty: the recipe's own.
    """

    title: str
    rows: list[Row]
    seeds: list[int]
    published: Mapping[str, Any] = field(default_factory=dict)
    epochs: Sequence[int] = ()

    @property
    def cells(self) -> list[Cell]:
        """All cells, in order: every row is run with the first seed before the second seed begins."""
        numbers: list[int | None] = [*self.epochs] or [None]
        return [
            Cell(row, seed, fold, epochs)
            for seed in self.seeds
            for epochs in numbers
            for row in self.rows
            for fold in (range(row.folds) if row.folds else [None])
        ]


def read_plan(
    path: Path, splits: list[Path] | None = None, seeds: list[int] | None = None, epochs: list[int] | None = None
) -> Plan:
    """Reads a plan. Its paths are relative to its folder.

    Args:
        path: A YAML file with the keys of :data:`KEYS`. Only ``recipes`` is required.
        splits: In place of the plan's.
        seeds: In place of the plan's.
        epochs: In place of the plan's.

    Raises:
        GenreError: The file, or one that it names, is missing or has unexpected content.
    """
    content = read_yaml(path)
    unknown = sorted(set(content) - set(KEYS))
    if unknown:
        raise GenreError(f"{path}: found the key '{unknown[0]}'; a plan has {', '.join(KEYS)}")
    recipes = content.get("recipes")
    if not isinstance(recipes, list) or not recipes:
        raise GenreError(f"{path}: found recipes: {recipes}; expected a list of files, such as `[resnet18.yaml]`")
    systems = [_system(path, recipe) for recipe in recipes]
    features = _or_none(_files(path, "features", content.get("features") or []))
    own = _files(path, "splits", content.get("splits") or [])
    chosen = _or_none([_present(split, "--splits") for split in splits or ()] or own)
    for file in (*features, *chosen):
        if file is not None and "class_path" not in read_yaml(file):
            raise GenreError(f"{file}: found no class_path; expected `class_path:` and `init_args:` of one class alone")
    combinations = product(systems, features, chosen)
    rows = _add_variants([Row(*system, feature, split) for system, feature, split in combinations])
    names = [row.name for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise GenreError(
            f"{path}: two rows are called {twice}; give their files different names, or move the options of one into "
            "a second file"
        )
    seeds = seeds or content.get("seeds") or [0]
    if not isinstance(seeds, list) or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise GenreError(f"{path}: found seeds: {seeds}; expected a list of whole numbers, such as [0, 1, 2]")
    epochs = content.get("epochs") or [] if epochs is None else epochs
    if not isinstance(epochs, list) or not all(type(number) is int and number > 0 for number in epochs):
        raise GenreError(f"{path}: found epochs: {epochs}; expected a list of whole numbers, such as [5, 10, 15]")
    published = content.get("published")
    title = str(content.get("title") or path.stem)
    figures = read_yaml(path.parent / str(published)) if published else {}
    return Plan(title, rows, list(dict.fromkeys(seeds)), figures, sorted(set(epochs)))


def merge_options(own: Sequence[str], given: Sequence[str]) -> list[str]:
    """The options of a cell with those that the user gave for all cells, in an order that the parser accepts.

    A given option comes last, so that it counts. Two kinds come before the cell's own options, because the parser reads
    the arguments of a class after the class: configuration files, and a class whose arguments the cell has, such as
    ``--data Folder`` where the cell has ``--data.features``.
    """

    def name(option: Sequence[str] | str) -> str:
        return (option if isinstance(option, str) else option[0]).partition("=")[0]

    options: list[list[str]] = []  # each with its values
    for argument in given:
        if argument.startswith("-") or not options:
            options.append([])
        options[-1].append(argument)
    names = {name(option) for option in own}
    first = [
        option
        for option in options
        if name(option) in ("-c", "--config")
        or (name(option) not in names and any(known.startswith(f"{name(option)}.") for known in names))
    ]
    configs = [option for option in own if name(option) == "--config"]
    others = [option for option in own if name(option) != "--config"]
    last = [option for option in options if option not in first]
    return [*configs, *chain(*first), *others, *chain(*last)]


def _system(plan: Path, recipe: object) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The configurations and the options of an entry of ``recipes``: a file, or a list of files and options."""
    parts = [recipe] if isinstance(recipe, str) else recipe
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise GenreError(f"{plan}: found the recipe {recipe}; expected a file, or a list of files and options")
    options = tuple(part for part in parts if part.startswith("--"))
    files = [part for part in parts if not part.startswith("--")]
    if not files:
        raise GenreError(f"{plan}: found the recipe {recipe}; expected a file first")
    return tuple(_files(plan, "recipes", files)), options


def _add_variants(rows: Sequence[Row]) -> list[Row]:
    """The same rows; where several share a name, their options become their variants."""
    names = [row.name for row in rows]
    return [
        replace(row, variant="-".join(map(_variant, row.options))) if names.count(row.name) > 1 else row for row in rows
    ]


def _variant(option: str) -> str:
    """The last part of an option's name with its value, as part of a folder's name: ``dropout=0.3``."""
    name, equals, value = option.partition("=")
    return re.sub(r"[^\w.=+-]+", "_", f"{name.lstrip('-').rpartition('.')[2]}{equals}{value}").strip("_")


def _files(plan: Path, key: str, names: object) -> list[Path]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise GenreError(f"{plan}: found {key}: {names}; expected a list of files")
    return [_present(plan.parent / name, str(plan)) for name in names]


def _or_none(paths: list[Path]) -> list[Path | None]:
    """The files; without any, ``None`` for the recipe's own."""
    return [*paths] or [None]


def _present(path: Path, source: str) -> Path:
    if not path.is_file():
        raise GenreError(f"{source}: names {path}, which does not exist; check the name")
    return path
