"""The head of a network, the embeddings that enter it, and one head on the embeddings of several networks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genre.audio.features import Feature
from genre.config import Config, from_config, to_config, without_weights
from genre.errors import GenreError


def find_head(network: nn.Module) -> tuple[str, nn.Linear]:
    """The head of a network and its name: the last linear layer outside of its ``backbone``, if it has one."""
    heads = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.partition(".")[0] != "backbone"
    ]
    if not heads:
        raise GenreError(f"{type(network).__name__} has no head: found no nn.Linear outside of its backbone")
    return heads[-1]


def penultimate(network: nn.Module, inputs: Tensor) -> Tensor:
    """The embeddings ``(B, D)`` of inputs: the vectors that enter the head of a network.

    If the head is applied to several vectors per input, their mean. The embeddings of a network with a ``backbone`` are
    the backbone's outputs. In training mode, dropout and batch norm are those of training.
    """
    _, head = find_head(network)
    head_inputs: list[Tensor] = []
    # The hook returns None, which leaves the head's input as it is.
    hook = head.register_forward_pre_hook(lambda _, arguments: head_inputs.append(arguments[0]))
    try:
        network(inputs)
    finally:
        hook.remove()
    if not head_inputs:
        raise GenreError(f"{type(network).__name__} does not call its last nn.Linear, whose input is wanted")
    vectors = head_inputs[-1]
    return vectors.flatten(1, -2).mean(1) if vectors.ndim > 2 else vectors


def classify(network: nn.Module, embeddings: Tensor) -> Tensor:
    """The logits ``(B, classes)`` of embeddings ``(B, D)``: ``dropout``, if the network has it, then the head."""
    _, head = find_head(network)
    dropout = getattr(network, "dropout", None)
    logits: Tensor = head(dropout(embeddings) if isinstance(dropout, nn.Module) else embeddings)
    return logits


class SideBySide(nn.Module):
    """Concatenates the embeddings of several networks and puts a linear head on them.

    The networks take the same features. If their features differ, train one classifier for each and take the mean of
    their predictions (:class:`genre.Ensemble`).

    Args:
        num_classes: Number of genres.
        networks: Each as ``{"class_path": …, "init_args": {…}}``, with a class of ``genre.models`` or of a module that
            is imported already.
        pretrained: ``false``: no network loads pretrained weights, as a checkpoint brings all of them.
        dropout: Dropout rate before the head.

    Raises:
        GenreError: There is no network, one of them has no head, or they were trained on different features.

    Example:
        >>> import torch
        >>> from genre.models import SideBySide
        >>> network = {"class_path": "genre.models.SpectralCNN", "init_args": {}}
        >>> both = SideBySide(10, [network, network])
        >>> both(torch.zeros(2, 1, 128, 130)).shape, both.head.in_features
        (torch.Size([2, 10]), 128)
    """

    def __init__(
        self, num_classes: int, networks: Sequence[dict[str, Any]], pretrained: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if not networks:
            raise GenreError("SideBySide needs at least one network; found none")
        configs = [{"class_path": each["class_path"], "init_args": each.get("init_args") or {}} for each in networks]
        if not pretrained:
            configs = [without_weights(config) for config in configs]
        self.backbone = JoinedBackbones([from_config(config, nn.Module, num_classes) for config in configs])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.backbone.num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` features to ``(B, num_classes)`` logits."""
        x = self.backbone(x)  # (B, 1, F, T) → (B, D1 + D2 + …)
        logits: Tensor = self.head(self.dropout(x))
        return logits

    def pretrained_features(self) -> Feature | None:
        """The features that the networks were trained on; ``None`` if no network is pretrained."""
        config = self.backbone.features_config
        return None if config is None else from_config(config, Feature)  # type: ignore[return-value]


class JoinedBackbones(nn.Module):
    """The concatenated embeddings of several networks, whose heads are removed."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        # Their configuration: the features themselves would be a part of the state, which a checkpoint's network lacks.
        self.features_config = _common_features(networks)
        self.num_features = 0
        for network in networks:
            name, head = find_head(network)
            self.num_features += head.in_features
            network.set_submodule(name, nn.Identity())
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` features to ``(B, D1 + D2 + …)``."""
        return torch.cat([network(x) for network in self.networks], dim=1)


def _common_features(networks: Sequence[nn.Module]) -> Config | None:
    """The configuration of the features that all pretrained networks were trained on."""
    common: Config | None = None
    for network in networks:
        features: Feature | None = getattr(network, "pretrained_features", lambda: None)()
        if features is None:
            continue
        config = to_config(features)
        if common not in (None, config):
            raise GenreError(
                f"SideBySide needs networks that were trained on the same features; those of {type(network).__name__} "
                "differ from those of the networks before it; train one classifier for each and take their mean"
            )
        common = config
    return common
