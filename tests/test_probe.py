"""A linear probe that trains on kept embeddings gives what one gives whose backbone runs in every epoch."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import genre
import genre.data.embedding_cache
from genre import GenreClassifier, GenreError, LinearProbe
from genre.data import Folder, Gain, MelSpectrogram, Mixup, SpecAugment, StratifiedSplit
from genre.models import MusiCNN, SideBySide, SpectralCNN

from .conftest import write_folder

FEATURES: dict[str, Any] = {"n_mels": 32, "n_fft": 512, "hop_length": 256, "mean": 0.0, "std": 20.0}


class Tiny(nn.Module):
    """A backbone that counts the segments that it has seen, and has dropout and batch norm of its own."""

    def __init__(self, num_classes: int, dropout: float = 0.0, seed: int = 1) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.backbone = nn.Sequential(
                nn.Conv2d(1, 6, 5, stride=3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, num_classes)
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        logits: Tensor = self.head(self.dropout(self.backbone(x)))
        return logits


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("probe"), tracks=6, seconds=1.7)


def module(root: Path, **options: Any) -> Folder:
    defaults: dict[str, Any] = {"fixed_segments": True, "segment_seconds": 0.5, "batch_size": 8, "num_workers": 0}
    return Folder(root, MelSpectrogram(**FEATURES), StratifiedSplit(test=0.3, validation=0.3), **(defaults | options))


def probe(
    data: Folder, cache: Path | str | None, network: Any = Tiny, epochs: int = 3
) -> tuple[GenreClassifier, pl.Trainer]:
    pl.seed_everything(5)
    classifier = GenreClassifier(network, data.genres, lr=0.05)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=[LinearProbe(cache)],
    )  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    return classifier, trainer


def tiny(classifier: GenreClassifier) -> Tiny:
    assert isinstance(classifier.network, Tiny)
    return classifier.network


def test_embeddings_change_nothing_but_the_work(music: Path, tmp_path: Path) -> None:
    network = partial(Tiny, dropout=0.3)
    plain, plain_trainer = probe(module(music), None, network)
    kept, kept_trainer = probe(module(music), tmp_path / "kept", network)
    again, _ = probe(module(music), tmp_path / "kept", network)
    memory, _ = probe(module(music), "memory", network)
    segments = 6 * 3 * 3  # genres × tracks × segments of 0.5 s in 1.7 s, less those of the test tracks
    assert tiny(plain).seen > 3 * tiny(kept).seen / 2
    assert tiny(kept).seen == tiny(memory).seen <= segments + 18
    assert tiny(again).seen == 0
    for other in (kept, again, memory):
        torch.testing.assert_close(tiny(plain).head.weight, tiny(other).head.weight, rtol=1e-5, atol=1e-6)
        assert not torch.equal(tiny(other).head.weight, Tiny(3).head.weight)
        for name, value in tiny(plain).backbone.state_dict().items():
            assert torch.equal(value, tiny(other).backbone.state_dict()[name])
    for name, value in plain_trainer.callback_metrics.items():
        assert float(kept_trainer.callback_metrics[name]) == pytest.approx(float(value), abs=1e-5)
    (scores,) = plain_trainer.test(plain, datamodule=module(music), verbose=False)
    (same,) = kept_trainer.test(kept, datamodule=module(music), verbose=False)
    assert same == pytest.approx(scores, abs=1e-5)


def test_copies_of_a_file_share_an_embedding(music: Path, tmp_path: Path) -> None:
    root = tmp_path / "music"
    shutil.copytree(music, root)
    for path in sorted(root.rglob("*.wav")):
        shutil.copy2(path, path.with_stem(f"{path.stem}_again"))
    plain, _ = probe(module(root), None, epochs=1)
    for _ in range(2):
        kept, _ = probe(module(root), tmp_path / "kept", epochs=1)
        torch.testing.assert_close(tiny(plain).head.weight, tiny(kept).head.weight, rtol=1e-5, atol=1e-6)


def test_a_file_holds_what_the_network_makes_of_the_segments(music: Path, tmp_path: Path) -> None:
    data = module(music)
    classifier, _ = probe(data, tmp_path, epochs=1)
    rows = np.concatenate([np.load(path) for path in sorted(tmp_path.rglob("*.npy"))])
    loader = data.val_dataloader()
    assert isinstance(loader, DataLoader)
    batch = data.to_inputs(next(iter(loader)))
    assert batch.inputs.ndim == 4  # after the fit, batches are features again
    with torch.no_grad():
        vectors = tiny(classifier).eval().backbone(batch.inputs).numpy()
    for vector in vectors:
        assert np.abs(rows - vector).max(1).min() < 1e-5
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".npy"]


def test_what_embeddings_depend_on(music: Path, tmp_path: Path) -> None:
    """Other weights, features, segments or files are embedded anew; a damaged file, too; a moved one is not."""
    probe(module(music), tmp_path)
    for options, network in (({}, partial(Tiny, seed=2)), ({"segment_seconds": 0.4}, Tiny)):
        assert tiny(probe(module(music, **options), tmp_path, network)[0]).seen > 0
        assert tiny(probe(module(music, **options), tmp_path, network)[0]).seen == 0
    other = Folder(
        music, MelSpectrogram(**(FEATURES | {"std": 10.0})), StratifiedSplit(test=0.3, validation=0.3),
        fixed_segments=True, segment_seconds=0.5, num_workers=0,
    )  # fmt: skip
    assert tiny(probe(other, tmp_path)[0]).seen > 0
    moved = music.rename(music.with_name("moved"))
    try:
        assert tiny(probe(module(moved), tmp_path)[0]).seen == 0
        for path in tmp_path.rglob("*.npy"):
            path.write_bytes(path.read_bytes()[:100])
        assert tiny(probe(module(moved), tmp_path)[0]).seen > 0
    finally:
        moved.rename(music)


def test_a_bad_file_is_named_and_passed_over(tmp_path: Path) -> None:
    music = write_folder(tmp_path / "music", tracks=6, seconds=1.2)
    data = module(music)
    data.setup("fit")
    for track in (data.tracks("train")[0], data.tracks("validation")[0]):
        content = track.path.read_bytes()
        track.path.write_bytes(b"RIFF" + bytes(len(content) - 4))  # after its header was read
    classifier, _ = probe(data, tmp_path / "cache")
    assert len(data.bad_files) == 2
    assert tiny(classifier).seen > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed_segments": False}, "data.fixed_segments: false"),
        ({"augment_waveform": [Gain()]}, "data.augment_waveform"),
        ({"augment_spectrogram": [SpecAugment()], "mixup": Mixup()}, "data.augment_spectrogram, data.mixup"),
    ],
)
def test_segments_that_change(music: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(GenreError, match=message):
        probe(module(music, **options), "memory")


def test_side_by_side(music: Path, tmp_path: Path) -> None:
    networks = [{"class_path": "genre.models.SpectralCNN", "init_args": {"dropout": rate}} for rate in (0.0, 0.2)]
    data = module(music)
    classifier, trainer = probe(data, tmp_path / "kept", partial(SideBySide, networks=networks))
    one, other = classifier.network.get_submodule("backbone.networks").children()
    inputs = torch.randn(2, 1, 32, 40)
    with torch.no_grad():
        vectors = torch.cat([one.eval()(inputs), other.eval()(inputs)], 1)
        torch.testing.assert_close(classifier.network.eval()(inputs), classifier.network.get_submodule("head")(vectors))
    assert vectors.shape == (2, 128)
    assert isinstance(one, SpectralCNN)
    trainer.save_checkpoint(tmp_path / "both.ckpt")
    song = next(music.rglob("*.wav"))
    loaded = genre.load(tmp_path / "both.ckpt")
    assert loaded.embed(song).shape == (128,)
    assert loaded.predict(song).probabilities.keys() == set(data.genres)
    with pytest.raises(GenreError, match="at least one network"):
        SideBySide(3, [])


def test_pretrained_networks_side_by_side_load_from_their_checkpoint(
    folder: Path, musicnn: Path, tmp_path: Path
) -> None:
    """Their features are no part of the state, and those of an earlier version's file are left out."""
    one = {"class_path": "genre.models.MusiCNN", "init_args": {"pretrained": "mtt"}}
    data = Folder(folder, MusiCNN.features(), StratifiedSplit(), segment_seconds=0.9, num_workers=0)
    classifier = GenreClassifier(partial(SideBySide, networks=[one]), data.genres)
    trainer = pl.Trainer(fast_dev_run=True, accelerator="cpu", logger=False, enable_progress_bar=False)
    trainer.fit(classifier, datamodule=data)
    trainer.save_checkpoint(tmp_path / "both.ckpt")
    song = next(folder.rglob("*.wav"))
    expected = genre.load(tmp_path / "both.ckpt").predict(song)
    checkpoint = torch.load(tmp_path / "both.ckpt", weights_only=True)
    checkpoint["state_dict"]["network.backbone.pretrained_features.power.transform.window"] = torch.ones(512)
    torch.save(checkpoint, tmp_path / "earlier.ckpt")
    assert genre.load(tmp_path / "earlier.ckpt").predict(song) == expected
