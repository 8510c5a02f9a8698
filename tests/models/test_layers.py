"""The shared layers against their definition, and the checks of arguments that the networks share."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genre import GenreError
from genre.models import (
    CNN,
    CRNN,
    IndRNN,
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
from genre.models.layers import SameMaxPool2d, conv_blocks, l2, map_size, min_size


@pytest.mark.parametrize(
    ("kernel", "values", "pooled"),
    [
        # kernel 3: an even length is padded by (0, 1), an odd one by (1, 1); negative, so that zeros would win
        (3, [-1, -5, -3, -2, -6, -4], [-1, -2, -4]),
        (3, [-1, -5, -3, -2, -6], [-1, -2, -2]),
        (3, [-7], [-7]),
        # kernel 2: an even length is not padded, an odd one by (0, 1)
        (2, [-1, -5, -3, -2], [-1, -2]),
        (2, [-4, -5, -3, -2, -6], [-4, -2, -6]),
    ],
)
def test_same_pooling_by_hand(kernel: int, values: list[float], pooled: list[float]) -> None:
    row = torch.tensor(values, dtype=torch.float32)
    pool = SameMaxPool2d(kernel)
    for x in (row.view(1, 1, 1, -1), row.view(1, 1, -1, 1)):
        assert pool(x).flatten().tolist() == pooled


def test_same_pooling_on_both_axes_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]]])  # 3 × 4: padded (1, 1) and (0, 1)
    assert SameMaxPool2d(3)(x).tolist() == [[[[7, 8], [11, 12]]]]
    assert SameMaxPool2d(2)(x).tolist() == [[[[6, 8], [10, 12]]]]


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_pooling_against_windows(length: int, kernel: int, stride: int) -> None:
    x = torch.randn(1, 1, 1, length)
    windows = (length + stride - 1) // stride
    total = max((windows - 1) * stride + kernel - length, 0)
    starts = [w * stride - total // 2 for w in range(windows)]
    expected = [x[..., max(s, 0) : s + kernel].max() for s in starts]
    assert torch.equal(SameMaxPool2d(kernel, stride)(x).flatten(), torch.stack(expected))


@pytest.mark.parametrize(("length", "left"), [(331, 20), (3308, 206), (20, 1), (40, 2), (19, 1)])
def test_the_maps_of_gaitanou(length: int, left: int) -> None:
    assert map_size(nn.Identity(), (19, length), layers=4) == (1, left)
    assert conv_blocks([32, 64, 128, 128])(torch.randn(2, 1, 19, length)).shape == (2, 128, 1, left)
    assert min_size(layers=4) == (19, 19)


def test_l2_is_that_of_the_weights_alone() -> None:
    linear, norm = nn.Linear(2, 1), nn.BatchNorm1d(1)
    linear.weight.data = torch.tensor([[3.0, -4.0]])
    assert l2(linear, norm).item() == pytest.approx(1e-3 * 25)
    assert l2(linear, linear, factor=0.1).item() == pytest.approx(0.1 * 50)


def squares(*weights: Tensor) -> float:
    return 1e-3 * sum(w.double().square().sum().item() for w in weights)


def test_penalties() -> None:
    crnn = YaacobCRNN(8)
    expected = squares(*(crnn.convolutions[i].get_parameter("weight") for i in (0, 5, 10)), crnn.head.dense.weight)
    assert crnn.penalty().item() == pytest.approx(expected)
    rnn = YaacobRNN(8)
    assert rnn.penalty().item() == pytest.approx(squares(rnn.head.dense.weight))
    for cnn in (YaacobCNN1D(8), YaacobCNN2D(8)):
        expected = squares(*(cnn.convolutions[5 * i].get_parameter("weight") for i in range(5)), cnn.head.dense.weight)
        assert cnn.penalty().item() == pytest.approx(expected)
    mlp = KhameesMLP(10, regularised=True)
    assert mlp.penalty().item() == pytest.approx(squares(*(mlp.hidden[i].get_parameter("weight") for i in (1, 4, 7))))
    mlp.penalty().backward()
    weight = mlp.hidden[1].get_parameter("weight")
    assert weight.grad is not None
    assert torch.allclose(weight.grad, 2e-3 * weight)
    assert KhameesMLP(10).penalty().item() == 0


WRONG: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "negative dropout": (lambda: CNN(10, dropout=-0.1), "dropout is the share .* found -0.1"),
    "all dropped": (lambda: CRNN(10, recurrent_dropout=1.0), "recurrent_dropout is the share .* found 1.0"),
    "no number": (lambda: YaacobCRNN(8, dense_dropout=float("nan")), "dense_dropout is the share .* found nan"),
    "dropout of the blocks": (lambda: YaacobCNN2D(8, dropout=2.0), "dropout is the share .* found 2.0"),
    "dropout of the MLP": (lambda: KhameesMLP(10, dropout=-1.0), "dropout is the share .* found -1.0"),
    "dropout of IndRNN": (lambda: IndRNN(10, dropout=1.5), "dropout is the share .* found 1.5"),
    "dropout of SpectralCNN": (lambda: SpectralCNN(10, dense_dropout=-0.5), "dense_dropout is the share .* found -0.5"),
    "unknown cell": (lambda: CRNN(10, cell="ltsm"), "cell must be one of lstm, gru, rnn; found ltsm"),  # type: ignore[arg-type]  # the case
    "unknown cell of Wu": (lambda: WuRNN(10, cell="indrnn"), "cell must be one of lstm, gru, rnn; found indrnn"),  # type: ignore[arg-type]  # the case
    "negative growth": (lambda: IndRNN(10, growth=-2.0), "growth .* must be positive; found -2.0"),
    "no growth": (lambda: IndRNN(10, growth=0.0), "growth .* must be positive; found 0.0"),
    "unknown place of the norm": (lambda: IndRNN(10, norm="between"), "before or after the recurrence; found between"),  # type: ignore[arg-type]  # the case
    "no layer": (lambda: YaacobCNN1D(8, layers=0), "layers must be a whole number of at least 1; found 0"),
    "no recurrent layer": (
        lambda: CRNN(10, recurrent_layers=0),
        "recurrent_layers must be a whole number of at least 1; found 0",
    ),
    "half a layer": (lambda: KhameesCNN(10, layers=2.5), "layers must be a whole number of at least 1; found 2.5"),  # type: ignore[arg-type]  # the case
    "no filter": (lambda: CNN(10, filters=0), "filters must be a whole number of at least 1; found 0"),
    "no filter in a layer": (lambda: CNN(10, filters=[32, 64, -1, 128]), "filters must be a whole number .* found -1"),
    "filters of two layers": (lambda: CRNN(10, filters=[8, 16]), "filters has 2 numbers for 4 layers"),
    "no stride": (lambda: CNN(10, stride=0), "stride must be a whole number of at least 1; found 0"),
    "stride over three axes": (lambda: CRNN(10, stride=[1, 2, 3]), "bands and frames; found 3 numbers"),
    "no unit": (lambda: KhameesLSTM(10, units=0), "units must be a whole number of at least 1; found 0"),
    "too many layers": (
        lambda: CNN(10, layers=5),
        "needs at least 35 bands by 35 frames: found 20 bands by 331 .* with fewer layers or a smaller stride",
    ),
    "too large a stride": (lambda: CNN(10, stride=3), "needs at least 45 bands by 45 frames: .* a smaller stride"),
    "too many layers for this input": (
        lambda: CRNN(10, layers=6)(torch.zeros(2, 1, 20, 331)),
        "needs at least 67 bands by 67 frames: found 20 bands by 331 .* with fewer layers",
    ),
    "too many layers along time": (
        lambda: YaacobCRNN(8, layers=7)(torch.zeros(2, 1, 128, 635)),
        "needs at least 636 frames: found 128 bands by 635 .* with fewer layers",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_values_that_cannot_be(case: str) -> None:
    network, message = WRONG[case]
    with pytest.raises(GenreError, match=message) as error:
        network()
    assert "\n" not in str(error.value)
