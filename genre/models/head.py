"""The head of a network, its last linear layer, and what enters it."""

from torch import Tensor, nn

from genre.errors import GenreError


def find_head(network: nn.Module) -> tuple[str, nn.Linear]:
    """The head of a network and its name: the last linear layer, outside of the ``backbone`` where there is one.

    Raises:
        GenreError: There is none.
    """
    heads = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.partition(".")[0] != "backbone"
    ]
    if not heads:
        raise GenreError(f"{type(network).__name__} has no head: found no nn.Linear outside of its backbone")
    return heads[-1]


def penultimate(network: nn.Module, inputs: Tensor) -> Tensor:
    """What enters the head of a network.

    Args:
        network: The network. In training mode, dropout and batch norm are those of training.
        inputs: What it takes, ``(B, C, frequency, time)``.

    Returns:
        ``(B, D)``: for a network with a ``backbone`` what comes out of that. The mean over all other dimensions where
        the head is applied to several vectors for each input.

    Raises:
        GenreError: The network has no head, or does not call it.
    """
    _, head = find_head(network)
    caught: list[Tensor] = []
    # It returns None: the head's input stays as it is.
    hook = head.register_forward_pre_hook(lambda _, arguments: caught.append(arguments[0]))
    try:
        network(inputs)
    finally:
        hook.remove()
    if not caught:
        raise GenreError(f"{type(network).__name__} does not call its last nn.Linear, of which the input is wanted")
    vectors = caught[-1]
    return vectors.flatten(1, -2).mean(1) if vectors.ndim > 2 else vectors


def classify(network: nn.Module, embeddings: Tensor) -> Tensor:
    """What a network makes of what enters its head, after its ``dropout`` where it has one.

    Args:
        network: A network with a ``backbone``, whose head follows that and, if there is one, ``dropout``.
        embeddings: ``(B, D)``, see :func:`penultimate`.

    Returns:
        ``(B, classes)`` logits.
    """
    _, head = find_head(network)
    dropout = getattr(network, "dropout", None)
    logits: Tensor = head(dropout(embeddings) if isinstance(dropout, nn.Module) else embeddings)
    return logits
