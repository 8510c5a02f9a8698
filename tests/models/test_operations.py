"""The layers of each network, in the order in which they compute, as its paper has them.

A parameter count, the other proof, says nothing of what has no parameters: activations, pools, dropout, order.

The notation: kernels and strides are bands × frames; a stride is named where it is not the usual one (1 of a
convolution, the kernel of a pool), padding where there is some; ``norm`` is batch norm with momentum and eps as
PyTorch has them. Dropout of rate 0 is none. What only moves numbers about, such as flattening, is left out.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genre.models import (
    BBNN,
    CNN,
    CRNN,
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
from genre.models.indrnn import IndRNNLayer

from .operations import computed, split

# Singh and Gupta, "Empirical Analysis of Music Genre Classification using CNNs": the public code, whose dense layers
# are two, with the paper's third; a global average in place of pools that are tied to the size of one picture.
SPECTRAL_CNN = """
    norm 1 momentum 0.1 eps 1e-05
    conv 1→16 3×3 pad 1, norm 16 momentum 0.1 eps 1e-05, leaky_relu 0.01, max_pool 2×2, dropout 0.1
    conv 16→16 3×3 pad 1, norm 16 momentum 0.1 eps 1e-05, leaky_relu 0.01, max_pool 2×2, dropout 0.1
    conv 16→32 3×3 pad 1, norm 32 momentum 0.1 eps 1e-05, leaky_relu 0.01, max_pool 2×2, dropout 0.1
    conv 32→32 3×3 pad 1, norm 32 momentum 0.1 eps 1e-05, leaky_relu 0.01, max_pool 2×2, dropout 0.1
    conv 32→64 3×3 pad 1, norm 64 momentum 0.1 eps 1e-05, leaky_relu 0.01, max_pool 2×2, dropout 0.1
    avg_pool to 1
    linear 64→64, norm 64 momentum 0.1 eps 1e-05, relu
    linear 64→64, norm 64 momentum 0.1 eps 1e-05, relu, dropout 0.5
    linear 64→10
"""

# Gaitanou, Hahn, Pechal and Ørslund, "Music Genre Classification: CNN and CRNN", on 20 × 331. "Same" pooling is -inf
# before + after the map: with kernel 3, 1+1 if the length is odd and 0+1 if it is even; with kernel 2, 0+1 and 0+0.
GAITANOU_BLOCKS = """
    conv 1→32 3×3, relu, pad -inf 0+1×1+1, max_pool 3×3 stride 2, norm 32 momentum 0.01 eps 0.001, dropout 0.1
    conv 32→64 3×3, relu, pad -inf 1+1×1+1, max_pool 3×3 stride 2, norm 64 momentum 0.01 eps 0.001, dropout 0.1
    conv 64→128 2×2, relu, pad -inf 0+1×0+1, max_pool 2×2, norm 128 momentum 0.01 eps 0.001, dropout 0.1
    conv 128→128 2×2, relu, pad -inf 0+1×0+0, max_pool 2×2, norm 128 momentum 0.01 eps 0.001, dropout 0.1
"""
GAITANOU_CNN = f"{GAITANOU_BLOCKS} linear 2560→128, relu, dropout 0.3, linear 128→10"
GAITANOU_CRNN = f"{GAITANOU_BLOCKS} lstm 128→128, lstm 128→128, linear 128→128, relu, dropout 0.3, linear 128→10"

# Khamees, Hejazi, Alshurideh and Salloum, "Classifying Audio Music Genres Using CNN and RNN", on 13 × 130. The ReLU
# of the CNN's third block is ours.
KHAMEES_MLP = "linear 1690→512, relu, linear 512→256, relu, linear 256→64, relu, linear 64→10"
KHAMEES_MLP_REGULARISED = """
    linear 1690→512, relu, dropout 0.3
    linear 512→256, relu, dropout 0.3
    linear 256→64, relu, dropout 0.3
    linear 64→10
"""
KHAMEES_CNN = """
    conv 1→32 3×3, relu, pad -inf 1+1×0+1, max_pool 3×3 stride 2, norm 32 momentum 0.01 eps 0.001
    conv 32→32 3×3, relu, pad -inf 0+1×0+1, max_pool 3×3 stride 2, norm 32 momentum 0.01 eps 0.001
    conv 32→32 2×2, relu, pad -inf 0+1×0+0, max_pool 2×2, norm 32 momentum 0.01 eps 0.001
    linear 480→64, relu, dropout 0.3, linear 64→10
"""
KHAMEES_LSTM = "lstm 13→64, lstm 64→64, linear 64→64, relu, dropout 0.3, linear 64→10"

# Choi, Fazekas, Sandler and Cho, "Convolutional Recurrent Neural Networks for Music Classification"; the mean is over
# the bands that the pools leave of more than 96.
CHOI_CRNN = """
    norm 1 momentum 0.01 eps 0.001
    conv 1→64 3×3 pad 1, norm 64 momentum 0.01 eps 0.001, elu 1.0, max_pool 2×2 ceil, dropout 0.1
    conv 64→128 3×3 pad 1, norm 128 momentum 0.01 eps 0.001, elu 1.0, max_pool 3×3 ceil, dropout 0.1
    conv 128→128 3×3 pad 1, norm 128 momentum 0.01 eps 0.001, elu 1.0, max_pool 4×4 ceil, dropout 0.1
    conv 128→128 3×3 pad 1, norm 128 momentum 0.01 eps 0.001, elu 1.0, max_pool 4×4 ceil, dropout 0.1
    mean over axis 2, gru 128→32, gru 32→32, dropout 0.3, linear 32→10
"""

# Yaacob and Goldrich, "Music Genre Classification Using Neural Networks": the public CRNN that they build on, and the
# other networks in its style. Its dense layer of 64 is linear.
YAACOB_HEAD = "linear 96→64, dropout 0.4, linear 64→10"
YAACOB_CRNN_BLOCKS = """
    conv 128→56 5, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2, dropout 0.4
    conv 56→56 5, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2, dropout 0.4
    conv 56→56 5, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2, dropout 0.4
"""
YAACOB_CRNN = f"{YAACOB_CRNN_BLOCKS} lstm 56→96, dropout 0.4, {YAACOB_HEAD}"
YAACOB_CRNN_STACKED = f"{YAACOB_CRNN_BLOCKS} lstm 56→96, lstm 96→96, dropout 0.4, {YAACOB_HEAD}"
YAACOB_RNN = f"lstm 128→96, dropout 0.4, {YAACOB_HEAD}"
YAACOB_CNN_HEAD = "dropout 0.4, linear 56→64, dropout 0.4, linear 64→10"
YAACOB_CNN_1D_SHALLOW = f"{YAACOB_CRNN_BLOCKS} mean over axis 2, {YAACOB_CNN_HEAD}"
YAACOB_CNN_1D_DEEP = f"""
    {YAACOB_CRNN_BLOCKS}
    conv 56→56 5, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2, dropout 0.4
    conv 56→56 5, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2, dropout 0.4
    mean over axis 2, {YAACOB_CNN_HEAD}
"""
YAACOB_CNN_2D_BLOCKS = """
    conv 1→56 3×3, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2×2, dropout 0.4
    conv 56→56 3×3, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2×2, dropout 0.4
    conv 56→56 3×3, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2×2, dropout 0.4
"""
YAACOB_CNN_2D_SHALLOW = f"{YAACOB_CNN_2D_BLOCKS} mean over axis 2 3, {YAACOB_CNN_HEAD}"
YAACOB_CNN_2D_DEEP = f"""
    {YAACOB_CNN_2D_BLOCKS}
    conv 56→56 3×3, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2×2, dropout 0.4
    conv 56→56 3×3, norm 56 momentum 0.1 eps 0.001, relu, max_pool 2×2, dropout 0.4
    mean over axis 2 3, {YAACOB_CNN_HEAD}
"""

# Liu et al., "Bottom-up broadcast neural network for music genre classification": four paths in a block, on top of
# the block's input.
BBNN_BLOCK = """
    norm {0} momentum 0.01 eps 0.001, relu, conv {0}→32 1×1
    norm {0} momentum 0.01 eps 0.001, relu, conv {0}→32 1×1
    norm 32 momentum 0.01 eps 0.001, relu, conv 32→32 3×3 pad 1
    norm {0} momentum 0.01 eps 0.001, relu, conv {0}→32 1×1
    norm 32 momentum 0.01 eps 0.001, relu, conv 32→32 5×5 pad 2
    max_pool 3×3 stride 1 pad 1, norm {0} momentum 0.01 eps 0.001, relu, conv {0}→32 1×1
    cat 32+32+32+32+{0}
"""
BBNN_LAYERS = f"""
    conv 1→32 3×3 pad 1, norm 32 momentum 0.01 eps 0.001, relu, max_pool 1×4
    {BBNN_BLOCK.format(32)}
    {BBNN_BLOCK.format(160)}
    {BBNN_BLOCK.format(288)}
    norm 416 momentum 0.01 eps 0.001, relu, conv 416→32 1×1, avg_pool 2×2
    norm 32 momentum 0.01 eps 0.001, relu, avg_pool to 1, linear 32→10
"""

# Li et al., "Independently Recurrent Neural Network"; Wu et al., "Music Genre Classification Using Independent
# Recurrent Neural Network". Of one frame, ReLU(W x + b + u ⊙ h) is: the product, which on a CPU is a convolution; the
# bound of u, a clamp; the sum, addcmul; and ReLU.
INDRNN = 5 * "conv 128→128 1×1, clamp, addcmul, relu, norm 128 momentum 0.1 eps 1e-05," + "linear 128→10"
INDRNN_BEFORE = 5 * "conv 128→128 1×1, norm 128 momentum 0.1 eps 1e-05, clamp, addcmul, relu," + "linear 128→10"
WU_RNN = 5 * "rnn_tanh 128→128, norm 128 momentum 0.1 eps 1e-05," + "linear 128→10"
WU_LSTM = 5 * "lstm 128→128, norm 128 momentum 0.1 eps 1e-05," + "linear 128→10"

# network, bands × frames, layers
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int], str]] = {
    "SpectralCNN": (lambda: SpectralCNN(10), (64, 130), SPECTRAL_CNN),
    "GaitanouCNN": (lambda: GaitanouCNN(10), (20, 331), GAITANOU_CNN),
    "GaitanouCRNN": (lambda: GaitanouCRNN(10), (20, 331), GAITANOU_CRNN),
    "KhameesMLP": (lambda: KhameesMLP(10), (13, 130), KHAMEES_MLP),
    "KhameesMLP-regularised": (lambda: KhameesMLP(10, regularised=True), (13, 130), KHAMEES_MLP_REGULARISED),
    "KhameesCNN": (lambda: KhameesCNN(10), (13, 130), KHAMEES_CNN),
    "KhameesLSTM": (lambda: KhameesLSTM(10), (13, 130), KHAMEES_LSTM),
    "ChoiCRNN": (lambda: ChoiCRNN(10), (96, 200), CHOI_CRNN),
    "YaacobCRNN": (lambda: YaacobCRNN(10), (128, 160), YAACOB_CRNN),
    "YaacobCRNN-stacked": (lambda: YaacobCRNN(10, lstm_layers=2), (128, 160), YAACOB_CRNN_STACKED),
    "YaacobRNN": (lambda: YaacobRNN(10), (128, 160), YAACOB_RNN),
    "YaacobCNN1D-shallow": (lambda: YaacobCNN1D(10, blocks=3), (128, 160), YAACOB_CNN_1D_SHALLOW),
    "YaacobCNN1D-deep": (lambda: YaacobCNN1D(10), (128, 160), YAACOB_CNN_1D_DEEP),
    "YaacobCNN2D-shallow": (lambda: YaacobCNN2D(10, blocks=3), (128, 160), YAACOB_CNN_2D_SHALLOW),
    "YaacobCNN2D-deep": (lambda: YaacobCNN2D(10), (128, 160), YAACOB_CNN_2D_DEEP),
    "BBNN": (lambda: BBNN(10), (16, 32), BBNN_LAYERS),
    "IndRNN": (lambda: IndRNN(10), (128, 1), INDRNN),
    "IndRNN-before": (lambda: IndRNN(10, norm="before"), (128, 1), INDRNN_BEFORE),
    "WuRNN": (lambda: WuRNN(10), (128, 20), WU_RNN),
    "WuRNN-lstm": (lambda: WuRNN(10, cell="lstm"), (128, 20), WU_LSTM),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers(name: str) -> None:
    build, size, layers = NETWORKS[name]
    assert computed(build(), *size) == split(layers)


@pytest.mark.parametrize(
    ("build", "first", "last"),
    [
        # He et al., "Deep Residual Learning for Image Recognition", Table 1
        (
            lambda: ResNet18(10, pretrained=False, dropout=0.3),
            "conv 1→64 7×7 stride 2 pad 3, norm 64 momentum 0.1 eps 1e-05, relu, max_pool 3×3 stride 2 pad 1",
            "add, relu, avg_pool to 1, dropout 0.3, linear 512→10",
        ),
        # Tan and Le, "EfficientNetV2", Table 4, with TensorFlow's padding, as the weights were trained
        (
            lambda: EfficientNetV2S(10, pretrained=False, dropout=0.3),
            "pad 0 0+1×0+1, conv 1→24 3×3 stride 2, norm 24 momentum 0.1 eps 0.001, silu",
            "conv 256→1280 1×1, norm 1280 momentum 0.1 eps 0.001, silu, avg_pool to 1, dropout 0.3, linear 1280→10",
        ),
    ],
    ids=["ResNet18", "EfficientNetV2S"],
)
def test_both_ends_of_the_backbones(build: Callable[[], nn.Module], first: str, last: str) -> None:
    layers = computed(build(), 64, 64)
    assert layers[: len(split(first))] == split(first)
    assert layers[-len(split(last)) :] == split(last)


@pytest.mark.parametrize(
    ("network", "size", "rates"),
    [
        (lambda: SpectralCNN(10, dropout=0.2, dense_dropout=0.3), (32, 32), [*["dropout 0.2"] * 5, "dropout 0.3"]),
        (lambda: IndRNN(10, layers=2, dropout=0.2), (128, 4), ["dropout1d 0.2"] * 2),
        (lambda: IndRNN(10, layers=2, dropout=0.2, norm="before"), (128, 4), ["dropout1d 0.2"] * 2),
        (lambda: WuRNN(10, layers=2, dropout=0.2), (128, 4), ["dropout1d 0.2"] * 2),
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
def test_the_places_and_rates_of_dropout(
    network: Callable[[], nn.Module], size: tuple[int, int], rates: list[float | str]
) -> None:
    seen = [layer for layer in computed(network(), *size) if layer.startswith("dropout")]
    assert [layer.removesuffix(" between") for layer in seen] == [
        rate if isinstance(rate, str) else f"dropout {rate}" for rate in rates
    ]


@pytest.mark.parametrize(
    "network",
    [
        lambda rate: CRNN(10, recurrent_dropout=rate),
        lambda rate: KhameesLSTM(10, dropout=rate),
        lambda rate: YaacobCRNN(8, recurrent_layers=2, recurrent_dropout=rate),
        lambda rate: YaacobRNN(8, layers=2, dropout=rate),
    ],
)
def test_dropout_between_recurrent_layers(network: Callable[[float], Any]) -> None:
    assert [network(rate).lstm.dropout for rate in (0.0, 0.3)] == [0.0, 0.3]


@pytest.mark.parametrize(
    ("build", "recurrent", "size"),
    [(GaitanouCRNN, "lstm", (40, 331)), (ChoiCRNN, "gru", (96, 400)), (YaacobRNN, "lstm", (128, 30))],
)
def test_the_last_step_alone_reaches_the_head(
    build: Callable[[int], nn.Module], recurrent: str, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    model = build(10).eval()
    read: list[Tensor] = []
    model.get_submodule(recurrent).register_forward_hook(lambda _, inputs, outputs: read.append(outputs[0]))
    logits = model(torch.randn(2, 1, *size))
    (gradient,) = torch.autograd.grad(logits.square().sum(), read)  # (B, steps, units)
    reached = gradient.abs().sum((0, 2)).gt(0).tolist()
    assert len(reached) > 1
    assert reached == [False] * (len(reached) - 1) + [True]


def test_indrnn_amplifies_by_2_over_647_frames() -> None:
    """Unless told otherwise: 30 s at 22,050 Hz and a hop of 1024."""
    for layer in IndRNN(10).layers:
        assert isinstance(layer, IndRNNLayer)
        layer.u.data.fill_(9.0)
        assert layer.bounded_u().double().pow(647).tolist() == pytest.approx([2.0] * 128, rel=1e-4)
