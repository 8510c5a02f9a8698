"""The one LightningModule: any network, trained on segments and scored on tracks."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.cli import ReduceLROnPlateau
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from genre.data.datamodule import GenreDataModule
from genre.data.segments import Batch
from genre.errors import GenreError
from genre.finetuning import parameter_groups, scale_learning_rates
from genre.metrics import TrackAverage, TrackPredictions, score
from genre.spec import describe, describe_factory, target

#: The version of what :meth:`GenreClassifier.on_save_checkpoint` writes.
CHECKPOINT_FORMAT = 1


class GenreClassifier(pl.LightningModule):
    """Trains a network on segments with cross-entropy and scores it on tracks.

    A network with a method ``penalty``, such as :class:`~genre.models.KhameesMLP`, has it added to the training loss;
    of one with a method ``no_weight_decay``, such as :class:`~genre.models.IndRNN`, the named parameters do not decay.
    Logs ``train_loss`` and ``train_accuracy`` (of segments) and, after ``val_`` and ``test_``, ``loss`` (of segments)
    and ``accuracy``, ``precision``, ``recall``, ``f1`` and ``auroc`` (of tracks, see :func:`genre.metrics.score`).

    Args:
        network: The network's class, or a ``functools.partial`` of it with plain arguments: called with the number of
            genres, it gives a module from ``(B, 1, frequency, time)`` to ``(B, genres)`` logits. Given so, and not
            as a finished module, because a checkpoint then names it.
        genres: The names of the classes, in order: ``GenreDataModule.genres``.
        optimizer: Makes the optimiser from parameters or parameter groups; ``None``: ``torch.optim.AdamW``.
        scheduler: Makes the learning-rate schedule from the optimiser. One that has a ``total_steps`` argument, such as
            ``OneCycleLR``, is stretched over the fit and stepped every batch; any other is stepped every epoch.
        label_smoothing: The share of each target that is spread over all genres, in training.
        class_weights: The weight of each genre's training loss, or ``balanced``: inverse to its number of train tracks.
        layer_decay: Factor of the learning rate from each layer of the network's ``backbone`` to the one before it;
            1: the same rate everywhere.
        channels_last: Keep images with the channel innermost, which tensor cores like.
        compile: Compile the network with ``torch.compile``.
    """

    loss_weights: Tensor | None

    def __init__(
        self,
        network: Callable[[int], nn.Module],
        genres: Sequence[str],
        optimizer: Callable[[Iterable[Any]], Optimizer] | None = None,
        scheduler: Callable[[Optimizer], LRScheduler | ReduceLROnPlateau] | None = None,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | Literal["balanced"] | None = None,
        layer_decay: float = 1.0,
        channels_last: bool = False,
        compile: bool = False,  # noqa: A002  # the name that users of PyTorch look for
    ) -> None:
        super().__init__()
        if isinstance(network, nn.Module):
            raise GenreError(
                f"network is a finished {type(network).__name__}; pass the class, or functools.partial(class, …), "
                "which is called with the number of genres"
            )
        self.genres = list(genres)
        self.network_spec = describe_factory(network)
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
        self.channels_last = channels_last
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        if compile:
            self.network.compile()

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, 1, frequency, time)`` features to ``(B, genres)`` logits."""
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(inputs)
        return logits

    def setup(self, stage: str) -> None:
        """Weighs the genres, once the train tracks are known."""
        if stage != "fit" or self.class_weights is None:
            return
        weights = self.class_weights
        if weights == "balanced":
            genres = [track.genre for track in self._data.tracks("train")]
            weights = [len(genres) / max(1, genres.count(genre)) / len(self.genres) for genre in self.genres]
        if len(weights) != len(self.genres):
            raise GenreError(f"class_weights has {len(weights)} weights for {len(self.genres)} genres")
        self.loss_weights = torch.tensor(weights, device=self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step on a batch of random crops."""
        logits = self(batch.inputs).float()
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

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects the segments of a validation batch."""
        self._collect(self.val_tracks, batch)

    def on_validation_epoch_end(self) -> None:
        """Scores the validation tracks."""
        self._log_scores("val", self.val_tracks)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects the segments of a test batch."""
        self._collect(self.test_tracks, batch)

    def on_test_epoch_end(self) -> None:
        """Scores the test tracks."""
        self.test_predictions = self._log_scores("test", self.test_tracks)

    def configure_optimizers(self) -> Any:
        """The injected optimiser and schedule."""
        optimizer = self.optimizer(parameter_groups(self.network, self.layer_decay))
        scale_learning_rates(optimizer)
        if self.scheduler is None:
            return optimizer
        stretched = "total_steps" in inspect.signature(target(self.scheduler)).parameters
        if stretched:
            steps = int(self.trainer.estimated_stepping_batches)
            scheduler = self.scheduler(optimizer, total_steps=steps)  # type: ignore[call-arg]
            scale_learning_rates(optimizer)
        else:
            scheduler = self.scheduler(optimizer)
        config = {"scheduler": scheduler, "interval": "step" if stretched else "epoch"}
        if isinstance(scheduler, ReduceLROnPlateau):
            config["monitor"] = scheduler.monitor
        return {"optimizer": optimizer, "lr_scheduler": config}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what it takes to name the genre of a song: the genres, the network, the features, the segments."""
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, GenreDataModule):
            return
        checkpoint["genre"] = {
            "format": CHECKPOINT_FORMAT,
            "genres": self.genres,
            "network": self.network_spec,
            "features": describe(data.features),
            "segment_seconds": data.segment_seconds,
            "evaluation_segments": data.evaluation_segments,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint of other genres."""
        saved = checkpoint.get("genre", {}).get("genres", self.genres)
        if saved != self.genres:
            raise GenreError(
                f"the checkpoint knows {len(saved)} genres ({', '.join(saved)}), the model {len(self.genres)} "
                f"({', '.join(self.genres)})"
            )

    @property
    def _data(self) -> GenreDataModule:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, GenreDataModule):
            raise GenreError("this needs a GenreDataModule: trainer.fit(classifier, datamodule=data)")
        return data

    def _collect(self, tracks: TrackAverage, batch: Batch) -> None:
        tracks.update(self(batch.inputs), batch.targets, batch.tracks, batch.segments, batch.valid)

    def _log_scores(self, side: str, tracks: TrackAverage) -> TrackPredictions:
        names, targets, probabilities, loss = tracks.compute()
        tracks.reset()
        # torchmetrics hands out a tensor of one element, as that of a single track, without its dimension.
        predictions = TrackPredictions(names.view(-1), targets.view(-1), probabilities, loss)
        scores = score(predictions.probabilities, predictions.targets) | {"loss": predictions.loss}
        for name, value in scores.items():
            self.log(f"{side}_{name}", value, prog_bar=side == "val" and name in ("accuracy", "loss"))
        return predictions
