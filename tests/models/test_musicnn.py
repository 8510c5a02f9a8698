"""MusiCNN: equal to the original on its real weights; trained, frozen, saved and loaded like any network with a backbone."""

import json
import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

import genre
from genre import GenreClassifier, GenreError, GradualUnfreezing, LinearProbe
from genre.config import from_config, to_config
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.errors import SizeError
from genre.finetuning import backbone_layers, parameter_groups, scale_learning_rates, warn_of_other_features
from genre.models import IndRNN, MusiCNN
from genre.models.musicnn import TAGS

from .networks import count

#: What the original, in TensorFlow, gives for a signal.
REFERENCE = json.loads(Path(__file__).with_name("musicnn_reference.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def clip() -> Tensor:
    """The features ``(1, 1, 96, 187)`` of the signal of the reference."""
    t = np.arange(48000) / 16000
    wave = 0.3 * np.sin(2 * np.pi * (220 + 60 * t) * t)
    wave += 0.2 * np.sin(2 * np.pi * 1760 * t) * (t % 0.5 < 0.1) + 0.1 * np.sign(np.sin(2 * np.pi * 55 * t))
    mel: Tensor = MusiCNN.features()(torch.from_numpy(wave.astype(np.float32))[None, None])
    assert mel.shape == (1, 1, 96, 188)
    return mel[..., :187]


@pytest.fixture(scope="module", params=["msd", "mtt"])
def tagger(request: pytest.FixtureRequest, musicnn: Path) -> tuple[str, MusiCNN]:
    return request.param, MusiCNN.tagger(request.param)


def test_equal_to_the_original(tagger: tuple[str, MusiCNN], clip: Tensor) -> None:
    """The reference is printed with 6 digits (tags) and 5 (units)."""
    weights, network = tagger
    expected = REFERENCE[weights]
    with torch.no_grad():
        tags, units = network(clip).sigmoid()[0], network.backbone(clip)[0]
        backbone = network.backbone
        front = backbone.frontend(clip)
        pooled = torch.stack([front.amax(2), front.mean(2)], 2)[0, :5]
    assert dict(zip(TAGS[weights], tags.tolist(), strict=True)) == pytest.approx(expected["tags"], abs=1e-5)
    assert list(expected["tags"]) == list(TAGS[weights])
    assert units[:5].tolist() == pytest.approx(expected["penultimate"], abs=1e-5)
    assert pooled[:, 0].tolist() == pytest.approx(expected["max_pool"], rel=1e-5, abs=1e-5)
    assert pooled[:, 1].tolist() == pytest.approx(expected["mean_pool"], rel=1e-5, abs=1e-5)


def test_a_classifier_has_the_backbone_of_the_tagger(tagger: tuple[str, MusiCNN], clip: Tensor) -> None:
    weights, network = tagger
    torch.manual_seed(0)
    classifier = MusiCNN(10, weights).eval()
    assert torch.equal(classifier.backbone(clip), network.backbone(clip))
    assert classifier.head.out_features == 10
    assert classifier(clip).shape == (1, 10)
    assert count(classifier) == 779_119
    assert count(network) == 787_159


def test_true_is_msd(musicnn: Path) -> None:
    """`genre benchmark --pretrained true` says so to every network."""
    states = [MusiCNN(10, pretrained).backbone.state_dict() for pretrained in (True, "msd")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_prediction_does_not_depend_on_its_batch(tagger: tuple[str, MusiCNN], clip: Tensor) -> None:
    _, network = tagger
    batch = torch.cat([0 * clip, clip, clip.flip(-1), 3 * clip])
    with torch.no_grad():
        alone = torch.cat([network(x[None]) for x in batch])
        torch.testing.assert_close(network(batch), alone, rtol=1e-4, atol=1e-4)
        assert (alone[0] - alone[1]).abs().max() > 0.1


@pytest.mark.parametrize("frames", [1, 2, 100, 188, 400])
def test_any_number_of_frames(frames: int) -> None:
    network = MusiCNN(10, pretrained=False).eval()
    assert network(torch.rand(2, 1, 96, frames)).isfinite().all()


def test_other_bands() -> None:
    message = r"MusiCNN needs 96 bands: found 64 bands by 187 frames; .*musicnn_features\.yaml$"
    with pytest.raises(SizeError, match=message):
        MusiCNN(10, pretrained=False)(torch.rand(2, 1, 64, 187))


def test_loud_music_stays_finite(tagger: tuple[str, MusiCNN]) -> None:
    """The original's float16 overflows at a power of 6.5, and gives NaN."""
    mel = MusiCNN.features()(torch.sign(torch.sin(2 * torch.pi * 60 * torch.arange(48000) / 16000)))
    assert mel.max() > np.log10(65504)
    assert tagger[1](mel[None, None]).isfinite().all()


def module_of(network: nn.Module) -> pl.LightningModule:
    module = pl.LightningModule()
    module.network = network
    return module


def test_linear_probe(clip: Tensor, musicnn: Path) -> None:
    """A step trains the head alone: what the backbone gives stays the same to the bit, in training, too."""
    network = MusiCNN(10)
    module = module_of(network)
    LinearProbe().setup(pl.Trainer(logger=False), module, "fit")
    assert count(network, trainable=True) == 2010
    before = network.backbone(clip)
    network.train()
    LinearProbe().on_train_batch_start(pl.Trainer(logger=False), module, None, 0)
    optimizer = torch.optim.AdamW(parameter_groups(network, 1.0), lr=0.1)
    batch = torch.cat([clip, clip.flip(-1)])
    nn.functional.cross_entropy(network(batch), torch.tensor([0, 1])).backward()
    head = network.head.weight.detach().clone()
    optimizer.step()
    assert not torch.equal(network.head.weight, head)
    assert torch.equal(network.backbone(clip), before)


def test_gradual_unfreezing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epoch by epoch the back end, the three dense layers from last to first, the front end."""
    network, callback = MusiCNN(10, pretrained=False), GradualUnfreezing(1, 1)
    trainer = pl.Trainer(logger=False)
    parts = ["backend", "midend3", "midend2", "midend1", "frontend"]
    for epoch in range(7):
        monkeypatch.setattr(pl.Trainer, "current_epoch", epoch)
        network.train()
        callback.on_train_batch_start(trainer, module_of(network), None, 0)
        free = {name.split(".")[0] for name, value in network.backbone.named_parameters() if value.requires_grad}
        assert free == set(parts[:epoch])
        for part in parts:
            modules = getattr(network.backbone, part).modules()
            norms = [module for module in modules if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
            assert norms
            assert all(norm.training is (part in parts[:epoch]) for norm in norms)


def test_layer_decay() -> None:
    network = MusiCNN(10, pretrained=False)
    names = backbone_layers(network.backbone)
    assert [{name.split(".")[0] for name in layer} for layer in names] == [
        {"frontend"}, {"midend1"}, {"midend2"}, {"midend3"}, {"backend"}
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(parameter_groups(network, 0.5), lr=0.8)
    scale_learning_rates(optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.05, 0.025])
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))
    assert optimizer.param_groups[0]["params"] == [network.head.weight, network.head.bias]


def test_gradients_of_the_real_weights(clip: Tensor, musicnn: Path) -> None:
    network = MusiCNN(10).train()
    batch = torch.cat([clip, clip.flip(-1), 0.5 * clip])
    nn.functional.cross_entropy(network(batch), torch.arange(3)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_the_short_way_of_the_gradient() -> None:
    """The filters that apply the scale and the offset of the norm give what the norm itself would give."""
    torch.manual_seed(0)
    front = MusiCNN(10, pretrained=False).double().eval().backbone.frontend
    nn.init.constant_(front.norm.weight, 0.7)
    nn.init.constant_(front.norm.bias, -0.3)
    nn.init.constant_(front.norm.get_buffer("running_mean"), 0.2)
    x = torch.rand(2, 1, 96, 20).double()
    results = []
    for output in (torch.cat([f(front.norm(x)) for f in (*front.timbral, *front.temporal)], 1), front(x)):
        front.zero_grad()
        (output * torch.linspace(-1, 1, output.numel()).double().view_as(output)).sum().backward()
        results.append([output, *(parameter.grad for parameter in front.parameters())])
    torch.testing.assert_close(*results)
    before = front.norm.get_buffer("running_mean").clone()
    front.train()(x)
    assert front.norm.running_mean == pytest.approx((0.99 * before + 0.01 * x.mean()).item())


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_is_a_share(dropout: float) -> None:
    with pytest.raises(GenreError, match="dropout is the share that is dropped"):
        MusiCNN(10, pretrained=False, dropout=dropout)


def data_of(folder: Path, features: MelSpectrogram) -> Folder:
    split = StratifiedSplit(test=0.25, by_artist=True)
    return Folder(folder, features, split, segment_seconds=0.8, batch_size=6, num_workers=0)


def test_fit_save_and_load(
    folder: Path, tmp_path: Path, musicnn: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A checkpoint stands for itself: it predicts where the weights that it began with are gone."""
    data = data_of(folder, MusiCNN.features())
    classifier = GenreClassifier(partial(MusiCNN, pretrained="mtt"), data.genres, layer_decay=0.5)
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=1, limit_val_batches=1, logger=False, accelerator="cpu",
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, "genre"):
        trainer.fit(classifier, datamodule=data)
    assert not [record for record in caplog.records if record.name.startswith("genre")]
    trainer.save_checkpoint(tmp_path / "mine.ckpt")
    monkeypatch.setattr("genre.models.musicnn.read_weights", lambda *_: pytest.fail("the weights were read again"))
    predictor = genre.load(tmp_path / "mine.ckpt")
    state, expected = predictor.network.state_dict(), classifier.network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)
    assert to_config(predictor.features) == to_config(MusiCNN.features())
    prediction = predictor.predict(next(folder.rglob("*.wav")))
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-5)


OTHERS: dict[str, tuple[Any, str]] = {
    "bands": (
        {"n_mels": 128},
        "n_mels 128 instead of 96",
    ),
    "all": (
        {"sample_rate": 22050, "mean": None, "std": None, "compression": "decibels", "pad_mode": "reflect"},
        "sample_rate 22050 instead of 16000, mean None instead of 0.0, std None instead of 1.0, pad_mode reflect instead "
        "of constant, compression decibels instead of log10",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_features_are_told_in_one_line(name: str, musicnn: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments, differences = OTHERS[name]
    features = MelSpectrogram(**(to_config(MusiCNN.features())["init_args"] | arguments))
    warn_of_other_features(MusiCNN(10), features)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"MusiCNN was trained on other features than the data gives: {differences}; the features that fit are those of "
        "MusiCNN.pretrained_features()"
    )


def test_a_fit_on_other_features_is_warned_of(folder: Path, musicnn: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once at the start of a fit. Without pretrained weights, or a backbone that says nothing, there is nothing to say."""
    features = to_config(MusiCNN.features())["init_args"] | {"hop_length": 128}
    for network, lines in ((MusiCNN, 1), (partial(MusiCNN, pretrained=False), 0), (partial(IndRNN, bands=96), 0)):
        caplog.clear()
        data = data_of(folder, MelSpectrogram(**features))
        trainer = pl.Trainer(
            max_epochs=1, limit_train_batches=0, limit_val_batches=0, logger=False, accelerator="cpu",
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(GenreClassifier(network, data.genres), datamodule=data)
        messages = [record.getMessage() for record in caplog.records if record.name.startswith("genre")]
        assert len(messages) == lines
        assert all("hop_length 128 instead of 256" in message for message in messages)


def test_features_of_a_class_of_their_own(musicnn: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_other_features(MusiCNN(10), genre.audio.MFCC(n_mfcc=96))
    (record,) = caplog.records
    assert "MusiCNN was trained on MelSpectrogram(sample_rate=16000, " in record.getMessage()
    assert "the data gives MFCC(" in record.getMessage()


def test_features_in_the_examples() -> None:
    from genre.recipes import read_yaml

    path = Path(__file__).parents[2] / "examples/transfer/musicnn_features.yaml"
    config = read_yaml(path)
    assert config["class_path"] == "genre.audio.MelSpectrogram"
    assert to_config(from_config(config, MelSpectrogram)) == to_config(MusiCNN.features())


def test_the_package_is_never_imported(tagger: tuple[str, MusiCNN]) -> None:
    assert "musicnn" not in sys.modules
