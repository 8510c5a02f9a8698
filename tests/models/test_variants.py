"""What the papers varied: cells, layers, filters, strides and dropout, and that the defaults are still the published networks.

Counts are worked out by hand from the layers' sizes. ``nn.LSTM`` has 4 gates of (inputs + units + 2) · units
parameters, ``nn.GRU`` 3, ``nn.RNN`` 1.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

import genre.models
from genre import GenreError
from genre.config import from_config
from genre.models import (
    CNN,
    CRNN,
    GaitanouCNN,
    GaitanouCRNN,
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
from tests.models import test_all_models as promises
from tests.models.test_layers import computed
from tests.models.test_published_counts import trainable

Size = tuple[int, int]


def conv(inputs: int, filters: int, taps: int) -> int:
    """A convolution with bias, and the scale and shift of its batch norm."""
    return inputs * filters * taps + filters + 2 * filters


def dense(*sizes: int) -> int:
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(sizes))


def recurrent(gates: int, inputs: int, units: int) -> int:
    return gates * (inputs + units + 2) * units


GAITANOU = conv(1, 32, 9) + conv(32, 64, 9) + conv(64, 128, 4) + conv(128, 128, 4)
YAACOB = conv(128, 56, 5) + 2 * conv(56, 56, 5)

# network, bands × frames, parameters
VARIANTS: dict[str, tuple[Callable[[], nn.Module], Size, int]] = {
    # 20 × 331 → 9 × 165 → 4 × 82 → 2 × 41: three blocks
    "CNN, 3 layers": (
        lambda: CNN(10, layers=3),
        (20, 331),
        conv(1, 32, 9) + conv(32, 64, 9) + conv(64, 128, 4) + dense(128 * 2 * 41, 128, 10),
    ),
    "CNN, 5 layers": (
        lambda: CNN(10, bands=40, layers=5),  # 40 × 331 ends on 2 × 20, and then on 1 × 10
        (40, 331),
        GAITANOU + conv(128, 128, 4) + dense(128 * 1 * 10, 128, 10),
    ),
    "CNN, 8 filters": (
        lambda: CNN(10, filters=8),
        (20, 331),
        conv(1, 8, 9) + conv(8, 16, 9) + conv(16, 32, 4) + conv(32, 32, 4) + dense(32 * 20, 128, 10),
    ),
    "CNN, filters of each": (
        lambda: CNN(10, layers=2, filters=[4, 6]),
        (20, 331),
        conv(1, 4, 9) + conv(4, 6, 9) + dense(6 * 4 * 82, 128, 10),
    ),
    # frames 331 → 110 → 36 → 12 → 4, bands 20 → 9 → 4 → 2 → 1
    "CNN, stride 2 × 3": (lambda: CNN(10, stride=[2, 3]), (20, 331), GAITANOU + dense(128 * 1 * 4, 128, 10)),
    # 20 × 331 → 6 × 110 → 2 × 36
    "CNN, stride 3": (
        lambda: CNN(10, layers=2, stride=3),
        (20, 331),
        conv(1, 32, 9) + conv(32, 64, 9) + dense(64 * 2 * 36, 128, 10),
    ),
    "CRNN, GRU": (
        lambda: CRNN(10, cell="gru", recurrent_dropout=0.2),
        (20, 331),
        GAITANOU + 2 * recurrent(3, 128, 128) + dense(128, 128, 10),
    ),
    "CRNN, RNN": (
        lambda: CRNN(10, cell="rnn"),
        (20, 331),
        GAITANOU + 2 * recurrent(1, 128, 128) + dense(128, 128, 10),
    ),
    "CRNN, fewer of all": (
        lambda: CRNN(10, layers=2, filters=16, stride=3, recurrent_layers=1, units=24),
        (20, 100),
        conv(1, 16, 9) + conv(16, 32, 9) + recurrent(4, 32, 24) + dense(24, 128, 10),
    ),
    "KhameesCNN, 2 layers": (
        lambda: KhameesCNN(10, layers=2, filters=12, dropout=0.2),  # 13 × 130 → 6 × 64 → 2 × 31
        (13, 130),
        conv(1, 12, 9) + conv(12, 12, 9) + dense(12 * 2 * 31, 64, 10),
    ),
    "KhameesLSTM, GRU": (
        lambda: KhameesLSTM(10, cell="gru", layers=3, units=20, dropout=0.1),
        (13, 130),
        recurrent(3, 13, 20) + 2 * recurrent(3, 20, 20) + dense(20, 64, 10),
    ),
    "WuRNN, GRU": (
        lambda: WuRNN(10, cell="gru", units=32, layers=2),
        (128, 50),
        recurrent(3, 128, 32) + recurrent(3, 32, 32) + 2 * 2 * 32 + dense(32, 10),
    ),
    "YaacobCRNN, GRU": (
        lambda: YaacobCRNN(8, cell="gru", units=40),
        (128, 160),
        YAACOB + recurrent(3, 56, 40) + dense(40, 64, 8),
    ),
    "YaacobCRNN, deeper": (
        lambda: YaacobCRNN(8, layers=4, recurrent_layers=2, recurrent_dropout=0.3),
        (128, 160),
        YAACOB + conv(56, 56, 5) + recurrent(4, 56, 96) + recurrent(4, 96, 96) + dense(96, 64, 8),
    ),
    "YaacobRNN, 2 layers": (
        lambda: YaacobRNN(8, cell="rnn", layers=2, dropout=0.3),
        (128, 160),
        recurrent(1, 128, 96) + recurrent(1, 96, 96) + dense(96, 64, 8),
    ),
    "YaacobCNN1D, filters of each": (
        lambda: YaacobCNN1D(8, layers=2, filters=[10, 20]),
        (128, 60),
        conv(128, 10, 5) + conv(10, 20, 5) + dense(20, 64, 8),
    ),
    "YaacobCNN2D, 4 layers": (
        lambda: YaacobCNN2D(8, layers=4, filters=12),
        (60, 60),
        conv(1, 12, 9) + 3 * conv(12, 12, 9) + dense(12, 64, 8),
    ),
}

each_variant = pytest.mark.parametrize("name", VARIANTS)


@each_variant
def test_count(name: str) -> None:
    network, _, count = VARIANTS[name]
    assert trainable(network()) == count


@each_variant
def test_promises_of_all_networks(name: str) -> None:
    network, size, _ = VARIANTS[name]
    classes = 8 if "Yaacob" in name else 10

    def make(num_classes: int) -> nn.Module:
        assert num_classes == classes
        return network()

    torch.manual_seed(0)
    promises.test_logits(name, make, (1, *size), classes)
    promises.test_a_prediction_does_not_depend_on_its_batch(name, lambda _: network(), (1, *size))
    promises.test_every_parameter_has_a_gradient(name, lambda _: network(), (1, *size))


@pytest.mark.parametrize(
    ("network", "size", "rates"),
    [
        (lambda: CNN(10, dropout=0.2, dense_dropout=0.5), (20, 331), [0.2] * 4 + [0.5]),
        (
            lambda: CRNN(10, dropout=0.2, recurrent_dropout=0.25, dense_dropout=0.5),
            (20, 99),
            [0.2] * 4 + [0.25, 0.25, 0.5],
        ),
        (lambda: KhameesCNN(10, dropout=0.2, dense_dropout=0.5), (13, 130), [0.2] * 3 + [0.5]),
        (lambda: KhameesMLP(10, dropout=0.2), (13, 130), [0.2] * 3),
        (lambda: KhameesMLP(10, regularised=True, dropout=0.2), (13, 130), [0.2] * 3),
        (lambda: KhameesLSTM(10, dropout=0.2, dense_dropout=0.5), (13, 30), [0.2, 0.2, 0.5]),
        (lambda: YaacobCRNN(8, dropout=0.2, dense_dropout=0.5), (128, 160), [0.2] * 3 + [0.5] * 2),
        (lambda: YaacobRNN(8, dense_dropout=0.5), (128, 30), [0.5] * 2),
        (lambda: YaacobCNN1D(8, layers=3, dropout=0.2, dense_dropout=0.5), (128, 160), [0.2] * 3 + [0.5] * 2),
        (lambda: YaacobCNN2D(8, layers=3, dropout=0.2, dense_dropout=0.5), (60, 60), [0.2] * 3 + [0.5] * 2),
    ],
)
def test_where_dropout_stands(network: Callable[[], nn.Module], size: Size, rates: list[float]) -> None:
    seen = [layer for layer in computed(network(), *size) if layer.startswith("dropout")]
    assert [layer.removesuffix(" between") for layer in seen] == [f"dropout {rate}" for rate in rates]


@pytest.mark.parametrize(
    "network",
    [
        lambda rate: CRNN(10, recurrent_dropout=rate),
        lambda rate: KhameesLSTM(10, dropout=rate),
        lambda rate: YaacobCRNN(8, recurrent_layers=2, recurrent_dropout=rate),
        lambda rate: YaacobRNN(8, layers=2, dropout=rate),
    ],
)
def test_dropout_between_recurrent_layers(network: Callable[[float], nn.Module]) -> None:
    assert [network(rate).lstm.dropout for rate in (0.0, 0.3)] == [0.0, 0.3]


@pytest.mark.parametrize("kind", [CNN, CRNN])
def test_short_names(kind: type[nn.Module]) -> None:
    published = {CNN: GaitanouCNN, CRNN: GaitanouCRNN}[kind]
    assert kind.__name__ in genre.models.__all__
    kind(10).load_state_dict(published(10).state_dict())
    promises.test_the_short_name_is_unambiguous(kind.__name__, kind, (1, 20, 331))  # the command line looks it up


WRONG: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "negative dropout": (lambda: CNN(10, dropout=-0.1), "dropout is the share .* found -0.1"),
    "all dropped": (lambda: CRNN(10, recurrent_dropout=1.0), "recurrent_dropout is the share .* found 1.0"),
    "no number": (lambda: YaacobCRNN(8, dense_dropout=float("nan")), "dense_dropout is the share .* found nan"),
    "dropout of the blocks": (lambda: YaacobCNN2D(8, dropout=2.0), "dropout is the share .* found 2.0"),
    "dropout of the MLP": (lambda: KhameesMLP(10, dropout=-1.0), "dropout is the share .* found -1.0"),
    "dropout of IndRNN": (lambda: IndRNN(10, dropout=1.5), "dropout is the share .* found 1.5"),
    "dropout of SpectralCNN": (lambda: SpectralCNN(10, dense_dropout=-0.5), "dense_dropout is the share .* found -0.5"),
    "unknown cell": (lambda: CRNN(10, cell="ltsm"), "cell must be one of lstm, gru, rnn; found ltsm"),
    "unknown cell of Wu": (lambda: WuRNN(10, cell="indrnn"), "cell must be one of lstm, gru, rnn; found indrnn"),
    "negative growth": (lambda: IndRNN(10, growth=-2.0), "growth .* must be positive; found -2.0"),
    "no growth": (lambda: IndRNN(10, growth=0.0), "growth .* must be positive; found 0.0"),
    "unknown place of the norm": (lambda: IndRNN(10, norm="between"), "before or after the recurrence; found between"),
    "no layer": (lambda: YaacobCNN1D(8, layers=0), "layers must be a whole number of at least 1; found 0"),
    "no recurrent layer": (
        lambda: CRNN(10, recurrent_layers=0),
        "recurrent_layers must be a whole number of at least 1; found 0",
    ),
    "half a layer": (lambda: KhameesCNN(10, layers=2.5), "layers must be a whole number of at least 1; found 2.5"),
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


# What a checkpoint of an earlier version says and holds: class path, arguments, input; number of tensors, first and
# last name; and the logits of the first three classes that the network gave with weights and input by formula.
OLD: dict[str, tuple[dict[str, object], int, Size, tuple[int, str, str], list[float]]] = {
    "cnn.GaitanouCNN": (
        {"bands": 20, "frames": 331}, 10, (20, 331),
        (32, "convolutions.0.weight", "head.4.bias"), [0.005888, -0.021488, -0.052786],
    ),
    "crnn.GaitanouCRNN": (
        {}, 10, (20, 331), (40, "convolutions.0.weight", "head.3.bias"), [-0.297431, 0.96335, -0.265032],
    ),
    "cnn.KhameesCNN": (
        {}, 10, (13, 130), (25, "convolutions.0.weight", "head.4.bias"), [0.038436, -0.314208, -0.477899],
    ),
    "mlp.KhameesMLP": (
        {"regularised": True}, 10, (13, 130), (8, "hidden.1.weight", "classifier.bias"), [0.061852, 0.619684, 0.614665],
    ),
    "rnn.KhameesLSTM": (
        {"bands": 13}, 10, (13, 130), (12, "lstm.weight_ih_l0", "head.3.bias"), [0.009753, -0.475422, -0.336187],
    ),
    "rnn.WuRNN": (
        {"cell": "lstm", "units": 128}, 10, (128, 40),
        (47, "recurrences.0.weight_ih_l0", "classifier.bias"), [0.064222, 0.375502, -0.571588],
    ),
    "indrnn.IndRNN": (
        {"steps": 647}, 10, (128, 40), (42, "layers.0.u", "classifier.bias"), [0.405838, -0.33339, 0.167133],
    ),
    "yaacob.YaacobCRNN": (
        {"lstm_layers": 2}, 8, (128, 160),
        (33, "convolutions.0.weight", "head.classifier.bias"), [0.013794, 0.393565, 0.486087],
    ),
    "yaacob.YaacobRNN": (
        {}, 8, (128, 60), (8, "lstm.weight_ih_l0", "head.classifier.bias"), [-0.006927, 0.484875, 0.482001],
    ),
    "yaacob.YaacobCNN1D": (
        {"blocks": 3}, 8, (128, 60),
        (25, "convolutions.0.weight", "head.classifier.bias"), [0.045712, -0.298114, -0.454259],
    ),
    "yaacob.YaacobCNN2D": (
        {"blocks": 3}, 8, (40, 60),
        (25, "convolutions.0.weight", "head.classifier.bias"), [0.045831, -0.297978, -0.454115],
    ),
}  # fmt: skip


def by_formula(name: str, place: int, like: Tensor) -> Tensor:
    """Weights that any version can be given: sines, small enough for many layers."""
    if not like.is_floating_point():
        return like
    values = torch.arange(like.numel(), dtype=torch.float64).mul(0.37 + place).sin().view_as(like)
    if name.endswith("running_var"):
        return values.abs() + 0.5
    return values / max(1, like[0].numel() if like.ndim > 1 else 4) ** 0.5


@pytest.mark.parametrize("path", OLD)
def test_checkpoints_of_earlier_versions(path: str) -> None:
    """Their class paths, arguments and weights still give the network that they were saved from."""
    arguments, classes, size, (count, first, last), expected = OLD[path]
    model = from_config({"class_path": f"genre.models.{path}", "init_args": arguments}, nn.Module, classes)
    state = {name: by_formula(name, place, value) for place, (name, value) in enumerate(model.state_dict().items())}
    assert (len(state), next(iter(state)), list(state)[-1]) == (count, first, last)
    model.double().load_state_dict(state)
    x = torch.arange(size[0] * size[1], dtype=torch.float64).mul(0.01).sin().view(1, 1, *size)
    with torch.no_grad():
        logits = model.eval()(x)[0, :3]
    assert logits.tolist() == pytest.approx(expected, abs=2e-6)
