"""The recipes of the papers against the papers: what each trains with, on what, and how its score is made.

What a paper leaves open is ours, stands in the recipe's comments, and is held fast here too.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import ReduceLROnPlateau

import genre.data
import genre.models
from genre.benchmark.plan import Cell, read_plan
from genre.classifier import GenreClassifier
from genre.cli.lightning_cli import GenreCLI
from genre.config import to_config
from genre.data import Feature, KFoldSplit, OfficialSplit, SegmentSplit, StratifiedSplit
from genre.data.splits import Split

from .test_examples import EXAMPLES, write_ballroom, write_fma

PAPERS = ("ballroom", "engelkes", "gaitanou", "khamees", "singh", "yaacob")
#: The normalisation: measured on the train tracks, row by row, or none.
MEASURED, NONE = (None, None), (0.0, 1.0)


@dataclass(frozen=True)
class Hears:
    """What a network is fed: ``rows × frames`` of ``seconds``; ``bank`` is the number and the style of the mel bands."""

    feature: str
    rows: int
    frames: int
    n_fft: int
    hop: int
    seconds: float = 3.0
    rate: int = 22050
    bank: tuple[int, str] | None = (128, "librosa")
    statistics: tuple[float | None, float | None] = MEASURED


@dataclass(frozen=True)
class Protocol:
    """The protocol of a row; a default is what most of the papers have in common."""

    hears: Hears
    split: str  # train/validation/test, and of what
    epochs: int
    network: str = ""  # without what its class has by default: five blocks, one LSTM, the plain recurrence
    data: str = "GTZAN"
    optimizer: str = "Adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    batch: int = 32
    keeps: tuple[str, str] | None = None  # the best epoch by this; None: the last one
    plateau: tuple[str, str, float, int] | None = None  # monitor, mode, factor, patience as Keras counts it
    stops: tuple[str, str, float, int] | None = None  # monitor, mode, least change, patience
    clip: tuple[float, str] | None = None
    callbacks: tuple[str, ...] = ()
    pretrained: bool | None = None  # ImageNet weights; None: there are none
    crops: int = 1  # of each train track or segment in an epoch
    augmentations: tuple[tuple[str, float], ...] = ()  # and the probability of each
    scored_on: int = 10  # segments of a track; of a segment, itself


# Singh and Gupta: n_fft 400, hop 200, torchaudio's defaults; lowest validation loss. Crops of 3 s are ours.
SPECTROGRAM = Hears("Spectrogram", rows=201, frames=331, n_fft=400, hop=200, bank=None)
SINGH_MEL = Hears("MelSpectrogram", rows=64, frames=331, n_fft=400, hop=200, bank=(64, "torchaudio"))
SINGH_MFCC = Hears("MFCC", rows=40, frames=331, n_fft=400, hop=200, bank=(128, "torchaudio"))
SINGH = Protocol(SINGH_MEL, split="official", epochs=50, keeps=("val_loss", "min"))
# The backbones are frozen: 5,130 and 12,810 trainable parameters.
PROBE = replace(SINGH, pretrained=True, callbacks=("LinearProbe",))

# Gaitanou et al.: 70/10/20 of 9,990 segments, inferred from 6,993 in the train part; of 999 full tracks, from 699.
SHORT = Hears("MFCC", rows=20, frames=331, n_fft=400, hop=200, bank=(128, "torchaudio"))
LONG = replace(SHORT, frames=3308, seconds=30.0)
GAITANOU = Protocol(SHORT, split="70/10/20 by segment of 3 s", epochs=30)
GAITANOU_INPUTS = {
    "": GAITANOU,
    "-331x40": replace(GAITANOU, hears=replace(SHORT, rows=40)),
    "-3308x20": replace(GAITANOU, hears=LONG, split="70/10/20 by track", scored_on=1),
    "-3308x40": replace(GAITANOU, hears=replace(LONG, rows=40), split="70/10/20 by track", scored_on=1),
}
# Four versions of each example are stated, 6,993 → 27,972 and 699 → 2,793, but not which; ours, so that one version in
# four, 0.707^4, is the original.
FOUR = (("Noise", 0.293), ("HighLowPass", 0.293), ("Delay", 0.293), ("Reverb", 0.293))
GAITANOU_CNN = {
    "": "GaitanouCNN()",
    "-331x40": "GaitanouCNN(bands=40)",
    "-3308x20": "GaitanouCNN(frames=3308)",
    "-3308x40": "GaitanouCNN(bands=40, frames=3308)",
}

# Yaacob and Goldrich, and the public CRNN that they build on: 640 frames of 128 mels.
YAACOB = Protocol(
    Hears("MelSpectrogram", rows=128, frames=640, n_fft=2048, hop=1024, seconds=29.7),
    data="FMA",
    split="official",
    epochs=70,
    keeps=("val_accuracy", "max"),
    plateau=("val_accuracy", "max", 0.5, 10),
    scored_on=1,
)

# Khamees et al.: 80/20 of the segments, and for CNN and LSTM a fifth of the 80 for validation; 50 epochs for all four
# networks, 30 for one more row of the CNN; the last epoch, as no other is named.
KHAMEES = Protocol(
    Hears("MFCC", rows=13, frames=130, n_fft=2048, hop=512),
    split="64/16/20 by segment of 3 s",
    epochs=50,
    lr=1e-4,
)
KHAMEES_MLP = replace(KHAMEES, split="80/0/20 by segment of 3 s")

# Liu et al. 2021: 647 frames, dB with reference 1, not normalised.
BBNN = Protocol(
    Hears("MelSpectrogram", rows=128, frames=647, n_fft=2048, hop=1024, seconds=30.02, statistics=NONE),
    network="BBNN()",
    split="80/10/10 by track",
    epochs=100,
    lr=0.01,
    batch=8,
    keeps=("val_accuracy", "max"),
    plateau=("train_loss", "min", 0.5, 3),
    stops=("train_loss", "min", 0.01, 10),
    callbacks=("EarlyStopping",),
    scored_on=1,
)
# Engelkes: 900 tracks train, 100 test, no validation part. Wu et al. 2018: 100 % from 75 epochs on; element-wise
# clipping. The input's size is ours.
WU = Protocol(
    Hears("MelSpectrogram", rows=128, frames=130, n_fft=2048, hop=512),
    split="90/0/10 by track",
    epochs=75,
    lr=2e-4,
    clip=(10, "value"),
)
# Choi et al. 2017 did not train on GTZAN: the input is theirs, the rest is ours.
CHOI = Protocol(
    Hears("MelSpectrogram", rows=96, frames=1366, n_fft=512, hop=256, seconds=29.12, rate=12000, bank=(96, "librosa")),
    network="ChoiCRNN()",
    split="80/10/10 by track",
    epochs=50,
    keeps=("val_loss", "min"),
    scored_on=1,
)

#: Every row of every paper's table, and the one recipe that has no table.
PROTOCOLS = {
    **{
        f"singh/{system}-{feature}": replace(protocol, network=network, hears=hears)
        for system, network, protocol in (
            ("spectral_cnn", "SpectralCNN()", SINGH),
            ("resnet18", "ResNet18()", PROBE),
            ("efficientnet_v2_s", "EfficientNetV2S()", PROBE),
        )
        for feature, hears in (("mel", SINGH_MEL), ("spectrogram", SPECTROGRAM), ("mfcc", SINGH_MFCC))
    },
    **{
        f"gaitanou/{system}{size}{suffix}": replace(protocol, network=network, crops=crops, augmentations=four)
        for size, protocol in GAITANOU_INPUTS.items()
        for system, network in (("cnn", GAITANOU_CNN[size]), ("crnn", "GaitanouCRNN()"))
        for suffix, crops, four in (("", 1, ()), ("-augmented", 4, FOUR))
    },
    "yaacob/crnn": replace(YAACOB, network="YaacobCRNN()"),
    "yaacob/crnn_stacked": replace(YAACOB, network="YaacobCRNN(recurrent_layers=2)"),
    "yaacob/rnn": replace(YAACOB, network="YaacobRNN()"),
    "yaacob/cnn_2d_deep": replace(YAACOB, network="YaacobCNN2D()"),
    "yaacob/cnn_2d_shallow": replace(YAACOB, network="YaacobCNN2D(layers=3)"),
    "yaacob/cnn_1d_deep": replace(YAACOB, network="YaacobCNN1D()"),
    "yaacob/cnn_1d_shallow": replace(YAACOB, network="YaacobCNN1D(layers=3)"),
    "khamees/mlp": replace(KHAMEES_MLP, network="KhameesMLP()"),
    "khamees/mlp_regularised": replace(KHAMEES_MLP, network="KhameesMLP(regularised=True)"),
    "khamees/cnn_30_epochs": replace(KHAMEES, network="KhameesCNN()", epochs=30),
    "khamees/cnn": replace(KHAMEES, network="KhameesCNN()"),
    "khamees/lstm": replace(KHAMEES, network="KhameesLSTM()"),
    "engelkes/bbnn": BBNN,
    "engelkes/indrnn": replace(WU, network="IndRNN(steps=130)"),  # T of the bound of u: the frames
    "engelkes/rnn": replace(WU, network="WuRNN()"),
    "engelkes/lstm": replace(WU, network="WuRNN(cell='lstm')"),
    "engelkes/choi_crnn": CHOI,
    "ballroom/bbnn": replace(BBNN, data="Ballroom"),  # as on GTZAN
}

#: What ``genre fit`` is told, row by row.
OPTIONS = {
    f"{plan.parent.name}/{row.name}": Cell(row, 0).options
    for plan in sorted(EXAMPLES.glob("*/table*.yaml"))
    for row in read_plan(plan).rows
} | {"engelkes/choi_crnn": [f"--config={EXAMPLES / 'engelkes' / 'choi_crnn.yaml'}"]}

#: The arguments that a protocol has, or that say where things lie. None of the others may be set by a recipe.
STATED = {
    "model": {"network", "genres", "optimizer", "scheduler"},
    "data": {"root", "features", "split", "segment_seconds", "evaluation_segments", "batch_size", "crops_per_track"}
    | {"augment_waveform", "cache", "seed"},
    # The last two are set by `genre fit` itself: how often is logged, what is printed.
    "trainer": {"max_epochs", "callbacks", "gradient_clip_val", "gradient_clip_algorithm"}
    | {"log_every_n_steps", "enable_model_summary"},
    "features": {"sample_rate", "n_mfcc", "n_fft", "hop_length", "n_mels", "norm", "mel_scale", "mean", "std"},
    "network": {"pretrained"},
}


class Untrained(GenreCLI):
    """What ``genre fit`` builds before it trains, with random weights in place of a download."""

    network = ""
    pretrained: bool | None = None

    def before_instantiate_classes(self) -> None:
        super().before_instantiate_classes()
        spec = self.config.model.network
        name, arguments = spec.class_path.rpartition(".")[2], spec.get("init_args") or {}
        own = changed(getattr(genre.models, name), arguments, besides=STATED["network"])
        self.network = f"{name}({', '.join(f'{key}={value!r}' for key, value in own.items())})"
        self.pretrained = arguments.get("pretrained")
        if self.pretrained is not None:
            arguments["pretrained"] = False


def changed(kind: Callable[..., Any], arguments: Mapping[str, Any], besides: Iterable[str] = ()) -> dict[str, Any]:
    """The arguments that are not at their defaults; an empty list is that of an empty tuple."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
    plain = {name: () if value == [] else value for name, value in arguments.items()}
    return {name: value for name, value in plain.items() if name not in besides and value != defaults[name]}


def unstated(cli: Untrained) -> dict[str, Any]:
    """What a recipe sets and its protocol does not have: label smoothing, mixup, a part of the tracks, …"""
    options, data = cli.config, cli.datamodule
    parts: dict[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
        "model": (GenreClassifier, vars(options.model)),
        "data": (type(data), vars(options.data.init_args)),
        "trainer": (pl.Trainer, vars(options.trainer)),
        "features": (type(data.features), to_config(data.features)["init_args"]),
    }
    return {
        f"{name}.{argument}": value
        for name, (kind, arguments) in parts.items()
        for argument, value in changed(kind, arguments, besides=STATED[name]).items()
    }


def hears(features: Feature, seconds: float) -> Hears:
    """As computed: the shape is that of noise of this length."""
    rows, frames = features.decibels(torch.rand(1, 1, round(seconds * features.sample_rate))).shape[-2:]
    arguments = to_config(features)["init_args"]
    bank = None
    if "n_mels" in arguments:
        style = (arguments["norm"], arguments["mel_scale"])
        styles = {("slaney", "slaney"): "librosa", (None, "htk"): "torchaudio"}
        bank = (arguments["n_mels"], styles.get(style, f"{style}"))
    return Hears(
        feature=type(features).__name__,
        rows=rows,
        frames=frames,
        n_fft=arguments["n_fft"],
        hop=arguments["hop_length"],
        seconds=seconds,
        rate=arguments["sample_rate"],
        bank=bank,
        statistics=(arguments["mean"], arguments["std"]),
    )


def shares(split: Split) -> str:
    """Such as ``80/10/10 by track``."""
    if isinstance(split, OfficialSplit):
        return "official"
    assert not isinstance(split, KFoldSplit), "the papers have no folds"
    assert isinstance(split, (SegmentSplit, StratifiedSplit))
    train = 1 - split.validation - split.test
    parts = "/".join(f"{100 * share:.6g}" for share in (train, split.validation, split.test))
    if isinstance(split, SegmentSplit):
        return f"{parts} by segment of {split.seconds:g} s"
    return f"{parts} by {'artist' if split.by_artist else 'track'}"


def protocol(cli: Untrained) -> Protocol:
    """What the objects say that ``genre fit`` would train with."""
    data, configured = cli.datamodule, cli.model.configure_optimizers()
    trainer: Any = cli.trainer
    optimizer, plateau = configured, None
    if isinstance(configured, dict):
        optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
        assert isinstance(scheduler, ReduceLROnPlateau)
        assert (scheduler.monitor, "epoch") == tuple(configured["lr_scheduler"][key] for key in ("monitor", "interval"))
        # Keras with patience N reduces the rate in the N-th bad epoch, PyTorch in the one after it.
        plateau = (scheduler.monitor, scheduler.mode, scheduler.factor, scheduler.patience + 1)
    ((lr, decay),) = {(group["lr"], group["weight_decay"]) for group in optimizer.param_groups}
    best, stop = trainer.checkpoint_callback, trainer.early_stopping_callback
    clip = trainer.gradient_clip_val
    return Protocol(
        hears=hears(data.features, data.segment_seconds),
        split=shares(data.split),
        epochs=trainer.max_epochs,
        network=cli.network,
        data=type(data).__name__,
        optimizer=type(optimizer).__name__,
        lr=lr,
        weight_decay=decay,
        batch=data.batch_size,
        keeps=(best.monitor, best.mode) if best.monitor else None,
        plateau=plateau,
        # min_delta is negated where less is better.
        stops=(stop.monitor, stop.mode, abs(stop.min_delta), stop.patience) if stop else None,
        clip=(clip, trainer.gradient_clip_algorithm.value) if clip else None,
        callbacks=tuple(spec.class_path.rpartition(".")[2] for spec in cli.config.trainer.callbacks or ()),
        pretrained=cli.pretrained,
        crops=data.crops_per_track,
        augmentations=tuple((type(module).__name__, module.probability) for module in data.augment_waveform),
        scored_on=data.evaluation_segments,
    )


@pytest.fixture(scope="module")
def fma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fma(tmp_path_factory.mktemp("fma"))


@pytest.fixture(scope="module")
def ballroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ballroom(tmp_path_factory.mktemp("ballroom"))


def test_every_recipe_has_a_protocol() -> None:
    assert {row for row in OPTIONS if not row.startswith("transfer/")} == set(PROTOCOLS)  # systems of no paper
    texts = {path: path.read_text(encoding="utf-8") for paper in PAPERS for path in (EXAMPLES / paper).glob("*.yaml")}
    recipes = {str(path) for path, text in texts.items() if "\nmodel:" in text}
    used = {option.removeprefix("--config=") for options in OPTIONS.values() for option in options}
    assert len(recipes) == 23
    assert recipes <= used


@pytest.mark.parametrize("row", PROTOCOLS)
def test_protocol(row: str, gtzan: Path, fma: Path, ballroom: Path, tmp_path: Path) -> None:
    root = {"yaacob": fma, "ballroom": ballroom}.get(row.partition("/")[0], gtzan)
    cli = Untrained("fit", [*OPTIONS[row], f"--data.root={root}", f"--runs_dir={tmp_path}"])
    assert protocol(cli) == PROTOCOLS[row]
    assert unstated(cli) == {}
