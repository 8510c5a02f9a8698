"""The networks: plain ``nn.Module``s from ``(B, 1, frequency, time)`` to ``(B, classes)`` logits."""

from genre.models.bbnn import BBNN
from genre.models.cnn import CNN, GaitanouCNN, KhameesCNN
from genre.models.crnn import CRNN, ChoiCRNN, GaitanouCRNN
from genre.models.efficientnet import EfficientNetV2S
from genre.models.indrnn import IndRNN
from genre.models.mlp import KhameesMLP
from genre.models.musicnn import MusiCNN
from genre.models.pretrained import Backbone
from genre.models.resnet import ResNet18
from genre.models.rnn import KhameesLSTM, WuRNN
from genre.models.side_by_side import SideBySide
from genre.models.spectral_cnn import SpectralCNN
from genre.models.yaacob import YaacobCNN1D, YaacobCNN2D, YaacobCRNN, YaacobRNN

__all__ = [
    "BBNN",
    "CNN",
    "CRNN",
    "Backbone",
    "ChoiCRNN",
    "EfficientNetV2S",
    "GaitanouCNN",
    "GaitanouCRNN",
    "IndRNN",
    "KhameesCNN",
    "KhameesLSTM",
    "KhameesMLP",
    "MusiCNN",
    "ResNet18",
    "SideBySide",
    "SpectralCNN",
    "WuRNN",
    "YaacobCNN1D",
    "YaacobCNN2D",
    "YaacobCRNN",
    "YaacobRNN",
]
