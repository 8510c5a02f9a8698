"""The base class of all DataModules: turns tracks into batches of features."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from genre.audio.augment import Mixup
from genre.audio.cache import DecodedCache
from genre.audio.decode import spread
from genre.audio.features import Feature
from genre.data.embedding_cache import Embedder, embed_segments
from genre.data.files import BadFiles
from genre.data.loaders import TrainSampler, choose_workers, make_loader
from genre.data.names import class_indices
from genre.data.provenance import Provenance
from genre.data.segments import Batch, EvaluationSegments, EvaluationTracks, Segment, TrainSegments
from genre.data.splits import Partition, Split
from genre.data.subsets import Subsets, class_names, select_tracks, split_key
from genre.data.track import Corpus, Subset, Track
from genre.errors import GenreError


class GenreDataModule(pl.LightningDataModule, ABC):
    """Turns a root folder into batches of features; each data set is a subclass that lists the tracks.

    Training draws random crops, or a track's non-overlapping segments. Evaluation reads segments spread evenly over a
    track. :meth:`on_after_batch_transfer` computes features and augmentation on the batch's device. Without a Trainer,
    as in a notebook, :meth:`to_inputs` does the same, see the example.

    Features, split and augmentation are copied, so several DataModules can share one object. The features' statistics
    are measured on the train tracks of a fit, and again for a fit with another ``split``.

    Args:
        root: The folder of the data set.
        features: The network's input features; tracks are resampled to their ``sample_rate``.
        split: Assigns the tracks to train, validation and test.
        segment_seconds: The length of a segment.
        evaluation_segments: The largest number of segments that a track is scored on.
        batch_size: Segments per batch.
        crops_per_track: Random crops of each train track per epoch.
        fixed_segments: Train on the non-overlapping segments of every train track in place of random crops.
        balanced: Draw every genre equally often in training.
        augment_waveform: Modules on ``(B, 1, samples)``, applied in training only.
        augment_spectrogram: Modules on ``(B, 1, frequency, time)``, applied in training only.
        mixup: Blends train clips and their targets, if given.
        num_workers: Processes that decode; ``auto``: cores - 1, 1 to 8; on a CPU none for a cache at the same rate.
        seed: Seeds the crops and the augmentation. The split has its own seed.
        exclude: A file that lists tracks to leave out, such as the ``exclude.txt`` of ``genre audit``; see
            :func:`genre.data.exclusions.read_exclusions`.
        artist: ``tags``: the artists are those of the files' tags, see :func:`genre.data.tags.read_artist`;
            ``None``: those of the data set, such as its sub-folders.
        genres: The names of the classes, in order, such as those of a checkpoint that is scored on a data set with
            fewer genres; ``None``: the genres of the data set. See :meth:`use_genres`.
        cache: The folder of decoded tracks, which runs and processes share, or ``memory``; see
            :class:`genre.audio.cache.DecodedCache`. ``None``: segments are decoded from the files in every epoch.

    Attributes:
        bad_files: The files that could not be read so far, and the reasons.
        embedder: The frozen network whose embeddings replace the waveforms; :class:`genre.LinearProbe` sets it.

    Raises:
        GenreError: An argument is out of its range, or an augmentation is made for another sample rate.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import Folder, StratifiedSplit
        >>> data = Folder("music", MelSpectrogram(n_mels=64), StratifiedSplit(by_artist=True), batch_size=4)
        >>> data.setup("fit")
        >>> batch = next(iter(data.train_dataloader()))
        >>> batch.inputs.shape, batch.targets.shape
        (torch.Size([4, 1, 66150]), torch.Size([4]))
        >>> data.to_inputs(batch).inputs.shape
        torch.Size([4, 1, 64, 130])
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
        num_workers: int | Literal["auto"] = "auto",
        seed: int = 0,
        exclude: Path | str | None = None,
        artist: Literal["tags"] | None = None,
        genres: Sequence[str] | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__()
        self.root = Path(root).expanduser()
        try:  # all at once, so that parts that they share stay shared
            copies = copy.deepcopy((features, split, list(augment_waveform), list(augment_spectrogram), mixup))
        except Exception as error:  # a module of the caller's may hold anything
            raise GenreError(
                f"the DataModule copies features, split and augmentation, and one of them cannot be copied ({error}); "
                "leave locks, open files and random generators out of their attributes"
            ) from error
        self.features, self.split, self.augment_waveform, self.augment_spectrogram, self.mixup = copies
        self.segment_seconds, self.evaluation_segments, self.seed = segment_seconds, evaluation_segments, seed
        self.batch_size, self.crops_per_track, self.balanced = batch_size, crops_per_track, balanced
        self.fixed_segments, self.num_workers, self.cache, self.artist = fixed_segments, num_workers, cache, artist
        self.exclude = None if exclude is None else Path(exclude).expanduser()
        self.bad_files = BadFiles()
        self.embedder: Embedder | None = None
        self._classes, self._given_statistics = genres, (features.mean, features.std)
        self._decoded: DecodedCache | None = None
        self._subsets: Subsets | None = None
        if num_workers != "auto" and num_workers < 0:
            raise GenreError(f"num_workers must be 0, to decode in the main process, or more; found {num_workers}")
        if self.samples < 1:
            raise GenreError(f"segment_seconds must be positive; found {self.segment_seconds}")
        for name in ("evaluation_segments", "batch_size", "crops_per_track"):
            if getattr(self, name) < 1:
                raise GenreError(f"{name} must be at least 1; found {getattr(self, name)}")
        for module in self.augment_waveform:
            rate, needed = getattr(module, "sample_rate", None), self.features.sample_rate
            if rate not in (None, needed):
                raise GenreError(
                    f"{type(module).__name__} is made for {rate} Hz, the features use {needed} Hz; give it "
                    f"sample_rate: {needed}"
                )
        if self.artist not in ("tags", None):
            raise GenreError(f"artist is tags, or None where the data set knows the artists; found {self.artist!r}")

    @abstractmethod
    def read_corpus(self) -> Corpus:
        """Lists the data set's tracks below ``root``; does not use features, split or Trainer.

        Raises:
            GenreError: ``root`` holds no such data set.
        """

    @cached_property
    def corpus(self) -> Corpus:
        """The tracks of the data set, without excluded ones."""
        return select_tracks(self.read_corpus(), self.root, self.exclude, self.artist, type(self).__name__)

    @property
    def genres(self) -> list[str]:
        """The names of the classes, in order: the given ones, or those of the data set, which must be among them."""
        return class_names(self.corpus, self._classes)

    def use_genres(self, genres: Sequence[str]) -> None:
        """Sets the names of the classes; :meth:`genre.GenreClassifier.setup` calls this before a run."""
        self._classes = genres

    @property
    def partition(self) -> Partition:
        """The tracks of each subset, including bad files; computed again when ``split`` changes."""
        return self._split_subsets().partition

    @property
    def test_subset(self) -> Subset:
        """The subset that is tested: ``validation`` if the split has no test track."""
        return self._split_subsets().test_subset

    def tracks(self, subset: Subset) -> list[Track]:
        """The tracks of a subset whose header can be read; empty if the split has no such subset."""
        return [readable.track for readable in self._split_subsets().readable(subset)]

    @property
    def samples(self) -> int:
        """The length of a segment in samples."""
        return round(self.segment_seconds * self.features.sample_rate)

    def setup(self, stage: str) -> None:
        """Splits the corpus and reads the headers of the subsets that the stage needs."""
        subsets = self._split_subsets()
        if stage == "fit" and subsets.statistics != (self.features.mean, self.features.std):
            self.features.set_statistics(*self._given_statistics)  # not those of another split or of a classifier
        subsets.prepare(stage)

    def teardown(self, stage: str) -> None:
        """Releases the frozen network of the run."""
        self.embedder = None

    def train_dataloader(self) -> DataLoader[Segment]:
        """Random crops, drawn as a function of seed and epoch."""
        cut = self._split_subsets().cut_train_tracks
        tracks = cut(self.segment_seconds) if self.fixed_segments else self.tracks("train")
        dataset = self._train_segments(tracks, self._fill_cache(tracks))
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = TrainSampler(dataset, self.seed, self.balanced, self.crops_per_track, ranks, rank)
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> DataLoader[Segment] | list[DataLoader[Segment]]:
        """The fixed segments of the validation tracks; an empty list, which skips validation, without such tracks."""
        return self._loader(self._evaluation_segments("validation")) if self.partition["validation"] else []

    def test_dataloader(self) -> DataLoader[Segment]:
        """The fixed segments of the test tracks."""
        return self._loader(self._evaluation_segments(self.test_subset))

    def predict_dataloader(self) -> DataLoader[list[Segment]]:
        """The fixed segments of the test tracks; a batch holds all segments of each of its tracks."""
        tracks = EvaluationTracks(self._evaluation_segments(self.test_subset))
        workers = choose_workers(self.num_workers, tracks.segments)
        return make_loader(tracks, max(1, self.batch_size // self.evaluation_segments), workers)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Turns waveforms into features with :meth:`to_inputs`, in a Trainer's training steps with augmentation."""
        return self.to_inputs(batch, training=self.trainer is not None and bool(self.trainer.training))

    def measure_features(self) -> None:
        """Measures the features' statistics on the train tracks, unless they are known; so does a fit's first batch."""
        if not self.features.measured:
            segments = self._train_segments(self.tracks("train"), self._decoded)
            self._split_subsets().measure(self.features, segments)

    def to_inputs(self, batch: Batch, training: bool = False) -> Batch:
        """Turns a loader's batch of waveforms into the network's inputs, with or without a Trainer.

        Args:
            batch: ``(B, 1, samples)`` waveforms, on any device.
            training: Augment and mix up as in a training step; this seeds torch's generator with the batch's seed.

        Returns:
            The batch with ``(B, 1, frequency, time)`` features in float32, normalised, on the same device.

        Raises:
            GenreError: No train track can be read.
        """
        for path, reason in batch.bad_files.items():
            self.bad_files.note(path, reason)
        if training:
            # All random numbers of the step, also dropout's, depend only on seed and step: a resumed fit repeats them.
            torch.manual_seed(batch.seed)
        if batch.inputs.ndim == 2:  # embeddings
            return batch
        self.measure_features()
        if training and batch.faults and not batch.valid.all():
            raise GenreError(f"every file of the train split is bad; one is {self.bad_files.first()}")
        inputs, targets = batch.inputs, batch.targets
        augmented = (*self.augment_waveform, self.features, *self.augment_spectrogram)
        for module in augmented if training else (self.features,):
            inputs = module.to(batch.inputs.device)(inputs)
        if training and self.mixup is not None:
            inputs, targets = self.mixup(inputs, targets, len(self.genres))
        return batch._replace(inputs=inputs, targets=targets)

    def provenance(self) -> Provenance:
        """The tracks that a fit on this data is trained and chosen on."""
        return Provenance.of({"train": self.tracks("train"), "validation": self.tracks("validation")})

    def _split_subsets(self) -> Subsets:
        """The subsets of the current split, which may be replaced or changed in place."""
        if self._subsets is None or self._subsets.key != split_key(self.split):
            self._subsets = Subsets(self.corpus, self.split, self.bad_files)
        return self._subsets

    def _targets(self, tracks: Sequence[Track]) -> list[int]:
        return class_indices((track.genre for track in tracks), self.genres)

    def _train_segments(self, tracks: Sequence[Track], cache: DecodedCache | None) -> TrainSegments:
        return TrainSegments(tracks, self._targets(tracks), self.features.sample_rate, self.samples, cache)

    def _evaluation_segments(self, subset: Subset) -> EvaluationSegments:
        readable = self._split_subsets().readable(subset)
        tracks = [track for track, _ in readable]
        positions = [spread(seconds, self.segment_seconds, self.evaluation_segments) for _, seconds in readable]
        rate, cache = self.features.sample_rate, self._fill_cache(tracks)
        return EvaluationSegments(tracks, self._targets(tracks), positions, rate, self.samples, cache)

    def _fill_cache(self, tracks: Sequence[Track]) -> DecodedCache | None:
        """The decoded tracks; ``None`` without a cache, and where embeddings replace them."""
        if self.cache is None or self.embedder is not None:
            return None
        if self._decoded is None or self._decoded.sample_rate != self.features.sample_rate:
            folder = None if self.cache == "memory" else Path(self.cache).expanduser()
            self._decoded = DecodedCache(folder, self.features.sample_rate)
        self._decoded.fill(track.path for track in tracks)
        if self.trainer is not None:
            self._decoded.to(self.trainer.strategy.root_device)
        return self._decoded

    def _loader(
        self, segments: TrainSegments | EvaluationSegments, sampler: TrainSampler | None = None
    ) -> DataLoader[Segment]:
        """A loader of segments; with embeddings in place of waveforms if there is a frozen network."""
        workers = choose_workers(self.num_workers, segments)
        if self.embedder is not None and self.trainer is not None:
            self.measure_features()
            embed_segments(segments, self.embedder, self.features, self.trainer.strategy.root_device, workers)
        return make_loader(segments, self.batch_size, workers, sampler)
