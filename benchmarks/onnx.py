"""Exports every network of the library to ONNX and checks it: ``python -m benchmarks.onnx [NAME …]``.

Prints a row per network: the largest difference from PyTorch's probabilities over several lengths and batch sizes,
whether waveforms of any length are taken, the size of the file and the seconds of the export.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

from genre.audio import MFCC, MelSpectrogram
from genre.audio.features import Feature
from genre.errors import GenreError
from genre.export.onnx import export_onnx
from genre.models import (
    BBNN,
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
    SideBySide,
    SpectralCNN,
    WuRNN,
    YaacobCNN1D,
    YaacobCNN2D,
    YaacobCRNN,
    YaacobRNN,
)
from genre.predictor import Predictor

GENRES = [f"genre {index}" for index in range(10)]


def mel(bands: int = 128, picture: int | None = None) -> Feature:
    return MelSpectrogram(n_mels=bands, mean=-40.0, std=15.0, picture=picture)


def mfcc(coefficients: int) -> Feature:
    return MFCC(n_mfcc=coefficients, mean=0.0, std=20.0)


def backbone(name: str, in_channels: int = 1) -> nn.Module:
    return Backbone(10, name, pretrained=False, in_channels=in_channels)


def networks() -> dict[str, tuple[nn.Module, Feature, float]]:
    """Every network with features for it and the length of a segment in seconds."""
    side = {"class_path": "genre.models.SpectralCNN", "init_args": {}}
    frames = 331 * 512 / 22050 - 0.005  # 331 frames
    return {
        "SpectralCNN": (SpectralCNN(10), mel(), 3.0),
        "ResNet18": (ResNet18(10, pretrained=False), mel(), 3.0),
        "ResNet18, picture": (ResNet18(10, pretrained=False, in_channels=3), mel(picture=224), 3.0),
        "EfficientNetV2S": (EfficientNetV2S(10, pretrained=False), mel(), 3.0),
        "Backbone tf_efficientnet_lite0": (backbone("tf_efficientnet_lite0.in1k"), mel(), 3.0),
        "Backbone test_convnext": (backbone("test_convnext"), mel(), 3.0),
        "Backbone test_vit": (backbone("test_vit"), mel(), 3.0),
        "Backbone mobilenetv3_small_050": (backbone("mobilenetv3_small_050", 3), mel(), 3.0),
        "MusiCNN": (MusiCNN(10, pretrained=False), MusiCNN.features(), 3.0),
        "GaitanouCNN": (GaitanouCNN(10), mfcc(20), frames),
        "GaitanouCRNN": (GaitanouCRNN(10), mfcc(20), 3.0),
        "ChoiCRNN": (ChoiCRNN(10), mel(96), 6.0),
        "BBNN": (BBNN(10), mel(), 3.0),
        "IndRNN": (IndRNN(10), mel(), 3.0),
        "WuRNN, RNN": (WuRNN(10), mel(), 3.0),
        "WuRNN, LSTM": (WuRNN(10, cell="lstm"), mel(), 3.0),
        "WuRNN, GRU": (WuRNN(10, cell="gru"), mel(), 3.0),
        "KhameesMLP": (KhameesMLP(10), mfcc(13), 3.0),
        "KhameesCNN": (KhameesCNN(10), mfcc(13), 3.0),
        "KhameesLSTM": (KhameesLSTM(10), mfcc(13), 3.0),
        "YaacobCRNN": (YaacobCRNN(10), mel(), 4.0),
        "YaacobCRNN, stacked": (YaacobCRNN(10, recurrent_layers=2), mel(), 4.0),
        "YaacobRNN": (YaacobRNN(10), mel(), 4.0),
        "YaacobCNN1D": (YaacobCNN1D(10), mel(), 4.0),
        "YaacobCNN2D": (YaacobCNN2D(10), mel(), 4.0),
        "SideBySide": (SideBySide(10, [side, side]), mel(), 3.0),
    }


def settle(network: nn.Module, features: Feature, seconds: float) -> None:
    """Gives batch norm the statistics of some inputs: else probabilities are 0 and 1."""
    network.train()
    for _ in range(30):
        level = torch.logspace(-2, -0.5, 4)[:, None, None]
        network(features(level * torch.randn(4, 1, round(seconds * features.sample_rate))))
    network.eval()


def main(names: list[str]) -> None:
    torch.manual_seed(0)
    for name, (network, features, seconds) in networks().items():
        if names and not any(wanted in name for wanted in names):
            continue
        with torch.no_grad():
            settle(network, features, seconds)
        started = perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            try:
                check = export_onnx(Predictor(network, features, GENRES, seconds, 10), file)
            except GenreError as error:
                print(f"| {name} | {error} |", flush=True)
                continue
            length = "any" if check.any_length else f"{seconds:.1f} s"
            size = file.stat().st_size / 1e6
        seconds = perf_counter() - started
        print(f"| {name} | {check.difference:.1e} | {length} | {size:.1f} MB | {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
