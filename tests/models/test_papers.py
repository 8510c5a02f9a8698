"""The networks of the papers: their published numbers of parameters, and their structure layer by layer.

The number of parameters is the proof that a network is the published one.
"""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.models import (
    BBNN,
    ChoiCRNN,
    EfficientNetV2S,
    GaitanouCNN,
    GaitanouCRNN,
    IndRNN,
    KhameesCNN,
    KhameesLSTM,
    KhameesMLP,
    ResNet18,
    SpectralCNN,
    WuRNN,
    YaacobCNN1D,
    YaacobCNN2D,
    YaacobCRNN,
    YaacobRNN,
)
from genre.models.bbnn import BroadcastBlock

from .networks import VARIANTS, count


def trainable(model: nn.Module) -> int:
    return count(model, trainable=True)


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


@pytest.mark.parametrize(
    ("network", "channels", "parameters"),
    [
        (ResNet18, 1, 11_175_370),
        (ResNet18, 3, 11_181_642),
        (EfficientNetV2S, 1, 20_189_866),
        (EfficientNetV2S, 3, 20_190_298),
    ],
)
def test_backbones(network: type[nn.Module], channels: int, parameters: int) -> None:
    assert count(network(10, pretrained=False, in_channels=channels)) == parameters


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name: str) -> None:
    """What the papers varied; the numbers are worked out by hand."""
    build, _, parameters = VARIANTS[name]
    assert trainable(build(10)) == parameters


def test_channels_grow_from_32_to_416() -> None:
    model = BBNN(10).eval()
    x = model.stem(torch.randn(1, 1, 16, 83))
    assert x.shape == (1, 32, 16, 20)  # pooled over time only
    for block, channels in zip(model.broadcast, (160, 288, 416), strict=True):
        below, x = x, block(x)
        assert x.shape == (1, channels, 16, 20)
        assert torch.equal(x[:, 128:], below)
    assert model.transition(x).shape == (1, 32, 8, 10)


def test_the_paths_of_a_block() -> None:
    block = BroadcastBlock(32)
    for norm in (m for m in block.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight)
        nn.init.uniform_(norm.bias)
    x = torch.randn(2, 32, 6, 7)
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size[0] for c in convs] == [1, 1, 3, 1, 5, 1]

    def layer(i: int, y: Tensor) -> Tensor:
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), unbiased=False, keepdim=True)
        scale, shift = norms[i].weight.view(1, -1, 1, 1), norms[i].bias.view(1, -1, 1, 1)
        y = F.relu((y - mean) / (var + 1e-3).sqrt() * scale + shift)
        return F.conv2d(y, convs[i].weight, convs[i].bias, padding="same")

    pooled = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 1)
    paths = [layer(0, x), layer(2, layer(1, x)), layer(4, layer(3, x)), layer(5, pooled)]
    torch.testing.assert_close(block(x), torch.cat([*paths, x], dim=1), rtol=1e-4, atol=1e-4)


def test_khamees_flattens_480_numbers() -> None:
    assert KhameesCNN(10).convolutions(torch.randn(2, 1, 13, 130)).shape == (2, 32, 1, 15)
    assert KhameesCNN(10).head[1].in_features == 480


def test_the_order_of_a_block() -> None:
    classes = [type(layer).__name__ for layer in GaitanouCNN(10).convolutions[:5]]
    assert classes == ["Conv2d", "ReLU", "SameMaxPool2d", "BatchNorm2d", "Dropout"]


def test_batch_norm_is_keras_s() -> None:
    norms = [m for m in GaitanouCNN(10).modules() if isinstance(m, nn.BatchNorm2d)]
    assert [n.num_features for n in norms] == [32, 64, 128, 128]
    assert {(n.momentum, n.eps) for n in norms} == {(0.01, 1e-3)}


def test_gaitanou_reads_the_map_time_by_time() -> None:
    model = GaitanouCRNN(10).eval()
    read = []
    model.lstm.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    x = torch.randn(2, 1, 40, 331)
    maps = model.convolutions(x)
    assert maps.shape == (2, 128, 2, 20)
    model(x)
    assert read[0].shape == (2, 40, 128)
    for t in range(20):
        for f in range(2):
            assert torch.equal(read[0][:, 2 * t + f], maps[:, :, f, t])


def test_choi_has_15_steps_of_128() -> None:
    model = ChoiCRNN(10).eval()
    read = []
    model.gru.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    with torch.no_grad():
        model(torch.randn(1, 1, 96, 1366))
        model(torch.randn(1, 1, 128, 200))
    assert [tuple(x.shape) for x in read] == [(1, 15, 128), (1, 3, 128)]


@pytest.mark.parametrize(("cell", "reference"), [("rnn", nn.RNN), ("lstm", nn.LSTM)])
def test_wu_against_one_stacked_module(cell: Literal["rnn", "lstm"], reference: Callable[..., nn.RNNBase]) -> None:
    """With batch norm at its initial statistics, five layers are torch's five-layer network."""
    model = WuRNN(10, bands=40, units=32, cell=cell).eval()
    stack = reference(40, 32, num_layers=5)
    for i, layer in enumerate(model.recurrences):
        for name, value in layer.named_parameters():
            getattr(stack, name.replace("l0", f"l{i}")).data.copy_(value)
        norm = model.norms[i]
        assert isinstance(norm, nn.BatchNorm1d)
        norm.eps = 0.0
    x = torch.randn(3, 1, 40, 25)
    expected = model.classifier(stack(x[:, 0].permute(2, 0, 1))[0][-1])
    torch.testing.assert_close(model(x), expected)


def test_wu_normalises_over_batch_and_time() -> None:
    model = WuRNN(10, bands=8, units=16, layers=1)
    x = torch.randn(4, 1, 8, 20)
    states = model.recurrences[0](x[:, 0].permute(2, 0, 1))[0]  # (20, 4, 16)
    mean, var = states.mean((0, 1)), states.var((0, 1), unbiased=False)
    expected = model.classifier((states[-1] - mean) / (var + 1e-5).sqrt())
    torch.testing.assert_close(model(x), expected)


def test_khamees_reads_the_last_of_two_layers() -> None:
    model = KhameesLSTM(10).eval()
    x = torch.randn(2, 1, 13, 30)
    first, second = nn.LSTM(13, 64), nn.LSTM(64, 64)
    for i, layer in enumerate((first, second)):
        for name, value in layer.named_parameters():
            value.data.copy_(getattr(model.lstm, name.replace("l0", f"l{i}")))
    states = second(first(x[:, 0].permute(2, 0, 1))[0])[0]
    torch.testing.assert_close(model(x), model.head(states[-1]))


def test_yaacob_crnn_has_76_steps_of_56() -> None:
    model = YaacobCRNN(8).eval()
    x = torch.randn(1, 1, 128, 640)
    maps = model.convolutions(x[:, 0])
    assert maps.shape == (1, 56, 76)
    torch.testing.assert_close(model(x), model.head(model.lstm(maps.mT)[0][:, -1]))
