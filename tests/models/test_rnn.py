import pytest
import torch
from torch import nn

from genre.models import KhameesLSTM, WuRNN, YaacobCRNN


@pytest.mark.parametrize(("cell", "reference"), [("rnn", nn.RNN), ("lstm", nn.LSTM)])
def test_wu_against_one_stacked_module(cell: str, reference: type[nn.RNNBase]) -> None:
    """With batch norm at its initial statistics, five layers are torch's five-layer network."""
    model = WuRNN(10, bands=40, units=32, cell=cell).eval()
    stack = reference(40, 32, num_layers=5)
    for i, layer in enumerate(model.recurrences):
        for name, value in layer.named_parameters():
            getattr(stack, name.replace("l0", f"l{i}")).data.copy_(value)
        model.norms[i].eps = 0.0
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
