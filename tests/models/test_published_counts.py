"""Parameter counts: the proof that a network is the published one."""

import pytest
import torch
from torch import nn

from genre.models import (
    ChoiCRNN,
    GaitanouCNN,
    GaitanouCRNN,
    KhameesCNN,
    KhameesLSTM,
    KhameesMLP,
    SpectralCNN,
    WuRNN,
    YaacobCNN1D,
    YaacobCNN2D,
    YaacobCRNN,
    YaacobRNN,
)
from genre.models.bbnn import BBNN
from genre.models.indrnn import IndRNN


def trainable(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def in_keras(model: nn.Module) -> int:
    """The count in Keras, whose recurrent layers have one bias vector where torch's have two."""
    return trainable(model) - sum(p.numel() for name, p in model.named_parameters() if "bias_hh" in name)


@pytest.mark.parametrize(
    ("bands", "frames", "cnn"),
    [(20, 331, 447_178), (40, 331, 774_858), (20, 3308, 3_494_602), (40, 3308, 6_869_706)],
)
def test_gaitanou_table_1(bands: int, frames: int, cnn: int) -> None:
    assert trainable(GaitanouCNN(10, bands=bands, frames=frames)) == cnn
    crnn = GaitanouCRNN(10)
    assert in_keras(crnn) == 399_050
    assert trainable(crnn) == 400_074
    assert crnn.eval()(torch.randn(1, 1, bands, frames)).shape == (1, 10)


def test_spectral_cnn_without_the_third_dense_layer() -> None:
    """The public code of Singh and Gupta has two dense layers, and batch norm behind the first."""
    added = (64 * 64 + 64) + 2 * 64
    assert trainable(SpectralCNN(10, in_channels=3)) - added == 40_416


@pytest.mark.parametrize(("genres", "count"), [(10, 185_642), (8, 185_576), (13, 185_741)])
def test_bbnn(genres: int, count: int) -> None:
    assert trainable(BBNN(genres)) == count


def test_bbnn_with_the_statistics_of_batch_norm() -> None:
    statistics = sum(b.numel() for n, b in BBNN(10).named_buffers() if n.endswith(("_mean", "_var")))
    assert trainable(BBNN(10)) + statistics == 190_826


def test_khamees() -> None:
    assert trainable(KhameesMLP(10)) == 1_014_218
    assert trainable(KhameesMLP(10, regularised=True)) == 1_014_218
    assert trainable(KhameesCNN(10)) == 45_322
    assert in_keras(KhameesLSTM(10)) == 57_802
    assert trainable(KhameesLSTM(10)) == 58_314


def test_yaacob_crnn() -> None:
    assert in_keras(YaacobCRNN(8)) == 133_184
    assert trainable(YaacobCRNN(8)) == 133_568


def test_yaacob_sizes_that_are_ours() -> None:
    assert trainable(YaacobCRNN(8, lstm_layers=2)) == 133_568 + 4 * (2 * 96 * 96 + 2 * 96)
    head = 64 * 8 + 8
    assert trainable(YaacobRNN(8)) == 4 * (128 * 96 + 96 * 96 + 2 * 96) + (96 * 64 + 64) + head
    for blocks in (3, 5):
        first, later = 128 * 56 * 5 + 3 * 56, 56 * 56 * 5 + 3 * 56  # three vectors: bias and batch norm
        assert trainable(YaacobCNN1D(8, blocks=blocks)) == first + (blocks - 1) * later + 56 * 64 + 64 + head
        first, later = 56 * 9 + 3 * 56, 56 * 56 * 9 + 3 * 56
        assert trainable(YaacobCNN2D(8, blocks=blocks)) == first + (blocks - 1) * later + 56 * 64 + 64 + head


def test_choi_crnn() -> None:
    convolutions = (9 * 64 + 64) + (9 * 64 * 128 + 128) + 2 * (9 * 128 * 128 + 128)
    norms = 2 * (1 + 64 + 3 * 128)
    gru_in_keras = 3 * (128 * 32 + 32 * 32 + 32) + 3 * (32 * 32 + 32 * 32 + 32)
    assert in_keras(ChoiCRNN(50)) == convolutions + norms + gru_in_keras + 32 * 50 + 50
    assert trainable(ChoiCRNN(10)) == 392_780


def test_indrnn() -> None:
    assert trainable(IndRNN(10)) == 85_770
    for norm in ("before", "after"):
        d, h, layers, k = 96, 64, 3, 8
        count = d * h + h + (layers - 1) * (h * h + h) + 3 * layers * h + h * k + k
        assert trainable(IndRNN(k, bands=d, units=h, layers=layers, norm=norm)) == count


def test_recurrent_baselines() -> None:
    head = 128 * 10 + 10
    assert trainable(WuRNN(10)) == 5 * (2 * 128 * 128 + 2 * 128 + 2 * 128) + head == 167_690
    assert trainable(WuRNN(10, cell="lstm")) == 5 * (8 * 128 * 128 + 8 * 128 + 2 * 128) + head == 663_050
