"""What a classifier refuses: arguments that make no sense, and checkpoints that are not its own."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from genre import GenreClassifier, GenreError
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import SpectralCNN

GENRES = ["genre0", "genre1", "genre2"]


def data(folder: Path, seed: int = 0) -> Folder:
    return Folder(
        folder, MelSpectrogram(n_fft=512, n_mels=32), StratifiedSplit(0.25, 0.25, by_artist=True, seed=seed),
        segment_seconds=0.8, batch_size=6, num_workers=0,
    )  # fmt: skip


def trainer(**options: Any) -> pl.Trainer:
    return pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, **options)


@pytest.fixture(scope="module")
def checkpoint(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "fit.ckpt"
    fit = trainer(max_epochs=1)
    fit.fit(GenreClassifier(SpectralCNN, GENRES), datamodule=data(folder))
    fit.save_checkpoint(path)
    return path


def test_a_fit_goes_on_with_its_own_tracks_only(folder: Path, checkpoint: Path) -> None:
    fit = trainer(max_epochs=2)
    fit.fit(GenreClassifier(SpectralCNN, GENRES), datamodule=data(folder), ckpt_path=checkpoint, weights_only=True)
    assert fit.current_epoch == 2
    others = data(folder, seed=1)
    ours = {track.path for track in data(folder).partition["train"]}
    common = len(ours & {track.path for track in others.partition["train"]})
    with pytest.raises(GenreError, match=f"trained on {len(ours)} tracks, of which {common} are among"):
        trainer(max_epochs=2).fit(
            GenreClassifier(SpectralCNN, GENRES), datamodule=others, ckpt_path=checkpoint, weights_only=True
        )


def test_the_checkpoint_of_another_network_is_named(folder: Path, checkpoint: Path) -> None:
    model = GenreClassifier(_Other, GENRES)
    with pytest.raises(GenreError, match=r"one of SpectralCNN\(.*do not fit _Other\(\)"):
        trainer().test(model, datamodule=data(folder), ckpt_path=checkpoint, weights_only=True)


def test_the_checkpoint_of_other_genres_is_named(folder: Path, checkpoint: Path) -> None:
    model = GenreClassifier(SpectralCNN, ["polka", *GENRES[1:]])
    with pytest.raises(GenreError, match="knows 3 genres"):
        model.on_load_checkpoint(torch.load(checkpoint, weights_only=True))


@pytest.mark.parametrize("value", [-0.1, 1.0, 3.0])
def test_label_smoothing_is_a_share(value: float) -> None:
    with pytest.raises(GenreError, match="label_smoothing"):
        GenreClassifier(SpectralCNN, GENRES, label_smoothing=value)


def test_a_bad_learning_rate_is_the_optimizers_to_name(folder: Path) -> None:
    model = GenreClassifier(SpectralCNN, GENRES, optimizer=partial(torch.optim.SGD, lr=-1.0))
    with pytest.raises(GenreError, match=r"optimizer does not accept its arguments: .*-1"):
        trainer(max_epochs=1).fit(model, datamodule=data(folder))


def test_a_stretched_schedule_needs_an_end(folder: Path) -> None:
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
    model = GenreClassifier(SpectralCNN, GENRES, scheduler=schedule)
    with pytest.raises(GenreError, match="OneCycleLR is stretched over the fit: give max_epochs or max_steps"):
        trainer(max_epochs=-1, max_time="00:00:00:05").fit(model, datamodule=data(folder))


class _Other(torch.nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(32, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(inputs.mean(3).flatten(1))
        return logits


def test_a_fit_goes_on_with_its_own_optimizer_only(folder: Path, checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    GenreClassifier(SpectralCNN, GENRES).require_fitting(content, data(folder), resume=True)
    model = GenreClassifier(SpectralCNN, GENRES, optimizer=partial(torch.optim.SGD, lr=0.1))
    model.require_fitting(content, data(folder))
    with pytest.raises(GenreError, match="was no SGD: its state has no dampening, momentum, nesterov"):
        model.require_fitting(content, data(folder), resume=True)


def test_what_does_not_fit_is_told_before_a_trainer_is_there(folder: Path, checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    model = GenreClassifier(SpectralCNN, GENRES)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = Folder(folder, MelSpectrogram(n_fft=512, n_mels=40), StratifiedSplit(), num_workers=0)
    with pytest.raises(GenreError, match=r"trained on MelSpectrogram\(.*n_mels=32.*the data gives .*n_mels=40"):
        model.require_fitting(content, other)
    model.require_fitting(content, data(folder, seed=1))
    with pytest.raises(GenreError, match=r"trained on \d+ tracks, of which \d+ are among"):
        model.require_fitting(content, data(folder, seed=1), resume=True)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (model.provenance, model.front_end) == (None, None)


def test_features_stand_once_in_a_checkpoint(folder: Path, checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    assert content["genre"]["features"]["init_args"]["mean"] is not None
    assert "Folder" not in content  # the DataModule has no state


def test_the_data_module_gets_statistics_and_genres_of_a_checkpoint(folder: Path, checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)["genre"]
    fewer = Folder(
        folder, MelSpectrogram(n_fft=512, n_mels=32), StratifiedSplit(0.25, 0.25, by_artist=True), segment_seconds=0.8,
        num_workers=0, genres=["polka", *GENRES],
    )  # fmt: skip
    assert fewer.genres == ["polka", *GENRES]
    model = GenreClassifier(SpectralCNN, GENRES)
    trainer().test(model, datamodule=fewer, ckpt_path=checkpoint, weights_only=True, verbose=False)
    assert fewer.genres == GENRES
    assert fewer.features.mean == content["features"]["init_args"]["mean"]
    assert model.test_predictions is not None
    assert set(model.test_predictions.targets.tolist()) == {0, 1, 2}


def test_a_checkpoint_of_the_first_format(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    """It had ``heard`` for ``provenance``, and its features a second time in the state of the DataModule."""
    content = torch.load(checkpoint, weights_only=True)
    saved = content["genre"]
    content["Folder"] = {"features": saved["features"], "epoch": 1}
    heard = saved["heard"] = saved.pop("provenance")
    torch.save(content, tmp_path / "old.ckpt")
    fit, model = trainer(max_epochs=2), GenreClassifier(SpectralCNN, GENRES)
    fit.fit(model, datamodule=data(folder), ckpt_path=tmp_path / "old.ckpt", weights_only=True)
    assert fit.current_epoch == 2
    assert model.provenance is not None
    assert vars(model.provenance) == heard
    with pytest.raises(GenreError, match=r"trained on \d+ tracks, of which \d+ are among"):
        trainer(max_epochs=2).fit(
            GenreClassifier(SpectralCNN, GENRES), datamodule=data(folder, 1), ckpt_path=tmp_path / "old.ckpt",
            weights_only=True,
        )  # fmt: skip
