"""IndRNN, the independently recurrent network, and the RNN and LSTM that Engelkes compares it with.

Papers: Li et al., "Independently Recurrent Neural Network (IndRNN)" (2018); Wu et al., "Music Genre Classification
Using Independent Recurrent Neural Network" (2018); Engelkes, "Music Genre Classification Capabilities of Enhanced
Neural Network Architectures".

Stated: the recurrence and the bound of its weights (Li et al.); IndRNN, RNN and LSTM in one layout on GTZAN (Wu et
al.); batch norm of each layer's input (Engelkes).
Code: where batch norm may stand, and the other values of ``growth`` (Li et al.).
Ours: all sizes, as Wu's are not published.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from genre.errors import GenreError
from genre.models.layers import CellName, cell_class, check_counts, check_input, check_rates
from genre.models.recurrence import linear_over_time, recur


class IndRNN(nn.Module):
    """IndRNN (Li et al. 2018): each unit recurs on itself alone, h_t = ReLU(W x_t + b + u ⊙ h_{t−1}), ``|u|`` bounded.

    With d bands, h units, L layers and k genres, dh + h + (L−1)(h² + h) + 3Lh + hk + k trainable parameters:
    85,770 with the defaults and 10 genres. The recurrence is stated by Li et al., the sizes are ours.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        units: Units of each layer.
        layers: Number of layers.
        steps: Frames of a training segment; 647 are 30 s of ``examples/engelkes/mel.yaml``. Over so many frames, no
            unit can amplify by more than ``growth``: the bound of ``|u|`` is growth^(1/steps). Inputs of any other
            length are accepted.
        growth: 2 as a rule; Li's public code also has 5 and 10.
        norm: The place of batch norm (statistics over batch and time), "before" or "after" the recurrence; after it,
            the norm is that of the next layer's input, as Engelkes describes it.
        dropout: Dropout rate after each layer, one mask for all steps.

    Raises:
        SizeError: An input has other bands.
        GenreError: A number, the rate or ``norm`` is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import IndRNN
        >>> network = IndRNN(num_classes=10, steps=130)
        >>> network(torch.randn(2, 1, 128, 130)).shape
        torch.Size([2, 10])
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
        check_input(self, x, bands=self.bands)
        x = self.layers(x.squeeze(1).permute(2, 0, 1))  # (B, 1, bands, T) → (T, B, bands) → (T, B, units)
        logits: Tensor = self.classifier(x[-1])
        return logits

    def no_weight_decay(self) -> set[str]:
        """Names of all vectors: u, the biases and batch norm. Only the matrices decay."""
        return {name for name, parameter in self.named_parameters() if parameter.ndim == 1}


class IndRNNLayer(nn.Module):
    """One layer of :class:`IndRNN`, time first: one matrix product for all steps, then the recurrence."""

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
        """``u`` within its bound, whatever the optimiser.

        In training, the parameter itself is clamped before it is used: at its bound it keeps its gradient, which a
        clamp in the graph would cut off. In evaluation, after the optimiser's last step, it may be outside; then a
        clamped copy is used.
        """
        if self.training:
            # `data`, as a second forward before the backward must not invalidate the first: it changes nothing
            self.u.data.clamp_(-self.bound, self.bound)
            return self.u
        return self.u.clamp(-self.bound, self.bound)


class WuRNN(nn.Module):
    """The vanilla RNN and the LSTM that Wu et al. compare with IndRNN, in the layout of :class:`IndRNN`; also a GRU.

    With the defaults and 10 genres, 167,690 (RNN) and 663,050 (LSTM) trainable parameters, two bias vectors in each
    recurrent layer. Wu et al. and Engelkes state the two cells; the GRU and the sizes, those of ``IndRNN``, are ours.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        units: Units of each layer.
        layers: Number of layers.
        cell: The recurrent cell: "rnn" (tanh), "lstm" or "gru", which is not Wu's.
        dropout: Dropout rate after each layer, one mask for all steps.

    Raises:
        SizeError: An input has other bands.
        GenreError: The cell is unknown, or a number or the rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import WuRNN
        >>> network = WuRNN(num_classes=10, cell="lstm")
        >>> network(torch.randn(2, 1, 128, 130)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        units: int = 128,
        layers: int = 5,
        cell: CellName = "rnn",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, units=units)
        check_rates(dropout=dropout)
        self.bands = bands
        recurrence = cell_class(cell)
        self.recurrences = nn.ModuleList(recurrence(units if i else bands, units) for i in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(units) for _ in range(layers))
        self.dropout = nn.Dropout1d(dropout)
        self.classifier = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        check_input(self, x, bands=self.bands)
        x = x.squeeze(1).permute(2, 0, 1)  # (B, 1, bands, T) → (T, B, bands)
        for recurrence, norm in zip(self.recurrences, self.norms, strict=True):
            x, _ = recurrence(x)  # (T, B, units)
            x = dropout_over_time(self.dropout, norm_over_time(norm, x))
        logits: Tensor = self.classifier(x[-1])
        return logits


def norm_over_time(norm: nn.Module, x: Tensor) -> Tensor:
    """``BatchNorm1d`` of ``(T, B, units)`` with statistics over batch and time."""
    normed: Tensor = norm(x.flatten(0, 1))  # (T, B, units) → (T · B, units)
    return normed.view_as(x)


def dropout_over_time(dropout: nn.Module, x: Tensor) -> Tensor:
    """``Dropout1d`` of ``(T, B, units)`` with one mask for all steps."""
    dropped: Tensor = dropout(x.permute(1, 2, 0))  # (T, B, units) → (B, units, T)
    return dropped.permute(2, 0, 1)
