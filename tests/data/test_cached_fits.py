"""Fits from decoded tracks: the numbers of those without a cache, from wav and from mp3."""

import shutil
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
import pytorch_lightning as pl
import soundfile
import torch
from torch.utils.data import DataLoader

from genre import GenreClassifier
from genre.audio import cache as caching
from genre.audio import decode as decoding
from genre.audio.cache import DecodedCache
from genre.data import Folder, KFoldSplit, MelSpectrogram, StratifiedSplit, Track
from genre.data import segments as segment_reading
from genre.data.loaders import MAX_WORKERS, choose_workers
from genre.data.segments import TrainSegments
from genre.errors import GenreError
from genre.models import SpectralCNN

from ..conftest import tone


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tracks as 16-bit wav at the rate of the features, and as mp3 at twice the rate."""
    root = tmp_path_factory.mktemp("music")
    for genre in range(2):
        for kind, rate in (("wav", 8000), ("mp3", 16000)):
            (root / kind / f"genre{genre}").mkdir(parents=True)
            for track in range(8):
                wave = tone(genre, track, 2.0, rate)
                soundfile.write(root / kind / f"genre{genre}" / f"{track}.{kind}", wave, rate)
    return {"wav": root / "wav", "mp3": root / "mp3"}


def make(root: Path, cache: str | None, **options: Any) -> Folder:
    features = MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=128, n_mels=32)
    split = options.pop("split", StratifiedSplit(validation=0.25, test=0.25))
    settings = {"segment_seconds": 0.5, "evaluation_segments": 4, "batch_size": 4, "num_workers": 0} | options
    return Folder(root, features, split, cache=cache, **settings)


class Losses(pl.Callback):
    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        self.values.append(float(outputs["loss"]))


def run(data: Folder, epochs: int = 2, **fit: Any) -> tuple[list[float], float, torch.Tensor, pl.Trainer]:
    """The losses of the steps, the test loss and the predictions."""
    pl.seed_everything(0, verbose=False)
    losses = Losses()
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
                         enable_progress_bar=False, enable_model_summary=False, callbacks=[losses])  # fmt: skip
    classifier = GenreClassifier(SpectralCNN, data.genres)
    trainer.fit(classifier, datamodule=data, **fit)
    scores = trainer.test(classifier, datamodule=data, verbose=False)[0]
    predictions = trainer.predict(classifier, datamodule=data) or []
    probabilities = torch.cat(cast(list[torch.Tensor], predictions))
    return losses.values, scores["test_loss"], probabilities, trainer


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_the_numbers_are_those_without_a_cache(
    music: dict[str, Path], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(make(music[kind], None))
    folder = str(tmp_path / "decoded")
    first = run(make(music[kind], folder))
    monkeypatch.setattr(caching, "decode", lambda path: pytest.fail(f"{path} is decoded again"))
    again = run(make(music[kind], folder, num_workers=1))
    monkeypatch.undo()
    memory = run(make(music[kind], "memory"))
    for found in (first, again, memory):
        if kind == "wav":  # 16 bits are kept exactly
            assert found[0] == expected[0]
            assert found[1] == expected[1]
            assert torch.equal(found[2], expected[2])
        else:  # rounding to 16 bits is noise in bands where the mp3 is silent; later steps amplify it
            np.testing.assert_allclose(found[0][:2], expected[0][:2], rtol=0.01)
        assert found[0] == first[0]


def test_a_resumed_fit_gives_the_same_losses(music: dict[str, Path], tmp_path: Path) -> None:
    folder = str(tmp_path / "decoded")
    whole = run(make(music["mp3"], folder), epochs=3)[0]
    *_, trainer = run(make(music["mp3"], folder), epochs=1)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    resumed = run(make(music["mp3"], folder), epochs=3, ckpt_path=tmp_path / "a.ckpt", weights_only=True)[0]
    assert resumed == whole[-len(resumed) :]


def test_no_file_is_decoded_twice_by_several_folds(
    music: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    decode = decoding.decode

    def record(path: Path) -> Any:
        opened.append(path)
        return decode(path)

    monkeypatch.setattr(caching, "decode", record)
    monkeypatch.setattr(segment_reading, "read_segment", lambda path, *_: pytest.fail(f"{path} is read"))
    monkeypatch.setattr(segment_reading, "read_segments", lambda path, *_: pytest.fail(f"{path} is read"))
    for fold in range(2):
        data = make(music["mp3"], str(tmp_path / "decoded"), split=KFoldSplit(folds=4, fold=fold, by_artist=False))
        for stage in ("fit", "test"):
            data.setup(stage)
        for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
            assert isinstance(loader, DataLoader)
            for batch in loader:
                data.to_inputs(batch)
    assert len(opened) == len(set(opened)) == 16


def test_a_bad_file_is_left_out_and_named(music: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(music["wav"], tmp_path / "music")
    path = tmp_path / "music" / "genre0" / "3.wav"
    path.write_text("no audio\n" * 100)
    reasons = []
    for cache in (None, "memory", str(tmp_path / "decoded")):
        data = make(tmp_path / "music", cache)
        data.setup("fit")
        data.setup("test")
        for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
            assert isinstance(loader, DataLoader)
            for batch in loader:
                data.to_inputs(batch)
        reasons.append(dict(data.bad_files))
    assert reasons[0] == reasons[1] == reasons[2]
    assert list(reasons[0]) == [path]


def test_evaluation_decodes_a_file_in_one_pass(music: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    open_source = decoding._open
    data = make(music["mp3"], None, batch_size=8)
    data.setup("test")

    def record(path: Path) -> Any:
        opened.append(path)
        return open_source(path)

    monkeypatch.setattr(decoding, "_open", record)
    batches = list(data.test_dataloader())
    assert len(opened) == len(set(opened)) == len(data.tracks("test"))
    segments = data._evaluation_segments("test")
    alone = torch.stack([segments[index].waveform for index in range(len(segments))])
    torch.testing.assert_close(torch.cat([batch.inputs for batch in batches]), alone, rtol=0, atol=2.5e-7)


def test_automatic_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = {rate: tmp_path / f"{rate}.wav" for rate in (8000, 16000)}
    for rate, path in paths.items():
        soundfile.write(path, np.zeros(rate), rate)
    folder, memory = DecodedCache(tmp_path / "decoded", 8000), DecodedCache(None, 8000)

    def choose(num_workers: int | Literal["auto"], cache: DecodedCache | None, rate: int = 8000) -> int:
        return choose_workers(num_workers, TrainSegments([Track(paths[rate], "jazz")], [0], 8000, 8000, cache))

    for has_gpu in (False, True):
        monkeypatch.setattr("torch.accelerator.is_available", lambda has_gpu=has_gpu: has_gpu)
        for cores, expected in ((1, 1), (2, 1), (4, 3), (64, MAX_WORKERS)):
            monkeypatch.setattr("genre.data.loaders.count_cores", lambda cores=cores: cores)
            assert choose("auto", None) == choose("auto", folder, 16000) == expected
            assert choose("auto", folder) == (expected if has_gpu else 0)
    assert choose(5, None) == choose(5, folder) == 5
    assert choose(5, memory) == choose("auto", memory) == 0


def test_a_negative_number_of_workers(folder: Path) -> None:
    with pytest.raises(GenreError, match="num_workers must be 0"):
        Folder(folder, MelSpectrogram(), StratifiedSplit(), num_workers=-1)
