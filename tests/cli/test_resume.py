"""An interrupted fit that is resumed gives, bit for bit, what the uninterrupted one gives."""

import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.cli import ReduceLROnPlateau

from genre import GenreClassifier, GradualUnfreezing, LinearProbe
from genre.data import Folder, Gain, MelSpectrogram, Mixup, SpecAugment, StratifiedSplit, TimeShift
from genre.models import Backbone, SpectralCNN

from ..conftest import run_cli
from ..processes import run_python


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)["state_dict"]
    return state


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different


def test_sigkill_in_the_middle_of_an_epoch(folder: Path, tmp_path: Path) -> None:
    config = {
        "model": {
            "network": "genre.models.SpectralCNN",
            "scheduler": {"class_path": "torch.optim.lr_scheduler.OneCycleLR", "init_args": {"max_lr": 0.01}},
        },
        "data": {
            "class_path": "genre.data.Folder",
            "init_args": {
                "root": str(folder),
                "features": {"class_path": "genre.audio.MelSpectrogram", "init_args": {"n_mels": 32, "n_fft": 512}},
                "split": {"class_path": "genre.data.StratifiedSplit", "init_args": {"by_artist": True, "test": 0.25}},
                "segment_seconds": 0.9,
                "batch_size": 4,
                "crops_per_track": 2,
                "augment_waveform": ["genre.audio.Gain", "genre.audio.TimeShift"],
                "augment_spectrogram": ["genre.audio.SpecAugment"],
                "mixup": "genre.audio.Mixup",
            },
        },
        "trainer": {"max_epochs": 3, "accelerator": "cpu", "enable_progress_bar": False},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    fit = ("-m", "genre", "fit", "--config", "run.yaml")
    whole = run_python(*fit, "--name", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    steps = torch.load(tmp_path / "runs/whole/version_0/checkpoints/last.ckpt", weights_only=True)["global_step"]
    middle_of_epoch_2 = steps * 5 // 6
    kill = ["--trainer.callbacks+=tests.callbacks.Kill", f"--trainer.callbacks.step={middle_of_epoch_2}"]
    killed = run_python(*fit, "--name", "killed", *kill, cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run = tmp_path / "runs/killed/version_0"
    last = run / "checkpoints/last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 1
    resumed = run_python(*fit, "--ckpt_path", last, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert_same(weights(last), weights(tmp_path / "runs/whole/version_0/checkpoints/last.ckpt"))
    assert_same(
        weights(run / "checkpoints/best.ckpt"), weights(tmp_path / "runs/whole/version_0/checkpoints/best.ckpt")
    )
    report, reference = run / "report", tmp_path / "runs/whole/version_0/report"
    assert (report / "metrics.json").read_text() == (reference / "metrics.json").read_text()
    assert (report / "predictions.csv").read_text() == (reference / "predictions.csv").read_text()
    # The log of the epochs before the kill is kept beside that of the epochs after it.
    assert (run / "metrics.0.csv").is_file()
    assert not (tmp_path / "runs/killed/version_1").exists()


def content(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_what_does_not_fit_leaves_the_run_as_it_is(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another network, other tracks or other features are refused before anything is written; then the fit goes on."""
    run = tmp_path / "runs" / "SpectralCNN" / "version_0"
    shutil.copytree(trained, run)
    before = content(run)
    again = ("fit", f"--ckpt_path={run / 'checkpoints/last.ckpt'}", f"--runs_dir={tmp_path / 'runs'}")
    for option, message in {
        "--model.network=genre.models.KhameesMLP": "weights do not fit KhameesMLP",
        "--data.split.seed=5": "was trained on",
        "--data.features.n_mels=40": "was trained on MelSpectrogram",
    }.items():
        assert run_cli(*again, option) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
        assert content(run) == before
    assert run_cli(*again, "--trainer.max_epochs=4") == 0
    assert (run / "metrics.0.csv").read_bytes() == before[run / "metrics.csv"]
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 3


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_checkpoint_of_another_network(
    verb: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    assert run_cli(verb, checkpoint, f"--runs_dir={tmp_path}", "--model.network=genre.models.KhameesMLP") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "weights do not fit KhameesMLP" in line
    assert not list(tmp_path.iterdir())


def fit(folder: Path, epochs: int, out: Path, checkpoint: Path | None = None, callbacks: tuple[pl.Callback, ...] = (),
        network: Any = SpectralCNN, **options: Any) -> GenreClassifier:  # fmt: skip
    data = Folder(
        folder,
        MelSpectrogram(n_mels=32, n_fft=512),
        StratifiedSplit(test=0.25),
        segment_seconds=0.8,
        batch_size=6,
        num_workers=0,
        augment_waveform=[Gain(), TimeShift()],
        augment_spectrogram=[SpecAugment()],
        mixup=Mixup(),
    )
    pl.seed_everything(3)
    classifier = GenreClassifier(network, data.genres, **options)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=list(callbacks),
    )  # fmt: skip
    if checkpoint is not None:
        torch.rand(7)  # a resumed process stands elsewhere in the generator's stream
    trainer.fit(classifier, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    trainer.save_checkpoint(out)
    return classifier


@pytest.mark.parametrize(
    "scheduler",
    [
        partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
        partial(ReduceLROnPlateau, monitor="val_loss", patience=0, threshold=0.5),
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=4),
    ],
    ids=["step", "plateau", "cosine"],
)
def test_epoch_schedules_go_on(folder: Path, tmp_path: Path, scheduler: Any) -> None:
    fit(folder, 4, tmp_path / "whole.ckpt", scheduler=scheduler)
    fit(folder, 2, tmp_path / "half.ckpt", scheduler=scheduler)
    fit(folder, 4, tmp_path / "resumed.ckpt", tmp_path / "half.ckpt", scheduler=scheduler)
    whole = torch.load(tmp_path / "whole.ckpt", weights_only=True)
    resumed = torch.load(tmp_path / "resumed.ckpt", weights_only=True)
    assert whole["optimizer_states"][0]["param_groups"] == resumed["optimizer_states"][0]["param_groups"]
    assert_same(whole["state_dict"], resumed["state_dict"])


def tiny_resnet() -> Any:
    return partial(Backbone, name="test_resnet", pretrained=False)


def trainable(classifier: GenreClassifier) -> set[str]:
    return {name for name, parameter in classifier.network.named_parameters() if parameter.requires_grad}


def test_gradual_unfreezing_goes_on(folder: Path, tmp_path: Path) -> None:
    """Unfrozen from epoch 1 on, a layer an epoch: resumed after epoch 2, all that was unfrozen stays so."""

    def run(epochs: int, name: str, checkpoint: Path | None = None) -> GenreClassifier:
        callbacks = (GradualUnfreezing(first_epoch=1, epochs_per_layer=1),)
        return fit(folder, epochs, tmp_path / name, checkpoint, callbacks, tiny_resnet(), layer_decay=0.5)

    whole, half = run(4, "whole.ckpt"), run(2, "half.ckpt")
    assert {name.partition(".")[0] for name in trainable(half)} == {"head", "backbone"}
    assert {name.split(".")[1] for name in trainable(half) if name.startswith("backbone")} == {"layer4"}
    resumed = run(4, "resumed.ckpt", tmp_path / "half.ckpt")
    assert trainable(resumed) == trainable(whole)
    assert {name.split(".")[1] for name in trainable(whole) if name.startswith("backbone")} == {
        "layer2",
        "layer3",
        "layer4",
    }
    assert_same(weights(tmp_path / "whole.ckpt"), weights(tmp_path / "resumed.ckpt"))


def test_linear_probe_goes_on_and_keeps_the_backbone(folder: Path, tmp_path: Path) -> None:
    def run(epochs: int, name: str, checkpoint: Path | None = None) -> None:
        fit(folder, epochs, tmp_path / name, checkpoint, (LinearProbe(),), tiny_resnet())

    run(1, "one.ckpt")
    run(3, "three.ckpt")
    run(3, "resumed.ckpt", tmp_path / "one.ckpt")
    one, three = weights(tmp_path / "one.ckpt"), weights(tmp_path / "three.ckpt")
    backbone = {name: value for name, value in one.items() if ".backbone." in name}
    assert any("running_mean" in name for name in backbone)
    assert_same(backbone, {name: value for name, value in three.items() if ".backbone." in name})
    assert not torch.equal(one["network.head.weight"], three["network.head.weight"])
    assert_same(three, weights(tmp_path / "resumed.ckpt"))
