import torch
from torch import nn

from genre.models import GaitanouCNN, KhameesCNN


def test_khamees_flattens_480_numbers() -> None:
    assert KhameesCNN(10).convolutions(torch.randn(2, 1, 13, 130)).shape == (2, 32, 1, 15)
    assert KhameesCNN(10).head[1].in_features == 480


def test_the_order_of_a_block() -> None:
    kinds = [type(layer).__name__ for layer in GaitanouCNN(10).convolutions[:5]]
    assert kinds == ["Conv2d", "ReLU", "SameMaxPool2d", "BatchNorm2d", "Dropout"]


def test_batch_norm_is_keras_s() -> None:
    norms = [m for m in GaitanouCNN(10).modules() if isinstance(m, nn.BatchNorm2d)]
    assert [n.num_features for n in norms] == [32, 64, 128, 128]
    assert {(n.momentum, n.eps) for n in norms} == {(0.01, 1e-3)}
