"""The head of a network, its last linear layer, and the embeddings that enter it."""

from torch import Tensor, nn

from genre.errors import GenreError


def find_head(network: nn.Module) -> tuple[str, nn.Linear]:
    """The head of a network and its name: the last linear layer outside of its ``backbone``, if it has one."""
    heads = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.partition(".")[0] != "backbone"
    ]
    if not heads:
        raise GenreError(f"{type(network).__name__} has no head: found no nn.Linear outside of its backbone")
    return heads[-1]


def penultimate(network: nn.Module, inputs: Tensor) -> Tensor:
    """The embeddings ``(B, D)`` of inputs: the vectors that enter the head of a network.

    If the head is applied to several vectors per input, their mean. The embeddings of a network with a ``backbone`` are
    the backbone's outputs. In training mode, dropout and batch norm are those of training.
    """
    _, head = find_head(network)
    head_inputs: list[Tensor] = []
    # The hook returns None, which leaves the head's input as it is.
    hook = head.register_forward_pre_hook(lambda _, arguments: head_inputs.append(arguments[0]))
    try:
        network(inputs)
    finally:
        hook.remove()
    if not head_inputs:
        raise GenreError(f"{type(network).__name__} does not call its last nn.Linear, whose input is wanted")
    vectors = head_inputs[-1]
    return vectors.flatten(1, -2).mean(1) if vectors.ndim > 2 else vectors


def classify(network: nn.Module, embeddings: Tensor) -> Tensor:
    """The logits ``(B, classes)`` of embeddings ``(B, D)``: ``dropout``, if the network has it, then the head.

    The network consists of ``backbone``, ``dropout`` (optional) and a head.
    """
    _, head = find_head(network)
    dropout = getattr(network, "dropout", None)
    logits: Tensor = head(dropout(embeddings) if isinstance(dropout, nn.Module) else embeddings)
    return logits
