"""Lightning's own tools on a classifier: prediction, loading, tuning, and batches outside a Trainer."""

from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BackboneFinetuning, BatchSizeFinder, LearningRateFinder
from pytorch_lightning.tuner import Tuner
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader

import genre
from genre import GenreClassifier, GenreError
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import ResNet18, SpectralCNN

from .conftest import QUICK, run_cli, write_folder

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning"),
]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks of four segments each."""
    return write_folder(tmp_path_factory.mktemp("music"), seconds=2.9)


def make(root: Path, **options: Any) -> Folder:
    features = MelSpectrogram(n_fft=512, hop_length=256, n_mels=32)
    options = {"segment_seconds": 0.8, "batch_size": 5, "num_workers": 0} | options
    return Folder(root, features, StratifiedSplit(0.25, 0.25, by_artist=True), **options)


def trainer(**options: Any) -> pl.Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "max_epochs": 1}
    return pl.Trainer(accelerator="cpu", enable_model_summary=False, **(quiet | options))


def classifier(data: Folder, **options: Any) -> GenreClassifier:
    return GenreClassifier(options.pop("network", SpectralCNN), data.genres, **options)


@pytest.fixture(scope="module")
def checkpoint(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tools") / "fit.ckpt"
    data = make(music)
    fit = trainer(max_epochs=2)
    fit.fit(classifier(data), datamodule=data)
    fit.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def expected(music: Path, checkpoint: Path) -> torch.Tensor:
    predictor = genre.load(checkpoint)
    return torch.stack([predictor.predict_proba(str(track.path)) for track in make(music).tracks("test")]).float()


SOURCES = {
    "datamodule": lambda data: {"datamodule": data},
    "predict loader": lambda data: {"dataloaders": data.predict_dataloader()},
    "test loader": lambda data: {"dataloaders": data.test_dataloader()},
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_predict_gives_one_row_per_track(
    source: str, batch_size: int, music: Path, checkpoint: Path, expected: torch.Tensor
) -> None:
    model = GenreClassifier.load_from_checkpoint(checkpoint)
    batches = trainer().predict(model, **SOURCES[source](make(music, batch_size=batch_size)))
    rows = torch.cat(cast(list[torch.Tensor], batches))
    assert rows.shape == (6, 3)
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-6)


def test_predict_with_a_checkpoints_path(music: Path, checkpoint: Path, expected: torch.Tensor) -> None:
    data = make(music)
    rows = trainer().predict(classifier(data), data.test_dataloader(), ckpt_path=checkpoint, weights_only=True)
    torch.testing.assert_close(torch.cat(cast(list[torch.Tensor], rows)), expected, rtol=0, atol=1e-6)


def test_a_loader_needs_features_and_whole_tracks(music: Path, checkpoint: Path) -> None:
    data = make(music)
    with pytest.raises(GenreError, match="knows no features yet; pass datamodule=data"):
        trainer().predict(classifier(data), data.test_dataloader())
    with pytest.raises(GenreError, match="a train loader draws random crops"):
        trainer().predict(GenreClassifier.load_from_checkpoint(checkpoint), data.train_dataloader())


def test_a_bad_file_is_a_row_of_nan(tmp_path: Path, checkpoint: Path) -> None:
    import numpy as np
    import soundfile

    """A file that is bad from its header on, or holds NaN, is no track; any other one is found as it is decoded."""
    music = write_folder(tmp_path, seconds=0.9)
    tracks = make(music).partition["test"]
    whole = tracks[2].path
    damaged = whole.with_suffix(".flac")
    soundfile.write(damaged, *soundfile.read(whole))
    whole.unlink()
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2] + bytes(4000) + content[len(content) // 2 + 4000 :])
    nan = tracks[4].path
    soundfile.write(nan, np.full(20000, np.nan, np.float32), 22050, subtype="FLOAT")
    data = make(music)
    batches = trainer().predict(GenreClassifier.load_from_checkpoint(checkpoint), datamodule=data)
    rows = torch.cat(cast(list[torch.Tensor], batches))
    assert [track.path for track in data.tracks("test")] == [
        damaged if track.path == whole else track.path for track in tracks if track.path != nan
    ]
    assert rows.isnan().all(1).tolist() == [False, False, True, False, False]
    assert set(data.bad_files) == {damaged, nan}


def test_a_loaded_classifier_tests_and_trains_further(music: Path, checkpoint: Path, tmp_path: Path) -> None:
    data = make(music)
    (scores,) = trainer().test(GenreClassifier.load_from_checkpoint(checkpoint), datamodule=data, verbose=False)
    (again,) = trainer().test(GenreClassifier.load_from_checkpoint(checkpoint), data.test_dataloader(), verbose=False)
    assert again == pytest.approx(scores)
    model = GenreClassifier.load_from_checkpoint(checkpoint, lr=1e-4)
    before = torch.load(checkpoint, weights_only=True)
    further = trainer()
    further.fit(model, datamodule=make(music))
    further.save_checkpoint(tmp_path / "further.ckpt")
    after = torch.load(tmp_path / "further.ckpt", weights_only=True)
    for saved in (before, after):
        for chosen in ("temperature", "threshold"):  # on the validation tracks, for the new weights
            del saved["genre"][chosen]
    assert after["genre"] == before["genre"]  # the features keep their statistics, the tracks are the same
    assert any(not torch.equal(value, before["state_dict"][name]) for name, value in after["state_dict"].items())


def test_further_training_adds_to_what_was_heard(music: Path, checkpoint: Path, tmp_path: Path) -> None:
    others = write_folder(tmp_path / "others", tracks=10, seconds=1.5)
    for path in list(others.rglob("*.wav")):
        path.write_bytes(path.read_bytes() + b"\0\0")
    model = GenreClassifier.load_from_checkpoint(checkpoint)
    first = set(torch.load(checkpoint, weights_only=True)["genre"]["provenance"]["tracks"]["train"])
    data = make(others)
    trainer().fit(model, datamodule=data)
    assert model.provenance is not None
    assert model.provenance.tracks["train"] == data.provenance().tracks["train"]
    assert set(model.provenance.tracks["earlier_train"]) == first


def test_statistics_of_a_tested_classifier_do_not_stay(music: Path, checkpoint: Path) -> None:
    data = make(music)
    data.measure_features()
    own = data.features.mean
    data = make(music)
    model = GenreClassifier.load_from_checkpoint(checkpoint)
    assert model.front_end is not None
    model.front_end.features.set_statistics(-1.0, 2.0)
    trainer().test(model, datamodule=data, verbose=False)
    assert (data.features.mean, data.features.std) == (-1.0, 2.0)
    trainer().fit(classifier(data), datamodule=data)
    assert data.features.mean == own


class Keep(pl.Callback):
    """Keeps the first batches that the steps are given."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.__dict__.setdefault("train", batch)

    def on_validation_batch_start(self, trainer: Any, pl_module: Any, batch: Any, *rest: int) -> None:
        self.__dict__.setdefault("validation", batch)


def test_batches_without_a_trainer_are_those_of_the_steps(music: Path) -> None:
    keep, data = Keep(), make(music)
    trainer(callbacks=[keep]).fit(classifier(data), datamodule=data)
    alone = make(music)
    alone.setup("fit")
    batch = next(iter(alone.train_dataloader()))
    with pytest.raises(GenreError, match="MelSpectrogram has no mean and std yet"):
        alone.features(batch.inputs)
    assert torch.equal(alone.to_inputs(batch, training=True).inputs, keep.__dict__["train"].inputs)
    loader = alone.val_dataloader()
    assert isinstance(loader, DataLoader)
    evaluated = alone.on_after_batch_transfer(next(iter(loader)), 0)
    assert torch.equal(evaluated.inputs, keep.__dict__["validation"].inputs)


def test_the_rate_replaces_the_optimizers(music: Path) -> None:
    data = make(music)
    model = classifier(data, network=partial(ResNet18, pretrained=False), lr=0.2, layer_decay=0.5)
    fit = trainer(max_steps=1, max_epochs=-1)
    fit.fit(model, datamodule=data)
    assert [group["lr"] for group in fit.optimizers[0].param_groups][:3] == pytest.approx([0.2, 0.1, 0.05])
    model = classifier(data, lr=0.2, scheduler=partial(OneCycleLR, max_lr=7.0))
    fit = trainer()
    fit.fit(model, datamodule=data)
    assert fit.optimizers[0].param_groups[0]["max_lr"] == 0.2
    with pytest.raises(GenreError, match="lr is the learning rate, which must be positive; found -1"):
        classifier(data, lr=-1)


def test_the_learning_rate_finder(music: Path) -> None:
    data = make(music, batch_size=2)
    model = classifier(data)
    found = Tuner(trainer(max_epochs=20)).lr_find(model, datamodule=data, num_training=30, early_stop_threshold=None)
    assert found is not None
    assert model.lr == found.suggestion()
    fit = trainer(max_epochs=4, callbacks=[LearningRateFinder(num_training_steps=20, early_stop_threshold=None)])
    model = classifier(data, scheduler=partial(OneCycleLR, max_lr=7.0))
    fit.fit(model, datamodule=data)
    assert model.lr is not None
    assert fit.optimizers[0].param_groups[0]["max_lr"] == model.lr


def test_the_batch_size_finder(music: Path) -> None:
    data = make(music)
    assert Tuner(trainer()).scale_batch_size(classifier(data), datamodule=data, max_trials=2) == data.batch_size == 4
    data = make(music, batch_size=6)
    fit = trainer(max_epochs=2, callbacks=[BatchSizeFinder(max_trials=1)])
    fit.fit(classifier(data, scheduler=partial(OneCycleLR, max_lr=0.01)), datamodule=data)
    assert data.batch_size == 2
    assert fit.global_step == 12  # all steps of the schedule, which was stretched over two steps per epoch at first


@pytest.mark.parametrize("options", [{}, {"mode": "max"}])
def test_a_plateau_watches_what_is_sensible(options: dict[str, Any], music: Path) -> None:
    data = make(music)
    schedule = partial(ReduceLROnPlateau, patience=0, threshold=10.0, threshold_mode="abs", **options)
    fit = trainer(max_epochs=4, check_val_every_n_epoch=2)
    fit.fit(classifier(data, scheduler=schedule), datamodule=data)
    assert fit.lr_scheduler_configs[0].monitor == ("val_accuracy" if options else "val_loss")
    assert fit.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-4)


def test_backbone_finetuning_is_refused_before_it_freezes(music: Path) -> None:
    data = make(music)
    model = classifier(data, network=partial(ResNet18, pretrained=False))
    with pytest.raises(GenreError, match=r"use genre\.GradualUnfreezing"):
        trainer(callbacks=[BackboneFinetuning()]).fit(model, datamodule=data)
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("amount", [1, 0.5])
def test_overfit_batches(amount: float, music: Path) -> None:
    keep, data = Keep(), make(music)
    fit = trainer(overfit_batches=amount, max_epochs=2, callbacks=[keep])
    fit.fit(classifier(data), datamodule=data)
    assert fit.num_training_batches == 1
    assert len(set(keep.__dict__["train"].targets.tolist())) > 1


def test_a_report_goes_to_a_folder_given_as_text(music: Path, checkpoint: Path, tmp_path: Path) -> None:
    report = genre.Report(str(tmp_path / "here"))
    model = GenreClassifier.load_from_checkpoint(checkpoint)
    trainer(callbacks=[report]).test(model, datamodule=make(music), verbose=False)
    assert (tmp_path / "here" / "metrics.json").is_file()


WORKING = {
    "overfit_batches": ["--trainer.overfit_batches=1"],
    "half": ["--trainer.overfit_batches=0.5"],
    "lr": ["--model.lr=0.01"],
}


@pytest.mark.parametrize("case", WORKING)
def test_on_the_command_line(case: str, folder: Path, tmp_path: Path) -> None:
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", *WORKING[case]) == 0


@pytest.mark.parametrize("logger", ["WandbLogger", "MLFlowLogger", "CometLogger"])
def test_a_logger_that_is_not_installed(
    logger: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow", "CometLogger": "comet_ml"}[logger]
    try:
        __import__(package)
    except ImportError:
        pass
    else:
        pytest.skip(f"{package} is installed")
    options = [*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", f"--trainer.logger={logger}"]
    assert run_cli("fit", *options) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"genre: error: {logger} needs a package that is not installed: ")
    assert package.partition("_")[0] in line


def test_a_logger_of_ones_own_leaves_the_run_in_its_folder(folder: Path, tmp_path: Path) -> None:
    options = ["--trainer.logger=TensorBoardLogger", f"--trainer.logger.save_dir={tmp_path / 'elsewhere'}", "--name=x"]
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", *options) == 0
    run = tmp_path / "x" / "version_0"
    assert {"report", "config.yaml", "checkpoints", "metrics.csv"} <= {path.name for path in run.iterdir()}
    assert list((tmp_path / "elsewhere").rglob("events.out.tfevents.*"))
