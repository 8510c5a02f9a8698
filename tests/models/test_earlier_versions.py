"""Checkpoints of earlier versions still give the network that they were saved from."""

import pytest
import torch
from torch import Tensor, nn

import genre.models
from genre.config import factory, from_config

# What a checkpoint of an earlier version says and holds: class path, arguments, input; number of tensors, first and
# last name; and the logits of the first three classes that the network gave with weights and input by formula.
OLD: dict[str, tuple[dict[str, object], int, tuple[int, int], tuple[int, str, str], list[float]]] = {
    "cnn.GaitanouCNN": (
        {"bands": 20, "frames": 331}, 10, (20, 331),
        (32, "convolutions.0.weight", "head.4.bias"), [0.005888, -0.021488, -0.052786],
    ),
    "crnn.GaitanouCRNN": (
        {}, 10, (20, 331), (40, "convolutions.0.weight", "head.3.bias"), [-0.297431, 0.96335, -0.265032],
    ),
    "cnn.KhameesCNN": (
        {}, 10, (13, 130), (25, "convolutions.0.weight", "head.4.bias"), [0.038436, -0.314208, -0.477899],
    ),
    "mlp.KhameesMLP": (
        {"regularised": True}, 10, (13, 130), (8, "hidden.1.weight", "classifier.bias"), [0.061852, 0.619684, 0.614665],
    ),
    "rnn.KhameesLSTM": (
        {"bands": 13}, 10, (13, 130), (12, "lstm.weight_ih_l0", "head.3.bias"), [0.009753, -0.475422, -0.336187],
    ),
    "rnn.WuRNN": (
        {"cell": "lstm", "units": 128}, 10, (128, 40),
        (47, "recurrences.0.weight_ih_l0", "classifier.bias"), [0.064222, 0.375502, -0.571588],
    ),
    "indrnn.IndRNN": (
        {"steps": 647}, 10, (128, 40), (42, "layers.0.u", "classifier.bias"), [0.405838, -0.33339, 0.167133],
    ),
    "yaacob.YaacobCRNN": (
        {"lstm_layers": 2}, 8, (128, 160),
        (33, "convolutions.0.weight", "head.classifier.bias"), [0.013794, 0.393565, 0.486087],
    ),
    "yaacob.YaacobRNN": (
        {}, 8, (128, 60), (8, "lstm.weight_ih_l0", "head.classifier.bias"), [-0.006927, 0.484875, 0.482001],
    ),
    "yaacob.YaacobCNN1D": (
        {"blocks": 3}, 8, (128, 60),
        (25, "convolutions.0.weight", "head.classifier.bias"), [0.045712, -0.298114, -0.454259],
    ),
    "yaacob.YaacobCNN2D": (
        {"blocks": 3}, 8, (40, 60),
        (25, "convolutions.0.weight", "head.classifier.bias"), [0.045831, -0.297978, -0.454115],
    ),
}  # fmt: skip


def by_formula(name: str, place: int, like: Tensor) -> Tensor:
    """Weights that any version can be given: sines, small enough for many layers."""
    if not like.is_floating_point():
        return like
    values = torch.arange(like.numel(), dtype=torch.float64).mul(0.37 + place).sin().view_as(like)
    if name.endswith("running_var"):
        return values.abs() + 0.5
    scaled: Tensor = values / max(1, like[0].numel() if like.ndim > 1 else 4) ** 0.5
    return scaled


@pytest.mark.parametrize("path", OLD)
def test_checkpoints_of_earlier_versions(path: str) -> None:
    """Their class paths, arguments and weights still give the network that they were saved from."""
    arguments, classes, size, (count, first, last), expected = OLD[path]
    model = from_config({"class_path": f"genre.models.{path}", "init_args": arguments}, nn.Module, classes)
    state = {name: by_formula(name, place, value) for place, (name, value) in enumerate(model.state_dict().items())}
    assert (len(state), next(iter(state)), list(state)[-1]) == (count, first, last)
    model.double().load_state_dict(state)
    x = torch.arange(size[0] * size[1], dtype=torch.float64).mul(0.01).sin().view(1, 1, *size)
    with torch.no_grad():
        logits = model.eval()(x)[0, :3]
    assert logits.tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("path", ["cnn.GaitanouCNN", "crnn.GaitanouCRNN", "rnn.WuRNN"])
def test_a_class_whose_file_is_gone_before_its_first_use(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new interpreter, where the package has not imported the class yet."""
    name = path.rpartition(".")[2]
    monkeypatch.delitem(vars(genre.models), name, raising=False)
    assert factory({"class_path": f"genre.models.{path}", "init_args": {}}, nn.Module).func is getattr(
        genre.models, name
    )
