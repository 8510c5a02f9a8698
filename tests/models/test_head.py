"""What enters the head, of every network of the library."""

import pytest
import torch
from torch import Tensor, nn

import genre.models
from genre.errors import GenreError
from genre.models.head import find_head, penultimate

from .test_all_models import MODELS, Build, each_model

#: Units that enter the last layer, as the papers and the networks' docstrings have them.
SIZES = {
    "SpectralCNN": 64, "ResNet18": 512, "EfficientNetV2S": 1280, "GaitanouCNN": 128, "GaitanouCRNN": 128,
    "ChoiCRNN": 32, "BBNN": 32, "IndRNN": 128, "WuRNN": 128, "KhameesMLP": 64, "KhameesCNN": 64, "KhameesLSTM": 64,
    "YaacobCRNN": 64, "YaacobRNN": 64, "YaacobCNN1D": 64, "YaacobCNN2D": 64, "MusiCNN": 200,
}  # fmt: skip


def test_every_network_is_tested() -> None:
    tested = {name.partition("-")[0] for name, _, _ in MODELS}
    assert tested == SIZES.keys()
    assert tested <= set(genre.models.__all__)


@each_model
def test_the_head_makes_the_logits_of_it(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    network = build(7).eval()
    inputs = torch.randn(3, *shape)
    head_name, head = find_head(network)
    with torch.no_grad():
        vectors = penultimate(network, inputs)
        assert vectors.shape == (3, SIZES[name.partition("-")[0]])
        torch.testing.assert_close(head(vectors), network(inputs))
        if hasattr(network, "backbone"):
            torch.testing.assert_close(vectors, network.backbone(inputs))
    assert head.out_features == 7
    assert network.get_submodule(head_name) is head
    assert not head._forward_pre_hooks


class BackboneLast(nn.Module):
    """The backbone is registered last and has linear layers of its own; the head sees every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)
        self.backbone = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x)).mean((1, 2))


def test_a_backbone_that_comes_last_and_a_head_on_frames() -> None:
    network, inputs = BackboneLast(), torch.randn(3, 1, 5, 4)
    assert find_head(network)[0] == "head"
    vectors = penultimate(network, inputs)
    assert vectors.shape == (3, 6)
    torch.testing.assert_close(vectors, network.backbone(inputs).mean((1, 2)))


class Headless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)


class Unused(Headless):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)


@pytest.mark.parametrize(
    ("network", "message"),
    [(Headless(), "Headless has no head: found no nn.Linear outside"), (Unused(), "Unused does not call its last")],
)
def test_no_head(network: nn.Module, message: str) -> None:
    with pytest.raises(GenreError, match=message):
        penultimate(network, torch.randn(2, 1, 5, 4))
