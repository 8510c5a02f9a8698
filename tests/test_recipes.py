"""The recipes of the library are found by name from anywhere; the user's own files come first."""

import shutil
from pathlib import Path

import pytest

from genre.benchmark.plan import read_plan
from genre.cli.recipe import read_data
from genre.data import StratifiedSplit
from genre.errors import GenreError
from genre.recipes import copy_recipes, describe_recipe, find_recipe, list_recipes, recipes_folder

from .conftest import QUICK, run_cli

EXAMPLES = Path(__file__).parents[1] / "examples"
PROBE = EXAMPLES / "transfer" / "musicnn_probe.yaml"


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, far from the checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_folder_of_a_checkout_and_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recipes_folder() == EXAMPLES
    package = tmp_path / "site-packages" / "genre"
    shutil.copytree(EXAMPLES, package / "examples", ignore=shutil.ignore_patterns("singh"))
    monkeypatch.setattr("genre.recipes.resources.files", lambda name: package)
    assert recipes_folder() == package / "examples"
    assert find_recipe("quickstart") == package / "examples" / "quickstart.yaml"
    assert not any(name.startswith("singh/") for name in list_recipes())


def test_every_file_is_listed_with_a_description(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("recipes") == 0
    lines = capsys.readouterr().out.splitlines()
    files = {path.relative_to(EXAMPLES).as_posix() for kind in ("yaml", "py") for path in EXAMPLES.rglob(f"*.{kind}")}
    assert {line.split()[0] for line in lines} == files
    assert all(len(line.split()) > 3 for line in lines)
    assert describe_recipe(PROBE) == (
        "Both MusiCNN networks, pretrained on music, as they are: only a new head is trained, on a few hundred tracks."
    )
    assert describe_recipe(EXAMPLES / "own_network.py") == "Train a network of your own on a folder of your own."


@pytest.mark.parametrize(
    "name", ["transfer/musicnn_probe", "transfer/musicnn_probe.yaml", "examples/transfer/musicnn_probe.yaml"]
)
def test_names(name: str) -> None:
    assert find_recipe(name) == PROBE


def test_a_file_of_the_users_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "quickstart").mkdir()
    assert find_recipe("quickstart") == EXAMPLES / "quickstart.yaml"  # a folder is no recipe
    (tmp_path / "quickstart.yaml").touch()
    assert find_recipe("quickstart") == Path("quickstart.yaml")
    (tmp_path / "mine").touch()
    assert find_recipe("mine") == Path("mine")
    assert find_recipe("quickstart", EXAMPLES) == EXAMPLES / "quickstart.yaml"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("transfer/musicn_probe", "did you mean transfer/musicnn_probe?"),
        ("musicnn_probe.yaml", "did you mean transfer/musicnn_probe?"),
        ("quikstart", "did you mean quickstart?"),
        ("/nowhere/xyzzy.yaml", "check the name"),
    ],
)
def test_a_misspelt_name(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GenreError, match="no such file, and no recipe") as error:
        find_recipe(name)
    assert str(error.value).endswith(hint)
    assert run_cli("fit", f"--config={name}") == 2
    assert capsys.readouterr().err == f"genre: error: {error.value}\n"
    assert run_cli("benchmark", name) == 1
    assert hint in capsys.readouterr().err


def test_copies_are_made_once_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("recipes", "mine") == 0
    number = len(list_recipes())
    assert capsys.readouterr().out == f"{number} files copied to mine\n"
    copy = tmp_path / "mine" / "transfer" / "musicnn_probe.yaml"
    assert copy.read_bytes() == PROBE.read_bytes()
    copy.write_text("model: {}\n")
    (tmp_path / "mine" / "quickstart.yaml").unlink()
    assert copy_recipes(Path("mine")) == (1, [Path("mine/transfer/musicnn_probe.yaml")])
    assert copy.read_text() == "model: {}\n"
    assert run_cli("recipes", "mine") == 0
    out, err = capsys.readouterr()
    assert out == f"0 files copied to mine, {number} are there already\n"
    assert err == "mine/transfer/musicnn_probe.yaml: kept; it differs from the recipe of the same name\n"
    assert run_cli("recipes", copy) == 1
    assert "File exists" in capsys.readouterr().err


def test_options_take_names(folder: Path) -> None:
    data = read_data(["--config", "transfer/musicnn_probe", "--data=Folder", f"--data.root={folder}"])
    assert data.features.sample_rate == 16000  # of musicnn_features.yaml, which the recipe names beside itself
    options = [*QUICK, f"--data.root={folder}"]
    data = read_data([*options, "--data.features=transfer/musicnn_features", "--data.split=splits/by_artist.yaml"])
    assert data.features.sample_rate == 16000
    assert isinstance(data.split, StratifiedSplit)
    assert data.split.test == 0.2


def test_a_misspelt_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("fit", *QUICK, "--data.root=x", "--data.split=splits/by_artits.yaml") == 2
    assert capsys.readouterr().err.endswith("did you mean splits/by_artist?\n")


def test_plans_take_names(tmp_path: Path) -> None:
    (cell, *_) = read_plan(find_recipe("transfer/table")).cells
    assert cell.row.recipe == (EXAMPLES / "transfer" / "../gtzan_mini.yaml",)
    plan = tmp_path / "plan.yaml"
    plan.write_text("recipes: [transfer/musicnn_probe, mine]\nsplits: [splits/by_artist]\n")
    (tmp_path / "mine.yaml").write_text("model: {network: SpectralCNN}\n")
    rows = read_plan(plan, splits=[Path("splits/by_track")]).rows
    assert [row.recipe for row in rows] == [(PROBE,), (tmp_path / "mine.yaml",)]
    assert {row.split for row in rows} == {EXAMPLES / "splits" / "by_track.yaml"}
    plan.write_text("recipes: [transfer/musicn_probe]\n")
    with pytest.raises(GenreError, match=r"names .*musicn_probe, which does not exist; did you mean transfer/musicnn_"):
        read_plan(plan)
