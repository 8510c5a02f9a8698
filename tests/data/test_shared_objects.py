"""What a DataModule gets stays as it is, and what it measures stays with it and its split."""

from pathlib import Path
from threading import Lock

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

import genre
from genre.data import Corpus, Folder, Gain, KFoldSplit, MelSpectrogram, Mixup, SpecAugment, StratifiedSplit
from genre.data.splits import Partition, Split
from genre.errors import GenreError
from genre.models import SpectralCNN

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")


def mel() -> MelSpectrogram:
    return MelSpectrogram(n_fft=512, hop_length=256, n_mels=32)


def make(root: Path, features: MelSpectrogram, split: Split, **arguments: object) -> Folder:
    return Folder(root, features, split, segment_seconds=0.8, batch_size=6, num_workers=0, **arguments)  # type: ignore[arg-type]


def fit(data: Folder) -> tuple[pl.Trainer, list[Tensor]]:
    """A fit of one epoch; the trainer and the trained weights."""
    pl.seed_everything(0)
    classifier = genre.GenreClassifier(SpectralCNN, data.genres)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(classifier, datamodule=data)
    return trainer, [weight.detach().clone() for weight in classifier.parameters()]


@pytest.fixture(scope="module")
def alone(folder: Path) -> list[tuple[object, list[Tensor]]]:
    """The mean and the weights of each of three folds, of objects of its own."""
    found = []
    for fold in range(3):
        data = make(folder, mel(), KFoldSplit(3, fold))
        found.append((fit(data)[1], data.features.mean))
    assert len({tuple(mean) for _, mean in found}) == 3  # type: ignore[arg-type]
    return [(mean, weights) for weights, mean in found]


def assert_same(found: tuple[object, list[Tensor]], expected: tuple[object, list[Tensor]]) -> None:
    assert found[0] == expected[0]
    assert all(torch.equal(one, other) for one, other in zip(found[1], expected[1], strict=True))


def test_one_features_object_for_three_folds(folder: Path, alone: list[tuple[object, list[Tensor]]]) -> None:
    features = mel()
    for fold in range(3):
        data = make(folder, features, KFoldSplit(3, fold))
        weights = fit(data)[1]
        assert data.features.measured
        assert_same((data.features.mean, weights), alone[fold])
    assert (features.mean, features.std) == (None, None)


@pytest.mark.parametrize("in_place", [False, True], ids=["another split", "the split changed in place"])
def test_one_data_module_for_three_folds(
    folder: Path, alone: list[tuple[object, list[Tensor]]], in_place: bool
) -> None:
    data = make(folder, mel(), KFoldSplit(3, 0))
    for fold in (0, 1, 2, 0):
        if in_place:
            data.split.fold = fold  # type: ignore[attr-defined]
        else:
            data.split = KFoldSplit(3, fold)
        weights = fit(data)[1]
        assert data.partition == make(folder, mel(), KFoldSplit(3, fold)).partition
        assert_same((data.features.mean, weights), alone[fold])


def test_statistics_of_a_scored_checkpoint_are_not_those_of_the_next_fit(
    folder: Path, tmp_path: Path, alone: list[tuple[object, list[Tensor]]]
) -> None:
    first = make(folder, mel(), KFoldSplit(3, 0))
    trainer, _ = fit(first)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    data = make(folder, mel(), KFoldSplit(3, 1))
    trainer.test(genre.GenreClassifier(SpectralCNN, data.genres), datamodule=data, ckpt_path=tmp_path / "a.ckpt",
                 weights_only=True, verbose=False)  # fmt: skip
    assert data.features.mean == first.features.mean  # those that the network knows
    weights = fit(data)[1]
    assert_same((data.features.mean, weights), alone[1])


def test_a_test_after_a_fit_keeps_the_statistics_whatever_the_split(folder: Path) -> None:
    data = make(folder, mel(), KFoldSplit(3, 0))
    trainer, _ = fit(data)
    mean = data.features.mean
    data.split = KFoldSplit(3, 1)
    trainer.test(trainer.lightning_module, datamodule=data, verbose=False)
    assert data.features.mean == mean
    assert set(data.partition["test"]) == set(make(folder, mel(), KFoldSplit(3, 1)).partition["test"])


def test_a_classifier_keeps_its_statistics_when_its_data_module_fits_another_split(
    folder: Path, tmp_path: Path
) -> None:
    data = make(folder, mel(), KFoldSplit(3, 0))
    trainer, _ = fit(data)
    first, mean = trainer.lightning_module, data.features.mean
    trainer.save_checkpoint(tmp_path / "before.ckpt")
    before = trainer.predict(first, datamodule=data)
    data.split = KFoldSplit(3, 1)
    second = fit(data)[0].lightning_module
    other = data.features.mean
    assert other != mean
    trainer.save_checkpoint(tmp_path / "after.ckpt")
    paths = [tmp_path / "before.ckpt", tmp_path / "after.ckpt"]
    assert [genre.load(path).features.mean for path in paths] == [mean, mean]
    data.split = KFoldSplit(3, 0)
    for classifier, expected in ((first, mean), (second, other)):
        probabilities = trainer.predict(classifier, datamodule=data)
        assert data.features.mean == expected
    assert torch.equal(torch.cat(trainer.predict(first, datamodule=data)), torch.cat(before))  # type: ignore[arg-type]
    assert len(torch.cat(probabilities)) == len(data.tracks("test"))  # type: ignore[arg-type]


def test_given_statistics_stay(folder: Path) -> None:
    features = MelSpectrogram(n_fft=512, hop_length=256, n_mels=32, mean=-30.0, std=10.0)
    data = make(folder, features, KFoldSplit(3, 0))
    for fold in range(2):
        data.split = KFoldSplit(3, fold)
        fit(data)
        assert (data.features.mean, data.features.std) == (-30.0, 10.0)


class Counting(nn.Module):
    """An augmentation that changes with use."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("total", torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        return inputs


class Noting(StratifiedSplit):
    """A split that keeps what it made."""

    made: object = None

    def __call__(self, corpus: Corpus) -> Partition:
        partition = super().__call__(corpus)
        self.made = partition
        return partition


def test_nothing_of_the_callers_changes(folder: Path) -> None:
    counting, split, modules = Counting(), Noting(), [Gain()]
    data = make(
        folder, mel(), split, augment_waveform=[counting, *modules], augment_spectrogram=[counting, SpecAugment()],
        mixup=Mixup(),
    )  # fmt: skip
    fit(data)
    assert counting.calls == 0
    assert split.made is None
    copy = data.augment_waveform[0]
    assert copy is data.augment_spectrogram[0]  # what stands in both places is one module still
    assert copy.calls == 2 * 2  # both places, two batches
    assert data.partition is data.partition  # a split that changes with its call is called once


def test_what_cannot_be_copied_is_one_line(folder: Path) -> None:
    gain = Gain()
    gain.lock = Lock()  # type: ignore[assignment]
    with pytest.raises(GenreError, match=r"one of them cannot be copied \(.*lock.*\); leave locks, open files"):
        make(folder, mel(), StratifiedSplit(), augment_waveform=[gain])


def test_the_fit_after_a_resumed_one_begins_with_its_first_epoch(folder: Path, tmp_path: Path) -> None:
    fresh = make(folder, mel(), StratifiedSplit())
    trainer, weights = fit(fresh)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    data = make(folder, mel(), StratifiedSplit())
    resumed = pl.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
    )  # fmt: skip
    model = genre.GenreClassifier(SpectralCNN, data.genres)
    resumed.fit(model, datamodule=data, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert not torch.equal(next(model.parameters()), weights[0])
    assert_same((data.features.mean, fit(data)[1]), (fresh.features.mean, weights))
