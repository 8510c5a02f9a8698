"""The one LightningModule: any network, trained on segments and scored on tracks."""

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import BackboneFinetuning
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau as TorchReduceLROnPlateau

from genre.checkpoint import FrontEnd, content, network_config, read_checkpoint, read_front_end, require_same_network
from genre.config import factory, factory_config, to_config
from genre.data.datamodule import GenreDataModule
from genre.data.names import class_indices
from genre.data.provenance import Provenance
from genre.data.segments import Batch
from genre.errors import GenreError
from genre.finetuning import parameter_groups, warn_of_other_features
from genre.metrics import TrackAverage, TrackPredictions, score
from genre.models.head import classify
from genre.optimization import make_optimizer, make_schedule, require_same_optimizer, takes
from genre.schedules import ReduceLROnPlateau, watched
from genre.track_rows import TrackRows
from genre.warm_start import take_weights, warn_of_other_checkpoint_features

log = logging.getLogger(__name__)


class GenreClassifier(pl.LightningModule):
    """Trains a network on segments with cross-entropy and scores it on tracks.

    A network with a method ``penalty``, such as :class:`~genre.models.KhameesMLP`, has it added to the training loss;
    of one with a method ``no_weight_decay``, such as :class:`~genre.models.IndRNN`, the named parameters do not decay;
    one with a method ``pretrained_features``, such as :class:`~genre.models.MusiCNN`, gives the features that its
    weights were trained on, or ``None``, and a fit on others logs a warning.
    Logs ``train_loss`` and ``train_accuracy`` (of segments) and, after ``val_`` and ``test_``, ``loss`` (of segments)
    and ``accuracy``, ``precision``, ``recall``, ``f1`` and ``auroc`` (of tracks, see :func:`genre.metrics.score`).

    ``Trainer.predict`` gives, batch by batch, ``(tracks, genres)`` probabilities: concatenated, one row per track of
    ``data.tracks(data.test_subset)``, as :meth:`genre.Predictor.predict` gives them; a row of NaN where no segment of
    the track could be read. A trained or loaded classifier also takes a loader of a ``GenreDataModule`` without the
    DataModule, since it keeps the features that it was trained on.

    Args:
        network: The network's class, or a ``functools.partial`` of it with plain arguments: called with the number of
            genres, it gives a module from ``(B, 1, frequency, time)`` to ``(B, genres)`` logits. Given so, and not
            as a finished module, because a checkpoint then names it.
        genres: The names of the classes, in order: ``GenreDataModule.genres``.
        optimizer: Makes the optimiser from parameters or parameter groups; ``None``: ``torch.optim.AdamW``.
        lr: The learning rate, in place of the optimiser's own; ``None``: that one. It is what Lightning's
            ``LearningRateFinder`` and ``Tuner.lr_find`` set. ``layer_decay`` scales it: the head has ``lr``. In a
            schedule with a ``max_lr``, such as ``OneCycleLR``, it takes the place of ``max_lr``.
        scheduler: Makes the learning-rate schedule from the optimiser. One that has a ``total_steps`` argument, such as
            ``OneCycleLR``, is stretched over the fit and stepped every batch; any other is stepped every epoch.
            ``ReduceLROnPlateau`` goes by its ``monitor``, see :func:`genre.schedules.watched`.
        label_smoothing: The share of each target that is spread over all genres, in training.
        class_weights: The weight of each genre's training loss, or ``balanced``: inverse to its number of train tracks.
        layer_decay: Factor of the learning rate from each layer of the network's ``backbone`` to the one before it;
            1: the same rate everywhere.
        channels_last: Keep images with the channel innermost, which tensor cores like.
        compile: Compile the network with ``torch.compile``.
        pretrained: The checkpoint of an earlier fit of the same network, on any genres: a fit that is not resumed
            starts from all of its network but the head (the last linear layer), and records what it was trained on.
            The file is needed then alone.

    Attributes:
        provenance: The tracks that the weights were trained and chosen on; ``None`` where that is not known.
        front_end: The features and segments that the weights were trained on; ``None`` before a fit.
    """

    loss_weights: Tensor | None

    def __init__(
        self,
        network: Callable[[int], nn.Module],
        genres: Sequence[str],
        optimizer: Callable[[Iterable[Any]], Optimizer] | None = None,
        # A configuration looks for a class's short name in the first kind first: torch has a ReduceLROnPlateau, too.
        scheduler: Callable[[Optimizer], ReduceLROnPlateau] | Callable[[Optimizer], LRScheduler] | None = None,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | Literal["balanced"] | None = None,
        layer_decay: float = 1.0,
        channels_last: bool = False,
        compile: bool = False,  # noqa: A002  # the name that users of PyTorch look for
        lr: float | None = None,
        pretrained: Path | str | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise GenreError(
                f"label_smoothing is a share of the target, at least 0 and below 1; found {label_smoothing}"
            )
        if isinstance(network, nn.Module):
            raise GenreError(
                f"network is a finished {type(network).__name__}; pass the class, or functools.partial(class, …), "
                "which is called with the number of genres"
            )
        if lr is not None and not lr > 0:
            raise GenreError(f"lr is the learning rate, which must be positive; found {lr}")
        self.genres = list(genres)
        self.network_config = factory_config(network)
        self.network = network(len(self.genres))
        # Not the default itself: in a configuration that names another class, AdamW's weight decay would stay.
        self.optimizer, self.scheduler = optimizer or torch.optim.AdamW, scheduler
        self.label_smoothing, self.class_weights, self.layer_decay = (
            label_smoothing,
            class_weights,
            layer_decay,
        )
        self.register_buffer("loss_weights", None, persistent=False)
        self.val_tracks, self.test_tracks = TrackAverage(), TrackAverage()
        self.test_predictions: TrackPredictions | None = None
        self.provenance: Provenance | None = None
        self.front_end: FrontEnd | None = None
        self.lr = lr
        self._rows = TrackRows()
        self._fitting = False
        self._fresh = True  # neither trained nor loaded
        self._configured: tuple[float | None, float | None] = (None, None)  # what the optimiser was made for
        self.pretrained = pretrained
        self.channels_last = channels_last
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        if compile:
            self.network.compile()

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, 1, frequency, time)`` features, or ``(B, D)`` embeddings of the backbone, to ``(B, genres)`` logits."""
        if inputs.ndim == 2:
            return classify(self.network, inputs.to(self.dtype))
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        # Features are float32, also where trainer.precision is bf16-true or 64-true.
        logits: Tensor = self.network(inputs.to(self.dtype))
        return logits

    def setup(self, stage: str) -> None:
        """Notes the features and the tracks that are trained on, and weighs the genres by them."""
        self._fitting = stage == "fit"
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, GenreDataModule):
            front_end = self.front_end
            if front_end is not None and front_end.features is not data.features and front_end.features.measured:
                data.take_statistics(to_config(front_end.features))
            self.front_end = FrontEnd(data.features, data.segment_seconds, data.evaluation_segments)
        if not self._fitting:
            return
        self._require_monitors()
        if isinstance(data, GenreDataModule):
            warn_of_other_features(self.network, data.features)
        known = self.provenance is not None or self._fresh  # else the weights do not say what they were trained on
        self.provenance = (
            data.provenance().continuing(self.provenance) if known and isinstance(data, GenreDataModule) else None
        )
        if self.class_weights is None:
            return
        weights = self.class_weights
        if weights == "balanced":
            targets = class_indices((track.genre for track in self._data.tracks("train")), self.genres)
            counts = [targets.count(index) for index in range(len(self.genres))]
            weights = [len(targets) / max(1, count) / len(self.genres) for count in counts]
        if len(weights) != len(self.genres):
            raise GenreError(f"class_weights has {len(weights)} weights for {len(self.genres)} genres")
        self.loss_weights = torch.tensor(weights, device=self.device)

    def configure_callbacks(self) -> list[pl.Callback]:
        """Adds none; refuses one that would freeze the network wrongly, before it has frozen anything."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # which the Trainer has
            if isinstance(callback, BackboneFinetuning):
                raise GenreError(
                    f"{type(callback).__name__} trains batch norm while the backbone is frozen, and freezes it again "
                    "when a fit goes on; use genre.GradualUnfreezing, or genre.LinearProbe"
                )
        return []

    def on_fit_start(self) -> None:
        """Makes the optimiser again where a callback has found another learning rate or batch size for the fit."""
        if self._configured != (self.lr, self._steps()):
            self.trainer.strategy.setup_optimizers(self.trainer)

    def on_train_start(self) -> None:
        """Notes that the weights are no longer those of the beginning."""
        self._fresh = False

    def warm_start(self, data: pl.LightningDataModule | None = None) -> None:
        """Takes over the network of the checkpoint ``pretrained`` without its head, once; a fit does so by itself.

        Nothing happens once weights have been trained or loaded.

        Args:
            data: What the fit trains on; it is logged if the checkpoint was trained on other features.

        Raises:
            GenreError: The file is missing, no checkpoint of this library, or one of another network.
        """
        if self.pretrained is None or not self._fresh:
            return
        file = Path(self.pretrained).expanduser()
        checkpoint = read_checkpoint(file)
        take_weights(self.network, checkpoint, file)
        self._fresh = False
        if isinstance(data, GenreDataModule):
            warn_of_other_checkpoint_features(checkpoint, data.features, file)
        earlier = Provenance.read(checkpoint["genre"].get("provenance"))
        if earlier is None:
            log.warning("%s does not say on which tracks it was trained: whether a score leaks cannot be told", file)
        self.provenance = earlier if self.provenance is None or earlier is None else self.provenance.continuing(earlier)

    def teardown(self, stage: str) -> None:
        """Keeps a copy of the features: the DataModule's next fit, under another split, measures its own anew."""
        if self.front_end is not None:
            self.front_end = self.front_end._replace(features=copy.deepcopy(self.front_end.features))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step on a batch of random crops."""
        logits = self(self._inputs(batch)).float()
        loss = F.cross_entropy(logits, batch.targets, weight=self.loss_weights, label_smoothing=self.label_smoothing)
        penalty = getattr(self.network, "penalty", None)  # the L2 term of networks whose paper has one
        if penalty is not None:
            loss = loss + penalty()
        targets = batch.targets.argmax(1) if batch.targets.is_floating_point() else batch.targets
        accuracy = (logits.argmax(1) == targets).float().mean()
        size = len(targets)
        self.log("train_loss", loss, on_epoch=True, on_step=False, prog_bar=True, batch_size=size, sync_dist=True)
        self.log("train_accuracy", accuracy, on_epoch=True, on_step=False, batch_size=size, sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forgets the segments of an evaluation that was cut short."""
        self.val_tracks.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects the segments of a validation batch."""
        self._collect(self.val_tracks, batch)

    def on_validation_epoch_end(self) -> None:
        """Scores the validation tracks."""
        self._log_scores("val", self.val_tracks)

    def on_test_epoch_start(self) -> None:
        """Forgets the segments of an evaluation that was cut short."""
        self.test_tracks.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects the segments of a test batch."""
        self._collect(self.test_tracks, batch)

    def on_test_epoch_end(self) -> None:
        """Scores the test tracks."""
        self.test_predictions = self._log_scores("test", self.test_tracks)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """``(tracks, genres)``: the probabilities of the tracks whose last segment is in the batch."""
        probabilities = self(self._inputs(batch)).float().softmax(1)
        return self._rows.update(probabilities, batch, dataloader_idx)

    def on_predict_epoch_end(self) -> None:
        """Checks that no track was torn apart."""
        self._rows.finish(self.trainer.world_size)

    def configure_optimizers(self) -> Any:
        """The injected optimiser and schedule."""
        # Of all hooks this one follows the loading of a resumed fit's checkpoint, and precedes callbacks that train.
        self.warm_start(getattr(self._attached(), "datamodule", None))
        optimizer = make_optimizer(self.optimizer, parameter_groups(self.network, self.layer_decay), self.lr)
        steps = self._steps()
        self._configured = self.lr, steps
        if self.scheduler is None:
            return optimizer
        scheduler = make_schedule(self.scheduler, optimizer, steps, self.lr)
        config: dict[str, Any] = {"scheduler": scheduler, "interval": "epoch" if steps is None else "step"}
        if isinstance(scheduler, TorchReduceLROnPlateau):
            monitor = watched(scheduler)
            self._require_monitor(f"{type(scheduler).__name__}.monitor", monitor)
            every = getattr(self._attached(), "check_val_every_n_epoch", 1) if monitor.startswith("val_") else 1
            config |= {"monitor": monitor, "frequency": every or 1}
        return {"optimizer": optimizer, "lr_scheduler": config}

    @property
    def stretched(self) -> bool:
        """Whether the learning-rate schedule depends on the length of the fit."""
        return takes(self.scheduler, "total_steps")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what it takes to name the genre of a song: the genres, the network, the features, the segments."""
        if self.front_end is None:
            return
        checkpoint["genre"] = content(self.genres, self.network_config, self.front_end, self.provenance)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint of other genres, of another network or, to go on with a fit, of other train tracks."""
        require_same_network(checkpoint, self.genres, self.network_config, self.state_dict())
        saved = checkpoint.get("genre", {})
        data = getattr(self._attached(), "datamodule", None)
        if self._fitting and isinstance(data, GenreDataModule):
            data.require_same_tracks(checkpoint)
        self.provenance = Provenance.read(saved.get("provenance"))
        self._fresh = False
        if saved and not isinstance(data, GenreDataModule):  # else the features are those of the data
            self.front_end = read_front_end(saved)

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # of files alone, not of streams
        cls,
        checkpoint_path: Path | str,
        map_location: Any = None,
        hparams_file: Path | str | None = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **options: Any,
    ) -> Self:
        """Loads a classifier to predict, to test or to fit it further; nothing that the file contains is executed.

        The checkpoint brings the network, the genres and the features. The optimizer and all that else belongs to
        training are arguments: ``load_from_checkpoint(path, lr=1e-4)``.

        Args:
            checkpoint_path: The file.
            map_location: The device of the weights; see ``torch.load``.
            hparams_file: As in Lightning; not needed.
            strict: Whether the weights must be those of the network exactly; ``None``: yes.
            weights_only: As in ``torch.load``; ``None``: true.
            options: Arguments of the constructor. ``network``, for a network that the checkpoint could not name, takes
                the place of the checkpoint's own.

        Raises:
            GenreError: The file is missing or no checkpoint of this library, or its network is not at hand.
        """
        saved = read_checkpoint(checkpoint_path)["genre"]
        options.setdefault("genres", saved["genres"])
        if options.get("network") is None:
            options["network"] = factory(network_config(saved, checkpoint_path), nn.Module)
        return super().load_from_checkpoint(
            checkpoint_path, map_location, hparams_file, strict, weights_only, **options
        )

    def require_same_optimizer(self, checkpoint: Mapping[str, Any]) -> None:
        """Checks that a fit that goes on from a checkpoint has the optimiser that it was begun with.

        Raises:
            GenreError: The optimiser has other settings.
        """
        groups = parameter_groups(self.network, self.layer_decay)
        require_same_optimizer(make_optimizer(self.optimizer, groups, self.lr), checkpoint)

    @property
    def _data(self) -> GenreDataModule:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, GenreDataModule):
            raise GenreError("this needs a GenreDataModule: trainer.fit(classifier, datamodule=data)")
        return data

    def _require_monitors(self) -> None:
        """Raises if a callback goes by a validation score that the split does not give."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # of the Trainer
            self._require_monitor(f"{type(callback).__name__}.monitor", getattr(callback, "monitor", None))

    def _require_monitor(self, option: str, monitor: str | None) -> None:
        data = getattr(self.trainer, "datamodule", None) if self._fitting else None
        if isinstance(data, GenreDataModule):
            data.require_monitor(option, monitor)

    def _attached(self) -> pl.Trainer | None:
        """The Trainer, if there is one yet."""
        try:
            return self.trainer
        except RuntimeError:
            return None

    def _steps(self) -> float | None:
        """The steps of the fit, if the schedule is stretched over it."""
        return self.trainer.estimated_stepping_batches if self.stretched else None

    def _inputs(self, batch: Batch) -> Tensor:
        """``(B, 1, frequency, time)``: of a loader that came without its DataModule, a batch still holds waveforms."""
        if batch.inputs.ndim != 3:
            return batch.inputs
        if self.front_end is None:
            raise GenreError(
                "the loader gives waveforms, and this classifier knows no features yet; pass datamodule=data in place "
                "of the loader, or load the classifier from a checkpoint"
            )
        inputs: Tensor = self.front_end.features.to(batch.inputs.device)(batch.inputs)
        return inputs

    def _collect(self, tracks: TrackAverage, batch: Batch) -> None:
        tracks.update(self(self._inputs(batch)), batch.targets, batch.tracks, batch.segments, batch.valid, batch.faults)

    def _log_scores(self, subset: str, tracks: TrackAverage) -> TrackPredictions:
        names, targets, probabilities, loss = tracks.compute()
        tracks.reset()
        # torchmetrics hands out a tensor of one element, as that of a single track, without its dimension.
        predictions = TrackPredictions(names.view(-1), targets.view(-1), probabilities, loss)
        lost = int((~predictions.probabilities.isfinite()).any(-1).sum())
        if lost:
            raise GenreError(
                f"the network's answer is NaN for {lost} of {len(predictions.targets)} tracks: the fit has diverged; "
                "lower the learning rate (model.optimizer.lr), clip gradients (trainer.gradient_clip_val: 1) or, in "
                "half precision, compute in trainer.precision: 32-true"
            )
        scores = score(predictions.probabilities, predictions.targets) | {"loss": predictions.loss}
        for name, value in scores.items():
            self.log(f"{subset}_{name}", value, prog_bar=subset == "val" and name in ("accuracy", "loss"))
        return predictions
