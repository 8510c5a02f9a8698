"""ResNet-18 with ImageNet weights."""

from torch import Tensor, nn

from genre.models.backbone import create_backbone


class ResNet18(nn.Module):
    """ResNet-18 (He et al. 2016) as Singh and Gupta use it: ImageNet weights, the last layer replaced.

    11,175,370 parameters with 1 input channel and 10 genres (11,181,642 with 3), of which the head has 5,130.
    Their code freezes the backbone, so that the published figures are of the head alone (:class:`genre.LinearProbe`).

    Args:
        num_classes: The number of genres.
        pretrained: ``true``: ImageNet weights from timm's hub; a string: a ``.pth`` or ``.safetensors`` file, or timm's
            name of other weights; ``false``: random weights.
        in_channels: Channels of the input.
        dropout: Dropout before the head.
    """

    def __init__(
        self, num_classes: int, pretrained: bool | str = True, in_channels: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.backbone = create_backbone("resnet18.tv_in1k", pretrained, in_channels)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, frequency, time)`` to ``(B, num_classes)`` logits."""
        x = self.backbone(x)  # (B, 512)
        logits: Tensor = self.head(self.dropout(x))
        return logits
