"""Weights of ImageNet backbones: from a file, from the hub's cache, or a line that says what to pass instead."""

from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from genre import GenreError
from genre.models import EfficientNetV2S, ResNet18
from genre.report.callback import count


@pytest.fixture(scope="module")
def imagenet() -> nn.Module:
    """A ResNet-18 as it is published: RGB, 1,000 classes; the weights are random."""
    torch.manual_seed(5)
    return timm.create_model("resnet18.tv_in1k", pretrained=False)


@pytest.mark.parametrize(
    ("network", "channels", "parameters"),
    [
        (ResNet18, 1, 11_175_370),
        (ResNet18, 3, 11_181_642),
        (EfficientNetV2S, 1, 20_189_866),
        (EfficientNetV2S, 3, 20_190_298),
    ],
)
def test_published_counts(network: type[nn.Module], channels: int, parameters: int) -> None:
    assert count(network(10, pretrained=False, in_channels=channels)) == parameters


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_local_file(imagenet: nn.Module, tmp_path: Path, ending: str) -> None:
    """All weights arrive; the RGB kernels of the first layer are summed."""
    path = tmp_path / f"resnet18.{ending}"
    state = imagenet.state_dict()
    torch.save(state, path) if ending == "pth" else safetensors.torch.save_file(state, path)
    backbone = ResNet18(10, pretrained=str(path)).backbone.state_dict()
    assert torch.allclose(backbone["conv1.weight"], state["conv1.weight"].sum(1, keepdim=True), atol=1e-6)
    assert backbone.keys() == state.keys() - {"fc.weight", "fc.bias"}
    assert all(torch.equal(backbone[name], state[name]) for name in backbone.keys() - {"conv1.weight"})


def test_filled_cache_of_the_hub(imagenet: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's layout: models--OWNER--NAME/{refs/main, blobs/…, snapshots/REVISION/FILE}; no network is asked."""
    repository = tmp_path / "models--timm--resnet18.tv_in1k"
    snapshot = repository / "snapshots" / "0123abc"
    for folder in (repository / "refs", repository / "blobs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123abc")
    safetensors.torch.save_file(imagenet.state_dict(), repository / "blobs" / "f00d")
    (snapshot / "model.safetensors").symlink_to("../../blobs/f00d")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_session", lambda: pytest.fail("the network was asked"))
    backbone = ResNet18(10).backbone
    assert torch.equal(backbone.layer1[0].conv1.weight, imagenet.layer1[0].conv1.weight)


def test_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_session", unreachable)
    with pytest.raises(GenreError, match=r"pass pretrained: FILE\.safetensors .* or pretrained: false") as found:
        ResNet18(10)
    assert "\n" not in str(found.value)


def test_bad_weights(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"other.weight": torch.ones(3)}, tmp_path / "other.pth")
    for value, message in {
        str(tmp_path / "text.pth"): "no weights for resnet18",
        str(tmp_path / "other.pth"): "no weights for resnet18",
        str(tmp_path / "gone.pth"): "is no file",
        "resnet50.a1_in1k": "no name of weights for resnet18",
    }.items():
        with pytest.raises(GenreError, match=message) as found:
            ResNet18(10, pretrained=value)
        assert "\n" not in str(found.value)
