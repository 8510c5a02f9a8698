"""What is frozen, what trains, and how fast."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from genre import GenreError, LinearProbe
from genre.finetuning import layers, parameter_groups, scale_learning_rates
from genre.models import EfficientNetV2S, ResNet18, SpectralCNN
from genre.report import count


@pytest.mark.parametrize(("network", "head"), [(ResNet18, 5130), (EfficientNetV2S, 12810)])
def test_linear_probe_trains_the_head_alone(network: type[nn.Module], head: int) -> None:
    """5,130 and 12,810 trainable parameters: those behind the published figures of Singh and Gupta."""
    module = pl.LightningModule()
    module.network = network(10, pretrained=False)
    LinearProbe().setup(pl.Trainer(logger=False), module, "fit")
    assert count(module.network, trainable=True) == head
    assert all(name.startswith("head.") for name, p in module.network.named_parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("network", "first", "last", "number"),
    [(ResNet18, "conv1.weight", "layer4.1.bn2.bias", 5), (EfficientNetV2S, "conv_stem.weight", "bn2.bias", 7)],
)
def test_layers_hold_every_parameter_once(network: type[nn.Module], first: str, last: str, number: int) -> None:
    backbone = network(10, pretrained=False).backbone
    found = layers(backbone)
    names = [name for layer in found for name in layer]
    assert sorted(names) == sorted(name for name, _ in backbone.named_parameters())
    assert first in found[0]
    assert last in found[-1]
    assert len(found) == number


def test_learning_rates_fall_from_head_to_stem() -> None:
    network = ResNet18(10, pretrained=False)
    optimizer = torch.optim.AdamW(parameter_groups(network, 0.5), lr=0.8)
    scale_learning_rates(optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.05, 0.025])
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))
    assert optimizer.param_groups[-1]["params"][0] is network.backbone.conv1.weight
    step = StepLR(optimizer, 1, gamma=0.1)
    optimizer.step()
    step.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.08, 0.04, 0.02, 0.01, 0.005, 0.0025])


def test_one_cycle_keeps_the_ratios() -> None:
    """At every step of the cycle, the layers' rates stand in the ratio of the decay."""
    optimizer = torch.optim.AdamW(parameter_groups(ResNet18(10, pretrained=False), 0.5), lr=1.0)
    scale_learning_rates(optimizer)
    schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    scale_learning_rates(optimizer)
    peaks = torch.zeros(6)
    for _ in range(19):
        rates = torch.tensor([group["lr"] for group in optimizer.param_groups])
        assert torch.allclose(rates / rates[0], 0.5 ** torch.arange(6.0))
        peaks = torch.maximum(peaks, rates)
        optimizer.step()
        schedule.step()
    assert peaks[0] == pytest.approx(0.1, rel=0.05)


def test_network_without_a_backbone() -> None:
    with pytest.raises(GenreError, match="SpectralCNN has no backbone"):
        parameter_groups(SpectralCNN(10), 0.5)
    module = pl.LightningModule()
    module.network = SpectralCNN(10)
    with pytest.raises(GenreError, match="SpectralCNN has no backbone"):
        partial(LinearProbe().setup, stage="fit")(pl.Trainer(logger=False), module)
