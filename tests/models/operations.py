"""What a network computes, operation by operation, in words; the notation is that of ``test_operations.py``."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


def computed(model: nn.Module, bands: int, frames: int) -> list[str]:
    """What a network computes in training, one line for each operation."""
    x = torch.randn(2, 1, bands, frames)
    operations = Operations()
    with operations:
        model.train()(x)
    return operations.seen


def split(layers: str) -> list[str]:
    return [layer.strip() for layer in re.split("[,\n]", layers) if layer.strip()]


class Operations(TorchFunctionMode):
    """Sees every operation on tensors, whether a module or the network's own code calls for it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple) and result else result
        # Sizes, devices and batch norm's counter of batches are no layers.
        if isinstance(first, Tensor) and first.is_floating_point() and func.__name__ not in LAYOUT.split():
            self.seen += described(func.__name__, args, kwargs or {})
        return result


#: Operations that leave the numbers as they are.
LAYOUT = (
    "__get__ __getitem__ contiguous expand flatten new_empty permute reshape squeeze to transpose unbind unsqueeze "
    "view view_as zeros"
)

#: Names of the arguments that a call may give by position.
ARGUMENTS = {
    "conv": "input weight bias stride padding dilation groups",
    "linear": "input weight bias",
    "batch_norm": "input mean var weight bias training momentum eps",
    "max_pool": "input kernel_size stride padding dilation ceil_mode",
    "avg_pool": "input kernel_size stride padding ceil_mode",
    "adaptive_max_pool": "input output_size",
    "adaptive_avg_pool": "input output_size",
    "pad": "input pad mode value",
    "dropout": "input p training",
    "leaky_relu": "input negative_slope",
    "elu": "input alpha",
    "mean": "input dim",
    "cat": "tensors dim",
    "lstm": "input state weights bias layers dropout",
    "gru": "input state weights bias layers dropout",
    "rnn_tanh": "input state weights bias layers dropout",
}


def described(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Iterator[str]:
    """An operation in words, one string for each layer."""
    operation = re.sub("[123]d$", "", name)
    a = dict(zip(ARGUMENTS.get(operation, "").split(), args, strict=False)) | kwargs
    match operation:
        case "conv":
            outputs, inputs, *kernel = a["weight"].shape
            yield f"conv {inputs}→{outputs} {'×'.join(map(str, kernel))}{window(a, len(kernel), usual_stride=1)}"
        case "linear":
            outputs, inputs = a["weight"].shape
            yield f"linear {inputs}→{outputs}"
        case "batch_norm":
            yield f"norm {a['input'].shape[1]} momentum {a['momentum']} eps {a['eps']}"
        case "max_pool" | "avg_pool":
            kernel = each_axis(a["kernel_size"], a["input"].ndim - 2)
            yield f"{operation} {'×'.join(map(str, kernel))}{window(a, len(kernel), usual_stride=kernel)}"
        case "adaptive_max_pool" | "adaptive_avg_pool":
            yield f"{operation.removeprefix('adaptive_')} to {a['output_size']}"
        case "pad":
            ends = [f"{before}+{after}" for before, after in zip(a["pad"][::2], a["pad"][1::2], strict=True)]
            yield f"pad {a['value']} {'×'.join(reversed(ends))}"  # PyTorch has the last axis first
        case "dropout":
            if a["p"] and a["training"]:
                yield f"{name} {a['p']}"
        case "leaky_relu":
            yield f"leaky_relu {a['negative_slope']}"
        case "elu":
            yield f"elu {a['alpha']}"
        case "mean":
            yield f"mean over axis {' '.join(str(axis % a['input'].ndim) for axis in each_axis(a['dim'], 1))}"
        case "cat":
            yield f"cat {'+'.join(str(tensor.shape[1]) for tensor in a['tensors'])}"
        case "lstm" | "gru" | "rnn_tanh":
            # A layer has a matrix for its input, one for its state, and two biases.
            for inputs, states in zip(a["weights"][::4], a["weights"][1::4], strict=True):
                yield f"{operation} {inputs.shape[1]}→{states.shape[1]}"
            if a["dropout"]:
                yield f"dropout {a['dropout']} between"
        case _:
            yield name.rstrip("_")  # in place or not


def window(a: dict[str, Any], axes: int, usual_stride: int | list[int]) -> str:
    """What is unusual about the steps of a convolution or a pool."""
    words = ""
    for word, key, usual in (("stride", "stride", usual_stride), ("pad", "padding", 0), ("dilation", "dilation", 1)):
        steps = each_axis(a.get(key, usual), axes)
        if steps != each_axis(usual, axes):
            words += f" {word} {steps[0] if len(set(steps)) == 1 else '×'.join(map(str, steps))}"
    return f"{words} ceil" if a.get("ceil_mode") else words


def each_axis(value: int | Sequence[int], axes: int) -> list[int]:
    return [value] * axes if isinstance(value, int) else list(value)
