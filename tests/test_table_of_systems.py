"""The table of systems against the code, the recipes and the published figures."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import genre.models
from genre.cli.recipe import read_data
from genre.data import MFCC, GenreDataModule, MelSpectrogram, OfficialSplit, Spectrogram, StratifiedSplit
from genre.recipes import read_yaml
from genre.report.callback import count

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/pages/papers/index.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and line.endswith(".yaml` |")
]
#: The names in the table of the features.
FEATURES = {"mel": MelSpectrogram, "spectrogram": Spectrogram, "MFCC": MFCC}

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[-1].strip("`"))


def recipe_of(row: list[str]) -> Path:
    return EXAMPLES / row[-1].strip("`")


@cache
def data_of(recipe: Path, *options: str) -> GenreDataModule:
    """The data that `genre fit` would train on; none of it is read."""
    return read_data([f"--config={recipe}", *options])


def published(recipe: Path) -> list[dict[str, Any]]:
    """What the paper reports of a recipe with nothing laid over it: a figure, or one for each feature."""
    figures = read_yaml(recipe.parent / "published.yaml")["figures"]
    return [entry for entry in figures if entry["system"] == recipe.stem]


def test_every_system_has_a_row() -> None:
    recipes = {row[-1].strip("`") for row in ROWS}
    files = {
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.glob("*/*.yaml")
        if path.read_text(encoding="utf-8").count("model:") and path.parent.name != "transfer"  # systems of no paper
    }
    assert recipes == files
    assert len(ROWS) == 23


@each_row
def test_class_and_count(row: list[str]) -> None:
    paper, _, network, _, parameters, _, _, _ = row
    call = ast.parse(network.strip("`"), mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    arguments = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    kind = getattr(genre.models, call.func.id)
    genres = 8 if paper.startswith("Yaacob") or recipe_of(row).parent.name == "ballroom" else 10
    assert count(kind(genres, **arguments)) == int(parameters.replace(",", ""))
    assert re.search(rf"genre\.models\.{call.func.id}\b", recipe_of(row).read_text(encoding="utf-8"))


@each_row
def test_input(row: list[str]) -> None:
    """Rows and frames as the features compute them; a feature alone, or several, where a network takes any size."""
    recipe, cell = recipe_of(row), row[3]
    data = data_of(recipe)
    shape = re.fullmatch(r"(\d+) (mel|MFCC)(?: × (\d+))?", cell)
    if shape:
        bands, name, frames = shape.groups()
        assert type(data.features) is FEATURES[name]
        found = data.features.decibels(torch.rand(1, 1, data.samples)).shape[-2:]
        assert found == (int(bands), int(frames or found[1]))
        return
    names = cell.split(", ")
    assert [name.lower() for name in names] == [entry["features"] for entry in published(recipe)]
    assert type(data.features) is FEATURES[names[0]]  # the recipe's own; the others replace it
    for name in names:
        part = data_of(recipe, f"--data.features={recipe.parent / name.lower()}.yaml")
        assert type(part.features) is FEATURES[name]


@each_row
def test_published_figures(row: list[str]) -> None:
    """Test accuracies first, in the order of the features; what else there is of validation, or in the recipe."""
    recipe, cell = recipe_of(row), row[5]
    entries = published(recipe)
    if not entries:
        assert cell == "–"
        return
    accuracies = [entry["accuracy"] for entry in entries]
    validation = [float(figure) for figure in re.findall(r"validation (\d?\.\d+)", cell)]
    figures = [float(figure) for figure in re.findall(r"\d?\.\d+", re.sub(r"validation \d?\.\d+", "", cell))]
    assert figures[: len(accuracies)] == accuracies
    assert all(figure == entries[0]["validation_accuracy"] for figure in validation)
    text = recipe.read_text(encoding="utf-8")
    assert all(f"{100 * figure:g} %" in text for figure in figures[len(accuracies) :])  # of other data, or the best fit


@each_row
def test_protocol(row: list[str]) -> None:
    """Honest are the official splits: GTZAN's fault-filtered one and FMA's."""
    recipe, split = recipe_of(row), data_of(recipe_of(row)).split
    if not published(recipe):  # no figure, whose protocol this would be
        assert row[6] == "–"
    elif split.leaky:
        assert row[6] == "leaky"
    elif isinstance(split, OfficialSplit):
        assert row[6] == "honest"
    else:
        assert isinstance(split, StratifiedSplit)
        assert row[6] == ("by track, artists apart" if split.by_artist else "by track, artists shared")


def test_range_of_the_leaky_figures() -> None:
    """The sentence about them against the table, and the best of the augmented ones against published.yaml."""
    leaky = [float(row[5]) for row in ROWS if row[6] == "leaky"]
    text = " ".join((ROOT / "docs/pages/choosing_a_split.md").read_text(encoding="utf-8").split())
    low, high, augmented = map(
        float, re.findall(r"\((\.\d+) to (\.\d+) in the table of the papers, (\.\d+) with augmentation\)", text)[0]
    )
    assert (low, high) == (min(leaky), max(leaky))
    entries = read_yaml(EXAMPLES / "gaitanou" / "published.yaml")["figures"]
    assert augmented == max(entry["accuracy"] for entry in entries if entry["split"] == "SegmentSplit")
