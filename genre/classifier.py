"""The one LightningModule: any network, trained on segments and scored on tracks."""

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.cli import ReduceLROnPlateau
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from genre.data.datamodule import GenreDataModule
from genre.data.heard import Heard
from genre.data.segments import Batch
from genre.errors import GenreError
from genre.finetuning import parameter_groups, scale_learning_rates
from genre.metrics import TrackAverage, TrackPredictions, score
from genre.predictor import read_checkpoint
from genre.spec import describe, describe_factory, show, target
from genre.warm_start import take_weights, warn_of_other_features

log = logging.getLogger(__name__)

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
        pretrained: The checkpoint of an earlier fit of the same network, on any genres: a fit that is not resumed
            starts from all of its network but the head (the last linear layer), and records what it was trained on.
            The file is needed then alone.

    Attributes:
        heard: The tracks that the weights were trained and chosen on; ``None`` where that is not known.
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
        self.heard: Heard | None = None
        self._fitting = False
        self.pretrained = pretrained
        self._started = False  # from weights of a checkpoint, be it this fit's or an earlier one's
        self.channels_last = channels_last
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        if compile:
            self.network.compile()

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, 1, frequency, time)`` features to ``(B, genres)`` logits."""
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        # Features are float32, also where trainer.precision is bf16-true or 64-true.
        logits: Tensor = self.network(inputs.to(self.dtype))
        return logits

    def setup(self, stage: str) -> None:
        """Notes the tracks that are trained on, and weighs the genres by them."""
        self._fitting = stage == "fit"
        if not self._fitting:
            return
        data = getattr(self.trainer, "datamodule", None)
        known = self.heard is not None or not self._started  # else weights were loaded that do not say it
        self.heard = data.heard().continuing(self.heard) if known and isinstance(data, GenreDataModule) else None
        if self.class_weights is None:
            return
        weights = self.class_weights
        if weights == "balanced":
            genres = [track.genre for track in self._data.tracks("train")]
            weights = [len(genres) / max(1, genres.count(genre)) / len(self.genres) for genre in self.genres]
        if len(weights) != len(self.genres):
            raise GenreError(f"class_weights has {len(weights)} weights for {len(self.genres)} genres")
        self.loss_weights = torch.tensor(weights, device=self.device)

    def warm_start(self, data: pl.LightningDataModule | None = None) -> None:
        """Takes over the network of the checkpoint ``pretrained`` without its head, once; a fit does so by itself.

        Nothing happens once the weights of any checkpoint have been loaded.

        Args:
            data: What the fit trains on; it is logged if the checkpoint was trained on other features.

        Raises:
            GenreError: The file is missing, no checkpoint of this library, or one of another network.
        """
        if self.pretrained is None or self._started:
            return
        file = Path(self.pretrained).expanduser()
        checkpoint = read_checkpoint(file)
        take_weights(self.network, checkpoint, file)
        self._started = True
        if isinstance(data, GenreDataModule):
            warn_of_other_features(checkpoint, data.features, file)
        earlier = Heard.read(checkpoint["genre"].get("heard"))
        if earlier is None:
            log.warning("%s does not say on which tracks it was trained: whether a score leaks cannot be told", file)
        self.heard = earlier if self.heard is None or earlier is None else self.heard.continuing(earlier)

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
        # Of all hooks this one follows the loading of a resumed fit's checkpoint, and precedes callbacks that train.
        self.warm_start(getattr(self.trainer, "datamodule", None))
        try:
            optimizer = self.optimizer(parameter_groups(self.network, self.layer_decay))
        except (TypeError, ValueError) as error:
            raise GenreError(f"the optimizer does not accept its arguments: {error}") from None
        scale_learning_rates(optimizer)
        if self.scheduler is None:
            return optimizer
        stretched = "total_steps" in inspect.signature(target(self.scheduler)).parameters
        if stretched:
            steps = self.trainer.estimated_stepping_batches
            if steps == float("inf"):
                name = getattr(target(self.scheduler), "__name__", "the scheduler")
                raise GenreError(f"{name} is stretched over the fit: give max_epochs or max_steps; found neither")
            scheduler = self.scheduler(optimizer, total_steps=int(steps))  # type: ignore[call-arg]
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
            "heard": None if self.heard is None else vars(self.heard),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint of other genres, of another network or, to go on with a fit, of other train tracks."""
        content = checkpoint.get("genre", {})
        saved = content.get("genres", self.genres)
        if saved != self.genres:
            raise GenreError(
                f"the checkpoint knows {len(saved)} genres ({', '.join(saved)}), the model {len(self.genres)} "
                f"({', '.join(self.genres)})"
            )
        theirs, ours = _shapes(checkpoint["state_dict"]), _shapes(self.state_dict())
        if theirs != ours:
            spec = content.get("network")
            raise GenreError(
                f"the checkpoint is one of {show(spec) if spec else 'another network'}, whose weights do not fit "
                f"{show(self.network_spec) if self.network_spec else 'this one'}; pass the run's own config.yaml, or "
                "the checkpoint alone"
            )
        if self._fitting:
            self._data.require_same_tracks(checkpoint)
        self._started = True
        self.heard = Heard.read(content.get("heard"))

    def require_same_optimizer(self, checkpoint: Mapping[str, Any]) -> None:
        """Checks that a fit that goes on from a checkpoint has the optimiser that it was begun with.

        Raises:
            GenreError: The optimiser has other settings.
        """
        optimizer = self.optimizer(parameter_groups(self.network, self.layer_decay))
        for state in checkpoint.get("optimizer_states", ()):
            missing = set(optimizer.param_groups[0]) - set(state["param_groups"][0])
            if missing:
                raise GenreError(
                    f"the checkpoint's optimizer was no {type(optimizer).__name__}: its state has no "
                    f"{', '.join(sorted(missing))}; go on with the optimizer that the fit was begun with"
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
        lost = int((~predictions.probabilities.isfinite()).any(-1).sum())
        if lost:
            raise GenreError(
                f"the network's answer is NaN for {lost} of {len(predictions.targets)} tracks: the fit has diverged; "
                "lower the learning rate (model.optimizer.lr), clip gradients (trainer.gradient_clip_val: 1) or, in "
                "half precision, compute in trainer.precision: 32-true"
            )
        scores = score(predictions.probabilities, predictions.targets) | {"loss": predictions.loss}
        for name, value in scores.items():
            self.log(f"{side}_{name}", value, prog_bar=side == "val" and name in ("accuracy", "loss"))
        return predictions


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items() if name.startswith("network.")}
