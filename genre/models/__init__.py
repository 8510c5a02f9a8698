"""The networks: plain ``nn.Module``s from ``(B, 1, frequency, time)`` to ``(B, classes)`` logits."""

from genre.models.bbnn import BBNN
from genre.models.choi import ChoiCRNN
from genre.models.gaitanou import CNN, CRNN, GaitanouCNN, GaitanouCRNN
from genre.models.indrnn import IndRNN, WuRNN
from genre.models.khamees import KhameesCNN, KhameesLSTM, KhameesMLP
from genre.models.musicnn import MusiCNN
from genre.models.pretrained import Backbone, EfficientNetV2S, ResNet18
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
