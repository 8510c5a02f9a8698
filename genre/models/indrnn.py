"""IndRNN, the independently recurrent network."""

from typing import Literal

import torch
from torch import Tensor, nn

from genre.errors import GenreError
from genre.models.layers import check_counts, check_rates
from genre.models.recurrence import on_cpu, recur
from genre.models.sizes import need_channels, need_exactly


class IndRNN(nn.Module):
    """Layers whose units recur each on itself alone: h_t = ReLU(W x_t + b + u ⊙ h_{t−1}), |u| bounded.

    Source: Li et al., "Independently Recurrent Neural Network (IndRNN)" (2018); Wu et al., "Music Genre
    Classification Using Independent Recurrent Neural Network" (2018); Engelkes, "Music Genre Classification
    Capabilities of Enhanced Neural Network Architectures". The recipe clips gradients element-wise at 10.

    With d bands, h units, L layers and k genres, dh + h + (L−1)(h² + h) + 3Lh + hk + k trainable parameters:
    85,770 with the defaults and 10 genres. Wu's own sizes are not published; these are ours.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        units: Units of each layer.
        layers: Number of layers.
        steps: Frames of a training segment; 647 are 30 s of ``examples/engelkes/mel.yaml``. Over so many, no unit can
            amplify by more than ``growth``: the bound of |u| is growth^(1/steps). Inputs of any other length are
            welcome.
        growth: 2 as a rule; Li's public code also has 5 and 10.
        norm: Where batch norm (statistics over batch and time) stands, "before" or "after" the recurrence;
            after is on the next layer's input, as Engelkes describes it.
        dropout: Rate of the dropout behind each layer, one mask for all steps.

    Raises:
        SizeError: If an input has other bands.
        GenreError: If a number, the rate or ``norm`` is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        units: int = 128,
        layers: int = 5,
        steps: int = 647,
        growth: float = 2.0,
        norm: Literal["before", "after"] = "after",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_counts(units=units, layers=layers, steps=steps)
        check_rates(dropout=dropout)
        if not growth > 0:
            raise GenreError(f"growth is the factor over all steps, which must be positive; found {growth}")
        if norm not in ("before", "after"):
            raise GenreError(f"norm stands before or after the recurrence; found {norm}")
        self.bands = bands
        bound = growth ** (1 / steps)
        self.layers = nn.Sequential(
            *(IndRNNLayer(units if i else bands, units, bound, norm, dropout) for i in range(layers))
        )
        self.classifier = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x = self.layers(x.squeeze(1).permute(2, 0, 1))  # (B, 1, bands, T) → (T, B, bands) → (T, B, units)
        logits: Tensor = self.classifier(x[-1])
        return logits

    def no_weight_decay(self) -> set[str]:
        """Names of all vectors: u, the biases and batch norm; only the matrices are left to decay."""
        return {name for name, parameter in self.named_parameters() if parameter.ndim == 1}


class IndRNNLayer(nn.Module):
    """One layer of ``IndRNN``, time first: one matrix product for all steps, then the recurrence."""

    def __init__(self, inputs: int, units: int, bound: float, norm: str, dropout: float) -> None:
        super().__init__()
        self.bound = bound
        self.norm_first = norm == "before"
        self.linear = nn.Linear(inputs, units)
        self.u = nn.Parameter(torch.empty(units).uniform_(0, bound))
        self.norm = nn.BatchNorm1d(units)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(T, B, inputs)`` to ``(T, B, units)``."""
        x = linear_over_time(self.linear, x)
        if self.norm_first:
            x = norm_over_time(self.norm, x)
        x = recur(x, self.bounded_u())
        if not self.norm_first:
            x = norm_over_time(self.norm, x)
        return dropout_over_time(self.dropout, x)

    def bounded_u(self) -> Tensor:
        """``u`` within its bound, under any optimiser.

        In training the parameter itself is brought back, before it is used: at its bound it keeps its gradient,
        which a clamp in the graph would cut off. In evaluation, after the optimiser's last step, it may be
        outside, and is clamped without being changed.
        """
        if self.training:
            # `data`, as a second forward before the backward must not invalidate the first: it changes nothing
            self.u.data.clamp_(-self.bound, self.bound)
            return self.u
        return self.u.clamp(-self.bound, self.bound)


def linear_over_time(linear: nn.Linear, x: Tensor) -> Tensor:
    """``linear`` of ``(T, B, inputs)``, on a CPU as a convolution of 1 × 1.

    That is the same product, but PyTorch has convolutions computed by oneDNN and products by MKL, which takes
    twice as long on AMD's processors.
    """
    if not on_cpu(x) or not x.numel():  # no convolution takes an empty batch
        product: Tensor = linear(x)
        return product
    pixels = x.reshape(1, 1, -1, x.shape[-1]).permute(0, 3, 1, 2)  # (T, B, inputs) → (1, inputs, 1, T·B)
    pixels = nn.functional.conv2d(pixels, linear.weight[:, :, None, None], linear.bias)
    return pixels.permute(0, 2, 3, 1).reshape(*x.shape[:2], -1)  # (1, units, 1, T·B) → (T, B, units)


def norm_over_time(norm: nn.Module, x: Tensor) -> Tensor:
    """``BatchNorm1d`` of ``(T, B, units)`` with statistics over batch and time."""
    normed: Tensor = norm(x.flatten(0, 1))
    return normed.view_as(x)


def dropout_over_time(dropout: nn.Module, x: Tensor) -> Tensor:
    """``Dropout1d`` of ``(T, B, units)`` with one mask for all steps."""
    dropped: Tensor = dropout(x.permute(1, 2, 0))
    return dropped.permute(2, 0, 1)
