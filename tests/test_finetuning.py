"""What is frozen, what trains, and how fast."""

from collections.abc import Callable
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from genre import GenreError, GradualUnfreezing, LinearProbe
from genre.finetuning import backbone_layers, parameter_groups, scale_learning_rates
from genre.models import EfficientNetV2S, IndRNN, ResNet18, SpectralCNN
from genre.report.callback import count


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
def test_layers_hold_every_parameter_once(
    network: type[ResNet18 | EfficientNetV2S], first: str, last: str, number: int
) -> None:
    backbone = network(10, pretrained=False).backbone
    found = backbone_layers(backbone)
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
    assert optimizer.param_groups[-1]["params"][0] is network.backbone.get_parameter("conv1.weight")
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


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_vectors_of_indrnn_do_not_decay(kind: Callable[..., torch.optim.Optimizer]) -> None:
    """Without a gradient, a step is decay alone: of the matrices, by lr · weight_decay, and of nothing else."""
    network = IndRNN(10, bands=8, units=16, layers=2)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    kind(parameter_groups(network, 1.0), lr=0.1, weight_decay=0.5).step()
    after = dict(network.named_parameters())
    matrices = {"layers.0.linear.weight", "layers.1.linear.weight", "classifier.weight"}
    assert {name for name in before if not torch.equal(after[name], before[name])} == matrices
    assert all(torch.allclose(after[name], 0.95 * before[name]) for name in matrices)


def test_vectors_of_indrnn_are_a_group_of_their_own() -> None:
    network = IndRNN(10, bands=8, units=16, layers=2)
    matrices, vectors = parameter_groups(network, 1.0)
    assert matrices.keys() == {"params"}
    assert vectors["weight_decay"] == 0
    expected = [[p for p in network.parameters() if p.ndim == ndim] for ndim in (2, 1)]
    for group, parameters in zip((matrices, vectors), expected, strict=True):
        assert [id(p) for p in group["params"]] == [id(p) for p in parameters]


def test_plain_network_has_the_one_group_it_always_had() -> None:
    network = SpectralCNN(10)
    (group,) = parameter_groups(network, 1.0)
    assert group.keys() == {"params"}
    assert [id(p) for p in group["params"]] == [id(p) for p in network.parameters()]


class Spared(ResNet18):
    def no_weight_decay(self) -> set[str]:
        return {name for name, parameter in self.named_parameters() if parameter.ndim == 1}


def test_no_weight_decay_within_each_layer() -> None:
    network = Spared(10, pretrained=False)
    groups = parameter_groups(network, 0.5)
    assert [group["lr_scale"] for group in groups] == [0.5 ** (index // 2) for index in range(12)]
    assert [group.get("weight_decay") for group in groups] == [None, 0.0] * 6
    assert all((p.ndim == 1) is ("weight_decay" in group) for group in groups for p in group["params"])
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())


def test_network_without_a_backbone() -> None:
    with pytest.raises(GenreError, match="SpectralCNN has no backbone"):
        parameter_groups(SpectralCNN(10), 0.5)
    module = pl.LightningModule()
    module.network = SpectralCNN(10)
    with pytest.raises(GenreError, match="SpectralCNN has no backbone"):
        partial(LinearProbe().setup, stage="fit")(pl.Trainer(logger=False), module)


@pytest.mark.parametrize("freeze_statistics", [False, True])
def test_batch_norm_statistics_of_unfrozen_layers(freeze_statistics: bool) -> None:
    """The weights train; the statistics follow only where they are to."""
    module = pl.LightningModule()
    network = module.network = ResNet18(10, pretrained=False)
    callback = GradualUnfreezing(0, 0, freeze_statistics)
    callback.on_train_batch_start(pl.Trainer(logger=False), module, None, 0)
    before = {name: value.clone() for name, value in network.backbone.state_dict().items() if "running" in name}
    assert network(torch.randn(4, 1, 64, 64)).requires_grad
    after = network.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items()) is freeze_statistics
    assert all(parameter.requires_grad for parameter in network.parameters())
