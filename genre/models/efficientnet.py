"""EfficientNetV2-S with ImageNet weights."""

from genre.models.pretrained import Backbone


class EfficientNetV2S(Backbone):
    """EfficientNetV2-S (Tan and Le 2021) as Singh and Gupta use it: ImageNet weights, the last layer replaced.

    20,189,866 parameters with 1 input channel and 10 genres (20,190,298 with 3), of which the head has 12,810.
    Their code freezes the backbone, so that the published figures are of the head alone (:class:`genre.LinearProbe`).

    Args:
        num_classes: The number of genres.
        pretrained: ``true``: ImageNet weights from timm's hub; a string: a ``.pth`` or ``.safetensors`` file, or timm's
            name of other weights; ``false``: random weights.
        in_channels: Channels of the input, 1 or 3; see :class:`Backbone`.
        dropout: Dropout before the head; 0.2 as in torchvision's network.
    """

    def __init__(
        self, num_classes: int, pretrained: bool | str = True, in_channels: int = 1, dropout: float = 0.2
    ) -> None:
        super().__init__(num_classes, "tf_efficientnetv2_s.in1k", pretrained, dropout, in_channels=in_channels)
