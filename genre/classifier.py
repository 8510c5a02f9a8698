"""The LightningModule: any network, trained on segments and scored on tracks."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from genre import schedules
from genre.audio.features import Feature
from genre.checkpoint import (
    FrontEnd,
    checkpoint_entry,
    network_config,
    read_calibration,
    read_checkpoint,
    read_front_end,
    require_same,
    require_same_features,
    take_statistics,
    upgrade,
)
from genre.config import factory, factory_config, to_config
from genre.data.datamodule import GenreDataModule
from genre.data.provenance import Provenance
from genre.data.segments import Batch
from genre.data.subsets import weigh_classes
from genre.errors import GenreError
from genre.evaluation import TrackScorer
from genre.finetuning import parameter_groups, refuse_backbone_finetuning, warm_start, warn_of_other_features
from genre.models.head import classify


class GenreClassifier(TrackScorer):
    """Trains a network on segments with cross-entropy and scores it on tracks.

    Logs ``train_loss`` and ``train_accuracy`` of segments. :class:`~genre.evaluation.TrackScorer` describes the scores
    of tracks and what ``Trainer.predict`` gives.

    A network may have three methods. ``penalty`` gives a term of the training loss, see
    :class:`~genre.models.KhameesMLP`. ``no_weight_decay`` names parameters that do not decay, see
    :class:`~genre.models.IndRNN`. ``pretrained_features`` gives the features that its weights were trained on, or
    ``None``, see :class:`~genre.models.MusiCNN`: a fit on other features logs a warning.

    Args:
        network: The network's class, or a ``functools.partial`` of it with plain arguments, so that a checkpoint can
            name it. It is called with the number of genres, and gives a module that maps ``(B, 1, frequency, time)`` to
            ``(B, genres)`` logits.
        genres: The names of the classes, in order: ``GenreDataModule.genres``.
        optimizer: Makes the optimizer from parameters or parameter groups; ``None``: ``torch.optim.AdamW``.
        lr: The learning rate of the head; ``layer_decay`` scales it. It replaces the optimizer's own rate and a
            schedule's ``max_lr``; ``None``: they stay. Lightning's ``LearningRateFinder`` and ``Tuner.lr_find`` set it.
        scheduler: Makes the learning-rate schedule from the optimizer. One that has a ``total_steps`` argument, such as
            ``OneCycleLR``, is stretched over the fit and stepped every batch; any other is stepped every epoch.
            ``ReduceLROnPlateau`` watches its ``monitor``, see :class:`genre.schedules.ReduceLROnPlateau`.
        label_smoothing: The share of each target, below 1, that is spread over all genres in training.
        class_weights: The weight of each genre's training loss, or ``balanced``: inverse to its number of train tracks.
        layer_decay: Factor of the learning rate from each layer of the network's ``backbone`` to the one before it;
            1: the same rate everywhere.
        channels_last: Use the memory format ``channels_last``, which is faster on tensor cores; ``auto``: on a GPU.
        compile: Compile the network with ``torch.compile``.
        pretrained: The checkpoint of an earlier fit of the same network, on any genres. A new fit starts from its
            weights, except those of the head (the last linear layer), and records what they were trained on. A resumed
            fit and a loaded classifier do not need the file.
        matmul_precision: The precision of float32 products on a GPU, see ``torch.set_float32_matmul_precision``:
            ``high`` is TF32, ``highest`` is float32. On a CPU, products are in float32.

    Raises:
        GenreError: ``label_smoothing`` or ``lr`` is out of its range, or ``network`` is a finished network.

    Attributes:
        provenance: The tracks that the weights were trained and chosen on; ``None`` if they are unknown.
        front_end: The features and segments that the weights were trained on; ``None`` before a fit.

    Example:
        >>> from functools import partial
        >>> import torch
        >>> import genre
        >>> from genre.models import ResNet18
        >>> classifier = genre.GenreClassifier(partial(ResNet18, pretrained=False), ["jazz", "rock"], lr=1e-3)
        >>> classifier(torch.randn(4, 1, 64, 130)).shape
        torch.Size([4, 2])
    """

    loss_weights: Tensor | None

    def __init__(
        self,
        network: Callable[[int], nn.Module],
        genres: Sequence[str],
        optimizer: Callable[[Iterable[Any]], Optimizer] | None = None,
        # jsonargparse looks up a short class name in the first type first: torch also has a ReduceLROnPlateau.
        scheduler: Callable[[Optimizer], schedules.ReduceLROnPlateau]
        | Callable[[Optimizer], LRScheduler]
        | None = None,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | Literal["balanced"] | None = None,
        layer_decay: float = 1.0,
        channels_last: bool | Literal["auto"] = "auto",
        compile: bool = False,  # noqa: A002  # PyTorch's name
        lr: float | None = None,
        pretrained: Path | str | None = None,
        matmul_precision: Literal["highest", "high", "medium"] = "high",
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise GenreError(f"label_smoothing must be at least 0 and below 1; found {label_smoothing}")
        if isinstance(network, nn.Module):
            raise GenreError(f"network is a finished {type(network).__name__}; pass the class, or a partial of it")
        if lr is not None and not lr > 0:
            raise GenreError(f"lr is the learning rate, which must be positive; found {lr}")
        self.genres = list(genres)
        self.network_config = factory_config(network)
        self.network = network(len(self.genres))
        # AdamW is not the argument's default: a configuration that names another class would keep its weight decay.
        self.optimizer, self.scheduler = optimizer or torch.optim.AdamW, scheduler
        self.label_smoothing, self.class_weights, self.channels_last = label_smoothing, class_weights, channels_last
        self.lr, self.layer_decay = lr, layer_decay
        self.pretrained, self.matmul_precision = pretrained, matmul_precision
        self.register_buffer("loss_weights", None, persistent=False)
        self.provenance: Provenance | None = None
        self._fresh = True  # neither trained nor loaded
        self._with_data, self._validation_epochs = False, 1  # setup() sets these and the next two for each run
        self._own_provenance: Provenance | None = None
        self._unvalidated: str | None = None
        self._configured: tuple[float | None, float | None] = (None, None)  # what the optimizer was made for
        if channels_last is True:
            self.network.to(memory_format=torch.channels_last)
        if compile:
            self.network.compile()

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, 1, frequency, time)`` features, or ``(B, D)`` embeddings of the backbone, to ``(B, genres)`` logits."""
        if inputs.ndim == 2:
            return classify(self.network, inputs.to(self.dtype))
        if self.channels_last is True:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(inputs.to(self.dtype))  # features are float32, whatever trainer.precision is
        return logits

    def setup(self, stage: str) -> None:
        """Connects the classifier and the DataModule; no other method looks for the Trainer's DataModule.

        The DataModule gets the classifier's genres and, if the classifier is trained, the statistics of its features.
        The classifier stores the features and the segments; for a fit also the tracks and the weights of the genres.
        """
        if self.trainer.strategy.root_device.type == "cuda":
            torch.set_float32_matmul_precision(self.matmul_precision)
            if self.channels_last == "auto":
                self.channels_last = True
                self.network.to(memory_format=torch.channels_last)
        self._validation_epochs = self.trainer.check_val_every_n_epoch or 1
        self._own_provenance = self._unvalidated = None
        data = getattr(self.trainer, "datamodule", None)
        data = data if isinstance(data, GenreDataModule) else None
        self._with_data = data is not None
        if data is not None:
            data.use_genres(self.genres)
            if self.front_end is not None and self.front_end.features.measured:
                saved = to_config(self.front_end.features)
                require_same_features(saved, data.features)
                take_statistics(saved, data.features)
            self.front_end = FrontEnd(data.features, data.segment_seconds, data.evaluation_segments)
        if stage == "fit":
            self._begin_fit(data)

    def _begin_fit(self, data: GenreDataModule | None) -> None:
        known = self.provenance is not None or self._fresh  # otherwise the weights have unknown training data
        if data is not None:
            self._own_provenance = data.provenance()
            self._unvalidated = None if data.partition["validation"] else type(data.split).__name__
            warn_of_other_features(self.network, data.features)
        self.provenance = self._own_provenance.continuing(self.provenance) if known and self._own_provenance else None
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            monitor = getattr(callback, "monitor", None)
            schedules.require_monitor(f"{type(callback).__name__}.monitor", monitor, self._unvalidated)
        weights = weigh_classes(self.class_weights, self.genres, None if data is None else data.tracks("train"))
        self.loss_weights = None if weights is None else torch.tensor(weights, device=self.device)

    def teardown(self, stage: str) -> None:
        """Keeps a copy of the features: the DataModule's next fit may measure its features anew."""
        self._with_data, self._own_provenance = False, None
        if self.front_end is not None:
            self.front_end = self.front_end._replace(features=copy.deepcopy(self.front_end.features))

    def configure_callbacks(self) -> list[pl.Callback]:
        """Adds no callback; rejects Lightning's ``BackboneFinetuning`` before it freezes the network wrongly."""
        refuse_backbone_finetuning(self.trainer.callbacks)  # type: ignore[attr-defined]
        return []

    def configure_optimizers(self) -> Any:
        """Makes the optimizer and the schedule."""
        # This hook runs after a resumed fit's checkpoint is loaded, and before callbacks that train.
        self.warm_start(self._features_of_data())
        optimizer = schedules.make_optimizer(self.optimizer, parameter_groups(self.network, self.layer_decay), self.lr)
        steps = self._steps()
        self._configured = self.lr, steps
        if self.scheduler is None:
            return optimizer
        schedule = schedules.configure_schedule(self.scheduler, optimizer, steps, self.lr, self._validation_epochs)
        option, monitor = f"{type(schedule['scheduler']).__name__}.monitor", schedule.get("monitor")
        schedules.require_monitor(option, monitor, self._unvalidated)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    @property
    def stretched(self) -> bool:
        """Whether the learning-rate schedule depends on the length of the fit."""
        return schedules.has_argument(self.scheduler, "total_steps")

    def warm_start(self, features: Feature | None = None) -> None:
        """Loads the weights of ``pretrained``, unless weights are trained or loaded; a fit calls it by itself."""
        if self.pretrained is None or not self._fresh:
            return
        earlier = warm_start(self.network, Path(self.pretrained).expanduser(), features)
        self.provenance = earlier if self.provenance is None or earlier is None else self.provenance.continuing(earlier)
        self._fresh = False

    def on_fit_start(self) -> None:
        """Makes the optimizer again if a callback has changed the learning rate or the batch size."""
        if self._configured != (self.lr, self._steps()):
            schedules.remake_optimizers(self.trainer)

    def on_train_start(self) -> None:
        """Notes that the weights are trained."""
        self._fresh = False

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step on a batch of random crops."""
        logits = self(self.inputs(batch)).float()
        loss = F.cross_entropy(logits, batch.targets, weight=self.loss_weights, label_smoothing=self.label_smoothing)
        penalty = getattr(self.network, "penalty", None)  # some papers add an L2 term
        if penalty is not None:
            loss = loss + penalty()
        targets = batch.targets.argmax(1) if batch.targets.is_floating_point() else batch.targets
        accuracy = (logits.argmax(1) == targets).float().mean()
        size = len(targets)
        self.log("train_loss", loss, on_epoch=True, on_step=False, prog_bar=True, batch_size=size, sync_dist=True)
        self.log("train_accuracy", accuracy, on_epoch=True, on_step=False, batch_size=size, sync_dist=True)
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the ``genre`` entry: genres, network, features, segments, provenance and calibration."""
        if self.front_end is not None:
            checkpoint["genre"] = checkpoint_entry(
                self.genres, self.network_config, self.front_end, self.provenance, self.calibration
            )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks that the checkpoint fits, and takes all but its weights from it; see :meth:`require_fitting`."""
        upgrade(checkpoint)
        weights, features = self.state_dict(), self._features_of_data()
        require_same(checkpoint, self.genres, self.network_config, weights, features, self._own_provenance)
        saved = checkpoint.get("genre", {})
        if saved and features is None:
            self.front_end = read_front_end(saved)
        elif saved and features is not None:
            take_statistics(saved["features"], features)
        self.provenance = Provenance.read(saved.get("provenance"))
        self.calibration = read_calibration(saved)
        self._fresh = False

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # takes files, not streams
        cls, checkpoint_path: Path | str, map_location: Any = None, **options: Any
    ) -> Self:
        """Loads a classifier to predict, test or fit further; no code in the file is executed.

        ``options`` are Lightning's ``strict`` and ``weights_only``, and arguments of the constructor, such as ``lr``.
        If the checkpoint does not name its network's class, give ``network``.

        Raises:
            GenreError: The file is missing, no checkpoint of this library, or names a class that is not imported.
        """
        saved = read_checkpoint(checkpoint_path)["genre"]
        options.setdefault("genres", saved["genres"])
        if options.get("network") is None:
            options["network"] = factory(network_config(saved, checkpoint_path), nn.Module)
        return super().load_from_checkpoint(checkpoint_path, map_location, **options)

    def require_fitting(self, checkpoint: Mapping[str, Any], data: GenreDataModule, resume: bool = False) -> None:
        """Raises a :class:`~genre.GenreError` if a checkpoint, or if resumed its tracks or optimizer, does not fit."""
        provenance = data.provenance() if resume else None
        require_same(checkpoint, self.genres, self.network_config, self.state_dict(), data.features, provenance)
        if resume:
            groups = parameter_groups(self.network, self.layer_decay)
            schedules.require_same_optimizer(schedules.make_optimizer(self.optimizer, groups, self.lr), checkpoint)

    def _features_of_data(self) -> Feature | None:
        """The DataModule's features; ``None`` without a DataModule."""
        return self.front_end.features if self.front_end is not None and self._with_data else None

    def _steps(self) -> float | None:
        """The steps of the fit; ``None`` if the schedule does not depend on them."""
        return self.trainer.estimated_stepping_batches if self.stretched else None
