"""Every network of the library and its variants, with a small input, for the tests of all networks."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from itertools import pairwise

import torch
from torch import nn

from genre.models import (
    BBNN,
    CNN,
    CRNN,
    Backbone,
    ChoiCRNN,
    EfficientNetV2S,
    GaitanouCNN,
    GaitanouCRNN,
    IndRNN,
    KhameesCNN,
    KhameesLSTM,
    KhameesMLP,
    MusiCNN,
    ResNet18,
    SpectralCNN,
    WuRNN,
    YaacobCNN1D,
    YaacobCNN2D,
    YaacobCRNN,
    YaacobRNN,
)

Build = Callable[[int], nn.Module]
Shape = tuple[int, int, int]

# name, num_classes → model, input without the batch (short where the network allows it)
MODELS: list[tuple[str, Build, Shape]] = [
    ("SpectralCNN", lambda k: SpectralCNN(k), (1, 64, 130)),
    ("ResNet18", lambda k: ResNet18(k, pretrained=False), (1, 32, 40)),
    ("EfficientNetV2S", lambda k: EfficientNetV2S(k, pretrained=False), (1, 32, 40)),
    ("MusiCNN", lambda k: MusiCNN(k, pretrained=False), (1, 96, 100)),
    ("GaitanouCNN", lambda k: GaitanouCNN(k), (1, 20, 331)),
    ("GaitanouCNN-40", lambda k: GaitanouCNN(k, bands=40), (1, 40, 331)),
    ("GaitanouCRNN", lambda k: GaitanouCRNN(k), (1, 20, 331)),
    ("ChoiCRNN", lambda k: ChoiCRNN(k), (1, 96, 200)),
    ("BBNN", lambda k: BBNN(k), (1, 32, 80)),
    ("IndRNN", lambda k: IndRNN(k), (1, 128, 130)),
    ("IndRNN-before", lambda k: IndRNN(k, norm="before", dropout=0.2), (1, 128, 130)),
    ("WuRNN-rnn", lambda k: WuRNN(k), (1, 128, 130)),
    ("WuRNN-lstm", lambda k: WuRNN(k, cell="lstm", dropout=0.2), (1, 128, 130)),
    ("KhameesMLP", lambda k: KhameesMLP(k), (1, 13, 130)),
    ("KhameesMLP-regularised", lambda k: KhameesMLP(k, regularised=True), (1, 13, 130)),
    ("KhameesCNN", lambda k: KhameesCNN(k), (1, 13, 130)),
    ("KhameesLSTM", lambda k: KhameesLSTM(k), (1, 13, 130)),
    ("YaacobCRNN", lambda k: YaacobCRNN(k), (1, 128, 160)),
    ("YaacobCRNN-stacked", lambda k: YaacobCRNN(k, lstm_layers=2), (1, 128, 160)),
    ("YaacobRNN", lambda k: YaacobRNN(k), (1, 128, 160)),
    ("YaacobCNN1D-deep", lambda k: YaacobCNN1D(k, blocks=5), (1, 128, 160)),
    ("YaacobCNN1D-shallow", lambda k: YaacobCNN1D(k, blocks=3), (1, 128, 160)),
    ("YaacobCNN2D-deep", lambda k: YaacobCNN2D(k, blocks=5), (1, 128, 160)),
    ("YaacobCNN2D-shallow", lambda k: YaacobCNN2D(k, blocks=3), (1, 128, 160)),
]

BACKBONES: list[tuple[str, Build, Shape]] = [
    ("test_vit", lambda k: Backbone(k, "test_vit", pretrained=False), (1, 40, 53)),
    ("test_convnext", lambda k: Backbone(k, "test_convnext", pretrained=False), (1, 40, 53)),
]


def conv(inputs: int, filters: int, taps: int) -> int:
    """The parameters of a convolution with bias, and the scale and shift of its batch norm."""
    return inputs * filters * taps + filters + 2 * filters


def dense(*sizes: int) -> int:
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(sizes))


def recurrent(gates: int, inputs: int, units: int) -> int:
    """``nn.LSTM`` has 4 gates, ``nn.GRU`` 3, ``nn.RNN`` 1."""
    return gates * (inputs + units + 2) * units


GAITANOU = conv(1, 32, 9) + conv(32, 64, 9) + conv(64, 128, 4) + conv(128, 128, 4)
YAACOB = conv(128, 56, 5) + 2 * conv(56, 56, 5)

# What the papers varied: network, input without the batch, parameters with 10 classes by hand
VARIANTS: dict[str, tuple[Build, Shape, int]] = {
    # 20 × 331 → 9 × 165 → 4 × 82 → 2 × 41: three blocks
    "CNN, 3 layers": (
        lambda k: CNN(k, layers=3),
        (1, 20, 331),
        conv(1, 32, 9) + conv(32, 64, 9) + conv(64, 128, 4) + dense(128 * 2 * 41, 128, 10),
    ),
    "CNN, 5 layers": (
        lambda k: CNN(k, bands=40, layers=5),  # 40 × 331 ends on 2 × 20, and then on 1 × 10
        (1, 40, 331),
        GAITANOU + conv(128, 128, 4) + dense(128 * 1 * 10, 128, 10),
    ),
    "CNN, 8 filters": (
        lambda k: CNN(k, filters=8),
        (1, 20, 331),
        conv(1, 8, 9) + conv(8, 16, 9) + conv(16, 32, 4) + conv(32, 32, 4) + dense(32 * 20, 128, 10),
    ),
    "CNN, filters of each": (
        lambda k: CNN(k, layers=2, filters=[4, 6]),
        (1, 20, 331),
        conv(1, 4, 9) + conv(4, 6, 9) + dense(6 * 4 * 82, 128, 10),
    ),
    # frames 331 → 110 → 36 → 12 → 4, bands 20 → 9 → 4 → 2 → 1
    "CNN, stride 2 × 3": (lambda k: CNN(k, stride=[2, 3]), (1, 20, 331), GAITANOU + dense(128 * 1 * 4, 128, 10)),
    # 20 × 331 → 6 × 110 → 2 × 36
    "CNN, stride 3": (
        lambda k: CNN(k, layers=2, stride=3),
        (1, 20, 331),
        conv(1, 32, 9) + conv(32, 64, 9) + dense(64 * 2 * 36, 128, 10),
    ),
    "CRNN, GRU": (
        lambda k: CRNN(k, cell="gru", recurrent_dropout=0.2),
        (1, 20, 331),
        GAITANOU + 2 * recurrent(3, 128, 128) + dense(128, 128, 10),
    ),
    "CRNN, RNN": (
        lambda k: CRNN(k, cell="rnn"),
        (1, 20, 331),
        GAITANOU + 2 * recurrent(1, 128, 128) + dense(128, 128, 10),
    ),
    "CRNN, fewer of all": (
        lambda k: CRNN(k, layers=2, filters=16, stride=3, recurrent_layers=1, units=24),
        (1, 20, 100),
        conv(1, 16, 9) + conv(16, 32, 9) + recurrent(4, 32, 24) + dense(24, 128, 10),
    ),
    "KhameesCNN, 2 layers": (
        lambda k: KhameesCNN(k, layers=2, filters=12, dropout=0.2),  # 13 × 130 → 6 × 64 → 2 × 31
        (1, 13, 130),
        conv(1, 12, 9) + conv(12, 12, 9) + dense(12 * 2 * 31, 64, 10),
    ),
    "KhameesLSTM, GRU": (
        lambda k: KhameesLSTM(k, cell="gru", layers=3, units=20, dropout=0.1),
        (1, 13, 130),
        recurrent(3, 13, 20) + 2 * recurrent(3, 20, 20) + dense(20, 64, 10),
    ),
    "WuRNN, GRU": (
        lambda k: WuRNN(k, cell="gru", units=32, layers=2),
        (1, 128, 50),
        recurrent(3, 128, 32) + recurrent(3, 32, 32) + 2 * 2 * 32 + dense(32, 10),
    ),
    "YaacobCRNN, GRU": (
        lambda k: YaacobCRNN(k, cell="gru", units=40),
        (1, 128, 160),
        YAACOB + recurrent(3, 56, 40) + dense(40, 64, 10),
    ),
    "YaacobCRNN, deeper": (
        lambda k: YaacobCRNN(k, layers=4, recurrent_layers=2, recurrent_dropout=0.3),
        (1, 128, 160),
        YAACOB + conv(56, 56, 5) + recurrent(4, 56, 96) + recurrent(4, 96, 96) + dense(96, 64, 10),
    ),
    "YaacobRNN, 2 layers": (
        lambda k: YaacobRNN(k, cell="rnn", layers=2, dropout=0.3),
        (1, 128, 160),
        recurrent(1, 128, 96) + recurrent(1, 96, 96) + dense(96, 64, 10),
    ),
    "YaacobCNN1D, filters of each": (
        lambda k: YaacobCNN1D(k, layers=2, filters=[10, 20]),
        (1, 128, 60),
        conv(128, 10, 5) + conv(10, 20, 5) + dense(20, 64, 10),
    ),
    "YaacobCNN2D, 4 layers": (
        lambda k: YaacobCNN2D(k, layers=4, filters=12),
        (1, 60, 60),
        conv(1, 12, 9) + 3 * conv(12, 12, 9) + dense(12, 64, 10),
    ),
}

ALL = [*MODELS, *BACKBONES, *((name, build, shape) for name, (build, shape, _) in VARIANTS.items())]


@cache
def _built(name: str, classes: int) -> nn.Module:
    torch.manual_seed(0)
    return next(build for other, build, _ in ALL if other == name)(classes)


def network(name: str, classes: int = 10) -> nn.Module:
    """A copy of a network that is built once."""
    return deepcopy(_built(name, classes))


def count(model: nn.Module, *, trainable: bool = False) -> int:
    """The number of all parameters, or of the trainable ones."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)
