"""The networks: plain ``nn.Module``s from ``(B, 1, frequency, time)`` to ``(B, classes)`` logits."""

from genre.models.efficientnet import EfficientNetV2S
from genre.models.resnet import ResNet18
from genre.models.spectral_cnn import SpectralCNN

__all__ = ["EfficientNetV2S", "ResNet18", "SpectralCNN"]
