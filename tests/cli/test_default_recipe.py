"""``genre fit`` with data alone chooses a recipe, and says which; what is given overrides it."""

from pathlib import Path

import pytest
import yaml

from genre.cli.arguments import with_defaults
from genre.cli.recipe import read_recipe

from ..conftest import QUICK, run_cli

EXAMPLES = Path(__file__).parents[2] / "examples"
BARE = ["--data", "Folder", "--data.root=music"]
PROBE, SMALL = (f"--config={EXAMPLES / name}" for name in ("transfer/musicnn_probe.yaml", "quickstart.yaml"))


@pytest.fixture(params=[True, False], ids=["weights", "no weights"])
def weights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the weights of MusiCNN are installed."""
    monkeypatch.setattr("genre.cli.arguments.is_installed", lambda source: request.param)
    return bool(request.param)


def test_the_recipe_depends_on_the_weights(weights: bool) -> None:
    options, line = with_defaults(BARE)
    assert options == [PROBE if weights else SMALL, *BARE]
    assert line is not None
    assert line.endswith(options[0].removeprefix("--config="))
    assert ("MusiCNN, whose weights are installed" in line) is weights
    assert with_defaults([*BARE, "--data.features=MFCC"])[0][0] == SMALL  # MusiCNN takes only its own


@pytest.mark.parametrize(
    "options",
    [
        QUICK,
        ["--data=Folder"],
        ["--data.root=music"],
        [*BARE, "--model.pretrained=best.ckpt"],
        [*BARE, "--ckpt_path=last.ckpt"],
        [*BARE, "--config=nowhere.yaml"],
        [*BARE, f"--config={EXAMPLES / 'quickstart.yaml'}"],
        [*BARE, "--model.network=ResNet18", "--data.features=MFCC", "--data.split=splits/by_artist"],
        ["--config=khamees/cnn", "--data.root=music"],  # its data is another file beside it
        ["--data=khamees/data.yaml", "--data.root=music", "--model.network=KhameesCNN"],
    ],
)
def test_nothing_is_added(options: list[str]) -> None:
    assert with_defaults(options) == (list(options), None)


def test_configuration_files_count_as_given(tmp_path: Path) -> None:
    data, trainer = tmp_path / "data.yaml", tmp_path / "trainer.yaml"
    data.write_text("data: {class_path: Folder, init_args: {root: music}}\n")
    trainer.write_text("trainer: {max_epochs: 3}\n")
    options = ["-c", str(trainer), "--config", str(data)]
    assert with_defaults(options)[0][1:] == options
    assert with_defaults(["-c", str(trainer)]) == (["-c", str(trainer)], None)
    assert with_defaults([*options, "--model.network=ResNet18"])[0][:5] == [
        *options,
        "--data.features=genre.audio.MelSpectrogram",
    ]


def test_a_network_gets_features_and_a_split() -> None:
    options, line = with_defaults(["--model.network=ResNet18", *BARE, "--data.split=splits/by_track.yaml"])
    assert options == [
        "--model.network=ResNet18", "--data", "Folder", "--data.features=genre.audio.MelSpectrogram",
        "--data.root=music", "--data.split=splits/by_track.yaml",
    ]  # fmt: skip
    assert line == "no features given: --data.features genre.audio.MelSpectrogram"
    _, line = with_defaults(["--data=Folder", "--data.root=music", "--model.network=ResNet18"])
    assert line is not None
    assert line.startswith("no features and no split given: --data.features genre.audio.MelSpectrogram --data.split ")


def test_partial_options_apply(weights: bool, folder: Path) -> None:
    options = ["--data=Folder", f"--data.root={folder}", "--model.lr=0.003", "--trainer.max_epochs=2"]
    recipe = read_recipe(with_defaults([*options, "--data.split.test=0.3"])[0])
    assert (type(recipe.data).__name__, recipe.epochs) == ("Folder", 2)
    assert recipe.data.root == folder
    assert recipe.data.features.sample_rate == (16000 if weights else 22050)
    assert vars(recipe.data.split)["test"] == 0.3
    recipe = read_recipe(with_defaults([*options, "--data.split=KFoldSplit", "--data.split.folds=3"])[0])
    assert type(recipe.data.split).__name__ == "KFoldSplit"


def test_a_bare_fit_says_what_it_chose(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("genre.cli.arguments.is_installed", lambda source: False)
    monkeypatch.setattr("genre.cli.lightning_cli.find_spec", lambda name: None)  # TensorBoard is not installed
    monkeypatch.chdir(tmp_path)
    small = ("--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false")
    assert run_cli("fit", "--data=Folder", f"--data.root={folder}", "--model.lr=0.002", *small) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == (
        "no recipe given: a small network from scratch, as the weights of MusiCNN are not installed: "
        f"{EXAMPLES / 'quickstart.yaml'}"
    )
    assert rest[0].startswith("SpectralCNN ")
    run = tmp_path / "runs" / "quickstart" / "version_0"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["lr"] == 0.002
    assert config["data"]["class_path"].endswith("Folder")
    assert (run / "metrics.csv").is_file()
    assert not list(run.glob("events.*"))


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("fit", "--data=Foldr", "--data.root=music") == 2
    assert capsys.readouterr().err == "genre: error: data: no class named Foldr fits here; did you mean Folder?\n"
    assert run_cli("fit", *BARE, "--model.learning=1") == 2
    assert "unknown option --model.learning" in capsys.readouterr().err
