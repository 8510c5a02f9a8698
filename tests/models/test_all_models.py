"""What every model promises: logits for any batch, gradients everywhere, embeddings, readable errors."""

import importlib
import inspect
import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

import genre.models
from genre.errors import GenreError, SizeError
from genre.models import (
    BBNN,
    CNN,
    CRNN,
    ChoiCRNN,
    GaitanouCNN,
    GaitanouCRNN,
    IndRNN,
    KhameesCNN,
    KhameesLSTM,
    MusiCNN,
    WuRNN,
    YaacobCNN1D,
    YaacobCNN2D,
    YaacobCRNN,
    YaacobRNN,
)
from genre.models.head import find_head, penultimate

from .networks import ALL, MODELS, Build, Shape, network

# The published network ends on a flattened map, which fixes the number of frames.
FIXED = {"GaitanouCNN", "GaitanouCNN-40", "KhameesMLP", "KhameesMLP-regularised", "KhameesCNN"}

#: Units that enter the last layer, as the papers and the networks' docstrings have them.
EMBEDDINGS = {
    "SpectralCNN": 64, "ResNet18": 512, "EfficientNetV2S": 1280, "GaitanouCNN": 128, "GaitanouCRNN": 128,
    "ChoiCRNN": 32, "BBNN": 32, "IndRNN": 128, "WuRNN": 128, "KhameesMLP": 64, "KhameesCNN": 64, "KhameesLSTM": 64,
    "YaacobCRNN": 64, "YaacobRNN": 64, "YaacobCNN1D": 64, "YaacobCNN2D": 64, "MusiCNN": 200,
}  # fmt: skip

each_model = pytest.mark.parametrize(("name", "build", "shape"), MODELS, ids=[name for name, _, _ in MODELS])
each_name = pytest.mark.parametrize(("name", "shape"), [pytest.param(n, shape, id=n) for n, _, shape in MODELS])
each_variant_too = pytest.mark.parametrize(("name", "shape"), [pytest.param(n, shape, id=n) for n, _, shape in ALL])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_every_network_is_tested() -> None:
    tested = {name.partition("-")[0] for name, _, _ in MODELS}
    assert tested == EMBEDDINGS.keys()
    assert tested <= set(dir(genre.models))


@each_variant_too
@pytest.mark.parametrize("classes", [10, 3])
def test_logits(name: str, shape: Shape, classes: int) -> None:
    model = network(name, classes)
    for mode in (True, False):
        with torch.no_grad():
            logits = model.train(mode)(torch.randn(2, *shape))
        assert logits.shape == (2, classes)
        assert logits.isfinite().all()


@each_variant_too
def test_every_parameter_has_a_gradient(name: str, shape: Shape) -> None:
    model = network(name)
    loss = nn.functional.cross_entropy(model(torch.randn(3, *shape)), torch.arange(3))
    loss.backward()
    for parameter, value in model.named_parameters():
        assert value.grad is not None, parameter
        assert value.grad.isfinite().all(), parameter
    model.zero_grad()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.ones_(module.weight)  # timm's residual blocks begin with 0
    # Without the batch's own statistics, which cancel a bias before them, and without dropout, none is zero.
    model.eval()(torch.randn(3, *shape)).square().sum().backward()
    for parameter, value in model.named_parameters():
        assert value.grad is not None, parameter
        assert value.grad.abs().sum() > 0, parameter


@each_variant_too
def test_a_prediction_does_not_depend_on_its_batch(name: str, shape: Shape) -> None:
    model = network(name).double()  # untrained deep networks blow rounding up
    with torch.no_grad():
        model.train()(torch.randn(4, *shape).double())  # running statistics that are not the initial ones
        model.eval()
        batch = torch.randn(3, *shape).double() * torch.tensor([1e-2, 1.0, 10.0]).view(-1, 1, 1, 1)
        alone = torch.cat([model(x[None]) for x in batch])
        torch.testing.assert_close(model(batch), alone, rtol=1e-5, atol=1e-5)


@each_name
def test_any_number_of_frames_or_a_readable_error(name: str, shape: Shape) -> None:
    model = network(name).eval()
    for frames in (shape[2] + 1, shape[2] + 77):
        x = torch.randn(2, *shape[:2], frames)
        if name in FIXED:
            with pytest.raises(ValueError, match=rf"{shape[1]} bands by {shape[2]} frames.*{frames}") as error:
                model(x)
            assert "\n" not in str(error.value)
        else:
            with torch.no_grad():
                assert model(x).shape == (2, 10)


@each_name
def test_pictures_for_networks_of_one_channel(name: str, shape: Shape) -> None:
    with pytest.raises(SizeError, match=r"takes inputs of 1 channel: found 3") as error:
        network(name, 3)(torch.zeros(2, 3, *shape[1:]))
    assert "\n" not in str(error.value)


@each_name
def test_the_constructor_can_be_rebuilt_from_json(name: str, shape: Shape) -> None:
    first, *others = inspect.signature(type(network(name, 3))).parameters.values()
    assert first.name == "num_classes"
    assert first.default is inspect.Parameter.empty
    for parameter in others:
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        json.dumps(parameter.default)  # a type that is not plain raises


@pytest.fixture(scope="module")
def all_modules() -> list[type[nn.Module]]:
    """All classes of networks and layers that are imported."""
    for package in ("timm", "torchaudio", "torchmetrics", "torchvision"):
        importlib.import_module(package)
    classes: dict[type[nn.Module], None] = {}
    pending: list[type[nn.Module]] = [nn.Module]
    while pending:
        new = set(pending.pop().__subclasses__()) - classes.keys()
        classes |= dict.fromkeys(new)
        pending += new
    return list(classes)


@pytest.mark.parametrize("own", [getattr(genre.models, name) for name in dir(genre.models)])
def test_the_short_name_is_unambiguous(own: type[nn.Module], all_modules: list[type[nn.Module]]) -> None:
    """The command line looks a short class name up among all subclasses of ``nn.Module`` that are imported."""
    assert [cls for cls in all_modules if cls.__name__ == own.__name__] == [own]


@pytest.mark.parametrize(("short", "published"), [(CNN, GaitanouCNN), (CRNN, GaitanouCRNN)])
def test_short_names(short: type[nn.Module], published: type[nn.Module]) -> None:
    network, weights = short(10), published(10).state_dict()
    network.load_state_dict(weights)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


TOO_SMALL = [
    (lambda: GaitanouCRNN(10), (13, 130), "at least 19 bands by 19 frames: found 13 bands by 130 frames"),
    (lambda: BBNN(10), (128, 7), "at least 2 bands by 8 frames: found 128 bands by 7 frames"),
    (lambda: YaacobCRNN(10), (128, 35), "needs at least 36 frames: found 128 bands by 35 frames"),
    (lambda: YaacobCNN1D(10, blocks=5), (128, 155), "needs at least 156 frames: found 128 bands by 155 frames"),
    (lambda: YaacobCNN1D(10, blocks=3), (128, 35), "needs at least 36 frames: found 128 bands by 35 frames"),
    (lambda: YaacobCNN2D(10, blocks=5), (93, 130), "at least 94 bands by 94 frames: found 93 bands by 130 frames"),
    (lambda: YaacobCNN2D(10, blocks=3), (64, 21), "at least 22 bands by 22 frames: found 64 bands by 21 frames"),
]


@pytest.mark.parametrize(("build", "size", "message"), TOO_SMALL)
def test_too_small(build: Callable[[], nn.Module], size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()(torch.randn(2, 1, *size))


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (lambda: GaitanouCNN(10, bands=19, frames=19), (19, 19)),
        (lambda: GaitanouCRNN(10), (19, 19)),
        (lambda: KhameesCNN(10, bands=11, frames=11), (11, 11)),
        (lambda: BBNN(10), (2, 8)),
        (lambda: ChoiCRNN(10), (1, 1)),
        (lambda: MusiCNN(10, pretrained=False), (96, 1)),
        (lambda: YaacobCRNN(10), (128, 36)),
        (lambda: YaacobCNN1D(10, blocks=5), (128, 156)),
        (lambda: YaacobCNN1D(10, blocks=3), (128, 36)),
        (lambda: YaacobCNN2D(10, blocks=5), (94, 94)),
        (lambda: YaacobCNN2D(10, blocks=3), (22, 22)),
        (lambda: IndRNN(10), (128, 1)),
    ],
)
def test_the_smallest_input(build: Callable[[], nn.Module], size: tuple[int, int]) -> None:
    assert build().eval()(torch.randn(1, 1, *size)).isfinite().all()


@pytest.mark.parametrize("build", [lambda: GaitanouCNN(10, bands=13), lambda: KhameesCNN(10, bands=13, frames=10)])
def test_a_size_that_the_blocks_use_up(build: Callable[[], nn.Module]) -> None:
    with pytest.raises(ValueError, match="needs at least"):
        build()


@pytest.mark.parametrize("build", [IndRNN, WuRNN, KhameesLSTM, YaacobRNN, YaacobCRNN, YaacobCNN1D])
def test_other_bands(build: Build) -> None:
    with pytest.raises(ValueError, match=r"bands: found 77 bands by 200 frames; .* with bands: 77$"):
        build(10)(torch.randn(2, 1, 77, 200))


@each_name
def test_the_head_makes_the_logits_of_the_embeddings(name: str, shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[RemovableHandle] = []
    remove = RemovableHandle.remove

    def record(handle: RemovableHandle) -> None:
        removed.append(handle)
        remove(handle)

    monkeypatch.setattr(RemovableHandle, "remove", record)
    model = network(name, 3).eval()
    inputs = torch.randn(3, *shape)
    head_name, head = find_head(model)
    with torch.no_grad():
        vectors = penultimate(model, inputs)
        assert vectors.shape == (3, EMBEDDINGS[name.partition("-")[0]])
        torch.testing.assert_close(head(vectors), model(inputs))
        if hasattr(model, "backbone"):
            torch.testing.assert_close(vectors, model.get_submodule("backbone")(inputs))
    assert head.out_features == 3
    assert model.get_submodule(head_name) is head
    assert len(removed) == 1


class BackboneLast(nn.Module):
    """The backbone is registered last and has linear layers of its own; the head sees every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)
        self.backbone = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x)).mean((1, 2))
        return logits


def test_a_backbone_that_comes_last_and_a_head_on_frames() -> None:
    model, inputs = BackboneLast(), torch.randn(3, 1, 5, 4)
    assert find_head(model)[0] == "head"
    vectors = penultimate(model, inputs)
    assert vectors.shape == (3, 6)
    torch.testing.assert_close(vectors, model.backbone(inputs).mean((1, 2)))


class Headless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 6))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.backbone(x)
        return logits


class Unused(Headless):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)


@pytest.mark.parametrize(
    ("model", "message"),
    [(Headless(), "Headless has no head: found no nn.Linear outside"), (Unused(), "Unused does not call its last")],
)
def test_no_head(model: nn.Module, message: str) -> None:
    with pytest.raises(GenreError, match=message):
        penultimate(model, torch.randn(2, 1, 5, 4))
