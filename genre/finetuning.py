"""Transfer learning: linear probe, gradual unfreezing, and learning rates that differ by layer.

The network needs a trained ``backbone`` and a new head. The epoch number alone decides what is frozen. The optimizer
holds all parameters from the start and skips those without a gradient. So a resumed fit has no state to restore.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BackboneFinetuning
from torch import Tensor, nn
from torch.optim import Optimizer

from genre.audio.features import Feature
from genre.checkpoint import differing_features, network_weights, read_checkpoint
from genre.config import show, to_config
from genre.data.datamodule import GenreDataModule
from genre.data.embedding_cache import Embedder
from genre.data.provenance import Provenance
from genre.errors import GenreError
from genre.models.head import find_head

log = logging.getLogger(__name__)

#: All batch norms of PyTorch. Those of timm derive from ``BatchNorm2d``; instance norms have no running statistics.
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class LinearProbe(pl.Callback):
    """Trains only the head: the backbone's weights and its batch-norm statistics stay as they are.

    With ``cache``, the backbone runs once on every segment, and the head is trained and scored on the embeddings. Later
    epochs, and later fits with the same folder, neither decode audio nor run the backbone. The content of the file, the
    backbone's weights and the features identify an embedding, so several fits and folds can share one folder. Segments
    have to be the same in every epoch (``data.fixed_segments``, no augmentation, no mixup).

    Args:
        cache: The folder of the embeddings, or ``memory`` to keep them for one fit; ``None``: the backbone runs in
            every epoch.

    Example:
        >>> import pytorch_lightning as pl
        >>> import genre
        >>> trainer = pl.Trainer(max_epochs=5, callbacks=[genre.LinearProbe()], logger=False, accelerator="cpu")
        >>> any(isinstance(callback, genre.LinearProbe) for callback in trainer.callbacks)
        True
    """

    def __init__(self, cache: Path | str | None = None) -> None:
        self.cache = cache

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Freezes the backbone and, with ``cache``, lets the DataModule embed its segments."""
        _freeze(require_backbone(pl_module.network))
        if stage == "predict":  # a loader may come without its DataModule
            return
        data = getattr(trainer, "datamodule", None)
        self.check(data)
        if self.cache is not None and isinstance(data, GenreDataModule):
            network = pl_module.network
            assert isinstance(network, nn.Module)
            data.embedder = Embedder(network, None if self.cache == "memory" else Path(self.cache).expanduser())

    def check(self, data: pl.LightningDataModule | None) -> None:
        """Raises a :class:`~genre.GenreError` if a ``cache`` is given, and segments change or have no DataModule."""
        if self.cache is None:
            return
        if not isinstance(data, GenreDataModule):
            raise GenreError("LinearProbe.cache needs a GenreDataModule: trainer.fit(classifier, datamodule=data)")
        changing = {
            "data.fixed_segments: false": not data.fixed_segments,
            "data.augment_waveform": data.augment_waveform,
            "data.augment_spectrogram": data.augment_spectrogram,
            "data.mixup": data.mixup,
        }
        names = [name for name, given in changing.items() if given]
        if names:
            raise GenreError(
                f"LinearProbe.cache keeps embeddings of segments that never change; found {', '.join(names)}; set "
                "data.fixed_segments: true without augmentation and mixup, or leave the cache out"
            )

    def on_train_batch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        _freeze(require_backbone(pl_module.network))


class GradualUnfreezing(pl.Callback):
    """Trains only the head at first, then unfreezes the backbone layer by layer, from the last to the first.

    Frozen layers keep their batch-norm statistics. Several devices need the strategy
    ``ddp_find_unused_parameters_true``.

    Args:
        first_epoch: The epoch, counted from 0, in which the last layer is unfrozen.
        epochs_per_layer: Epochs from one layer to the one before it; 0: all at once.
        freeze_statistics: Whether unfrozen layers also keep their pretrained batch-norm statistics. With a small
            momentum, a few hundred steps are too few to update them.

    Example:
        >>> import pytorch_lightning as pl
        >>> import genre
        >>> unfreezing = genre.GradualUnfreezing(first_epoch=2, epochs_per_layer=2)
        >>> trainer = pl.Trainer(max_epochs=20, callbacks=[unfreezing], logger=False, accelerator="cpu")
        >>> unfreezing in trainer.callbacks
        True
    """

    def __init__(self, first_epoch: int = 1, epochs_per_layer: int = 1, freeze_statistics: bool = False) -> None:
        self.first_epoch, self.epochs_per_layer = first_epoch, epochs_per_layer
        self.freeze_statistics = freeze_statistics

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: D102
        backbone_layers(require_backbone(pl_module.network))

    def on_train_batch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        backbone = require_backbone(pl_module.network)
        for depth, names in enumerate(reversed(backbone_layers(backbone))):
            frozen = trainer.current_epoch < self.first_epoch + depth * self.epochs_per_layer
            for name in names:
                backbone.get_parameter(name).requires_grad_(not frozen)
        for module in backbone.modules():
            if isinstance(module, BATCH_NORMS):
                trained = module.weight is None or bool(module.weight.requires_grad)
                module.train(trained and not self.freeze_statistics)


def refuse_backbone_finetuning(callbacks: Iterable[pl.Callback]) -> None:
    """Raises a :class:`~genre.GenreError` for Lightning's ``BackboneFinetuning``, which freezes a network wrongly."""
    for callback in callbacks:
        if isinstance(callback, BackboneFinetuning):
            raise GenreError(
                f"{type(callback).__name__} trains batch norm while the backbone is frozen, and freezes it again "
                "when a fit goes on; use genre.GradualUnfreezing, or genre.LinearProbe"
            )


def backbone_layers(backbone: nn.Module) -> list[list[str]]:
    """Names of a backbone's parameters, layer by layer from input to output.

    The layers are those of timm's ``group_matcher`` (for ResNet-18 the stem and four stages). Without a
    ``group_matcher``, they are the direct children of the module.
    """
    matcher = getattr(backbone, "group_matcher", None)
    if callable(matcher):
        from timm.models import group_parameters  # here, as importing timm takes seconds

        grouped = group_parameters(backbone, matcher(coarse=True))
    else:
        grouped = {
            name: [f"{name}.{inner}" for inner, _ in child.named_parameters()]
            for name, child in backbone.named_children()
        }
    return [names for names in grouped.values() if names]


def parameter_groups(network: nn.Module, layer_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, with a ``lr_scale`` that falls by ``layer_decay`` from layer to layer.

    A network may have a method ``no_weight_decay`` that returns names of its parameters, as timm's networks have. These
    parameters form separate groups with a ``weight_decay`` of 0.
    """
    groups = [{"params": list(network.parameters())}] if layer_decay == 1 else _layer_groups(network, layer_decay)
    named: Callable[[], set[str]] | None = getattr(network, "no_weight_decay", None)
    exempt = {id(network.get_parameter(name)) for name in named()} if named else set()
    if not exempt:
        return groups
    split = []
    for group in groups:
        spared = [parameter for parameter in group["params"] if id(parameter) in exempt]
        decayed = [parameter for parameter in group["params"] if id(parameter) not in exempt]
        split += [group | {"params": decayed}, group | {"params": spared, "weight_decay": 0.0}]
    return [group for group in split if group["params"]]


def _layer_groups(network: nn.Module, layer_decay: float) -> list[dict[str, Any]]:
    """The head, then the backbone's layers from last to first, each with its ``lr_scale``."""
    backbone = require_backbone(network)
    inside = {id(parameter) for parameter in backbone.parameters()}
    head = [parameter for parameter in network.parameters() if id(parameter) not in inside]
    groups: list[dict[str, Any]] = [{"params": head, "lr_scale": 1.0}]
    for depth, names in enumerate(reversed(backbone_layers(backbone)), start=1):
        parameters = [backbone.get_parameter(name) for name in names]
        groups.append({"params": parameters, "lr_scale": layer_decay**depth})
    return groups


def scale_learning_rates(optimizer: Optimizer) -> None:
    """Multiplies the learning rates of an optimizer, also those that a new schedule has set, by each ``lr_scale``."""
    for group in optimizer.param_groups:
        for name in ("lr", "initial_lr", "max_lr", "min_lr"):
            if name in group:
                group[name] *= group.get("lr_scale", 1.0)


def take_weights(network: nn.Module, checkpoint: Mapping[str, Any], file: Path | str) -> None:
    """Loads all parameters and buffers except those of the head, see :func:`~genre.models.head.find_head`.

    The network stays as it is if the checkpoint does not fit.
    """
    head, _ = find_head(network)
    ours, theirs = (
        {name: tensor for name, tensor in weights.items() if name.rpartition(".")[0] != head}
        for weights in (network.state_dict(), network_weights(checkpoint["state_dict"]))
    )
    names = sorted(ours.keys() | theirs.keys())
    differing = [name for name in names if _shape(ours, name) != _shape(theirs, name)]
    if differing:
        config, example = checkpoint["genre"]["network"], differing[0]
        raise GenreError(
            f"{file}: the checkpoint of {show(config) if config else 'a network'} does not fit "
            f"{type(network).__name__}: {len(differing)} of {len(names)} tensors beside the head differ, such as "
            f"{example}: {_shape(theirs, example)} in the checkpoint, {_shape(ours, example)} in the network; "
            "pretrained takes a checkpoint of the same network"
        )
    network.load_state_dict(theirs, strict=False)  # only the head is missing


def warm_start(network: nn.Module, file: Path, features: Feature | None) -> Provenance | None:
    """Loads the weights of a checkpoint except those of the head, see :func:`take_weights`.

    Logs a warning if the checkpoint was trained on other features than those of the data.

    Returns:
        The tracks that the checkpoint was trained and chosen on; ``None``, with a warning, if they are unknown.
    """
    checkpoint = read_checkpoint(file)
    take_weights(network, checkpoint, file)
    difference = None if features is None else differing_features(checkpoint["genre"]["features"], features)
    if difference is not None:
        log.warning("%s was trained on %s; this fit's data gives %s", file, *difference)
    provenance = Provenance.read(checkpoint["genre"].get("provenance"))
    if provenance is None:
        log.warning("%s does not say on which tracks it was trained: whether a score leaks cannot be told", file)
    return provenance


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(weights[name].shape)) if name in weights else "nothing"


def warn_of_other_features(network: nn.Module, features: Feature) -> None:
    """Logs a warning if the features of the data differ from those that pretrained weights were trained on.

    The network's method ``pretrained_features``, if it has one, returns the latter, or ``None``.
    """
    pretrained_features: Callable[[], Feature | None] | None = getattr(network, "pretrained_features", None)
    expected, name = pretrained_features() if pretrained_features else None, type(network).__name__
    if expected is None:
        return
    theirs, ours = to_config(expected), to_config(features)
    if theirs["class_path"] != ours["class_path"]:
        log.warning("%s was trained on %s, the data gives %s", name, show(theirs), show(ours))
        return
    given, wanted = ours["init_args"], theirs["init_args"]
    differences = [f"{key} {given[key]} instead of {wanted[key]}" for key in wanted if given[key] != wanted[key]]
    if differences:
        log.warning(
            f"{name} was trained on other features than the data gives: {', '.join(differences)}; the features that "
            f"fit are those of {name}.pretrained_features()"
        )


def require_backbone(network: object) -> nn.Module:
    """The part of a network that is fine-tuned; raises a :class:`~genre.GenreError` if the network has none."""
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise GenreError(
            f"{type(network).__name__} has no backbone to freeze or to grade; fine-tune Backbone, ResNet18, "
            "EfficientNetV2S, MusiCNN or a network of your own with the attributes backbone and head"
        )
    return backbone


def _freeze(backbone: nn.Module) -> None:
    backbone.requires_grad_(False)
    backbone.eval()  # no updates of batch norm and no dropout: a clip's embedding stays the same
