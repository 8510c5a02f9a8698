"""Recurrent layers as single ONNX nodes, for any number of steps; torch's exporter would unroll the steps."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

#: The order of the gates in ONNX, as indices of PyTorch's: LSTM i f g o → i o f g, GRU r z n → z r n.
GATES: dict[type[nn.RNNBase], tuple[int, ...]] = {nn.LSTM: (0, 3, 1, 2), nn.GRU: (1, 0, 2), nn.RNN: (0,)}


def with_onnx_recurrences(network: nn.Module) -> nn.Module:
    """A copy of a network whose LSTM, GRU and RNN layers are ONNX's."""
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        if type(module) in GATES and isinstance(module, nn.RNNBase) and not module.proj_size and name:
            network.set_submodule(name, OnnxRecurrence(module))
    return network


class OnnxRecurrence(nn.Module):
    """Stacked recurrent layers, each a single ONNX node, for any number of steps; torch's exporter would unroll them.

    They can be exported, but not run.

    Args:
        recurrence: The layers with their weights.
    """

    def __init__(self, recurrence: nn.RNNBase) -> None:
        super().__init__()
        self.batch_first, self.units = recurrence.batch_first, recurrence.hidden_size
        self.operator = type(recurrence).__name__
        self.directions = 2 if recurrence.bidirectional else 1
        self.attributes: dict[str, Any] = {"hidden_size": self.units}
        if recurrence.bidirectional:
            self.attributes["direction"] = "bidirectional"
        if isinstance(recurrence, nn.GRU):
            self.attributes["linear_before_reset"] = 1  # the reset gate after the product, as in PyTorch
        if isinstance(recurrence, nn.RNN):
            self.attributes["activations"] = [recurrence.nonlinearity.capitalize()] * self.directions
        self.weights = nn.ModuleList(_weights(recurrence, layer) for layer in range(recurrence.num_layers))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """``(T, B, inputs)``, or batch first, to ``(T, B, directions · units)``; the last state is not returned."""
        x = x.transpose(0, 1) if self.batch_first else x
        for weights in self.weights:
            assert isinstance(weights, nn.ParameterDict)
            x = torch.onnx.ops.symbolic(
                self.operator,
                (x, weights["input"], weights["state"], weights.get("bias")),
                self.attributes,
                dtype=x.dtype,
                shape=(x.shape[0], self.directions, x.shape[1], self.units),
            )
            x = x.transpose(1, 2).flatten(2)  # (T, directions, B, units) → (T, B, directions · units)
        return (x.transpose(0, 1) if self.batch_first else x), None


def _weights(recurrence: nn.RNNBase, layer: int) -> nn.ParameterDict:
    """The weights of one layer, ``(directions, …)``, with the gates in ONNX's order."""
    gates = GATES[type(recurrence)]
    endings = [f"_l{layer}{direction}" for direction in ("", "_reverse")[: 1 + recurrence.bidirectional]]

    def reordered(name: str) -> list[Tensor]:
        tensors = [getattr(recurrence, name + ending).detach().chunk(len(gates)) for ending in endings]
        return [torch.cat([parts[gate] for gate in gates]) for parts in tensors]

    weights = {"input": torch.stack(reordered("weight_ih")), "state": torch.stack(reordered("weight_hh"))}
    if recurrence.bias:
        biases = zip(reordered("bias_ih"), reordered("bias_hh"), strict=True)
        weights["bias"] = torch.stack([torch.cat(pair) for pair in biases])
    return nn.ParameterDict(weights)
