import torch

from genre.models import ChoiCRNN, GaitanouCRNN


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
