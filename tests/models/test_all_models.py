"""What every model promises: logits for any batch, gradients everywhere, readable errors."""

import importlib
import inspect
import json
from collections.abc import Callable

import pytest
import torch
from torch import nn

from genre.models import (
    ChoiCRNN,
    EfficientNetV2S,
    GaitanouCNN,
    GaitanouCRNN,
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
from genre.models.bbnn import BBNN
from genre.models.indrnn import IndRNN
from genre.models.musicnn import MusiCNN

Build = Callable[[int], nn.Module]

# name, num_classes → model, input without the batch (short where the network allows it)
MODELS: list[tuple[str, Build, tuple[int, int, int]]] = [
    ("SpectralCNN", lambda k: SpectralCNN(k), (1, 64, 130)),
    ("ResNet18", lambda k: ResNet18(k, pretrained=False), (1, 64, 64)),
    ("EfficientNetV2S", lambda k: EfficientNetV2S(k, pretrained=False), (1, 64, 64)),
    ("MusiCNN", lambda k: MusiCNN(k, pretrained=False), (1, 96, 100)),
    ("GaitanouCNN", lambda k: GaitanouCNN(k), (1, 20, 331)),
    ("GaitanouCNN-40", lambda k: GaitanouCNN(k, bands=40), (1, 40, 331)),
    ("GaitanouCRNN", lambda k: GaitanouCRNN(k), (1, 20, 331)),
    ("ChoiCRNN", lambda k: ChoiCRNN(k), (1, 96, 200)),
    ("BBNN", lambda k: BBNN(k), (1, 64, 80)),
    ("IndRNN", lambda k: IndRNN(k), (1, 128, 130)),
    ("IndRNN-before", lambda k: IndRNN(k, norm="before", dropout=0.2), (1, 128, 130)),
    ("WuRNN-rnn", lambda k: WuRNN(k), (1, 128, 130)),
    ("WuRNN-lstm", lambda k: WuRNN(k, cell="lstm", dropout=0.2), (1, 128, 130)),
    ("KhameesMLP", lambda k: KhameesMLP(k), (1, 13, 130)),
    ("KhameesMLP-regularised", lambda k: KhameesMLP(k, regularised=True), (1, 13, 130)),
    ("KhameesCNN", lambda k: KhameesCNN(k), (1, 13, 130)),
    ("KhameesLSTM", lambda k: KhameesLSTM(k), (1, 13, 130)),
    ("YaacobCRNN", lambda k: YaacobCRNN(k), (1, 128, 160)),
    ("YaacobCRNN-stacked", lambda k: YaacobCRNN(k, lstm_layers=2), (1, 128, 160)),
    ("YaacobRNN", lambda k: YaacobRNN(k), (1, 128, 160)),
    ("YaacobCNN1D-deep", lambda k: YaacobCNN1D(k, blocks=5), (1, 128, 160)),
    ("YaacobCNN1D-shallow", lambda k: YaacobCNN1D(k, blocks=3), (1, 128, 160)),
    ("YaacobCNN2D-deep", lambda k: YaacobCNN2D(k, blocks=5), (1, 128, 160)),
    ("YaacobCNN2D-shallow", lambda k: YaacobCNN2D(k, blocks=3), (1, 128, 160)),
]

# The published network ends on a flattened map, which fixes the number of frames.
FIXED = {"GaitanouCNN", "GaitanouCNN-40", "KhameesMLP", "KhameesMLP-regularised", "KhameesCNN"}

each_model = pytest.mark.parametrize(("name", "build", "shape"), MODELS, ids=[name for name, _, _ in MODELS])


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@each_model
@pytest.mark.parametrize("classes", [10, 3])
def test_logits(name: str, build: Build, shape: tuple[int, int, int], classes: int) -> None:
    model = build(classes)
    for mode in (True, False):
        logits = model.train(mode)(torch.randn(2, *shape))
        assert logits.shape == (2, classes)
        assert logits.isfinite().all()


@each_model
def test_every_parameter_has_a_gradient(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    model = build(10)
    loss = nn.functional.cross_entropy(model(torch.randn(3, *shape)), torch.arange(3))
    loss.backward()
    for parameter, value in model.named_parameters():
        assert value.grad is not None, parameter
        assert value.grad.isfinite().all(), parameter
    model.zero_grad()
    for norm in norms(model):
        nn.init.ones_(norm.weight)  # timm's residual blocks begin with 0
    # Without the batch's own statistics, which cancel a bias before them, and without dropout, none is zero.
    model.eval()(torch.randn(3, *shape)).square().sum().backward()
    for parameter, value in model.named_parameters():
        assert value.grad.abs().sum() > 0, parameter


@each_model
def test_a_prediction_does_not_depend_on_its_batch(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    model = build(10).double()  # untrained deep networks blow rounding up
    with torch.no_grad():
        model.train()(torch.randn(4, *shape).double())  # running statistics that are not the initial ones
        model.eval()
        batch = torch.randn(3, *shape).double() * torch.tensor([1e-2, 1.0, 10.0]).view(-1, 1, 1, 1)
        alone = torch.cat([model(x[None]) for x in batch])
        torch.testing.assert_close(model(batch), alone, rtol=1e-5, atol=1e-5)


@each_model
def test_any_number_of_frames_or_a_readable_error(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    model = build(10).eval()
    for frames in (shape[2] + 1, shape[2] + 77):
        x = torch.randn(2, *shape[:2], frames)
        if name in FIXED:
            with pytest.raises(ValueError, match=rf"{shape[1]} bands by {shape[2]} frames.*{frames}") as error:
                model(x)
            assert "\n" not in str(error.value)
        else:
            assert model(x).shape == (2, 10)


@each_model
def test_the_constructor_can_be_rebuilt_from_json(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    first, *others = inspect.signature(type(build(2))).parameters.values()
    assert first.name == "num_classes"
    assert first.default is inspect.Parameter.empty
    for parameter in others:
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        json.dumps(parameter.default)  # a type that is not plain raises


@each_model
def test_the_short_name_is_unambiguous(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    """The command line looks a short class name up among all subclasses of ``nn.Module`` that are imported."""
    for package in ("timm", "torchaudio", "torchmetrics", "torchvision"):
        importlib.import_module(package)
    own, classes, seen = type(build(2)), [nn.Module], set()
    while classes:
        for subclass in classes.pop().__subclasses__():
            if subclass not in seen:
                seen.add(subclass)
                classes.append(subclass)
                assert subclass is own or subclass.__name__ != own.__name__, subclass
    assert own in seen


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
