"""ResNet-18 with ImageNet weights."""

from genre.models.pretrained import Backbone


class ResNet18(Backbone):
    """ResNet-18 (He et al. 2016) as Singh and Gupta use it: ImageNet weights, the last layer replaced.

    11,175,370 parameters with 1 input channel and 10 genres (11,181,642 with 3), of which the head has 5,130.
    Their code freezes the backbone, so that the published figures are of the head alone (:class:`genre.LinearProbe`).

    Args:
        num_classes: The number of genres.
        pretrained: ``true``: ImageNet weights from timm's hub; a string: a ``.pth`` or ``.safetensors`` file, or timm's
            name of other weights; ``false``: random weights.
        in_channels: Channels of the input, 1 or 3; see :class:`Backbone`.
        dropout: Dropout before the head.
    """

    def __init__(
        self, num_classes: int, pretrained: bool | str = True, in_channels: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(num_classes, "resnet18.tv_in1k", pretrained, dropout, in_channels=in_channels)
