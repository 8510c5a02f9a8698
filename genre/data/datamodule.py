"""The base of all DataModules: tracks in, batches of finished features out."""

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from genre.audio.augment import Mixup
from genre.audio.decode import spread
from genre.audio.features import Feature
from genre.config import Config, from_config, show, to_config, without
from genre.data.embedding import Embedder, embed
from genre.data.exclusions import exclude
from genre.data.measure import measure
from genre.data.names import class_indices, unknown_names
from genre.data.provenance import Provenance
from genre.data.scan import BadFiles, Readable, scan
from genre.data.segments import (
    Batch,
    EvaluationSegments,
    EvaluationTracks,
    Segment,
    Segments,
    TrainSampler,
    TrainSegments,
    collate,
)
from genre.data.splits import Partition, Split
from genre.data.tags import tag_artists
from genre.data.track import Corpus, Subset, Track
from genre.errors import GenreError

log = logging.getLogger(__name__)

Given = TypeVar("Given")
Item = TypeVar("Item")

#: In place of a split: the statistics are those of a classifier that is scored here, and no fit goes on with them.
BORROWED = "a classifier"

#: So many train tracks are enough to measure the features' statistics on.
MEASURED_TRACKS = 200


class GenreDataModule(pl.LightningDataModule, ABC):
    """Turns a root folder into batches of features; a data set is a subclass that reads the tracks.

    Training draws random crops, or a track's non-overlapping segments; evaluation reads segments spread evenly over a
    track. Features and augmentation are computed on the batch's device, in :meth:`on_after_batch_transfer`. In a
    notebook, without a Trainer, :meth:`to_inputs` does the same::

        data.setup("fit")
        batch = data.to_inputs(next(iter(data.train_dataloader())))

    Features, split and augmentation are copied, so that one object may serve several DataModules: what is measured on
    the train tracks of one stays with it. A fit under another ``split`` than the one before measures anew.

    Args:
        root: Where the data set lies.
        features: What the network hears; its ``sample_rate`` is the rate that tracks are resampled to.
        split: Which tracks train, validate and test.
        segment_seconds: The length of a segment.
        evaluation_segments: The largest number of segments that a track is scored on.
        batch_size: Segments in a batch.
        crops_per_track: Random crops of each train track in an epoch.
        fixed_segments: In place of random crops, train on the non-overlapping segments of every train track.
        balanced: Draw every genre equally often in training.
        augment_waveform: Modules on ``(B, 1, samples)``, applied in training only.
        augment_spectrogram: Modules on ``(B, 1, frequency, time)``, applied in training only.
        mixup: Blends train clips and their targets, if given.
        num_workers: Processes that decode; 0: in the main process.
        seed: Of the crops and the augmentation. The split has a seed of its own.
        exclude: A list of tracks to go without, such as the ``exclude.txt`` of ``genre audit``: see
            :func:`genre.data.exclusions.read_exclusions`.
        artist: ``tags``: the artists are those of the files' tags, see :func:`genre.data.tags.read_artist`; ``None``:
            as the data set tells, such as by its sub-folders.

    Attributes:
        bad_files: Files that could not be read so far, and why.
        embedder: The frozen network whose embeddings take the place of waveforms in the batches of a fit and of a test;
            see :class:`genre.LinearProbe`, which sets it.
    """

    def __init__(
        self,
        root: Path | str,
        features: Feature,
        split: Split,
        segment_seconds: float = 3.0,
        evaluation_segments: int = 10,
        batch_size: int = 32,
        crops_per_track: int = 1,
        fixed_segments: bool = False,
        balanced: bool = False,
        augment_waveform: Sequence[nn.Module] = (),
        augment_spectrogram: Sequence[nn.Module] = (),
        mixup: Mixup | None = None,
        num_workers: int = 1,
        seed: int = 0,
        exclude: Path | str | None = None,
        artist: Literal["tags"] | None = None,
    ) -> None:
        super().__init__()
        if segment_seconds * features.sample_rate < 1:
            raise GenreError(f"segment_seconds must be positive; found {segment_seconds}")
        self.root = Path(root).expanduser()
        given = (features, split, list(augment_waveform), list(augment_spectrogram), mixup)
        self.features, self.split, self.augment_waveform, self.augment_spectrogram, self.mixup = _copy(given)
        self._given_statistics = features.mean, features.std
        self._statistics_of: str | None = None  # whose train tracks they were measured on, see _split_key
        self.segment_seconds, self.evaluation_segments = segment_seconds, evaluation_segments
        self.batch_size, self.crops_per_track, self.balanced = batch_size, crops_per_track, balanced
        for name in ("evaluation_segments", "batch_size", "crops_per_track"):
            if getattr(self, name) < 1:
                raise GenreError(f"{name} must be at least 1; found {getattr(self, name)}")
        if num_workers < 0:
            raise GenreError(f"num_workers must be 0, to decode in the main process, or more; found {num_workers}")
        for module in self.augment_waveform:
            rate = getattr(module, "sample_rate", features.sample_rate)
            if rate != features.sample_rate:
                raise GenreError(
                    f"{type(module).__name__} is made for {rate} Hz, the features hear {features.sample_rate} Hz; give "
                    f"it sample_rate: {features.sample_rate}"
                )
        self.fixed_segments = fixed_segments
        self.num_workers, self.seed = num_workers, seed
        self.exclude = None if exclude is None else Path(exclude).expanduser()
        if artist not in ("tags", None):
            raise GenreError(f"artist is tags, or None where the data set tells the artists; found {artist!r}")
        self.artist = artist
        self.bad_files = BadFiles()
        self.embedder: Embedder | None = None
        self._epoch = 0
        self._readable: dict[Subset, list[Readable]] = {}
        self._partition: Partition | None = None
        self._partition_of = ""

    @abstractmethod
    def read_corpus(self) -> Corpus:
        """Lists the data set's tracks below ``root``, which exists."""

    @cached_property
    def corpus(self) -> Corpus:
        """The tracks of the data set, without those that are excluded.

        Raises:
            GenreError: The root is missing or holds too little, or the exclusion list is missing.
        """
        corpus = self.read_corpus()
        if self.exclude is not None:
            corpus = exclude(corpus, self.exclude, self.root)
        corpus.require_distinct_genres(self.root)
        if len(corpus.genres) < 2:
            raise GenreError(
                f"{self.root}: found {len(corpus.tracks)} tracks of {len(corpus.genres)} genre(s) for "
                f"{type(self).__name__}, expected at least 2 genres; check data.root"
                + (" and data.exclude" if self.exclude else "")
            )
        return tag_artists(corpus) if self.artist == "tags" else corpus

    @cached_property
    def genres(self) -> list[str]:
        """The names of the classes, in order; those of the classifier once one is attached."""
        model = self.trainer.lightning_module if self.trainer else None
        known: list[str] | None = getattr(model, "genres", None)
        if known is None:
            return self.corpus.genres
        unknown = unknown_names(self.corpus.genres, known)
        if unknown:
            raise GenreError(
                f"the data has {len(unknown)} genre(s) that the model does not know: {', '.join(unknown)}; "
                f"it knows {', '.join(known)}"
            )
        return known

    @property
    def partition(self) -> Partition:
        """The tracks of each subset, before bad files are dropped: a split depends on no file's content.

        It is made once for every split that ``split`` has been.
        """
        if self._partition is not None and self._partition_of == self._split_key():
            return self._partition
        partition = self.split(self.corpus)
        needed: tuple[Subset, ...] = ("train", "validation") if self.split.has_validation else ("train", "test")
        for subset in needed:
            if not partition[subset]:
                raise GenreError(f"the split leaves no {subset} track of {len(self.corpus.tracks)}; choose another")
        self._readable.clear()
        self._partition, self._partition_of = partition, self._split_key()
        return partition

    @property
    def test_subset(self) -> Subset:
        """The subset that tests: ``validation`` where the split has no test track at hand."""
        return "test" if self.partition["test"] else "validation"

    def tracks(self, subset: Subset) -> list[Track]:
        """The tracks of a subset whose header could be read; none of a subset that the split does not have.

        Raises:
            GenreError: Every file of the subset is bad.
        """
        return [readable.track for readable in self._scan(subset)]

    @property
    def samples(self) -> int:
        """The length of a segment in samples."""
        return round(self.segment_seconds * self.features.sample_rate)

    def setup(self, stage: str) -> None:
        """Splits the corpus and reads the headers of the subsets that the stage needs."""
        self.__dict__.pop("genres", None)  # a classifier may have been attached since
        if stage == "fit" and self._statistics_of not in (None, self._split_key()):
            self.features.set_statistics(*self._given_statistics)
            self._statistics_of = None
        if stage == "validate" and not self.partition["validation"]:
            raise GenreError(
                f"{type(self.split).__name__} has no validation subset here: there is nothing to validate; score the "
                "test tracks, or choose a split with a validation subset"
            )
        subsets: dict[str, tuple[Subset, ...]] = {"fit": ("train", "validation"), "validate": ("validation",)}
        for subset in subsets.get(stage, (self.test_subset,)):
            self._scan(subset)
        if stage in ("test", "predict") and self.test_subset != "test":
            log.warning("the split has no test track at hand: testing on the validation tracks")

    def teardown(self, stage: str) -> None:
        """Forgets what belongs to the run that ends: the epoch that a fit was resumed at, and a frozen network."""
        self.embedder = None
        if stage == "fit":
            self._epoch = 0

    def train_dataloader(self) -> DataLoader[Segment]:
        """Random crops, drawn as a function of seed and epoch."""
        tracks = self._train_tracks()
        dataset = TrainSegments(tracks, self._targets(tracks), self.features.sample_rate, self.samples)
        self._embed(dataset)
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = TrainSampler(dataset, self.seed, self.balanced, self.crops_per_track, ranks, rank)
        # Lightning tells the sampler its epoch after the workers have begun to read: too late for a resumed fit.
        sampler.set_epoch(self._epoch)
        # Batch norm cannot train on a last batch of one.
        return self._loader(dataset, collate, self.batch_size, sampler, drop_last=len(sampler) > self.batch_size)

    def val_dataloader(self) -> DataLoader[Segment] | list[DataLoader[Segment]]:
        """The fixed segments of the validation tracks; no loader, and so no validation, without such tracks."""
        if not self.partition["validation"]:
            return []
        segments = self._evaluation_segments("validation")
        self._embed(segments)
        return self._loader(segments, segments.collate, self.batch_size)

    def test_dataloader(self) -> DataLoader[Segment]:
        """The fixed segments of the test tracks."""
        segments = self._evaluation_segments(self.test_subset)
        self._embed(segments)
        return self._loader(segments, segments.collate, self.batch_size)

    def predict_dataloader(self) -> DataLoader[list[Segment]]:
        """The fixed segments of the test tracks; a batch holds all segments of each of its tracks."""
        tracks = EvaluationTracks(self._evaluation_segments(self.test_subset))
        return self._loader(tracks, tracks.collate, max(1, self.batch_size // self.evaluation_segments))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Turns waveforms into features, as :meth:`to_inputs` does; in a Trainer's training steps with augmentation."""
        training = self.trainer is not None and bool(self.trainer.training)
        self._note_faults(batch)
        return self.to_inputs(batch, training)

    def measure_features(self) -> None:
        """Measures the features' mean and standard deviation on the train tracks, unless they are known.

        The first batch of a fit does so, too, and gets the same values: they depend on the train tracks alone.

        Raises:
            GenreError: Every train track is bad, or the features cannot be measured on them.
        """
        if not self.features.measured:
            measure(self.features, self.tracks("train"), self.samples, MEASURED_TRACKS, self.bad_files)
            self._statistics_of = self._split_key()

    def to_inputs(self, batch: Batch, training: bool = False) -> Batch:
        """Turns a loader's batch of waveforms into the network's inputs, with or without a Trainer.

        Args:
            batch: ``(B, 1, samples)`` waveforms, on any device.
            training: Augment and mix up, as in a training step, which seeds torch's generator with the batch's seed.

        Returns:
            The batch with ``(B, 1, frequency, time)`` features in float32, normalised, on the same device.

        Raises:
            GenreError: The features' statistics are unknown and cannot be measured, or a train batch holds no audio.
        """
        if batch.inputs.ndim == 2:  # embeddings
            if training:
                torch.manual_seed(batch.seed)
            return batch
        self.measure_features()
        self.features.to(batch.inputs.device)
        if not training:
            return batch._replace(inputs=self.features(batch.inputs))
        if batch.faults and not batch.valid.all():
            raise GenreError(f"every file of the train split is bad; one is {self.bad_files.first()}")
        # From here to the end of the step all that is random, dropout too, follows from seed and step: a resumed
        # fit repeats it without any generator's state being saved.
        torch.manual_seed(batch.seed)
        inputs, targets = batch.inputs, batch.targets
        for augment in self.augment_waveform:
            inputs = augment.to(inputs.device)(inputs)
        inputs = self.features(inputs)
        for augment in self.augment_spectrogram:
            inputs = augment.to(inputs.device)(inputs)
        if self.mixup is not None:
            inputs, targets = self.mixup(inputs, targets, len(self.genres))
        return batch._replace(inputs=inputs, targets=targets)

    def state_dict(self) -> dict[str, Any]:
        """The features with their measured statistics, and the epoch that comes next, which a checkpoint carries."""
        epoch = 0
        if self.trainer is not None:
            # current_epoch still is that of the epoch that ends, where a checkpoint is saved at its end.
            epoch = self.trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        return {"features": to_config(self.features), "epoch": epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the statistics and the epoch of a checkpoint.

        Raises:
            GenreError: The checkpoint was trained on other features.
        """
        self._set_statistics(state_dict["features"])
        trainer = self.trainer
        if trainer is not None and (trainer.testing or trainer.validating or trainer.predicting):
            self._statistics_of = BORROWED
        else:
            self._statistics_of = self._split_key()
            self._epoch = int(state_dict["epoch"])

    def take_statistics(self, saved: Config) -> None:
        """Borrows the statistics of the features that a classifier was trained on, until the next fit.

        Args:
            saved: The features, as :func:`genre.config.to_config` gives them; without statistics, those here stay.

        Raises:
            GenreError: They are other features than these.
        """
        self._set_statistics(saved)
        self._statistics_of = BORROWED

    def _set_statistics(self, saved: Config) -> None:
        # Built and described again: arguments that came with a later version then have their defaults.
        theirs, ours = (
            without(to_config(kind), "mean", "std") for kind in (from_config(saved, Feature), self.features)
        )
        if theirs != ours:
            raise GenreError(
                f"the checkpoint was trained on {show(theirs)}, the data gives {show(ours)}; "
                "pass the run's own config.yaml"
            )
        mean, std = saved["init_args"]["mean"], saved["init_args"]["std"]
        if mean is not None and std is not None:
            self.features.set_statistics(mean, std)

    def provenance(self) -> Provenance:
        """What a network hears that is trained and chosen on this data."""
        return Provenance.of({"train": self.tracks("train"), "validation": self.tracks("validation")})

    def require_monitor(self, option: str, monitor: str | None, instead: str = "train_loss") -> None:
        """Checks that a monitored value is measured on this data.

        Args:
            option: Where it is set, such as ``EarlyStopping.monitor``.
            monitor: The name of a logged value, or ``None``.
            instead: What the error recommends.

        Raises:
            GenreError: It is a validation score, and the split has no validation subset.
        """
        if monitor is not None and monitor.startswith("val_") and not self.partition["validation"]:
            raise GenreError(
                f"{option} is {monitor}, and {type(self.split).__name__} has no validation subset here; "
                f"give {instead}, or a split with a validation subset"
            )

    def require_same_tracks(self, checkpoint: Mapping[str, Any]) -> None:
        """Raises a :class:`GenreError` if a fit that goes on from a checkpoint would train on other tracks."""
        provenance = Provenance.read(checkpoint.get("genre", {}).get("provenance"))
        if provenance is not None and provenance.tracks["train"]:
            provenance.require_same(self.tracks("train"))

    def _embed(self, segments: Segments) -> None:
        """Puts embeddings in the place of waveforms, where a frozen network makes them."""
        if self.embedder is not None and self.trainer is not None:
            self.measure_features()
            embed(segments, self.embedder, self.features, self.trainer.strategy.root_device, self.num_workers)

    def _evaluation_segments(self, subset: Subset) -> EvaluationSegments:
        found = self._scan(subset)
        tracks = [readable.track for readable in found]
        positions = [spread(readable.seconds, self.segment_seconds, self.evaluation_segments) for readable in found]
        rate = self.features.sample_rate
        return EvaluationSegments(tracks, self._targets(tracks), positions, rate, self.samples)

    def _loader(
        self,
        dataset: Dataset[Item],
        collate_items: Callable[[list[Item]], Batch],
        batch_size: int,
        sampler: TrainSampler | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Item]:
        embedded = isinstance(dataset, Segments) and dataset.embedded is not None
        num_workers = 0 if embedded else self.num_workers  # nothing is left to decode
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=collate_items,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _train_tracks(self) -> list[Track]:
        """What the train loader draws from: the train tracks, or the fixed segments of them."""
        if not self.fixed_segments:
            return self.tracks("train")
        found = self._scan("train")
        return [segment for track, seconds in found for segment in track.cut(seconds, self.segment_seconds)]

    def _targets(self, tracks: Sequence[Track]) -> list[int]:
        return class_indices((track.genre for track in tracks), self.genres)

    def _scan(self, subset: Subset) -> list[Readable]:
        """Reads the headers of a subset once, and drops the files that have none."""
        tracks = self.partition[subset]
        if not tracks:
            return []
        if subset not in self._readable:
            found = scan(tracks, self.bad_files)
            if not found:
                count = len(tracks)
                raise GenreError(
                    f"every file of the {subset} split is bad ({count} files); one is {self.bad_files.first()}"
                )
            self._readable[subset] = found
        return self._readable[subset]

    def _split_key(self) -> str:
        """What tells the split from another one: its class and its settings, which may be changed in place."""
        return f"{type(self.split).__qualname__} {vars(self.split)}"

    def _note_faults(self, batch: Batch) -> None:
        """Names the files that a batch could not read; of a batch outside a Trainer's run, its ``faults`` tell."""
        subset = self._running_subset()
        if subset is None:
            return
        for index, reason in batch.faults.items():
            tracks = self._train_tracks() if subset == "train" else self.tracks(subset)
            self.bad_files.note(tracks[index].path, reason)

    def _running_subset(self) -> Subset | None:
        """The subset that the Trainer reads at present; ``None`` outside of its runs."""
        if self.trainer is None:
            return None
        if self.trainer.training:
            return "train"
        if self.trainer.validating or self.trainer.sanity_checking:
            return "validation"
        return self.test_subset if self.trainer.testing or self.trainer.predicting else None


def _copy(given: Given) -> Given:
    """Copies what the caller keeps; in one go, so that what two of the objects share stays shared."""
    try:
        return copy.deepcopy(given)
    except Exception as error:  # a module of the caller's may hold anything
        raise GenreError(
            f"the DataModule copies features, split and augmentation, and one of them cannot be copied ({error}); "
            "leave locks, open files and random generators out of their attributes"
        ) from error
