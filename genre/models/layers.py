"""What the arguments of several networks have in common: layers, filters, strides, recurrent cells, dropout."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from torch import Tensor, nn

from genre.errors import GenreError

Cell: TypeAlias = Literal["lstm", "gru", "rnn"]
"""A recurrent cell: the LSTM, the GRU, or the vanilla RNN with tanh."""

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def stacked(cell: Cell, inputs: int, units: int, layers: int = 1, dropout: float = 0.0) -> nn.RNNBase:
    """Stacked recurrent layers, batch first: ``(B, T, inputs)`` to ``(B, T, units)``.

    Args:
        cell: The cell of every layer.
        inputs: Length of the vector at each step.
        units: Units of each layer.
        layers: Number of layers.
        dropout: Rate of the dropout between the layers; what comes behind the last one is the network's to drop.

    Raises:
        GenreError: The cell is unknown.
    """
    between = dropout if layers > 1 else 0.0  # torch warns of a rate that has no place
    return cell_class(cell)(inputs, units, num_layers=layers, batch_first=True, dropout=between)


def last_step(recurrence: nn.RNNBase, x: Tensor) -> Tensor:
    """The output of the last layer at the last step, ``(B, T, inputs)`` to ``(B, units)``."""
    states: Tensor = recurrence(x)[0]
    return states[:, -1]


def cell_class(cell: str) -> type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]:
    """The class of a cell.

    Raises:
        GenreError: There is no such cell.
    """
    if cell not in CELLS:
        raise GenreError(f"cell must be one of {', '.join(CELLS)}; found {cell}")
    return CELLS[cell]


def filters_of_layers(filters: int | Sequence[int], layers: int, multiples: Sequence[int] = (1,)) -> list[int]:
    """The number of filters of each convolution.

    Args:
        filters: Those of the first convolution, or a list with those of each.
        layers: Number of convolutions.
        multiples: What the others have of the first one's filters, as in the paper; the last one holds for all further
            convolutions.

    Raises:
        GenreError: A number is below 1, or the list is not as long as there are layers.
    """
    check_counts(layers=layers)
    if isinstance(filters, int):
        filters = [filters * multiples[min(layer, len(multiples) - 1)] for layer in range(layers)]
    for number in filters:
        check_counts(filters=number)
    if len(filters) != layers:
        raise GenreError(
            f"filters has {len(filters)} numbers for {layers} layers; give one for each layer, or a single number"
        )
    return list(filters)


def stride_pair(stride: int | Sequence[int]) -> tuple[int, int]:
    """A stride over bands and frames, from one number for both or from two.

    Raises:
        GenreError: There are not one or two numbers of at least 1.
    """
    pair = (stride, stride) if isinstance(stride, int) else tuple(stride)
    if len(pair) != 2:
        raise GenreError(f"stride is one number, or two for bands and frames; found {len(pair)} numbers")
    for step in pair:
        check_counts(stride=step)
    return pair


def check_counts(**counts: int) -> None:
    """Raises a :class:`GenreError` unless every number is a whole one of at least 1."""
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise GenreError(f"{name} must be a whole number of at least 1; found {count}")


def check_rates(**rates: float) -> None:
    """Raises a :class:`GenreError` unless every rate of dropout is at least 0 and below 1."""
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise GenreError(f"{name} is the share that is dropped, at least 0 and below 1; found {rate}")
