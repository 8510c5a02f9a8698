from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import soundfile
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from genre.audio.decode import read_segment
from genre.checkpoint import require_same_features, take_statistics
from genre.config import to_config
from genre.data import (
    MFCC,
    Corpus,
    Feature,
    Folder,
    Gain,
    MelSpectrogram,
    Mixup,
    SpecAugment,
    Spectrogram,
    Split,
    TimeShift,
)
from genre.data.loaders import TrainSampler
from genre.data.segments import Batch
from genre.data.splits import Partition
from genre.data.track import SUBSETS, Subset
from genre.errors import GenreError

from ..conftest import tone

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")

RATE = 8000
SECONDS = 0.2


class ByName(Split):
    """The subset is in the file's name, so that a test can choose it."""

    def __call__(self, corpus: Corpus) -> Partition:
        return {subset: [track for track in corpus.tracks if track.name.startswith(subset)] for subset in SUBSETS}


class Recorder(pl.LightningModule):
    """Keeps the batches that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.batches: dict[Subset, list[Batch]] = {"train": [], "validation": [], "test": []}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.batches["train"].append(batch)
        return self.weight.sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.batches["validation"].append(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.batches["test"].append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Apply(nn.Module):
    """An augmentation that can be told from its effect."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs)


def mel(**arguments: Any) -> MelSpectrogram:
    return MelSpectrogram(RATE, 256, None, 128, n_mels=16, **arguments)


def write_wave(path: Path, wave: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return path


def write_track(root: Path, genre: int, subset: Subset, number: int = 0, seconds: float = 0.5) -> Path:
    seed = SUBSETS.index(subset) * 100 + number
    return write_wave(root / f"genre{genre}" / f"{subset}{number}.wav", tone(genre, seed, seconds, RATE))


def write_text(path: Path) -> Path:
    path.write_text("no audio\n" * 100)
    return path


def write_nan(path: Path) -> Path:
    """A file that opens but cannot be used: it comes to light when it is read."""
    return write_wave(path, np.full(RATE // 2, np.nan))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two genres with three train tracks, two validation tracks and one test track each."""
    for genre in (0, 1):
        for subset, count in {"train": 3, "validation": 2, "test": 1}.items():
            for number in range(count):
                write_track(tmp_path, genre, subset, number)  # type: ignore[arg-type]
    return tmp_path


def make(root: Path, features: Feature | None = None, **arguments: Any) -> Folder:
    options = {"segment_seconds": SECONDS, "evaluation_segments": 3, "batch_size": 4, "num_workers": 0} | arguments
    return Folder(root, features or mel(), ByName(), **options)


def trainer(**arguments: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **arguments,
    )


def fit(data: Folder, epochs: int = 1, checkpoint: Path | None = None) -> dict[Subset, list[Batch]]:
    """The batches of a fit."""
    recorder = Recorder()
    trainer(max_epochs=epochs, num_sanity_val_steps=0).fit(
        recorder, datamodule=data, ckpt_path=checkpoint, weights_only=True
    )
    return recorder.batches


def evaluate(data: Folder) -> dict[Subset, list[Batch]]:
    """The batches of a test."""
    recorder = Recorder()
    trainer().test(recorder, datamodule=data, verbose=False)
    return recorder.batches


def assert_same(one: dict[Subset, list[Batch]], other: dict[Subset, list[Batch]]) -> None:
    for subset in SUBSETS:
        for left, right in zip(one[subset], other[subset], strict=True):
            for here, there in zip(left[:5], right[:5], strict=True):
                assert torch.equal(here, there)
            assert left.seed == right.seed


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What this library has logged, sorted."""
    return sorted(record.getMessage() for record in caplog.records if record.name.startswith("genre"))


class TestBatches:
    @pytest.mark.parametrize(
        ("features", "rows"),
        [
            (Spectrogram(RATE, 256, None, 128), 129),
            (mel(), 16),
            (MFCC(RATE, 10, 256, None, 128, n_mels=16), 10),
            (mel(mean=-30.0, std=10.0), 16),
        ],
        ids=["spectrogram", "mel", "mfcc", "given statistics"],
    )
    def test_are_the_features_of_what_was_drawn(self, root: Path, features: Feature, rows: int) -> None:
        data = make(root, features)
        batches = fit(data, epochs=2)
        tracks = data.tracks("train")
        sampler = TrainSampler(data.train_dataloader().dataset, seed=0)  # type: ignore[arg-type]
        draws = []
        for epoch in (0, 1):
            sampler.set_epoch(epoch)
            draws += list(sampler)[:4]  # the last 2 of 6 do not fill a batch
        found = [
            (track, clip) for batch in batches["train"] for track, clip in zip(batch.tracks, batch.inputs, strict=True)
        ]
        for draw, (track, clip) in zip(draws, found, strict=True):
            assert track == draw.track
            assert clip.shape == (1, rows, 13)
            assert clip.dtype == torch.float32
            wave = read_segment(tracks[draw.track].path, RATE, 1600, draw.position)
            assert torch.equal(clip, data.features(torch.from_numpy(wave)[None]))

    def test_validation_is_spread_over_every_track(self, root: Path) -> None:
        data = make(root)
        batches = fit(data, epochs=2)["validation"]
        first, again = batches[: len(batches) // 2], batches[len(batches) // 2 :]
        assert_same({"train": [], "validation": first, "test": []}, {"train": [], "validation": again, "test": []})
        inputs = torch.cat([batch.inputs for batch in first])
        assert torch.cat([batch.tracks for batch in first]).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
        assert torch.cat([batch.targets for batch in first]).tolist() == [0] * 6 + [1] * 6
        assert torch.cat([batch.segments for batch in first]).tolist() == list(range(12))
        for index, clip in enumerate(inputs):
            wave = read_segment(data.tracks("validation")[index // 3].path, RATE, 1600, (0, 0.5, 1)[index % 3])
            assert torch.equal(clip, data.features(torch.from_numpy(wave)[None]))

    def test_tenth_of_a_second_beside_a_minute(self, root: Path) -> None:
        for subset in SUBSETS[:2]:
            write_track(root, 0, subset, 7, seconds=0.1)
            write_track(root, 1, subset, 7, seconds=60.0)
        data = make(root, batch_size=2, evaluation_segments=5)
        batches = fit(data)
        assert {batch.inputs.shape[1:] for subset in SUBSETS for batch in batches[subset]} == {(1, 16, 13)}
        assert all(batch.inputs.isfinite().all() for subset in SUBSETS for batch in batches[subset])
        names = [track.name for track in data.tracks("validation")]
        tracks = torch.cat([batch.tracks for batch in batches["validation"]]).tolist()
        counts = [(name, tracks.count(index)) for index, name in enumerate(names)]
        assert counts == [
            ("validation0", 3), ("validation1", 3), ("validation7", 1),
            ("validation0", 3), ("validation1", 3), ("validation7", 5),
        ]  # fmt: skip

    @pytest.mark.parametrize(("batch_size", "sizes"), [(2, [2, 2, 2]), (4, [4]), (5, [5]), (6, [6]), (8, [6])])
    def test_short_last_batch_is_dropped_unless_it_is_the_only_one(
        self, root: Path, batch_size: int, sizes: list[int]
    ) -> None:
        assert [len(batch.targets) for batch in fit(make(root, batch_size=batch_size))["train"]] == sizes

    def test_balanced_draws_the_genres_equally(self, root: Path) -> None:
        for number in range(3, 13):
            write_track(root, 1, "train", number)
        for balanced, expected in ((False, [3, 13]), (True, [8, 8])):
            (batch,) = fit(make(root, batch_size=16, balanced=balanced))["train"]
            assert batch.targets.bincount().tolist() == expected

    def test_crops_per_track(self, root: Path) -> None:
        (batch,) = fit(make(root, batch_size=18, crops_per_track=3))["train"]
        assert batch.tracks.bincount().tolist() == [3] * 6
        assert len({tuple(clip.flatten().tolist()) for clip in batch.inputs}) == 18  # each another stretch

    def test_number_of_workers_does_not_matter(self, root: Path) -> None:
        write_nan(root / "genre0" / "train9.wav")
        write_nan(root / "genre1" / "validation9.wav")
        write_text(root / "genre1" / "train8.wav")
        augmented: dict[str, Any] = {
            "augment_waveform": [Gain(), TimeShift()],
            "augment_spectrogram": [SpecAugment()],
            "mixup": Mixup(),
        }
        runs = [make(root, batch_size=2, num_workers=workers, **augmented) for workers in (0, 2)]
        assert_same(*(fit(data, epochs=2) for data in runs))
        assert runs[0].bad_files == runs[1].bad_files
        assert len(runs[0].bad_files) == 3


class TestAugmentation:
    def test_is_for_training_alone(self, root: Path) -> None:
        plain = {"features": mel(mean=0, std=1, top_db=None)}
        twice, plus = Apply(lambda wave: 2 * wave), Apply(lambda spectrogram: spectrogram + 7)
        bare, augmented = make(root, **plain), make(root, **plain, augment_waveform=[twice], augment_spectrogram=[plus])
        without, with_ = fit(bare), fit(augmented)
        for one, other in zip(without["train"], with_["train"], strict=True):
            # Twice the amplitude is 20 log10(2) dB more.
            torch.testing.assert_close(other.inputs, one.inputs + 6.0206 + 7, rtol=0, atol=1e-3)
            assert torch.equal(one.targets, other.targets)
        assert_same({**without, "train": []}, {**with_, "train": []})
        tested = evaluate(bare), evaluate(augmented)
        assert_same(*tested)
        assert len(tested[0]["test"]) == 2

    def test_mixup_blends_targets_in_training_alone(self, root: Path) -> None:
        batches = fit(make(root, mixup=Mixup(1.0), batch_size=6))
        targets = batches["train"][0].targets
        assert targets.shape == (6, 2)
        torch.testing.assert_close(targets.sum(1), torch.ones(6))
        assert ((targets > 0) & (targets < 1)).any()
        assert all(batch.targets.dtype == torch.int64 for batch in batches["validation"])

    def test_follows_from_the_seed_of_the_data(self, root: Path) -> None:
        augmented: dict[str, Any] = {
            "augment_waveform": [Gain(), TimeShift()],
            "augment_spectrogram": [SpecAugment()],
            "mixup": Mixup(),
        }
        runs = []
        for seed, of_torch in ((0, 1), (0, 2), (1, 1)):
            torch.manual_seed(of_torch)
            runs.append(fit(make(root, seed=seed, **augmented), epochs=2))
        assert_same(runs[0], runs[1])
        assert not torch.equal(runs[0]["train"][0].inputs, runs[2]["train"][0].inputs)
        assert not torch.equal(runs[0]["train"][0].inputs, runs[0]["train"][1].inputs)


class TestStatistics:
    def measured(self, root: Path) -> tuple[Any, Any]:
        data = make(root)
        fit(data)
        return data.features.mean, data.features.std

    def test_are_of_the_middles_of_the_train_tracks(self, root: Path) -> None:
        mean, std = self.measured(root)
        waves = [read_segment(path, RATE, 1600, 0.5) for path in sorted(root.rglob("train*.wav"))]
        values = np.concatenate([mel(mean=0, std=1)(torch.from_numpy(wave)).double() for wave in waves], axis=1)
        np.testing.assert_allclose(mean, values.mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(std, values.std(axis=1), rtol=1e-5)

    @pytest.mark.parametrize("subset", SUBSETS)
    def test_depend_on_train_tracks_alone(self, root: Path, subset: Subset) -> None:
        before = self.measured(root)
        for path in root.rglob(f"{subset}*.wav"):
            write_wave(path, np.random.default_rng(0).uniform(-1, 1, RATE // 2))
        assert (self.measured(root) == before) == (subset != "train")

    @pytest.mark.parametrize(("given", "times"), [({}, 1), ({"mean": -30.0, "std": 10.0}, 0)])
    def test_are_measured_once(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, float], times: int
    ) -> None:
        counts: list[int] = []
        measure = Feature.measure

        def counted(self: Feature, waveforms: Any) -> None:
            clips = list(waveforms)
            counts.append(len(clips))
            measure(self, clips)

        monkeypatch.setattr(Feature, "measure", counted)
        data = make(root, mel(**given))
        fit(data, epochs=2)
        evaluate(data)
        assert counts == [6] * times

    def test_of_many_tracks_are_measured_on_some_spread_over_all(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("genre.data.subsets.MEASURED_TRACKS", 3)
        mean, _ = self.measured(root)
        tracks = make(root).tracks("train")
        waves = [torch.from_numpy(read_segment(tracks[index].path, RATE, 1600, 0.5)) for index in (0, 2, 5)]
        values = torch.cat([mel(mean=0, std=1)(wave) for wave in waves], dim=1)
        np.testing.assert_allclose(mean, values.double().mean(1), rtol=1e-5)


class Save(pl.Callback):
    """Saves checkpoints at the end of the second epoch, by a callback that is no ModelCheckpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            trainer.save_checkpoint(self.folder / "during.ckpt")


class TestState:
    def test_statistics_come_back(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = make(root)
        fit(data)
        saved = to_config(data.features)
        again = make(root)
        require_same_features(saved, again.features)
        take_statistics(saved, again.features)
        assert again.features.measured
        monkeypatch.setattr(Feature, "measure", None)  # calling it would fail
        assert_same(evaluate(again), evaluate(data))

    @pytest.mark.parametrize("workers", [0, 2])
    @pytest.mark.parametrize("saved", ["during", "after"])
    def test_next_epoch_comes_back(self, root: Path, tmp_path: Path, workers: int, saved: str) -> None:
        """A resumed fit draws what the uninterrupted one draws, also where workers read ahead."""
        whole = fit(make(root), epochs=4)["train"]
        first = trainer(max_epochs=2, num_sanity_val_steps=0, callbacks=[Save(tmp_path)])
        first.fit(Recorder(), datamodule=make(root))
        first.save_checkpoint(tmp_path / "after.ckpt")
        resumed = fit(make(root, num_workers=workers), 4, tmp_path / f"{saved}.ckpt")["train"]
        assert [batch.tracks.tolist() for batch in resumed] == [batch.tracks.tolist() for batch in whole[2:]]
        assert all(torch.equal(one.inputs, other.inputs) for one, other in zip(resumed, whole[2:], strict=True))

    @pytest.mark.parametrize(
        ("other", "difference"),
        [
            (mel(top_db=40.0), "top_db=40.0"),
            (MelSpectrogram(RATE, 256, None, 64, n_mels=16), "hop_length=64"),
            (MelSpectrogram(16000, 256, None, 128, n_mels=16), "sample_rate=16000"),
            (MFCC(RATE, 10, 256, None, 128, n_mels=16), "n_mfcc=10"),
        ],
    )
    def test_of_other_features_is_refused(self, root: Path, other: Feature, difference: str) -> None:
        data = make(root)
        with pytest.raises(GenreError, match=rf"trained on \w+\(.*{difference}.*the data gives MelSpectrogram\("):
            require_same_features(to_config(other), data.features)


class TestBadFiles:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_are_skipped_and_logged_once_and_listed(
        self, root: Path, caplog: pytest.LogCaptureFixture, workers: int
    ) -> None:
        bad = {
            write_text(root / "genre0" / "train7.wav"): "undecodable (Format not recognised)",
            write_nan(root / "genre1" / "train8.wav"): "NaN or infinite samples",
            write_text(root / "genre0" / "validation7.wav"): "undecodable (Format not recognised)",
            write_nan(root / "genre1" / "validation8.wav"): "NaN or infinite samples",
        }
        data = make(root, batch_size=2, num_workers=workers)
        batches = fit(data, epochs=2)
        assert data.bad_files == bad
        assert said(caplog) == sorted(f"skipped {path}: {reason}" for path, reason in bad.items())
        assert all(batch.valid.all() for batch in batches["train"])  # a readable track has stepped in
        names = [track.name for track in data.tracks("validation")]
        assert names == ["validation0", "validation1", "validation0", "validation1"]  # NaN is found before it is heard
        valid = {
            int(track): bool(valid)
            for batch in batches["validation"]
            for track, valid in zip(batch.tracks, batch.valid, strict=True)
        }
        assert valid == {0: True, 1: True, 2: True, 3: True}

    def test_of_the_test_side_are_found_in_the_test(self, root: Path, caplog: pytest.LogCaptureFixture) -> None:
        bad = {write_text(root / "genre0" / "test7.wav"): "undecodable (Format not recognised)"}
        bad[write_nan(root / "genre1" / "test8.wav")] = "NaN or infinite samples"
        data = make(root)
        fit(data)
        assert data.bad_files == {}
        evaluate(data)
        assert data.bad_files == bad
        assert len(said(caplog)) == 2

    def test_do_not_change_the_split(self, root: Path) -> None:
        before = make(root).partition
        write_text(root / "genre0" / "train0.wav")
        assert make(root).partition == before

    @pytest.mark.parametrize("subset", SUBSETS)
    def test_all_of_a_side(self, root: Path, subset: Subset) -> None:
        paths = [write_text(path) for path in sorted(root.rglob(f"{subset}*.wav"))]
        run: Callable[[Folder], object] = fit if subset != "test" else evaluate
        with pytest.raises(GenreError) as caught:
            run(make(root))
        assert str(caught.value) == (
            f"every file of the {subset} split is bad ({len(paths)} files); "
            f"one is {paths[0]}: undecodable (Format not recognised)"
        )

    @pytest.mark.parametrize("given", [{}, {"mean": 0.0, "std": 1.0}], ids=["measured", "given"])
    def test_all_of_the_train_side_in_spite_of_good_headers(self, root: Path, given: dict[str, float]) -> None:
        paths = [write_nan(path) for path in sorted(root.rglob("train*.wav"))]
        with pytest.raises(GenreError) as caught:
            fit(make(root, mel(**given)))
        assert "every file of the train split is bad" in str(caught.value)
        assert any(str(path) in str(caught.value) for path in paths)


class TestGenres:
    def test_are_those_given(self, root: Path) -> None:
        data = make(root, genres=["genre1", "jazz", "genre0"])
        batches = fit(data)
        assert data.genres == ["genre1", "jazz", "genre0"]
        targets = torch.cat([batch.targets for batch in batches["validation"]])
        assert targets.tolist() == [2] * 6 + [0] * 6

    def test_unknown_to_the_model(self, root: Path) -> None:
        with pytest.raises(
            GenreError, match=r"1 genre\(s\) that the model does not know: genre1; it knows genre0, jazz$"
        ):
            fit(make(root, genres=["genre0", "jazz"]))

    def test_of_a_classifier_take_their_place(self, root: Path) -> None:
        data = make(root)
        assert data.genres == ["genre0", "genre1"]
        data.use_genres(["genre1", "jazz", "genre0"])
        assert data.genres == ["genre1", "jazz", "genre0"]
        loader = data.val_dataloader()
        assert isinstance(loader, DataLoader)
        assert next(iter(loader)).targets.tolist() == [2] * 4


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("batch_size", 0),
            ("evaluation_segments", 0),
            ("segment_seconds", 0.0),
            ("segment_seconds", -1.0),
            ("crops_per_track", 0),
        ],
    )
    def test_argument_out_of_range(self, root: Path, name: str, value: Any) -> None:
        with pytest.raises(GenreError, match=rf"{name} must be .*found {value}"):
            make(root, **{name: value})

    def test_segment_shorter_than_a_frame(self, root: Path) -> None:
        with pytest.raises(GenreError, match="80 samples is too short for n_fft=256"):
            fit(make(root, segment_seconds=0.01))

    @pytest.mark.parametrize("subset", ["train", "validation"])
    def test_split_without_a_needed_side(self, root: Path, subset: Subset) -> None:
        for path in root.rglob(f"{subset}*.wav"):
            path.unlink()
        with pytest.raises(GenreError, match=f"leaves no {subset} track of "):
            fit(make(root))

    def test_without_test_tracks_validation_tracks_test(self, root: Path, caplog: pytest.LogCaptureFixture) -> None:
        for path in root.rglob("test*.wav"):
            path.unlink()
        data = make(root)
        batches = fit(data)
        tested = evaluate(data)
        assert data.test_subset == "validation"
        assert_same({**tested, "validation": tested["test"], "test": []}, {**batches, "train": []})
        assert said(caplog) == ["the split has no test track at hand: testing on the validation tracks"]
