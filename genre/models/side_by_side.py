"""One head on the embeddings of several pretrained networks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genre.audio.features import Feature
from genre.config import Config, from_config, to_config, without_weights
from genre.errors import GenreError
from genre.models.head import find_head


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
        self.backbone = JoinedBackbones([_build(config, num_classes, pretrained) for config in networks])
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
            parent, _, last = name.rpartition(".")
            setattr(network.get_submodule(parent), last, nn.Identity())
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` features to ``(B, D1 + D2 + …)``."""
        return torch.cat([network(x) for network in self.networks], dim=1)


def _build(network: dict[str, Any], num_classes: int, pretrained: bool) -> nn.Module:
    config = {"class_path": network["class_path"], "init_args": dict(network.get("init_args") or {})}
    return from_config(config if pretrained else without_weights(config), nn.Module, num_classes)


def _common_features(networks: Sequence[nn.Module]) -> Config | None:
    """The configuration of the features that all pretrained networks were trained on."""
    common: Config | None = None
    for network in networks:
        features: Feature | None = getattr(network, "pretrained_features", lambda: None)()
        if features is None:
            continue
        if common is not None and common != to_config(features):
            raise GenreError(
                f"SideBySide needs networks that were trained on the same features; those of {type(network).__name__} "
                "differ from those of the networks before it; train one classifier for each and take their mean"
            )
        common = to_config(features)
    return common
