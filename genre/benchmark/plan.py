"""A plan: the recipes, features, splits, numbers of epochs and seeds of a benchmark."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, filterfalse, product
from pathlib import Path
from typing import Any

from genre.data.datamodule import GenreDataModule
from genre.data.splits import KFoldSplit
from genre.errors import GenreError
from genre.recipes import advice, find_recipe, read_yaml

#: The keys of a plan's file.
KEYS = ("title", "recipes", "features", "splits", "epochs", "seeds", "published")


@dataclass(frozen=True)
class Recipe:
    """The parts of a ``genre fit`` configuration that a benchmark needs.

    Attributes:
        data: The DataModule, not set up.
        epochs: The largest number of epochs.
        weights: The network's argument ``pretrained``; ``None`` if it has no such argument.
    """

    data: GenreDataModule
    epochs: int
    weights: bool | str | None


@dataclass(frozen=True)
class Row:
    """A row of the table. It has one cell per seed, fold and number of epochs.

    Attributes:
        recipe: Configuration files of ``genre fit``; a later one overrides the earlier ones.
        options: Options of ``genre fit`` that belong to the recipe.
        features: A file with features that replace those of the recipe, if any.
        split: A file with a split that replaces that of the recipe, if any.
        variant: The options that distinguish rows with the same configuration files, such as ``dropout=0.3``.
    """

    recipe: tuple[Path, ...]
    options: tuple[str, ...] = ()
    features: Path | None = None
    split: Path | None = None
    variant: str = ""

    @property
    def system(self) -> str:
        """The stems of the configuration files, such as ``crnn-331x40``."""
        return "-".join(path.stem for path in self.recipe)

    @property
    def name(self) -> str:
        """The system, the variant and the stems of the other files, such as ``resnet18-mel``."""
        others = [path.stem for path in (self.features, self.split) if path]
        return "-".join([self.system, *([self.variant] if self.variant else []), *others])

    @property
    def folds(self) -> int | None:
        """The number of folds if all of them are run: the split is a ``KFoldSplit`` without ``fold``."""
        split = read_yaml(self.split) if self.split else {}
        arguments = split.get("init_args") or {}
        if str(split.get("class_path")).rpartition(".")[2] != KFoldSplit.__name__ or "fold" in arguments:
            return None
        return int(arguments.get("folds", inspect.signature(KFoldSplit).parameters["folds"].default))

    @property
    def epochs(self) -> int | None:
        """The number of epochs in the configuration files and options, if any."""
        trainers = [read_yaml(path).get("trainer") for path in self.recipe]
        values = [str(trainer.get("max_epochs")) for trainer in trainers if isinstance(trainer, dict)]
        flag = "--trainer.max_epochs="
        values += [option.removeprefix(flag) for option in self.options if option.startswith(flag)]
        numbers = [int(value) for value in values if value.isdecimal()]
        return numbers[-1] if numbers else None


@dataclass(frozen=True)
class Cell:
    """One fit and its test: a row with a seed and, in k-fold cross-validation, a fold.

    Attributes:
        row: The row.
        seed: The seed.
        fold: The test fold, if the row has folds.
        epochs: The number of epochs, if the plan has several; ``None``: that of the recipe.
    """

    row: Row
    seed: int
    fold: int | None = None
    epochs: int | None = None

    @property
    def name(self) -> str:
        """The name of the cell and of its run, such as ``resnet18-mel-seed0``."""
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
        rows: The rows, in order.
        seeds: The seeds; every row is run with each.
        published: The paper's conditions and figures, see :mod:`genre.benchmark.published`.
        epochs: Numbers of epochs; every row is run with each. Empty: those of the recipes.
    """

    title: str
    rows: list[Row]
    seeds: list[int]
    published: Mapping[str, Any] = field(default_factory=dict)
    epochs: Sequence[int] = ()

    @property
    def cells(self) -> list[Cell]:
        """All cells, in order: all rows with the first seed, then all rows with the second seed."""
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
    """Reads a plan, whose paths are relative to its folder."""
    content = read_yaml(path)
    unknown = sorted(set(content) - set(KEYS))
    if unknown:
        raise GenreError(f"{path}: found the key '{unknown[0]}'; a plan has {', '.join(KEYS)}")
    recipes = content.get("recipes")
    if not isinstance(recipes, list) or not recipes:
        raise GenreError(f"{path}: found recipes: {recipes}; expected a list of files, such as `[resnet18.yaml]`")
    systems = [_system(path, recipe) for recipe in recipes]
    features: Sequence[Path | None] = _files(path, "features", content.get("features") or []) or [None]
    own = _files(path, "splits", content.get("splits") or [])
    chosen: Sequence[Path | None] = [_present(split, "--splits", Path()) for split in splits or ()] or own or [None]
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
    """Merges the options of a cell with the user's options for all cells, in an order that the parser accepts.

    The user's options come last, so they override the cell's. Two exceptions come first, because the parser needs a
    class before its arguments: configuration files, and a class whose arguments the cell has, such as ``--data Folder``
    if the cell has ``--data.features``.
    """
    names = [option.partition("=")[0] for option in own]

    def comes_first(option: Sequence[str]) -> bool:
        name = option[0].partition("=")[0]
        has_arguments = name not in names and any(known.startswith(f"{name}.") for known in names)
        return name in ("-c", "--config") or has_arguments

    options: list[list[str]] = []  # each option with its values
    for argument in given:
        if argument.startswith("-") or not options:
            options.append([])
        options[-1].append(argument)
    configs = [option for option, name in zip(own, names, strict=True) if name == "--config"]
    others = [option for option, name in zip(own, names, strict=True) if name != "--config"]
    first = chain(*filter(comes_first, options))
    return [*configs, *first, *others, *chain(*filterfalse(comes_first, options))]


def _system(plan: Path, recipe: object) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Reads an entry of ``recipes``, a file or a list of files and options; returns the files and the options."""
    parts = [recipe] if isinstance(recipe, str) else recipe
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise GenreError(f"{plan}: found the recipe {recipe}; expected a file, or a list of files and options")
    options = tuple(part for part in parts if part.startswith("--"))
    files = [part for part in parts if not part.startswith("--")]
    if not files:
        raise GenreError(f"{plan}: found the recipe {recipe}; expected a file first")
    return tuple(_files(plan, "recipes", files)), options


def _add_variants(rows: Sequence[Row]) -> list[Row]:
    """Sets the variant of rows that share a name to their options."""
    names = [row.name for row in rows]
    return [
        replace(row, variant="-".join(map(_variant, row.options))) if names.count(row.name) > 1 else row for row in rows
    ]


def _variant(option: str) -> str:
    """An option as part of a folder's name: ``--model.network.dropout=0.3`` → ``dropout=0.3``."""
    name, equals, value = option.partition("=")
    return re.sub(r"[^\w.=+-]+", "_", f"{name.lstrip('-').rpartition('.')[2]}{equals}{value}").strip("_")


def _files(plan: Path, key: str, names: object) -> list[Path]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise GenreError(f"{plan}: found {key}: {names}; expected a list of files")
    return [_present(name, str(plan), plan.parent) for name in names]


def _present(name: str | Path, source: str, folder: Path) -> Path:
    try:
        return find_recipe(name, folder)
    except GenreError:
        raise GenreError(f"{source}: names {folder / name}, which does not exist; {advice(name)}") from None
