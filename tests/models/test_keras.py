import pytest
import torch
from torch import Tensor, nn

from genre.models import KhameesMLP, YaacobCNN1D, YaacobCNN2D, YaacobCRNN, YaacobRNN
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
    expected = squares(*(crnn.convolutions[i].weight for i in (0, 5, 10)), crnn.head.dense.weight)
    assert crnn.penalty().item() == pytest.approx(expected)
    rnn = YaacobRNN(8)
    assert rnn.penalty().item() == pytest.approx(squares(rnn.head.dense.weight))
    for cnn in (YaacobCNN1D(8), YaacobCNN2D(8)):
        expected = squares(*(cnn.convolutions[5 * i].weight for i in range(5)), cnn.head.dense.weight)
        assert cnn.penalty().item() == pytest.approx(expected)
    mlp = KhameesMLP(10, regularised=True)
    assert mlp.penalty().item() == pytest.approx(squares(*(mlp.hidden[i].weight for i in (1, 4, 7))))
    mlp.penalty().backward()
    assert torch.allclose(mlp.hidden[1].weight.grad, 2e-3 * mlp.hidden[1].weight)
    assert KhameesMLP(10).penalty().item() == 0
